# SPDX-License-Identifier: MIT
"""What the tests of the Python package share."""
import concurrent.futures
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import nmhal

#: A build of the whole tree, whose programs some tests need: $NMHAL_BUILD, as scripts/test sets it.
BUILD = pathlib.Path(os.environ["NMHAL_BUILD"]).absolute() if "NMHAL_BUILD" in os.environ else None
#: Of devices: codes[row][col], row = input. The case that every part of the project shares.
GOLDEN = np.array([[1, 2, 3, 4, 5], [-1, -2, -3, -4, -5], [7, 0, -6, 6, -7]], np.int8)
#: Of arrays: W[out][in]; likewise.
GOLDEN_W = np.array([[7, -1, 0, 2, 3], [-7, 4, 5, 6, -2], [1, 1, -7, 0, 5]], np.float32)


class Board:
    """An emulated board in a process of its own, behind a socket; needs BUILD."""

    def __init__(self, board):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.uri = f"unix:path={folder}/board.sock"
            process = stack.enter_context(subprocess.Popen(
                [BUILD / "tools/vboard/nmhal-vboard", board, "--unix", f"{folder}/board.sock"],
                stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            if not process.stdout.readline():
                raise RuntimeError(f"nmhal-vboard {board} did not start")
            self.close = stack.pop_all().close


def events(*spikes):
    """Input events of (step, row)."""
    array = np.zeros(len(spikes), nmhal.EVENT)
    for place, (step, row) in enumerate(spikes):
        array[place]["step"], array[place]["address"] = step, row
    return array


def neurons(count, threshold=1, **fields):
    """Enabled neurons."""
    array = np.zeros(count, nmhal.NEURON)
    array["threshold"], array["enabled"] = threshold, 1
    for name, value in fields.items():
        array[name] = value
    return array


def make_loop(device):
    """Neuron 0 of a tinyODIN fires itself for ever."""
    device.program([[7]])
    device.set_neurons(neurons(1))
    device.attrs["open_loop"] = False


def run_for_ever(device):
    """Runs until the device is interrupted; after make_loop()."""
    return device.run(events((0, 0)), to_ring=True, max_events_per_input=nmhal.NO_LIMIT, timeout=60)


def in_thread(function):
    """Starts a thread, and returns its future when it is inside a call of the library, or about to make it."""
    future = concurrent.futures.Future()

    def work():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not future.done() and not is_inside(thread):
        time.sleep(0.002)
    return future


def start_run(device):
    """A thread that runs until the device is interrupted, which its result is; it has begun."""
    make_loop(device)

    def run():
        try:
            return run_for_ever(device)
        except nmhal.CanceledError as error:
            return error

    future = in_thread(run)
    device.read_spikes(1, timeout=60)
    return future


def is_inside(thread):
    """Whether the thread's Python is where the package calls C."""
    frame = sys._current_frames().get(thread.ident)
    return frame is not None and frame.f_code is nmhal._core.call.__code__


def press_ctrl_c(delay=0.2):
    """SIGINT for this process, soon."""
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


class Case(unittest.TestCase):
    """With a device for each test: class attribute `uri`."""

    uri = "sim:tinyodin"

    def setUp(self):
        self.dev = nmhal.open(self.uri)
        self.addCleanup(self.dev.close)

    def refused(self, kind, *words):
        """The block raises an nmhal error whose sentence has these words."""
        return self.assertRaisesRegex(kind, ".*".join(words))


def python(script, *args, timeout=60, **more):
    """Runs a script in another interpreter, warnings as errors."""
    return subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", script, *args], capture_output=True,
                          text=True, timeout=timeout, check=False, cwd=os.path.dirname(__file__), **more)
