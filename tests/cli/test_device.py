# SPDX-License-Identifier: MIT
"""list, info, attr, reset, version, help, the global options, finding a device, and the exit codes."""
import re

import probe
from probe import FAULTY, SIM


class List(probe.ProbeTest):
    def test_emulated_only(self):
        found = self.probe("list")
        lines = found.out.splitlines()
        self.assertEqual(lines[0].split(), ["URI", "BOARD", "DRIVER", "SERIAL", "STATE"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [*probe.EMULATED, "null:null"])
        self.assertTrue(all(line.endswith("free, emulated") for line in lines[1:]), found.out)
        self.assertEqual(found.err, "no board is attached; the devices listed are emulated\n")

    def test_scheme(self):
        self.assertEqual([device["uri"] for device in self.json("list", "sim")["devices"]], probe.EMULATED)
        self.assert_has(self.fails(3, "list", "moon"), "unknown scheme 'moon'", "sim", "null")
        self.assert_has(self.fails(2, "list", "sim", "null"), "one argument too many")

    def test_attached_boards_come_first(self):
        found = self.probe("list", program=FAULTY, BENCH_BOARDS="3")
        self.assertEqual(found.err, "")
        rows = [line.split(None, 4) for line in found.out.splitlines()[1:]]
        self.assertEqual(rows[0], ["bench:tinyodin,serial=B0", "tinyodin", "odin", "B0", "free"])
        self.assertEqual([row[4] for row in rows[:3]], ["free", "busy", "no permission"])
        devices = self.json("list", program=FAULTY)["devices"]
        self.assertEqual(devices[1], {"uri": "bench:tinyodin,serial=B1", "board": "tinyodin", "driver": "odin",
                                      "serial": "B1", "emulated": False, "access": "NMHAL_E_BUSY"})

    def test_what_is_listed_can_be_opened(self):
        for device in self.json("list", program=FAULTY)["devices"]:
            self.assertEqual(self.json("-u", device["uri"], "info", program=FAULTY)["board"], device["board"])

    def test_nothing_of_a_scheme(self):
        found = self.probe("list", "bench", program=FAULTY, code=3, BENCH_BOARDS="0")
        self.assertEqual((found.out, found.err), ("", "nmhal-probe: list: no device found\n"))


class Choice(probe.ProbeTest):
    def test_no_uri_never_takes_the_emulator(self):
        self.assert_has(self.fails(3, "info"), "NMHAL_URI", "no board is attached", SIM)

    def test_no_uri_takes_the_only_board(self):
        self.assertEqual(self.json("info", program=FAULTY, BENCH_BOARDS="1")["uri"], "bench:tinyodin,serial=B0")

    def test_ambiguous_lists_the_boards(self):
        self.assert_has(self.fails(3, "info", program=FAULTY), "bench:tinyodin,serial=B0", "bench:tinyodin,serial=B1")

    def test_environment(self):
        self.assertEqual(self.json("info", NMHAL_URI="null:")["board"], "null")
        self.assertEqual(self.json("-u", SIM, "info", NMHAL_URI="null:")["board"], "tinyodin")

    def test_bad_uris(self):
        for uri, code, parts in [
                ("foo:tinyodin", 3, ["unknown scheme 'foo'", "sim", "null"]),
                ("sim:foo", 3, ["unknown board 'foo'", "tinyodin"]),
                ("sim:tinyodin,zap=1", 2, ["unknown key 'zap'", "init", "clk_hz", "state"]),
                ("sim:tinyodin,clk_hz=many", 2, ["clk_hz", "many"]),
                ("sim:tinyodin,init", 2, ["sim:tinyodin,init"]),
                ("sim:tinyodin,init=zero,init=off", 2, ["init"]),
                ("sim:tinyodin,state=%zz", 2, ["%zz"]),
                ("tinyodin", 2, ["tinyodin"]), (":", 2, ["parse URI"]), ("sim:,,", 2, ["parse URI"])]:
            with self.subTest(uri=uri):
                self.assert_has(self.fails(code, "-u", uri, "info"), *parts)

    def test_the_smallest_frame_of_each_board(self):
        for board, smallest in [("xbar8", 128), ("xbar64", 128), ("xbar256", 308), ("xbar1024", 2196),
                                ("spike256", 128)]:
            with self.subTest(board=board):
                self.probe("-u", f"sim:{board},max_frame={smallest}", "info")
                self.assert_has(self.fails(2, "-u", f"sim:{board},max_frame={smallest - 1}", "info"),
                                f"max_frame={smallest - 1}: not a number {smallest} to ")

    def test_status_becomes_exit_code(self):
        for status, code in [(4, 5), (3, 4), (5, 9), (7, 6), (8, 1), (9, 1), (10, 7), (11, 8), (13, 10), (16, 7),
                             (17, 11), (18, 12), (19, 1)]:
            with self.subTest(status=status):
                uri = f"bench:tinyodin,fail={status}"
                self.assert_has(self.fails(code, "-u", uri, "info", program=FAULTY), uri, "fails as told")


class Info(probe.ProbeTest):
    def test_json(self):
        found = self.json("info", "-u", SIM)
        self.assertEqual((found["uri"], found["board"], found["driver"]), (SIM, "tinyodin", "odin"))
        self.assertEqual((found["cores"], found["rows"], found["cols"]), (1, 256, 256))
        self.assertEqual((found["weight_range"], found["weight_bits"]), ([-8, 7], 4))
        self.assertEqual(found["threshold_range"], [0, 4095])
        self.assertEqual(found["leak_range"], [0, 127])
        self.assertEqual(found["potential_range"], [-2048, 2047])
        self.assertEqual(found["virtual_range"], [-8, 7])
        self.assert_has(found["features"], "spikes", "neurons", "order", "attribute")
        self.assertEqual(sorted(found["attributes"]), ["clk_hz", "max_neuron", "open_loop", "output_source"])
        self.assertEqual(found["counters"]["events_in"], 0)
        self.assertEqual(self.json("info", "-u", "sim:xbar8")["output_lsb"], 256)

    def test_text(self):
        found = self.probe("info", "-u", f"{SIM},clk_hz=1000000")
        self.assertEqual(found.err, "")
        self.assert_has(found.out, "1 of 256 rows x 256 columns", "-8..7 (4 bits)", "0..4095", "1000000 Hz",
                        "counter    sops 0", "open_loop")
        self.assert_has(self.probe("-u", "null:", "info").out, "-128..127 (8 bits)", "timeout    none", "infer")
        self.assert_has(self.probe("-u", "sim:xbar8", "info").out, "an output code counts 256 weight codes x input")
        self.assert_has(self.probe("-u", "bench:serial=B1", "info", program=FAULTY).out, "bench:serial=B1")


class Attributes(probe.ProbeTest):
    def test_all(self):
        self.assert_has(self.probe("attr", "-u", SIM).out, "open_loop        = 1", "(0..1)", "clk_hz", "read only")
        found = self.json("attr", "-u", SIM)["attributes"]
        self.assertEqual({key: value["value"] for key, value in found.items()},
                         {"open_loop": 1, "max_neuron": 255, "output_source": 0, "clk_hz": 50000000})
        self.assertEqual((found["max_neuron"]["type"], found["open_loop"]["type"]), ("int", "bool"))
        self.assertEqual((found["max_neuron"]["min"], found["max_neuron"]["max"]), (0, 255))
        self.assertEqual((found["clk_hz"]["unit"], found["clk_hz"]["writable"], found["clk_hz"]["saved"]),
                         ("Hz", False, False))

    def test_get_some(self):
        self.assertEqual(self.probe("-u", SIM, "attr", "max_neuron").out.split()[:3], ["max_neuron", "=", "255"])
        self.assertEqual(list(self.json("-u", SIM, "attr", "open_loop", "max_neuron")["attributes"]),
                         ["open_loop", "max_neuron"])

    def test_set_is_kept(self):
        self.assertEqual(self.chip("attr", "max_neuron=0x1f", "open_loop=0").out, "")
        found = self.json("-u", self.uri, "attr", "open_loop")["attributes"]
        self.assertEqual(found["open_loop"]["value"], 0)
        self.assertEqual(self.json("-u", self.uri, "attr", "max_neuron=30")["attributes"]["max_neuron"]["value"], 30)

    def test_refused(self):
        for words, parts in [
                (["zap"], ["zap", "open_loop", "max_neuron"]), (["zap=1"], ["zap", "open_loop"]),
                (["max_neuron=256"], ["max_neuron", "256", "0..255"]), (["open_loop=maybe"], ["open_loop=maybe"]),
                (["open_loop="], ["open_loop="]), (["=1"], ["KEY=VALUE"]), ([""], ["KEY=VALUE"])]:
            with self.subTest(words=words):
                self.assert_has(self.fails(2, "-u", SIM, "attr", *words), *parts)
        self.assert_has(self.fails(6, "-u", SIM, "attr", "clk_hz=5"), "clk_hz")


class Reset(probe.ProbeTest):
    def test_state_zeroes_potentials(self):
        self.chip("neurons", "set", "all", "threshold=9", "potential=5")
        self.assert_has(self.chip("reset", "--state").err, "state reset")
        neurons = self.json("-u", self.uri, "neurons")["neurons"]
        self.assertEqual({(neuron["potential"], neuron["threshold"]) for neuron in neurons}, {(0, 9)})

    def test_device(self):
        self.chip("neurons", "set", "3", "threshold=77")
        self.chip("attr", "max_neuron=5")
        self.assertEqual(self.json("-u", self.uri, "reset"), {"reset": "device"})
        self.assertEqual(self.json("-u", self.uri, "reset", "-s"), {"reset": "state"})
        self.assertEqual(self.json("-u", self.uri, "neurons", "3")["neurons"][0]["threshold"], 77)
        self.assertEqual(self.json("-u", self.uri, "attr")["attributes"]["max_neuron"]["value"], 255)
        self.assertEqual(self.chip("-q", "reset").err, "")


class Version(probe.ProbeTest):
    def test_version(self):
        header = (probe.ROOT / "include/nmhal/nmhal.h").read_text(encoding="utf-8")
        number = ".".join(re.search(rf"VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
        self.assertEqual(self.probe("version").out, f"nmhal-probe {number}, libnmhal {number}\n")
        self.assertEqual(self.json("version"), {"nmhal_probe": number, "libnmhal": number})


class Options(probe.ProbeTest):
    def test_usage_errors(self):
        for args, part in [
                ([], "no command given"), (["fly"], 'no command "fly"'), (["--fly", "info"], "--fly"),
                (["info", "--fly"], "--fly"), (["-u"], "-u"), (["info", "-T"], "-T"), (["info", "now"], "now"),
                (["-T", "soon", "info"], "soon"), (["-T", "-2", "info"], "-2"), (["-T", "4294967296", "info"], "429"),
                (["help", "fly"], "fly"), (["help", "run", "info"], "info"), (["reset", "-x"], "-x"),
                (["run"], "FILE is missing"), (["program"], "FILE is missing"), (["trace"], "run FILE"),
                (["trace", "run"], "run FILE"), (["trace", "walk", "x"], "walk"), (["completion"], "SHELL"),
                (["completion", "zsh"], "zsh"), (["bench", "-r", "4"], "5..99"), (["run", "a", "b"], "b"),
                (["program", "a", "b"], "b"), (["run", "-n", "x", "a"], "--steps x"), (["neurons", "0", "1"], "1"),
                (["completion", "bash", "bash"], "bash")]:
            with self.subTest(args=args):
                message = self.fails(2, *args)
                self.assert_has(message, part, "see nmhal-probe help")

    def test_help(self):
        overview = self.probe("help").out
        for args in (["--help"], ["-h"]):
            self.assertEqual(self.probe(*args).out, overview)
        for name in re.findall(r"^  ([a-z]+)  ", overview, re.M):
            with self.subTest(command=name):
                text = self.probe("help", name).out
                self.assertTrue(text.startswith(f"Usage: nmhal-probe {name} "), text)
                self.assertEqual(self.probe(name, "--help").out, text)
                self.assertEqual(self.probe("-h", name).out, text)
                self.assertEqual(self.probe(name, "-h").err, "")
        self.assert_has(self.probe("help", "run").out, "step,kind,core,address,value")
        self.assert_has(self.probe("help", "neurons").out, "RANGE is 7, 3..7, 3.. or all")

    def test_options_before_and_after(self):
        before = self.probe("-u", SIM, "-j", "attr", "open_loop").out
        self.assertEqual(self.probe("attr", "open_loop", "--json", f"--uri={SIM}").out, before)

    def test_verbose_and_quiet(self):
        counts = [self.probe("-u", SIM, *["-v"] * times, "reset").err.count("\n") for times in range(4)]
        self.assertEqual(counts[0], 1, "the word that it was reset")
        self.assertTrue(counts[0] < counts[1] <= counts[2] <= counts[3], counts)
        self.assert_has(self.probe("-u", SIM, "-v", "info").err, f"nmhal-probe: info: {SIM}: ")
        self.assertEqual(self.probe("-u", SIM, "-q", "-vvv", "reset").err, "")
        self.assertEqual(self.probe("-q", "list").err, "")
        self.assert_has(self.probe("-q", "-u", "foo:", "info", code=3).err, "unknown scheme")
        self.assert_has(self.probe("-u", SIM, "info", NMHAL_LOG="info").err, "nmhal-probe: info: ")

    def test_data_and_words_are_apart(self):
        found = self.probe("-u", SIM, "-vvv", "--json", "info")
        self.assertEqual(found.out, self.probe("-u", SIM, "--json", "info").out)
        self.assertNotEqual(found.err, "")

    def test_timeout(self):
        self.probe("-u", SIM, "-T", "-1", "reset")
        self.probe("-u", SIM, "--timeout=5000", "reset")



if __name__ == "__main__":
    probe.main()
