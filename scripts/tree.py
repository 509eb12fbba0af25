# SPDX-License-Identifier: MIT
"""The source files of this tree, for the checks."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def all_files(root):
    """Paths below root, relative to it: what git would commit, or everything where there is no git (a release)."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        found = [pathlib.PurePosixPath(name) for name in listed.stdout.split("\0") if name]
    else:
        found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return sorted(path for path in found if path.parts[0] != "build" and (root / path).is_file())


def files(root, *suffixes):
    """Those of all_files() that end in one of the suffixes."""
    return [path for path in all_files(root) if path.suffix in suffixes]


def shell_scripts(root):
    """Those of all_files() that sh or bash runs or, named .sh, sources."""
    return [path for path in all_files(root)
            if path.suffix == ".sh" or re.match(rb"#!.*\b(ba)?sh\b", (root / path).read_bytes())]
