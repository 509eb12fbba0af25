#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The covering arrays of the matrix: complete, the same each time, and not much larger than they have to be."""
import itertools
import math
import unittest

import matrix
import pairwise

SHAPES = [("ab", "xyz"), ("abc", "xyz", "12"), ("abcde", "tuvwxyz", "1234567"), ("abc", "abc", "abc", "abc"),
          ("a", "x", "1")]


class Pairwise(unittest.TestCase):
    def test_every_pair_occurs(self):
        for factors in SHAPES:
            with self.subTest(factors=factors):
                rows = pairwise.covering_array(*factors)
                for (i, first), (j, second) in itertools.combinations(enumerate(factors), 2):
                    for a, b in itertools.product(first, second):
                        self.assertTrue(any(row[i] == a and row[j] == b for row in rows), (a, b))
                self.assertEqual(rows, pairwise.covering_array(*factors))
                self.assertEqual(len(rows), len(set(rows)))

    def test_few_rows(self):
        for factors in SHAPES:
            least = math.prod(sorted(map(len, factors))[-2:])
            self.assertLessEqual(len(pairwise.covering_array(*factors)), least * 1.4 + 1, factors)

    def test_no_row_came_too_late(self):
        """Each brought a pair that those before it had not."""
        for factors in SHAPES:
            seen = set()
            for row in pairwise.covering_array(*factors):
                self.assertTrue(pairwise.pairs(row) - seen, row)
                seen |= pairwise.pairs(row)
            self.assertEqual(seen, pairwise.all_pairs(factors))

    def test_the_matrix_has_every_pair(self):
        """By counting what the carriers' tests do, not what the generator says."""
        cells, whole = ([(profile, carrier, fault) for carrier in matrix.CARRIERS
                         for profile, fault, _ in matrix.cells(carrier, every)] for every in (False, True))
        for i, j in ((0, 1), (0, 2), (1, 2)):
            factors = (matrix.PROFILES, list(matrix.CARRIERS), list(matrix.FAULTS))
            self.assertEqual({(cell[i], cell[j]) for cell in cells}, set(itertools.product(factors[i], factors[j])))
        self.assertEqual(set(whole), set(itertools.product(*factors)))
        seeds = [seed for carrier in matrix.CARRIERS for _, _, seed in matrix.cells(carrier, True)]
        self.assertEqual(len(seeds), len(set(seeds)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
