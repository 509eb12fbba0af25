# SPDX-License-Identifier: MIT
"""Covering arrays of strength 2: rows in which every pair of values of two different factors occurs together."""
import itertools


def pairs(row):
    """All pairs of a row: of two factors, by number, with their values."""
    return set(itertools.combinations(enumerate(row), 2))


def all_pairs(factors):
    """All that can occur."""
    return set().union(*(pairs(row) for row in itertools.product(*factors)))


def covering_array(*factors):
    """Rows, one value of each factor, that hold every pair; the same ones each time. Not always the fewest: greedy.
    First values of a factor come in as few rows as they can, what is left is filled with the last ones."""
    missing = all_pairs(factors)
    order = sorted(missing, key=lambda pair: [(factor, factors[factor].index(value)) for factor, value in pair])
    rows = []
    for first in order:
        if first not in missing:
            continue
        fixed = dict(first)
        candidates = itertools.product(*([fixed[factor]] if factor in fixed else values[::-1]
                                         for factor, values in enumerate(factors)))
        best = max(candidates, key=lambda row: len(pairs(row) & missing))
        missing -= pairs(best)
        rows.append(best)
    return rows
