#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nmhal.jax on boards: the same bits as the library gives, noise by key, a board that is unplugged while it trains."""
import os
import unittest

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax as nj
from common import BUILD, Board
from jaxbed import OnBoard as Bed, child, has_analog, inputs

NOISY = "sim:xbar64,seed=3,noise=output:8"


def opens(uri):
    """Whether the package can open that."""
    try:
        nmhal.open(uri).close()
    except nmhal.Error:
        return False
    return True


class Bits(unittest.TestCase):
    """A compiled program, a plain call of the library, and a fresh board, bit for bit."""

    def check(self, uris, shapes, width, key=None):
        for shape in shapes:
            rng = np.random.default_rng(11)
            w = rng.normal(size=shape).astype(np.float32)
            x = np.asarray(inputs(5, shape[1], 12)) if width == 2 else rng.normal(size=(5, shape[1])).astype(np.float32)
            results = []
            for compiled in (True, False):
                devices = [nmhal.open(uri) for uri in uris]
                with nmhal.Array(devices, *shape) as array:
                    if compiled:
                        y = jax.jit(lambda w, x: nj.matmul(array, w, x, key=key))(w, x)
                    else:
                        y = array.matmul(w, x, first_vector=0 if key is None else key << 32)
                    results.append(np.asarray(y).tobytes())
                for device in devices:
                    device.close()
            self.assertEqual(results[0], results[1], f"{shape} on {uris}")
            self.assertNotEqual(results[0], bytes(len(results[0])))

    def test_tinyodin(self):
        self.check(["sim:tinyodin"], [(3, 5), (5, 9), (200, 250)], 2)
        self.check(["sim:tinyodin", "sim:tinyodin"], [(300, 250)], 2)

    @unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
    def test_analog_boards(self):
        self.check(["sim:xbar256"], [(3, 5), (5, 9), (300, 70)], 0)
        self.check(["sim:xbar64", "sim:xbar64"], [(130, 110)], 0)
        self.check([NOISY], [(5, 9), (100, 70)], 0, key=77)

    @unittest.skipUnless("NMHAL_TEST_URI" in os.environ, "NMHAL_TEST_URI names no board")
    def test_the_board_of_the_environment(self):
        self.check([os.environ["NMHAL_TEST_URI"]], [(3, 5), (5, 9)], 2)


@unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
class Noise(Bed):
    uri = NOISY
    shape = (20, 40)

    def matmul(self, x, key=None):
        return nj.matmul(self.array, self.w, x, key=key)

    def test_the_same_key_gives_the_same_noise(self):
        f = jax.jit(self.matmul)
        key, other = jax.random.split(jax.random.key(5))
        y = f(self.x, key)
        f(self.x, other)
        self.same(f(self.x, key), y)
        self.same(self.matmul(self.x, key), y)
        self.same(self.matmul(self.x, jax.random.key_data(key)), y)
        self.assertTrue((np.asarray(f(self.x, other)) != np.asarray(y)).any())
        self.assertTrue((np.asarray(y[0]) != np.asarray(self.matmul(self.x[0], other))).any())

    def test_without_a_key_each_call_has_its_own(self):
        f = jax.jit(self.matmul)
        self.assertTrue((np.asarray(f(self.x)) != np.asarray(f(self.x))).any())

    def test_keys_of_a_batch(self):
        keys = jax.random.split(jax.random.key(6), 4)
        each = jnp.stack([self.matmul(x, key) for x, key in zip(self.x, keys)])
        self.same(jax.vmap(self.matmul)(self.x, keys), each)
        self.same(jax.vmap(self.matmul, (0, None))(self.x, keys[0]), self.matmul(self.x, keys[0]))
        with self.assertRaises(AssertionError):
            self.same(self.matmul(self.x, 1), self.matmul(self.x, 2))

    def test_noise_is_not_in_the_derivative(self):
        _, tangent = jax.jvp(lambda x: self.matmul(x, 1), (self.x,), (self.x,))
        np.testing.assert_allclose(tangent, self.x @ self.w.T, rtol=1e-5, atol=1e-6)


@unittest.skipUnless(opens("sim:tinyodin,fault=gone@999999999"), "the package was built without fault=")
class Unplugged(unittest.TestCase):
    def test_training_goes_on_after_a_replug(self):
        device = nmhal.open("sim:tinyodin,fault=gone@60")
        array = nmhal.Array(device, 6, 9)
        optimiser, x = optax.adam(0.05), inputs(16, 9, 1)
        goal = x @ jnp.asarray(np.random.default_rng(2).normal(size=(6, 9)), jnp.float32).T

        def loss(w):
            return ((nj.matmul(array, w, x) - goal) ** 2).mean()

        @jax.jit
        def step(w, state):
            value, gradient = jax.value_and_grad(loss)(w)
            updates, state = optimiser.update(gradient, state)
            return optax.apply_updates(w, updates), state, value

        w, state, failures, values = jnp.zeros((6, 9)), optimiser.init(jnp.zeros((6, 9))), [], []
        while len(values) < 40:
            try:
                now = jax.block_until_ready(step(w, state))
            except jax.errors.JaxRuntimeError as error:
                failures.append(str(error))
                device.close()
                device = nmhal.open("sim:tinyodin")
                array.rebind(device)
                continue
            w, state, value = now
            values.append(float(value))
        self.assertEqual(len(failures), 1)
        self.assertRegex(failures[0], r"UNAVAILABLE: sim:tinyodin,fault=gone@60: .*gone")
        self.assertLess(values[-1], 0.3 * values[0])
        self.assertEqual(step._cache_size(), 1)
        array.free()
        device.close()


@unittest.skipUnless(BUILD and has_analog(), "NMHAL_BUILD names no build of the tree")
class Shared(unittest.TestCase):
    """A board in a process of its own, and two that want it."""

    def setUp(self):
        board = Board("xbar64,seed=3,noise=output:8")
        self.addCleanup(board.close)
        self.uri = board.uri

    def test_two_processes(self):
        code = f"""
            import jax.numpy as jnp, nmhal, nmhal.jax
            try:
                device = nmhal.open("{self.uri}", timeout=2)
                print(nmhal.jax.matmul(nmhal.Array(device, 2, 3), jnp.ones((2, 3)), jnp.ones(3)).shape)
            except nmhal.Error as error:
                print(type(error).__name__, error)
            """
        with nmhal.open(self.uri) as device, nmhal.Array(device, 3, 5) as array:
            w, x = jnp.ones((3, 5)), jnp.ones(5)
            y = nj.matmul(array, w, x, key=1)
            output, status = child(code)
            self.assertEqual(status, 0, output)
            self.assertRegex(output, r"^(Busy|Gone)Error unix:path=")
            np.testing.assert_array_equal(nj.matmul(array, w, x, key=1), y)
        output, status = child(code)
        self.assertEqual((output, status), ("(2,)\n", 0))


if __name__ == "__main__":
    unittest.main()
