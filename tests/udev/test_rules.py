#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_rules.py GENERATOR RULES CACHE: the udev rules of the tree are those of the tables, and udev takes them.

`udevadm verify` came after Debian 12: the udev of its backports is fetched and unpacked into CACHE, never installed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PACKAGES = ("udev", "libudev1", "libsystemd0", "libsystemd-shared")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FILES = {"access": "70-nmhal.rules", "group": "71-nmhal-group.rules"}
GENERATOR, RULES, CACHE = map(lambda path: pathlib.Path(path).absolute(), sys.argv[1:4])


def mirror():
    """The archive this machine uses."""
    for source in ("/etc/apt/sources.list", *pathlib.Path("/etc/apt/sources.list.d").glob("*")):
        try:
            text = pathlib.Path(source).read_text(encoding="utf-8")
        except OSError:
            continue
        found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(https?://\S+/debian)/?(?:\s|$)", text, re.M)
        if found:
            return found[1]
    return "http://deb.debian.org/debian"


def apt(work, *command):
    options = {"Dir::Etc::sourcelist": f"{work}/sources.list", "Dir::Etc::sourceparts": "-",
               "Dir::State::lists": f"{work}/lists", "Dir::Cache": f"{work}/cache"}
    return subprocess.run(["apt-get", "-q", *(word for pair in options.items() for word in ("-o", "=".join(pair))),
                           *command], cwd=work, capture_output=True, text=True, timeout=120, check=True)


def fetch_udev():
    """Folder with a udev that can verify."""
    if (CACHE / "bin/udevadm").exists():
        return CACHE
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)  # apt downloads as a user of its own
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(work, name))
        pathlib.Path(work, "sources.list").write_text(
            f"deb [signed-by={KEYRING}] {mirror()} bookworm-backports main\n", encoding="utf-8")
        apt(work, "update")
        apt(work, "download", *PACKAGES)
        for archive in pathlib.Path(work).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(archive), f"{work}/x"], check=True)
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(f"{work}/x", CACHE, symlinks=True)
    return CACHE


def verify(path):
    """(status, words) of udevadm verify."""
    udev = fetch_udev()
    libraries = [str(folder) for folder in (udev / "lib").rglob("*") if folder.is_dir()]
    libraries += [str(folder) for folder in (udev / "usr/lib").rglob("*") if folder.is_dir()]
    done = subprocess.run([str(udev / "bin/udevadm"), "verify", str(path)], capture_output=True, text=True, check=False,
                          env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)})
    return done.returncode, done.stdout + done.stderr


class Rules(unittest.TestCase):
    def test_tree_has_what_the_tables_say(self):
        for word, name in FILES.items():
            text = subprocess.run([GENERATOR, word], capture_output=True, text=True, check=True).stdout
            self.assertEqual((RULES / name).read_text(encoding="ascii"), text, f"{name}: run udev/rules {word}")

    def test_no_rule_opens_a_bare_ftdi_chip(self):
        lines = [line for line in (RULES / FILES["access"]).read_text(encoding="ascii").splitlines()
                 if '"0403"' in line]
        self.assertTrue(lines)
        for line in lines:
            self.assertIn('{product}=="NMHAL*"', line)

    def test_udev_takes_them(self):
        for name in FILES.values():
            status, words = verify(RULES / name)
            self.assertEqual(status, 0, words)

    def test_udev_would_refuse_a_wrong_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".rules") as wrong:
            wrong.write('SUBSYSTEM="usb", ATTRX{idVendor}=="0403"\n')
            wrong.flush()
            self.assertNotEqual(verify(wrong.name)[0], 0)


if __name__ == "__main__":
    if not all(map(shutil.which, ("apt-get", "dpkg-deb"))):
        print("skipped: apt-get and dpkg-deb are needed to fetch a udev that can verify rules")
        sys.exit(77)
    try:
        fetch_udev()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as reason:
        print(f"skipped: no udev from {mirror()} bookworm-backports: {reason}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
