# SPDX-License-Identifier: MIT
"""Profile x carrier x fault: the cells in which the conformance suites run."""
import itertools

import pairwise

PROFILES = ["xbar1024", "xbar256", "spike256", "xbar64", "xbar8"]  # what costs most is first: in the fewest cells

# Whether each keeps frames apart; else it is a stream of bytes.
CARRIERS = {"sim": True, "unix": False, "tcp": False, "tty": False, "usb": True, "uart": False, "fifo": False}

# What fault= says, on packets and on bytes (docs/fault.md): every kind that a call may survive. Losses are rare enough
# for whole suites to get through, with several in each: a lost frame takes a quarter of a second.
LOSS = 0.003
FAULTS = {
    "none": ("", ""),
    "drop": (f"drop:{LOSS}",) * 2,
    "flip": (f"flip:{LOSS}",) * 2,
    "short": (f"short:{LOSS}",) * 2,
    "order": (f"dup:{LOSS}+reorder:{LOSS}+delay:0.001", f"dup:{LOSS}+split:0.1+delay:0.001"),
}


def fault_of(carrier, fault):
    return FAULTS[fault][0 if CARRIERS[carrier] else 1]


def cells(carrier, every):
    """(profile, fault, seed) of the cells of a carrier: of a covering array, or every one."""
    factors = (PROFILES, list(CARRIERS), list(FAULTS))
    rows = set(itertools.product(*factors) if every else pairwise.covering_array(*factors))
    numbers = {row: number for number, row in enumerate(itertools.product(*factors))}
    return [(row[0], row[2], 1000 * numbers[row]) for row in sorted(rows, key=numbers.get) if row[1] == carrier]
