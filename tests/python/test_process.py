# SPDX-License-Identifier: MIT
"""Threads, Ctrl-C, fork, the end of the interpreter."""
import concurrent.futures
import signal
import threading
import time
import unittest

import numpy as np

import nmhal
from common import Case, events, make_loop, press_ctrl_c, python, run_for_ever, start_run

# The child of a script says what it did through its exit status.
FORKED = """
import os, sys, warnings
import nmhal
from common import *
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point
{before}
child = os.fork()
if child == 0:
    try:
        {inside}
        sys.exit(0)
    except nmhal.Error as error:
        print(type(error).__name__, error, flush=True)
        sys.exit(7)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
{after}
sys.exit(status)
"""


class CtrlC(Case):
    def test_a_long_run_ends(self):
        make_loop(self.dev)
        press_ctrl_c()
        self.assertRaises(KeyboardInterrupt, run_for_ever, self.dev)
        self.dev.reset_state()
        self.dev.attrs["open_loop"] = True
        self.assertEqual(self.dev.run(events((0, 0))).events_out, 1)

    def test_waiting_for_spikes_ends(self):
        press_ctrl_c()
        self.assertRaises(KeyboardInterrupt, self.dev.read_spikes, timeout=60)
        self.assertRaises(nmhal.AgainError, self.dev.read_spikes, timeout=0)

    def test_a_product_that_waits_ends(self):
        """Both devices are interrupted, and the one that no call ran on takes no harm."""
        with nmhal.open("sim:tinyodin") as other:
            array = nmhal.Array([self.dev, other], 3, 300)
            run = start_run(self.dev)
            press_ctrl_c()
            self.assertRaises(KeyboardInterrupt, array.matmul, np.ones((3, 300)), np.ones(300) / 300)
            self.assertIsInstance(run.result(60), nmhal.CanceledError)
            self.assertEqual(other.weights().shape, (256, 256))
            self.assertEqual(self.dev.weights().shape, (256, 256))

    def test_a_handler_that_does_not_raise(self):
        make_loop(self.dev)
        seen = []
        before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        self.addCleanup(signal.signal, signal.SIGINT, before)
        press_ctrl_c()
        with self.refused(nmhal.CanceledError, "interrupt"):
            run_for_ever(self.dev)
        self.assertEqual(seen, [signal.SIGINT])

    def test_ignored(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        press_ctrl_c(0.05)
        self.assertRaises(nmhal.DeadlineError, self.dev.read_spikes, timeout=0.3)

    def test_python_has_its_handler_back(self):
        before = signal.getsignal(signal.SIGINT)
        self.dev.weights()
        self.assertIs(signal.getsignal(signal.SIGINT), before)
        with self.assertRaises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        self.dev.weights()


class Threads(Case):
    def test_others_run_meanwhile(self):
        run = start_run(self.dev)
        with nmhal.open("sim:tinyodin") as other:  # a call that had Python's lock would not let us get here
            self.assertEqual(other.weights().shape, (256, 256))
        self.assertFalse(run.done())
        self.dev.interrupt()
        self.assertIsInstance(run.result(60), nmhal.CanceledError)

    def test_close_ends_a_run(self):
        run = start_run(self.dev)
        self.dev.close()
        self.assertIsInstance(run.result(60), nmhal.CanceledError)

    def test_busy(self):
        run = start_run(self.dev)
        self.assertRaises(nmhal.BusyError, self.dev.weights, timeout=0)
        self.assertRaises(nmhal.DeadlineError, self.dev.weights, timeout=0.01)
        self.dev.interrupt()
        self.assertIsInstance(run.result(60), nmhal.CanceledError)

    def test_sentences_belong_to_threads(self):
        barrier = threading.Barrier(2)

        def fail(code):
            for _ in range(50):
                barrier.wait(30)
                with self.assertRaisesRegex(nmhal.InvalidError, f" {code} at row"):
                    self.dev.program([[code]])

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for thread in [pool.submit(fail, code) for code in (11, 22)]:
                thread.result(60)


class Fork(unittest.TestCase):
    def fork(self, before, inside, after="", **more):
        found = python(FORKED.format(before=before, inside=inside, after=after), **more)
        self.assertEqual(found.stderr, "")
        return found

    def test_a_device_of_the_parent(self):
        found = self.fork("dev = nmhal.open('sim:tinyodin')", "dev.weights()", "dev.weights(); dev.close()")
        self.assertRegex(found.stdout, "^StateError sim:tinyodin: .*opened before fork")
        self.assertEqual(found.returncode, 7)

    def test_a_slot_that_was_being_made(self):
        found = self.fork("nmhal._array._Slots.lock.acquire()",
                          "array = nmhal.Array(nmhal.open('sim:tinyodin'), 3, 5)\n"
                          "        sys.exit(array.slot() < 0)", "")
        self.assertEqual((found.stdout, found.returncode), ("", 0))

    def test_an_array_in_use(self):
        found = self.fork("dev = nmhal.open('sim:tinyodin'); array = nmhal.Array(dev, 3, 5); run = start_run(dev)\n"
                          "product = in_thread(lambda: array.matmul(GOLDEN_W, np.ones(5)))",
                          "array.matmul(GOLDEN_W, np.ones(5))", "dev.interrupt(); product.result(30)")
        self.assertRegex(found.stdout, "^StateError .*made before fork")
        self.assertEqual(found.returncode, 7)

    def test_a_child_lets_go_of_an_array_in_use(self):
        found = self.fork("dev = nmhal.open('sim:tinyodin'); array = nmhal.Array(dev, 3, 5); run = start_run(dev)\n"
                          "array.slot(); product = in_thread(lambda: array.matmul(GOLDEN_W, np.ones(5)))",
                          "array.free(); print('freed', nmhal.Array(nmhal.open('sim:tinyodin'), 3, 5).slot())",
                          "dev.interrupt(); print(product.result(30)[0])")
        self.assertEqual((found.returncode, found.stdout), (0, "freed 1\n11.0\n"))

    def test_a_child_opens_its_own(self):
        found = self.fork("dev = nmhal.open('sim:tinyodin'); run = start_run(dev)",
                          "own = nmhal.open('sim:tinyodin'); print(own.weights().shape); own.close(); dev.close()",
                          "print(dev.uri, run.done())")
        self.assertEqual((found.returncode, found.stdout), (0, "(256, 256)\nsim:tinyodin False\n"))

    def test_ctrl_c_in_the_child_of_a_thread(self):
        """The main thread was inside a call when another one forked."""
        found = python("""
import os, signal, sys, threading, time, warnings
import nmhal
from common import *
warnings.simplefilter("ignore", DeprecationWarning)
dev = nmhal.open("sim:tinyodin")
make_loop(dev)
def fork():
    while not is_inside(threading.main_thread()):
        time.sleep(0.002)
    child = os.fork()
    if child == 0:
        start = time.monotonic()
        try:  # CPython 3.13 is late with KeyboardInterrupt in such a child: CanceledError may come first
            own = nmhal.open("sim:tinyodin")
            press_ctrl_c()
            own.read_spikes(timeout=60)
        finally:
            os._exit(5 if time.monotonic() - start < 30 else 6)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    dev.interrupt()
thread = threading.Thread(target=fork)
thread.start()
try:
    run_for_ever(dev)
except nmhal.CanceledError:
    print("canceled")
""")
        self.assertEqual((found.stdout, found.stderr), ("5\ncanceled\n", ""))


class Exit(unittest.TestCase):
    def test_with_open_devices(self):
        found = python("import nmhal\nfrom common import *\n"
                       "dev = nmhal.open('sim:xbar8'); dev.arm(5)\n"
                       "array = nmhal.Array(nmhal.open('sim:tinyodin'), 3, 5); array.program(GOLDEN_W)\n"
                       "image = nmhal.Image.capture(dev); codes = image.weights(); dev.loop = dev")
        self.assertEqual((found.returncode, found.stdout, found.stderr), (0, "", ""))

    def test_with_a_thread_inside_a_call(self):
        start = time.monotonic()
        found = python("import nmhal, sys\nfrom common import *\n"
                       "context = nmhal.Context(log_level='info')\n"
                       "dev = nmhal.open('sim:tinyodin', context=context); run = start_run(dev)")
        self.assertEqual((found.returncode, found.stdout), (0, ""))
        self.assertRegex(found.stderr, "sim:tinyodin: closed")
        self.assertLess(time.monotonic() - start, 30)

    def test_a_state_file_is_written(self):
        found = python("import nmhal, os, tempfile\nfrom common import *\n"
                       "folder = tempfile.mkdtemp(); uri = f'sim:tinyodin,state={folder}/chip.h5'\n"
                       "print(folder); dev = nmhal.open(uri); run = start_run(dev)")
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        folder = found.stdout.strip()
        self.assertEqual(nmhal.Image.load(f"{folder}/chip.h5").weights()[0, 0], 7)
        python("import shutil, sys; shutil.rmtree(sys.argv[1])", folder)

    def test_a_state_file_that_cannot_be_written(self):
        found = python("import nmhal, shutil, tempfile\nfolder = tempfile.mkdtemp()\n"
                       "dev = nmhal.open(f'sim:tinyodin,state={folder}/chip.h5'); shutil.rmtree(folder)")
        self.assertEqual(found.returncode, 0)
        self.assertRegex(found.stderr, "^nmhal: sim:tinyodin.*chip.h5")

    def test_ctrl_c_ends_a_program(self):
        found = python("import nmhal\nfrom common import *\ndev = nmhal.open('sim:tinyodin'); make_loop(dev)\n"
                       "press_ctrl_c(); run_for_ever(dev)")
        self.assertEqual(found.returncode, -signal.SIGINT)
        self.assertRegex(found.stderr, "KeyboardInterrupt\n$")


if __name__ == "__main__":
    unittest.main()
