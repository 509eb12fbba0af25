# SPDX-License-Identifier: MIT
"""Terminals, pipes, full disks, signals, and two processes on one chip."""
import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import probe
from probe import FAULTY, PROBE, SIM, events, npy


class Terminal(probe.ProbeTest):
    """Runs the program with some of its streams on a terminal of 100 columns."""

    def on_terminal(self, *args, streams=("stderr",), code=0, program=PROBE):
        """(what the terminal got, what the other streams got)"""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        with open(self.path("rest"), "wb") as rest:
            to = {name: slave if name in streams else rest for name in ("stdout", "stderr")}
            process = subprocess.Popen([program, *args], stdin=subprocess.DEVNULL, env=probe.environment(), **to)
        os.close(slave)
        shown = b""
        deadline = time.monotonic() + probe.TIMEOUT
        while time.monotonic() < deadline:
            try:
                if select.select([master], [], [], 1)[0]:
                    shown += os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
        self.assertEqual(process.wait(timeout=probe.TIMEOUT), code, shown)
        os.close(master)
        return shown.decode(), pathlib.Path(self.path("rest")).read_text(encoding="utf-8")

    def test_bars_only_on_a_terminal(self):
        path = self.path("w.npy", npy([[1] * 256] * 256))
        source = self.path("in.csv", events(*((step, "leak_all", 0, 0) for step in range(5000))))
        for label, args in [("program", ["program", path]), ("read", ["weights"]), ("weights", ["selftest"]),
                            ("bench", ["bench", "-r", "5"]), ("run", ["run", source])]:
            with self.subTest(command=args[0]):
                shown, rest = self.on_terminal("-u", SIM, *args)
                self.assertIn(f"\r{label} [", shown)
                self.assertRegex(shown, r"#{10,} *\]  ?\d+ %")
                self.assertIn("\r\033[K", shown)
                self.assertNotIn("\r", rest)
                quiet, _ = self.on_terminal("-u", SIM, "-q", *args)
                self.assertEqual(quiet, "")
                self.assertNotIn("\r", self.probe("-u", SIM, *args).err)

    def test_bar_is_gone_before_an_error(self):
        path = self.path("w.npy", npy([[0] * 256] * 256))
        shown, _ = self.on_terminal("-u", "bench:tinyodin,row=200,col=0,bit=1", "program", path, "--verify",
                                    program=FAULTY, code=8)
        self.assertIn("\r\033[Knmhal-probe: bench:", shown)

    def test_heat_map_in_colour(self):
        self.chip("program", self.path("w.npy", npy([[7, -8], [0, 7], [-8, 0]])), "-r", "0,0,0")
        shown, rest = self.on_terminal("-q", "-u", self.uri, "weights", "-r", "0,0,0,3,2", streams=("stdout",))
        self.assertEqual(rest, "")
        lines = shown.split("\r\n")
        self.assertEqual([line.count("\u2580") for line in lines], [2, 2, 0])
        # Colours of xterm's cube, 16 + 36 red + 6 green + blue: red for 7, blue for -8, dark for 0.
        red, blue, dark = 16 + 36 * 4 + 6, 16 + 6 * 2 + 5, 234
        self.assertEqual(lines[0], f"\033[38;5;{red}m\033[48;5;{dark}m\u2580"
                                   f"\033[38;5;{blue}m\033[48;5;{red}m\u2580\033[0m")
        self.assertEqual(lines[1], f"\033[38;5;{blue}m\u2580\033[38;5;{dark}m\u2580\033[0m",
                         "the last of three rows has none below")

    def test_heat_map_fits_the_terminal(self):
        shown, _ = self.on_terminal("-q", "-u", SIM, "weights", streams=("stdout",))
        lines = shown.split("\r\n")
        self.assertEqual(lines[0].count("\u2580"), 86, "blocks of 3 x 3 cells")
        self.assertEqual(len(lines) - 1, 43)

    def test_raster_fits_the_terminal(self):
        source = self.path("in.csv", events((4999, "spike", 0, 0)))
        shown, _ = self.on_terminal("-q", "-u", f"{SIM},init=zero", "run", source, "--raster", streams=("stdout",))
        self.assertEqual({len(line) for line in shown.split("\r\n")[:-1]}, {100})

    def test_spikes_and_bar_do_not_mix(self):
        source = self.path("in.csv", events(*((step, "spike", 0, 0) for step in range(3000))))
        shown, _ = self.on_terminal("-u", SIM, "run", source, streams=("stdout", "stderr"))
        self.assertNotIn("%", shown)


