#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the include rules: which folder may know which. Prints each broken rule; exit status 1 if there is one.

usage: check_includes.py [ROOT]
"""
import pathlib
import re
import sys

from tree import ROOT, files

USB = r"<.*(libusb|libftdi|ftdi).*>"

# (files the rule is about, includes it forbids, includes it allows all the same, why)
# An include is written as the path of the file in this tree, or <name> when the file is not ours.
RULES = [
    (r"include/", r".*", r"include/nmhal/.*|<(stddef|stdint)\.h>", "public headers need nothing but themselves"),
    (r"hal/", USB + r"|(drivers|sim|nmlink|tools)/.*", r"", "the core knows no bytes, no USB and no chip"),
    (r"(nmlink|examples/firmware)/", r".*", r"(nmlink|examples/firmware)/.*|<std(bool|def|int)\.h>",
     "the board side needs three headers of the compiler and itself"),
    (r"nmlink/", r"examples/.*", r"", "the protocol knows no board"),
    (r"sim/", r"(hal|drivers|tools|include)/.*|" + USB, r"", "models know neither the core nor the drivers"),
    (r"drivers/", r"hal/.*", r"", "drivers reach the core through nmhal/driver.h"),
    (r"drivers/(odin|ftdi|null|socket|tty|usb)/", r"nmlink/.*", r"",
     "of the drivers only drivers/link speaks nmlink; links carry it without knowing"),
    (r"drivers/(odin|link|null)/", USB, r"", "a board driver does not know how its commands travel"),
    (r"(?!sim/|drivers/sim/|tools/vboard|tests/|bench/|fuzz/)", r"sim/.*", r"",
     "only drivers/sim and nmhal-vboard join the emulator to anything"),
    (r"(tools/(?!vboard|(cmd_)?conformance)|examples/(?!own_board/|firmware/)|tests/client/)",
     r"(?!tools/|examples/|tests/client/)[^<].*|tools/conformance/.*", r"include/nmhal/nmhal\.h",
     "programs of users see the public header only"),
    (r"tools/(cmd_)?conformance", r"(?!tools/)[^<].*",
     r"include/nmhal/(nmhal|driver)\.h|nmlink/(frame|codec|messages)\.h",
     "the conformance run speaks nmlink by itself, as a driver outside the library, so that no driver tests itself"),
    (r"tools/vboard/", r"(?!tools/vboard/|sim/board\.h|nmlink/)[^<].*", r"include/nmhal/nmhal\.h",
     "nmhal-vboard sees boards from outside, and the frames they speak"),
    (r"(examples/own_board|tests/conformance)/", r"(?!examples/own_board/|tests/conformance/)[^<].*",
     r"include/nmhal/(nmhal|driver)\.h", "a driver outside the library, and the suite, see the public headers only"),
]
# The same programs link the shared library, not the static one of the tests.
PROGRAM_BUILD = (r"(tools/(?!vboard/)|examples/|tests/client/)", r"\b(core_dep|root_inc)\b")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def resolve(root, source, quote, name, by_name):
    """Path in the tree of what `source` includes, or <name>."""
    places = [source.parent] if quote == '"' else []
    for place in places + [pathlib.PurePosixPath("."), pathlib.PurePosixPath("include")]:
        if (root / place / name).is_file():
            return (root / place / name).resolve().relative_to(root).as_posix()
    same_name = by_name.get(pathlib.PurePosixPath(name).name, [])
    # An -I flag may hide the folder; a quoted name that only one file of ours has is that file.
    return same_name[0] if quote == '"' and len(same_name) == 1 else f"<{name}>"


# Drivers are independent of each other, but the emulator may be put below the bus of drivers/ftdi, and what
# drivers/record writes is what drivers/replay reads.
CROSSINGS = [(r"drivers/sim/", r"drivers/ftdi/\w+\.h"), (r"drivers/replay/", r"drivers/record/trace\.h")]


def crossed_folder(path, target):
    """One driver includes another's file; those of drivers/common are for all."""
    return (path.startswith("drivers/") and target.startswith("drivers/")
            and target.split("/")[1] not in ("common", path.split("/")[1])
            and not any(re.match(source, path) and re.fullmatch(header, target) for source, header in CROSSINGS))


def broken_rules(root):
    """One sentence per broken rule."""
    root = root.resolve()
    sources = files(root, ".c", ".h")
    by_name = {}
    for path in sources:
        by_name.setdefault(path.name, []).append(path.as_posix())
    broken = []
    for source in sources:
        path = source.as_posix()
        text = (root / source).read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            target = resolve(root, source, match[1], match[2], by_name)
            place = f"{path}:{text.count(chr(10), 0, match.start()) + 1}: includes {target}"
            for folder, forbidden, allowed, why in RULES:
                if re.match(folder, path) and re.fullmatch(forbidden, target) and not re.fullmatch(allowed, target):
                    broken.append(f"{place}: {why}")
            if crossed_folder(path, target):
                broken.append(f"{place}: drivers do not know each other")
    for source in files(root, ".build"):
        text = (root / source).read_text(encoding="utf-8")
        if re.match(PROGRAM_BUILD[0], source.as_posix()) and re.search(PROGRAM_BUILD[1], text):
            broken.append(f"{source}: programs of users link the shared library (nmhal_dep)")
    return broken


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    broken = broken_rules(root)
    for sentence in broken:
        print(sentence)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
