# SPDX-License-Identifier: MIT
"""What the tests of nmhal.jax share."""
import os
import subprocess
import sys
import textwrap
import unittest

import jax.numpy as jnp
import numpy as np

import nmhal

N_OUT, N_IN = 6, 9


def child(code, **env):
    """Runs Python code in a process of its own; what it printed, and its status."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, **env})
    return done.stdout + done.stderr, done.returncode


def inputs(count, width, seed):
    """[count, width] with two numbers in a row: tinyODIN computes such products in one part."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, width), np.float32)
    for row in x:
        row[rng.choice(width, 2, replace=False)] = rng.normal(size=2)
    return jnp.asarray(x)


def has_analog():
    """Whether the package has the emulated analog boards."""
    return any(info.uri.startswith("sim:xbar") for info in nmhal.enumerate_devices("sim"))


class OnBoard(unittest.TestCase):
    """A fresh chip and an array on it."""

    uri = "sim:tinyodin"
    shape = (N_OUT, N_IN)
    options = {}

    def setUp(self):
        rng = np.random.default_rng(1)
        self.dev = nmhal.open(self.uri)
        self.array = nmhal.Array(self.dev, *self.shape, **self.options)
        self.w = jnp.asarray(rng.normal(size=self.shape), jnp.float32)
        self.x = inputs(4, self.shape[1], 1)

    def tearDown(self):
        self.array.free()
        self.dev.close()

    def same(self, one, other):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