class Streams(probe.ProbeTest):
    def command(self):
        """A run with about 1 MB of spikes."""
        source = self.path("in.csv", events(*((step, "spike", 0, 0) for step in range(250))))
        return [PROBE, "-u", f"{SIM},init=zero,state={self.folder}/chip.h5", "run", source]

    def test_closed_pipe(self):
        process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=probe.environment())
        self.assertEqual(process.stdout.readline().decode(), probe.HEADER)
        process.stdout.close()
        err = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=probe.TIMEOUT), 1)
        self.assert_has(err, "nmhal-probe: standard output: write: Broken pipe\n")
        self.assertFalse(os.path.exists(self.path("chip.h5.lock")))
        self.assertTrue(os.path.exists(self.path("chip.h5")), "the device was closed and its state saved")

    def test_full_disk(self):
        for command in (self.command(), [PROBE, "version"], [PROBE, "-u", SIM, "weights"]):
            with self.subTest(command=command[1:]), open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=probe.TIMEOUT,
                                      env=probe.environment(), check=False)
                self.assertEqual(done.returncode, 1)
                self.assert_has(done.stderr, "nmhal-probe: standard output: write: No space left on device\n")

    def test_full_disk_under_output(self):
        done = subprocess.run([*self.command(), "-o", "/dev/full"], capture_output=True, text=True, check=False,
                              env=probe.environment(), timeout=probe.TIMEOUT)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assert_has(done.stderr, "nmhal-probe: /dev/full: write: No space left on device\n")

    def test_a_failure_stays_the_exit_code(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([*self.command(), "-m", "9"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=probe.TIMEOUT, env=probe.environment(), check=False)
        self.assertEqual(done.returncode, 11)


class Signals(probe.ProbeTest):
    def start(self, *args, stdin=subprocess.DEVNULL):
        process = subprocess.Popen([PROBE, *args], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=probe.environment())
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def long_run(self):
        """A run of hours that holds the chip of the state file, without output."""
        source = self.path("in.csv", events((0, "virtual", 3, 7)))
        process = self.start("-u", self.uri, "run", source, "-l", "--steps", str(10**12))
        deadline = time.monotonic() + probe.TIMEOUT
        lock = pathlib.Path(self.path("chip.h5.lock"))
        while time.monotonic() < deadline and not (lock.exists() and lock.read_text(encoding="utf-8")):
            time.sleep(0.01)
        time.sleep(0.1)
        self.assertIsNone(process.poll())
        return process

    def ends(self, process, number):
        process.send_signal(number)
        _, err = process.communicate(timeout=probe.TIMEOUT)
        self.assertEqual(process.returncode, 130, err)
        self.assertFalse(os.path.exists(self.path("chip.h5.lock")))
        return err

    def test_interrupt_in_a_run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                self.chip("neurons", "set", "all", "threshold=99", "potential=-5", "enabled=1")
                err = self.ends(self.long_run(), number)
                self.assert_has(err, self.uri, "interrupted")
                self.assertEqual(err.count("\n"), 1, err)
                neurons = self.json("-u", self.uri, "neurons", "3")["neurons"]
                self.assertEqual(neurons[0]["threshold"], 99, "the state was saved")

    def test_interrupt_while_reading(self):
        process = self.start("-u", self.uri, "run", "-", stdin=subprocess.PIPE)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=probe.TIMEOUT), 130)

    def test_interrupt_of_a_test_restores(self):
        self.chip("neurons", "set", "all", "threshold=1234")
        for command, delay in [("selftest", 0.02), ("bench", 0.03), ("bench", 0.06)]:
            with self.subTest(command=command, delay=delay):
                process = self.start("-u", self.uri, command)
                time.sleep(delay)
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=probe.TIMEOUT)
                # Too early, before the handler is there, the signal ends the process; too late, nothing does.
                self.assertIn(process.returncode, (130, 0, -signal.SIGINT))
                neurons = self.json("-u", self.uri, "neurons")["neurons"]
                self.assertEqual({neuron["threshold"] for neuron in neurons}, {1234})

    def test_second_open_is_busy_and_names_the_holder(self):
        holder = self.long_run()
        self.assert_has(self.fails(5, "-u", self.uri, "info"), self.path("chip.h5"), str(holder.pid), "nmhal-probe")
        self.ends(holder, signal.SIGINT)
        self.chip("info")


if __name__ == "__main__":
    probe.main()
