#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds examples/firmware/ with the board-side core for a small processor, and holds its size.

usage: firmware_size.py TARGET
  TARGET    cortex-m0plus or riscv
Prints text and RAM; exit status 1 when one is above its limit, 77 when the compiler is missing.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAX_TEXT = 16384
MAX_RAM = 2048  # beside buffers
MAX_FRAME = 512  # stack of one function
TARGETS = {
    "cortex-m0plus": ("arm-none-eabi-", ["-mcpu=cortex-m0plus", "-mthumb"]),
    # What RISC-V has for small code: prologues as functions of libgcc.
    "riscv": ("riscv64-unknown-elf-", ["-march=rv32imac", "-mabi=ilp32", "-msave-restore"]),
}
FLAGS = ["-std=c99", "-Os", "-flto", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-ffunction-sections",
         "-fdata-sections", "-fno-asynchronous-unwind-tables", "-I", str(ROOT)]
# Where the registers lie is anybody's guess here; interrupts come from a vector table that is not here either.
LINK = ["-nostdlib", "-Wl,--gc-sections", "-Wl,--defsym=hardware=0x40000000", "-Wl,-e,main", "-Wl,-u,uart_interrupt",
        "-Wl,--no-warn-rwx-segments", "-fstack-usage"]
BUFFERS = ("buffers", "ring")


def sources():
    build = (ROOT / "nmlink/meson.build").read_text(encoding="utf-8")
    names = re.findall(r"'(\w+\.c)'", re.search(r"nmlink_core_srcs = files\((.*?)\)", build, re.S)[1])
    return [ROOT / "nmlink" / name for name in names] + [ROOT / "examples/firmware" / name
                                                        for name in ("board.c", "main.c", "uart.c")]


def build(gcc, machine, folder):
    """The linked firmware. The four functions of libc.c stay out of -flto: gcc itself calls them."""
    libc, elf = folder / "libc.o", folder / "firmware.elf"
    plain = [flag for flag in FLAGS if flag != "-flto"]
    run(gcc, *machine, *plain, "-fno-tree-loop-distribute-patterns", "-c", ROOT / "examples/firmware/libc.c",
        "-o", libc)
    run(gcc, *machine, *FLAGS, *LINK, *sources(), libc, "-lgcc", "-o", elf, folder=folder)
    return elf


def run(*command, folder=None):
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, cwd=folder).stdout


def main():
    prefix, machine = TARGETS[sys.argv[1]]
    if not shutil.which(prefix + "gcc"):
        print(f"{prefix}gcc is not installed")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        elf = build(prefix + "gcc", machine, folder)
        text, data, bss = map(int, run(prefix + "size", elf).splitlines()[1].split()[:3])
        symbols = {symbol: int(size, 16)
                   for size, symbol in re.findall(r"^\w+ (\w+) \w (\w+)$", run(prefix + "nm", "-S", elf), re.M)}
        stacks = [int(size) for path in folder.glob("*.su")
                  for size in re.findall(r"\t(\d+)\t", path.read_text(encoding="utf-8"))]
    buffers = sum(symbols[buffer] for buffer in BUFFERS)
    ram = data + bss - buffers
    print(f"{sys.argv[1]}: text {text} bytes (at most {MAX_TEXT}), RAM {ram} bytes (at most {MAX_RAM}) beside "
          f"{buffers} of buffers, largest stack frame {max(stacks)} bytes (at most {MAX_FRAME})")
    return 1 if text > MAX_TEXT or ram > MAX_RAM or max(stacks) > MAX_FRAME else 0


if __name__ == "__main__":
    sys.exit(main())
