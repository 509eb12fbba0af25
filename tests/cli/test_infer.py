# SPDX-License-Identifier: MIT
"""infer: inputs from files, axes, batches, keys of the noise, outputs as table, file and JSON."""
import probe
from probe import FAULTY, SIM, npy, read_npy

SIZE = 8
LIMIT = 100
CODES = [[(SIZE * row + col) % 15 - 7 for col in range(SIZE)] for row in range(SIZE)]
VECTORS = [[1, 0, 0, 0, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0, 0, -1], [3, 1, 4, 1, 5, 9, 2, 6]]


def products(vectors, codes, first=0):
    """What the board of analog.c answers."""
    rows = []
    for index, vector in enumerate(vectors):
        sums = [sum(x * codes[row][col] for row, x in enumerate(vector)) for col in range(len(codes[0]))]
        sums[0] += first + index
        rows.append([max(-LIMIT, min(LIMIT, value)) for value in sums])
    return rows


def table(text):
    return [[int(code) for code in line.split(",")] for line in text.splitlines()]


class Infer(probe.ProbeTest):
    def setUp(self):
        super().setUp()
        self.trace = self.path("trace")
        self.uri = f"analog:,trace={self.trace}"

    def infer(self, *args, **more):
        return self.probe("-u", self.uri, "infer", *args, program=FAULTY, **more)

    def traced(self):
        with open(self.trace, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_table_from_both_kinds_of_file(self):
        binary = self.path("x.npy", npy(VECTORS))
        text = self.path("x.csv", "".join(",".join(map(str, row)) + "\r\n" for row in VECTORS) + "\n")
        wanted = products(VECTORS, CODES)
        found = self.infer(binary)
        self.assertEqual(table(found.out), wanted)
        self.assert_has(found.err, "3 vectors, 8 outputs each, 0 of them clipped")
        self.assertEqual(self.infer(text).out, found.out)
        self.assertEqual(self.infer("-", stdin=(self.folder / "x.csv").read_text(encoding="utf-8")).out, found.out)

    def test_batches_do_not_matter(self):
        path = self.path("x.npy", npy(VECTORS * 4))
        whole = self.infer(path).out
        self.assertEqual(table(whole), products(VECTORS * 4, CODES))
        self.assertEqual([line for line in self.traced() if "infer" in line], ["infer 4"] * 3)
        self.assertEqual(self.infer("--batch=5", path).out, whole)
        self.assertEqual(self.infer("-n", 1, path).out, whole)
        self.assertEqual(self.traced().count("infer 1"), 12)

    def test_first_vector(self):
        path = self.path("x.npy", npy(VECTORS))
        self.assertEqual(table(self.infer("--first-vector=7", path).out), products(VECTORS, CODES, 7))

    def test_region_and_transposed(self):
        part = [row[2:5] for row in CODES[4:6]]
        path = self.path("x.csv", "5,-6\n")
        self.assertEqual(table(self.infer("-r", "0,4,2,2,3", path).out), products([[5, -6]], part))
        turned = [list(column) for column in zip(*part)]
        path = self.path("y.csv", "1,2,3\n")
        self.assertEqual(table(self.infer("-t", "-r", "0,4,2,2,3", path).out), products([[1, 2, 3]], turned))
        self.assert_has(self.fails(2, "-u", self.uri, "infer", "-r", "0,4,2,2,3", path, program=FAULTY),
                        "vectors of 3 codes, the region has 2 rows")

    def test_bit_serial_reaches_the_board(self):
        path = self.path("x.npy", npy(VECTORS))
        self.assertEqual(table(self.infer("--bit-serial", path).out),
                         [[-code for code in row] for row in products(VECTORS, CODES)])

    def test_files(self):
        path = self.path("x.npy", npy(VECTORS))
        wanted = products(VECTORS, CODES)
        self.assertEqual(self.infer(path, "-o", self.path("y.npy")).out, "")
        self.assertEqual(read_npy((self.folder / "y.npy").read_bytes()), ("|i1", wanted))
        self.infer(path, "-o", self.path("y.csv"))
        self.assertEqual(table((self.folder / "y.csv").read_text(encoding="utf-8")), wanted)

    def test_json_counts_what_was_clipped(self):
        loud = [[63] * SIZE]
        path = self.path("x.npy", npy(loud))
        found = self.json("-u", self.uri, "infer", path, program=FAULTY)
        wanted = products(loud, CODES)
        self.assertEqual(found["codes"], wanted)
        self.assertEqual(found["clipped"], sum(abs(code) == LIMIT for code in wanted[0]))
        self.assertGreater(found["clipped"], 0)

    def test_refused(self):
        good = self.path("x.npy", npy(VECTORS))
        for args, code, part in [
                (["infer", self.path("a.csv", "1,2\n3\n")], 2, "a.csv:2: 1 numbers, the lines before have 2"),
                (["infer", self.path("b.csv", "1,x\n")], 2, "b.csv:1: numbers between commas"),
                (["infer", self.path("c.csv", "\n\n")], 2, "holds no numbers"),
                (["infer", self.path("d.npy", "1,2\n")], 7, "not a .npy file"),
                (["infer", good, "-r", "0,8,0"], 2, "outside 1 core(s) of 8 x 8"),
                (["infer", self.path("e.csv", "64" + ",0" * 7)], 2, "input 64"),
                (["infer", good, "-o", "y.txt"], 2, "must end in .npy or .csv"),
                (["infer"], 2, "FILE is missing"), (["infer", good, "-n", "0"], 2, "--batch 0"),
                (["infer", good, "-f", "x"], 2, "--first-vector x")]:
            with self.subTest(args=args):
                self.assert_has(self.fails(code, "-u", self.uri, *args, program=FAULTY), part)
        self.assert_has(self.fails(6, "-u", SIM, "infer", good), "no inference")

    def test_an_emulated_board_is_programmed_and_multiplies(self):
        uri = f"sim:xbar64,state={self.folder}/board.h5"
        weights = self.path("w.npy", npy([[(row - col) % 15 - 7 for col in range(64)] for row in range(64)]))
        inputs = self.path("x.npy", npy([[63 if row == vector else 0 for row in range(64)] for vector in range(5)]))
        self.probe("-u", uri, "program", weights, "--verify")
        lsb = self.json("-u", uri, "attr", "adc_lsb")["attributes"]["adc_lsb"]["value"]
        wanted = [[round(63 * ((row - col) % 15 - 7) / lsb) for col in range(64)] for row in range(5)]
        self.assertGreater(len(set(wanted[0])), 2)
        self.assertEqual(table(self.probe("-u", uri, "infer", inputs).out), wanted)
        self.assertEqual(table(self.probe("-u", uri, "infer", inputs, "-n", 2).out), wanted)


if __name__ == "__main__":
    probe.main()
