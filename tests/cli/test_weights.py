# SPDX-License-Identifier: MIT
"""program and weights: matrices, chip images, regions, heat maps, and files that are refused."""
import os
import pathlib
import subprocess

import probe
from probe import FAULTY, PROBE, SIM, npy, read_npy

# Every code of the chip, asymmetric in rows and columns.
FULL = [[(3 * row + 5 * col + row * col) % 16 - 8 for col in range(256)] for row in range(256)]
SMALL = [[1, -2, 3, -4, 5], [-6, 7, -8, 0, 1], [2, -3, 4, -5, 6]]
SIGNS = "hgfedcba.1234567"


class Matrices(probe.ProbeTest):
    def test_whole_core_there_and_back(self):
        found = self.chip("program", self.path("w.npy", npy(FULL)))
        self.assertEqual(found.out, "")
        self.assert_has(found.err, self.uri, "65536 cells written, 0 already had their code")
        saved = self.chip("weights", "-o", self.path("back.npy"))
        self.assertEqual(saved.out, "")
        self.assert_has(saved.err, "back.npy: 256 x 256 weights written")
        self.assertEqual(read_npy(pathlib.Path(self.path("back.npy")).read_bytes()), ("|i1", FULL))

    def test_asymmetric_region(self):
        self.chip("program", self.path("w.npy", npy(SMALL)), "--region", "0,7,250")
        found = self.json("-u", self.uri, "weights", "-r", "0,7,250,3,5")
        self.assertEqual(found, {"core": 0, "row": 7, "col": 250, "rows": 3, "cols": 5, "codes": SMALL})
        self.chip("program", self.path("w.npy"), "--region=0,0,0,3,5")
        codes = self.json("-u", self.uri, "weights", "-r", "0,0,0")["codes"]
        self.assertEqual((len(codes), len(codes[0])), (256, 256))
        self.assertEqual([row[:6] for row in codes[:4]], [row + [0] for row in SMALL] + [[0] * 6])
        self.assertEqual(sum(map(abs, sum(codes, []))), 2 * sum(map(abs, sum(SMALL, []))))

    def test_integer_types_and_versions(self):
        for dtype in ("|i1", "<i2", "<i4"):
            for version in (1, 2, 3):
                with self.subTest(dtype=dtype, version=version):
                    path = self.path("w.npy", npy(SMALL, dtype, version=version))
                    self.assertEqual(self.json("-u", self.uri, "program", path, "-r", "0,1,2")["cells_written"], 15)
                    self.assertEqual(self.json("-u", self.uri, "weights", "-r", "0,1,2,3,5")["codes"], SMALL)

    def test_name_of_a_matrix_does_not_matter(self):
        self.chip("program", self.path("weights", npy(SMALL)), "-r", "0,0,0")

    def test_header_of_other_writers(self):
        header = "{'shape':(3,5),'descr':'|i1','fortran_order':False}"
        self.chip("program", self.path("w.npy", npy(SMALL, header=header)), "-r", "0,0,0")
        self.assertEqual(self.json("-u", self.uri, "weights", "-r", "0,0,0,3,5")["codes"], SMALL)

    def test_only_changed(self):
        path = self.path("w.npy", npy(FULL))
        self.chip("program", path)
        self.assertEqual(self.json("-u", self.uri, "program", "--only-changed", path),
                         {"file": path, "cells_written": 0, "cells_skipped": 65536, "verified": False})
        changed = [row[:] for row in FULL]
        changed[200][100] = -8 if FULL[200][100] != -8 else 7
        found = self.json("-u", self.uri, "program", "-c", "-V", self.path("c.npy", npy(changed)))
        self.assertEqual((found["cells_written"], found["cells_skipped"], found["verified"]), (1, 65535, True))

    def test_verify(self):
        path = self.path("w.npy", npy([[0] * 8] * 8))
        self.assert_has(self.chip("program", path, "-r", "0,0,0", "--verify").err, "verified by reading back")
        self.probe("-u", "bench:tinyodin,row=4,col=3,bit=2", "program", path, "-r", "0,0,0", program=FAULTY)
        message = self.fails(8, "-u", "bench:tinyodin,row=4,col=3,bit=2", "program", path, "-r", "0,0,0", "--verify",
                             program=FAULTY)
        self.assert_has(message, "row 4", "column 3", "4")

    def test_16_bit_weights_of_another_board(self):
        wide = self.json("-u", "null:", "weights")
        self.assertEqual((wide["rows"], wide["cols"]), (8, 8))
        self.probe("-u", "null:", "program", self.path("w.npy", npy([[127, -128] * 4] * 8)))


