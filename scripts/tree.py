# SPDX-License-Identifier: MIT
"""The source files of this tree, for the checks."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def files(root, *suffixes):
    """Paths below root, relative to it: what git would commit, or everything where there is no git (a release)."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        found = [pathlib.PurePosixPath(name) for name in listed.stdout.split("\0") if name]
    else:
        found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix in suffixes and path.parts[0] != "build"
                  and (root / path).is_file())
