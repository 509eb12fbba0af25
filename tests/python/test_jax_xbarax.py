#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of docs/from-xbarax.md, row by row, on a device made of three Python functions."""
import pathlib
import re
import unittest

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax as nj
from jaxbed import child

TABLE = pathlib.Path(__file__).parents[2] / "docs/from-xbarax.md"


class Crossbar:
    """What a user of xbarax has, in Python; it programs in steps of 1/8."""

    def __init__(self):
        self.calls, self.failure = [], None
        self.device = nmhal.device_from_functions(self.multiply, self.write, self.add)

    def multiply(self, w, x):
        self.calls.append("multiply")
        if self.failure:
            raise self.failure
        return w @ x

    def write(self, w):
        self.calls.append("write")
        return np.round(w * 8) / 8

    def add(self, w, dw):
        self.calls.append("add")
        return np.round((w + dw) * 8) / 8


class Table(unittest.TestCase):
    def setUp(self):
        self.own = Crossbar()
        self.array = nmhal.Array(self.own.device, 3, 5)
        rng = np.random.default_rng(0)
        self.w = jnp.asarray(np.round(rng.normal(size=(3, 5)) * 8) / 8, jnp.float32)
        self.x = jnp.asarray(np.round(rng.normal(size=(4, 5)) * 8) / 8, jnp.float32)
        self.a = nj.CrossbarArray(self.w, self.array)

    def tearDown(self):
        self.array.free()
        self.own.device.close()

    def same(self, one, other):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))

    def strict(self):
        self.array.free()
        self.array = nmhal.Array(self.own.device, 3, 5, strict=True)
        return nj.CrossbarArray(self.w, self.array)

    def test_construction(self):
        self.assertEqual(self.own.calls, [])

    def test_first_use(self):
        (self.a @ self.x[0]).block_until_ready()
        (self.a @ self.x[1]).block_until_ready()
        self.assertEqual(self.own.calls, ["write", "multiply", "multiply"])
        with nmhal.open("sim:tinyodin") as dev, nmhal.Array(dev, 3, 5) as array:
            (nj.CrossbarArray(self.w, array) @ jnp.eye(5)).block_until_ready()
            cells, least = array.stats().cells, int(jnp.abs(self.w[0]).argmin())
            w = self.w.at[0, least].add(jnp.abs(self.w[0]).max() / 3)
            (nj.CrossbarArray(w, array) @ jnp.eye(5)).block_until_ready()
            self.assertEqual(array.stats().cells, cells + 1)

    def test_product(self):
        self.same(self.a @ self.x[0], self.w @ self.x[0])
        self.same(self.a @ self.x, self.x @ self.w.T)
        with self.assertRaisesRegex(ValueError, r"x has shape \(3,\): must be \[..., 5\]"):
            self.a @ jnp.ones(3)
        with self.assertRaisesRegex(TypeError, "int32: must be float32"):
            self.a @ jnp.ones(5, jnp.int32)

    def test_batch_under_vmap(self):
        self.same(jax.vmap(lambda x: self.a @ x)(self.x), self.x @ self.w.T)
        self.assertEqual(self.array.stats().products, 1)

    def test_vmap_over_w(self):
        with self.assertRaisesRegex(NotImplementedError, "a crossbar holds one matrix"):
            jax.vmap(lambda w: nj.matmul(self.array, w, self.x[0]))(jnp.stack([self.w, self.w]))

    def test_update(self):
        b = self.a + jnp.full((3, 5), 0.3)
        self.same(b.W, self.w + 0.25)
        self.same(b @ self.x, self.x @ (self.w + 0.25).T)
        self.assertEqual(self.own.calls, ["write", "add"] + 4 * ["multiply"])

    def test_old_array_after_an_update(self):
        self.same((self.a + jnp.ones((3, 5))).W, self.w + 1)
        self.same(self.a @ self.x, self.x @ self.w.T)
        for delta in (1.0, 0.0):
            a, add = self.strict(), jnp.full((3, 5), delta)
            use = jax.jit(lambda a: a @ self.x)
            use(a).block_until_ready()
            self.assertIsNotNone(a + add)
            for stale in (lambda: a @ self.x, lambda: use(a)):
                with self.assertRaisesRegex(nmhal.StateError, "strict"):
                    stale()
        a, update = self.strict(), jax.jit(lambda a: a + jnp.ones((3, 5)))
        use(a).block_until_ready()
        for _ in range(2):  # the second call is a cached one
            b = update(a)
            b.W.block_until_ready()
            with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: .*strict"):
                use(a).block_until_ready()
            a = b

    def test_zero_delta_across_a_jit_boundary(self):
        a = self.strict()
        jax.jit(lambda a: a + jnp.zeros((3, 5)))(a).W.block_until_ready()
        self.same(a @ self.x, self.x @ self.w.T)

    def test_jit(self):
        self.same(jax.jit(lambda a, x: a @ x)(self.a, self.x), self.x @ self.w.T)

    def test_grad_and_vjp_of_a_product(self):
        gradient, dx = jax.grad(lambda a, x: (a @ x).sum(), (0, 1))(self.a, self.x)
        self.assertEqual(self.own.calls.count("multiply"), 4)
        np.testing.assert_allclose(gradient.W, jnp.ones((4, 3)).T @ self.x, rtol=1e-6)
        np.testing.assert_allclose(dx, jnp.ones((4, 3)) @ self.w, rtol=1e-6)
        _, pull = jax.vjp(lambda x: self.a @ x, self.x[0])
        np.testing.assert_allclose(pull(jnp.ones(3))[0], jnp.ones(3) @ self.w, rtol=1e-6)

    def test_jvp_of_a_product(self):
        _, dy = jax.jvp(lambda x: self.a @ x, (self.x[0],), (self.x[1],))
        self.same(dy, self.w @ self.x[1])
        self.assertEqual(self.own.calls.count("multiply"), 1)

    def test_grad_of_an_update(self):
        gradient = jax.grad(lambda dw: ((self.a + dw) @ self.x).sum())(jnp.zeros((3, 5)))
        np.testing.assert_allclose(gradient, jnp.ones((4, 3)).T @ self.x, rtol=1e-6)

    def test_vmap_of_an_update(self):
        with self.assertRaisesRegex(NotImplementedError, "update: vmap over weights"):
            jax.vmap(lambda dw: (self.a + dw).W)(jnp.zeros((2, 3, 5)))

    def test_scan(self):
        self.same(jax.lax.scan(lambda c, x: (c, self.a @ x), 0, self.x)[1], self.x @ self.w.T)
        self.same(jax.lax.scan(lambda a, x: (a, a @ x), self.a, self.x)[1], self.x @ self.w.T)

    def test_tree_map(self):
        b = jax.tree.map(lambda p, u: p + u, {"a": self.a}, {"a": self.a})["a"]
        self.same(b @ self.x, self.x @ (2 * self.w).T)
        self.assertEqual(self.own.calls.count("write"), 1)

    def test_optax(self):
        for optimiser in (optax.sgd(0.1), optax.adam(0.1), optax.adamw(0.1)):
            a, state = self.a, optimiser.init(self.a)
            for _ in range(20):
                gradient = jax.grad(lambda a: ((a @ self.x) ** 2).sum())(a)
                updates, state = optimiser.update(gradient, state, a)
                a = optax.apply_updates(a, updates)
            self.assertLess(float(jnp.abs(a @ self.x).sum()), 0.6 * float(jnp.abs(self.a @ self.x).sum()))

    def test_transposed_product(self):
        for product in (lambda: self.x[:, :3] @ self.a, lambda: self.a.T @ self.x[:, :3]):
            with self.assertRaisesRegex(nmhal.UnsupportedError, "no transposed product"):
                product()

    def test_numpy_arrays_on_the_left(self):
        self.same(np.asarray(self.x) @ self.a.T, self.x @ self.w.T)
        self.same((np.ones((3, 5), np.float32) + self.a).W, self.w + 1)

    def test_host_only(self):
        mock = nj.CrossbarArray(self.w, self.array, mock=True)
        self.same((mock + jnp.ones((3, 5))) @ self.x, self.x @ (self.w + 1).T)
        self.assertEqual(self.own.calls, [])

    def test_several_jax_devices(self):
        output, status = child("""
            import jax, jax.numpy as jnp, numpy as np, nmhal, nmhal.jax
            dev = nmhal.device_from_functions(lambda w, x: w @ x, lambda w: None)
            a = nmhal.jax.CrossbarArray(jnp.ones((2, 3)), nmhal.Array(dev, 2, 3))
            a, x = jax.device_put((a, jnp.ones(3)), jax.devices()[1])
            try:
                (a @ x).block_until_ready()
            except Exception as error:
                print(error)
            """, XLA_FLAGS="--xla_force_host_platform_device_count=2")
        self.assertEqual(status, 0, output)
        self.assertIn("UNIMPLEMENTED: on device 1 of XLA", output)

    def test_errors_of_the_device(self):
        f = jax.jit(lambda x: self.a @ x)
        f(self.x).block_until_ready()
        self.own.failure = RuntimeError("the lamp is off")
        with self.assertRaisesRegex(Exception, "INTERNAL: functions:: multiply 3 x 5: .*RuntimeError: the lamp is off"):
            f(self.x).block_until_ready()
        self.own.failure = None
        self.same(f(self.x), self.x @ self.w.T)

    def test_several_crossbars(self):
        other = Crossbar()
        with nmhal.Array(other.device, 2, 3) as array:
            second = nj.CrossbarArray(jnp.ones((2, 3)), array)
            y = jax.jit(lambda a, b, x: b @ (a @ x))(self.a, second, self.x)
            self.same(y, (self.x @ self.w.T) @ jnp.ones((2, 3)).T)
        self.assertEqual((self.own.calls[0], other.calls[0]), ("write", "write"))

    def test_inexact_programming(self):
        w = self.w + 0.03  # programmed as w
        for how, held in (("readback", self.w), ("ideal", w)):
            dx = jax.grad(lambda x: nj.matmul(self.array, w, x, backward=how).sum())(self.x[0])
            np.testing.assert_allclose(dx, held.sum(0), rtol=1e-6)

    def test_the_table_names_these_tests(self):
        rows = re.findall(r"^\| ([^|]+) \|", TABLE.read_text(encoding="utf-8"), flags=re.M)[1:]
        names = {"test_" + re.sub(r"\W+", "_", row.lower()) for row in rows}
        tests = {name for name in dir(self) if name.startswith("test_")} - {"test_the_table_names_these_tests"}
        self.assertEqual(names, tests)


if __name__ == "__main__":
    unittest.main()