class HeatMap(probe.ProbeTest):
    def test_one_character_a_cell(self):
        self.chip("program", self.path("w.npy", npy(FULL)))
        found = self.chip("weights")
        self.assertEqual(found.out, "".join("".join(SIGNS[code + 8] for code in row) + "\n" for row in FULL))
        self.assert_has(found.err, "core 0, rows 0..255 down, columns 0..255 across", "a..i negative")
        part = self.chip("weights", "-q", "-r", "0,10,20,2,30")
        self.assertEqual(part.out.splitlines(), ["".join(SIGNS[FULL[row][col] + 8] for col in range(20, 50))
                                                 for row in (10, 11)])
        self.assertEqual(part.err, "")

    def test_wide_ranges_are_scaled(self):
        uri = f"null:,state={self.folder}/null.h5"
        self.assertEqual(self.probe("-q", "-u", uri, "weights").out, ("." * 8 + "\n") * 8)
        self.probe("-u", uri, "program", self.path("w.npy", npy([[127, -128, 1, -1, 64, -15, 14, 0]])), "-r", "0,0,0")
        self.assertEqual(self.probe("-q", "-u", uri, "weights", "-r", "0,0,0,1,8").out, "9i1a5b1.\n",
                         "ninths of 128, rounded away from zero")


class Images(probe.ProbeTest):
    def test_chip_to_chip(self):
        self.chip("program", self.path("w.npy", npy(FULL)))
        self.chip("neurons", "set", "9", "threshold=2049", "leak=7", "potential=-33", "enabled=1")
        self.chip("attr", "max_neuron=99")
        self.assert_has(self.chip("weights", "-o", self.path("image.h5")).err, "image.h5: image of", self.uri)
        self.assertEqual(self.json("-u", self.uri, "weights", "-o", self.path("image.hdf5")),
                         {"file": self.path("image.hdf5")})
        other = f"{SIM},state={self.folder}/other.h5"
        for options in ([], ["--verify"], ["--only-changed", "--verify"]):
            self.probe("-u", other, "program", self.path("image.h5"), *options)
        self.assertEqual(self.json("-u", other, "weights")["codes"], FULL)
        self.assertEqual(self.json("-u", other, "neurons", "9")["neurons"], [
            {"neuron": 9, "threshold": 2049, "leak": 7, "potential": -33, "enabled": True}])
        self.assertEqual(self.json("-u", other, "attr")["attributes"]["max_neuron"]["value"], 99)
        self.assertEqual(self.json("-u", other, "program", "-c", self.path("image.hdf5"))["cells_skipped"], 65536)

    def test_state_file_is_an_image(self):
        self.chip("neurons", "set", "all", "threshold=3")
        self.chip("program", self.path("chip.h5"))

    def test_image_of_another_board(self):
        self.probe("-u", "null:", "weights", "-o", self.path("null.h5"))
        self.assert_has(self.fails(2, "-u", SIM, "program", self.path("null.h5")), "null", "tinyodin")

    def test_region_is_for_matrices(self):
        self.chip("weights", "-o", self.path("image.h5"))
        for words in (["program", self.path("image.h5")], ["weights", "-o", self.path("other.h5")]):
            self.assert_has(self.fails(2, "-u", SIM, *words, "-r", "0,0,0"), "whole chip")

    def test_damaged_and_foreign(self):
        self.chip("program", self.path("w.npy", npy(FULL)))
        self.chip("weights", "-o", self.path("image.h5"))
        image = pathlib.Path(self.path("image.h5")).read_bytes()
        flipped = bytearray(image)
        flipped[len(image) // 2] ^= 4
        for name, data in [("empty.h5", b""), ("text.h5", b"weights\n"), ("cut.h5", image[:len(image) // 3]),
                           ("shorter.h5", image[:-1]), ("flipped.h5", bytes(flipped)), ("zeros.h5", bytes(4096)),
                           ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(64))]:
            with self.subTest(name=name):
                path = self.path(name, data)
                self.assert_has(self.fails(7, "-u", SIM, "program", path), path, "chip image")
                if name.endswith(".h5"):
                    self.assert_has(self.fails(7, "-u", f"{SIM},state={path}", "info"), path)
                    self.assertEqual(pathlib.Path(path).read_bytes(), data, "a state file that is refused stays")
        self.chip("program", self.path("image.h5"), "--verify")


class Refused(probe.ProbeTest):
    def refused(self, code, data, *parts, region="0,0,0"):
        path = self.path("w.npy", data)
        self.assert_has(self.fails(code, "-u", SIM, "program", path, *(["-r", region] if region else [])), path, *parts)

    def test_weight_outside_the_range(self):
        for code in (8, -9, 127, -128):
            wrong = [row[:] for row in SMALL]
            wrong[2][3] = code
            self.refused(2, npy(wrong), "row 2", "column 3", f"weight {code} ", "-8..7", region="0,9,9")
        far = [row[:] for row in SMALL]
        far[0][0], far[2][4] = 70000, -70000
        self.refused(2, npy(far, "<i4"), "row 0, column 0", "70000")

    def test_nothing_is_written_when_one_weight_is_wrong(self):
        wrong = [row[:] for row in FULL]
        wrong[255][255] = 100
        self.chip("program", self.path("w.npy", npy(wrong)), code=2)
        self.assertEqual(set(sum(self.json("-u", self.uri, "weights")["codes"], [])), {0})

    def test_regions(self):
        for region in ("1,0,0", "0,254,0", "0,0,252", "0,256,0", "0,0,256", "4294967295,0,0"):
            with self.subTest(region=region):
                self.refused(2, npy(SMALL), "3 x 5 cells", "256 x 256", region=region)
        self.refused(2, npy(SMALL), "3 x 5", "--region is 5 x 3", region="0,0,0,5,3")
        self.refused(2, npy(SMALL), "3 x 5", "256 x 256", "--region", region=None)
        for region in ("0,0", "0,0,0,1", "0,0,0,0,1", "0,0,0,1,1,1", "a,0,0", "-1,0,0", "0,0,4294967296", "",
                       "0,0,0," + "0" * 90 + "1,1"):
            with self.subTest(region=region):
                for words in (["program", "w.npy"], ["weights"]):
                    self.assert_has(self.fails(2, "-u", SIM, *words, f"--region={region}"), "CORE,ROW,COL")

    def test_regions_of_weights(self):
        for region in ("1,0,0", "0,256,0", "0,0,256", "0,255,0,2,1", "0,0,200,1,57", "0,0,0,4294967295,1"):
            with self.subTest(region=region):
                self.assert_has(self.fails(2, "-u", SIM, "weights", "-r", region), "256 x 256")

    def test_npy_files(self):
        good = npy(SMALL)
        for data, part in [
                (good[:-1], "14 bytes of data, but shape 3 x 5 needs 15"), (good + b"x", "16 bytes of data"),
                (good[:8], "not a .npy file"), (good[:20], "cut off"), (b"", "not a .npy file"),
                (good.replace(b"NUMPY\x01", b"NUMPY\x04"), "format 4.0"),
                (npy(SMALL, version=2)[:11], "cut off"), (npy(SMALL, "<f4"), "dtype <f4"),
                (npy(SMALL, ">i2"), "dtype >i2"), (npy(SMALL, order="True"), "Fortran order"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (15,), }"), "1 axes"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (3, 5, 1), }"), "3 axes"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (0, 5), }"), "empty"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (999999999, 9), }"), "too large"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, }"), "damaged"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': No, 'shape': (3, 5)}"), "damaged"),
                (npy(SMALL, header="{'descr': '|i1' 'fortran_order': False, 'shape': (3, 5)}"), "damaged"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (x, 5)}"), "damaged"),
                (npy(SMALL, header="{'descr': '|i1', 'fortran_order': False, 'shape': (3 5)}"), "damaged"),
                (npy(SMALL, header="{'descr': [('a', '|i1')], 'fortran_order': False, 'shape': (3, 5)}"), "damaged"),
                (npy(SMALL, header="{'colour': 'red'}"), "damaged"), (npy(SMALL, header="3, 5"), "damaged"),
                (npy(SMALL, header="{'descr': '|i1"), "damaged"),
                (npy(SMALL, header="{'a_very_long_key_in"), "damaged")]:
            with self.subTest(part=part, size=len(data)):
                self.refused(7, data, part)

    def test_unreadable_files(self):
        self.assert_has(self.fails(1, "-u", SIM, "program", self.path("none.npy")), "none.npy: read: No such file")
        self.assert_has(self.fails(1, "-u", SIM, "program", str(self.folder)), "read: Is a directory")

    def test_no_permission(self):
        self.folder.chmod(0o755)
        os.chmod(self.path("w.npy", npy(SMALL)), 0)
        user = 65534 if os.geteuid() == 0 else None  # root may read every file
        try:
            done = subprocess.run([PROBE, "-u", SIM, "program", self.path("w.npy")], capture_output=True, text=True,
                                  user=user, env=probe.environment(), timeout=probe.TIMEOUT, check=False)
        except PermissionError:
            self.skipTest("the build folder is closed to user 65534, and root may read every file")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assert_has(done.stderr, f"nmhal-probe: {self.path('w.npy')}: read: Permission denied\n")

    def test_unwritable_files(self):
        missing = self.path("none/w.npy")
        self.assert_has(self.fails(1, "-u", SIM, "weights", "-o", missing), missing, "write: No such file")
        missing = self.path("none/w.h5")
        self.assert_has(self.fails(1, "-u", SIM, "weights", "-o", missing), missing)
        self.assert_has(self.fails(2, "-u", SIM, "weights", "-o", "w.txt"), ".npy", ".h5")
        os.symlink("/dev/full", self.path("full.npy"))
        self.assert_has(self.fails(1, "-u", SIM, "weights", "-o", self.path("full.npy")), "No space left on device")


if __name__ == "__main__":
    probe.main()
