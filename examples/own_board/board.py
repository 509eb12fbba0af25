#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The board "own" on a pseudo-terminal, for a machine without one.

usage: board.py [COMMAND...]   runs COMMAND with {} replaced by the path of the terminal device, then ends;
                               without a command: prints the path and serves until it is stopped
"""
import os
import subprocess
import sys
import threading
import tty

ROWS, COLS = 8, 8


def answer(codes, line):
    """What the board says to one line; it knows nothing else."""
    word, *numbers = line.split()
    if word == "?":
        return f"own {ROWS} {COLS} {numbers[0]}"
    row, col, *values = map(int, numbers)
    if word == "w":
        codes[row][col:col + len(values)] = values
        return "ok"
    return " ".join(map(str, codes[row][col:col + values[0]]))


def serve(terminal, reply=answer):
    """Answers line by line until the terminal is closed. A reply of None is silence."""
    codes = [[0] * COLS for _ in range(ROWS)]
    waiting = b""
    while True:
        try:
            waiting += os.read(terminal, 4096)
        except OSError:
            return
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            text = reply(codes, line.decode())
            if text is not None:
                os.write(terminal, text.encode() + b"\n")


def start(reply=answer):
    """(path of the terminal device, the other end's descriptor): a board that answers in a thread."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)  # it stays open: a terminal nobody holds would hang up
    threading.Thread(target=serve, args=(ours, reply), daemon=True).start()
    return os.ttyname(theirs), ours


def main():
    path, _ = start()
    if len(sys.argv) > 1:
        return subprocess.run([word.replace("{}", path) for word in sys.argv[1:]], check=False).returncode
    print(path, flush=True)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
