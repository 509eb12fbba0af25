#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nmhal.jax.CrossbarArray: products by operators, updates by the device, strict arrays."""
import unittest

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax as nj
from jaxbed import N_IN, N_OUT, OnBoard as Bed, has_analog, inputs


class OnBoard(Bed):
    def setUp(self):
        super().setUp()
        self.a = nj.CrossbarArray(self.w, self.array)
        self.y = self.array.matmul(self.w, self.x)


class Products(OnBoard):
    def test_making_one_touches_no_device(self):
        before = self.array.stats()
        nj.CrossbarArray(self.w + 1, self.array)
        self.assertEqual(self.array.stats(), before)

    def test_forward(self):
        self.same(self.a @ self.x[0], self.y[0])
        self.same(self.a @ self.x, self.y)
        self.same(self.a @ np.asarray(self.x[0]), self.y[0])
        self.same(self.x @ self.a.T, self.y)
        self.same(np.asarray(self.x) @ self.a.T, self.y)
        self.same(self.a.T.T @ self.x, self.y)
        self.same(self.a.matmul(self.x, key=3), self.y)
        self.assertEqual((self.a.shape, self.a.T.shape), ((N_OUT, N_IN), (N_IN, N_OUT)))

    def test_transposed_is_refused_on_a_chip_without(self):
        for product in (lambda: self.a.T @ self.x[:, :N_OUT], lambda: self.x[:, :N_OUT] @ self.a):
            with self.assertRaisesRegex(nmhal.UnsupportedError, "no transposed product"):
                product()

    def test_jit_as_argument_and_closed_over(self):
        self.same(jax.jit(lambda a, x: a @ x)(self.a, self.x), self.y)
        self.same(jax.jit(lambda x: self.a @ x)(self.x), self.y)
        self.assertIs(jax.jit(lambda a: a)(self.a).array, self.array)

    def test_vmap_is_one_call(self):
        before = self.array.stats().products
        self.same(jax.vmap(lambda x: self.a @ x)(self.x), self.y)
        self.same(jax.jit(lambda a, x: jax.vmap(lambda one: a @ one)(x))(self.a, self.x), self.y)
        self.assertEqual(self.array.stats().products - before, 2)

    def test_grad_with_respect_to_it(self):
        gradient = jax.grad(lambda a: (a @ self.x).sum())(self.a)
        self.assertIsInstance(gradient, nj.CrossbarArray)
        np.testing.assert_allclose(gradient.W, jnp.ones((4, N_OUT)).T @ self.x, rtol=1e-6)

    def test_scan(self):
        _, y = jax.lax.scan(lambda a, x: (a, a @ x), self.a, self.x)
        self.same(y, self.y)

    def test_mock_is_the_host(self):
        before = self.array.stats()
        for mock in (nj.CrossbarArray(self.w, mock=True), nj.CrossbarArray(self.w, self.array, mock=True)):
            self.same(mock @ self.x, self.x @ self.w.T)
            self.same(self.x @ mock.T, self.x @ self.w.T)
            self.same(mock.T @ self.y, self.y @ self.w)
            self.same(self.y @ mock, self.y @ self.w)
            self.same((mock + self.w).W, self.w + self.w)
            with self.assertRaisesRegex(ValueError, r"x has shape \(6,\): must be \[..., 9\]"):
                mock @ self.x[0, :N_OUT]
            with self.assertRaisesRegex(ValueError, r"dW has shape \(9,\)"):
                mock + self.w[0]
        self.assertEqual(self.array.stats(), before)

    def test_bad_arguments(self):
        with self.assertRaisesRegex(TypeError, "an nmhal.Array is needed, or mock=True"):
            nj.CrossbarArray(self.w)
        with self.assertRaisesRegex(ValueError, r"W has shape \(9, 6\): must be \(6, 9\)"):
            nj.CrossbarArray(self.w.T, self.array)
        with self.assertRaisesRegex(TypeError, "dtype is int32"):
            nj.CrossbarArray(jnp.ones((N_OUT, N_IN), jnp.int32), self.array)
        with self.assertRaisesRegex(ValueError, r"x has shape \(6,\): must be \[..., 9\]"):
            self.a @ self.x[0, :N_OUT]
        with self.assertRaisesRegex(TypeError, r"A\.T \+ dW: add to A itself"):
            self.a.T + self.w.T
        self.assertIn("<nmhal.Array 6 x 9 on sim:tinyodin>).T", repr(self.a.T))


class Updates(OnBoard):
    def test_the_device_adds(self):
        self.a @ self.x
        scale = np.abs(self.w).max(1, keepdims=True) / 7
        dw = jnp.where(jnp.arange(N_IN) == 1, -jnp.sign(self.w) * 2 * scale, 0.01 * scale)
        b = self.a + dw
        self.same(b.W, self.array.quantise())
        self.same(b.W, self.array.read())
        moved = np.asarray(b.W - self.array.quantise(self.w))
        self.assertTrue((moved[:, 1] != 0).all())
        self.assertEqual(np.count_nonzero(np.delete(moved, 1, 1)), 0)  # less than half a step is lost
        cells = self.array.stats().cells
        self.same(b @ self.x, self.array.matmul(None, self.x))
        self.assertEqual(self.array.stats().cells, cells)
        self.same((dw + self.a).W, b.W)
        self.same((self.a - (-dw)).W, b.W)
        self.same(jax.jit(lambda a: a + dw)(self.a).W, b.W)
        self.same((self.a + np.asarray(dw)).W, b.W)

    def test_the_sum_of_two_is_refused(self):
        for add in (lambda: self.a + self.a, lambda: self.a - self.a, lambda: self.a.__radd__(self.a)):
            with self.assertRaisesRegex(TypeError, "dW is a CrossbarArray too: must be an array, such as its W"):
                add()
        self.same((self.a - np.asarray(self.w, float).tolist()).W, jnp.zeros_like(self.w))

    def test_derivative_of_an_update(self):
        gradient = jax.grad(lambda dw: ((self.a + dw) @ self.x).sum())(0 * self.w)
        np.testing.assert_allclose(gradient, jnp.ones((4, N_OUT)).T @ self.x, rtol=1e-6)

    def test_vmap_of_an_update_is_refused(self):
        with self.assertRaisesRegex(NotImplementedError, "update: vmap over weights"):
            jax.vmap(lambda dw: (self.a + dw).W)(jnp.stack([self.w, self.w]))

    def test_bad_delta(self):
        with self.assertRaisesRegex(ValueError, r"dW has shape \(9,\): must be \(6, 9\)"):
            self.a + self.w[0]
        with self.assertRaisesRegex(Exception, r"INVALID_ARGUMENT: .*W\[0\]\[0\] is nan"):
            (self.a + self.w.at[0, 0].set(np.nan)).W.block_until_ready()

    def test_tree_map_changes_w_and_the_next_product_writes_it(self):
        cells = self.array.stats().cells
        b = jax.tree.map(lambda p, u: p + u, self.a, nj.CrossbarArray(self.w, self.array))
        self.assertIsInstance(b, nj.CrossbarArray)
        self.assertEqual(self.array.stats().cells, cells)
        self.same(b.W, 2 * self.w)
        self.same(b @ self.x, self.array.matmul(2 * self.w, self.x))

    def test_optimisers(self):
        goal = self.x @ jnp.flip(self.w).T
        for optimiser in (optax.sgd(0.3), optax.adam(0.1), optax.adamw(0.1)):
            params, state = (self.a, jnp.zeros(N_OUT)), optimiser.init((self.a, jnp.zeros(N_OUT)))

            def loss(params):
                return ((params[0] @ self.x + params[1] - goal) ** 2).mean()

            @jax.jit
            def step(params, state):
                value, grads = jax.value_and_grad(loss)(params)
                updates, state = optimiser.update(grads, state, params)
                return optax.apply_updates(params, updates), state, value

            first = float(loss(params))
            for _ in range(80):
                params, state, value = step(params, state)
            self.assertIsInstance(params[0], nj.CrossbarArray)
            self.assertLess(float(value), 0.2 * first)


class Strict(Bed):
    options = {"strict": True}

    def setUp(self):
        super().setUp()
        self.a = nj.CrossbarArray(self.w, self.array)
        self.step = jnp.asarray(np.abs(self.w).max(1, keepdims=True) * jnp.ones(N_IN) / 7)

    def test_first_use_programs(self):
        self.same(self.a @ self.x, self.array.matmul(None, self.x))
        self.same(self.a @ self.x, self.array.matmul(None, self.x))

    def test_same_object_after_an_update(self):
        for delta in (self.step, 0 * self.step):
            b = self.a + delta
            for use in (lambda: self.a @ self.x, lambda: self.a + delta, lambda: jax.jit(lambda a: a @ self.x)(self.a),
                        lambda: nj.matmul(self.array, self.a.W, self.x),
                        lambda: nj.CrossbarArray(self.a.W, self.array) @ self.x):
                with self.assertRaisesRegex(nmhal.StateError, "strict: use what the update gave"):
                    use()
            self.same(b @ self.x, self.array.matmul(None, self.x))
            self.a = b

    def test_same_tracer_after_an_update(self):
        def f(a):
            b = a + 0 * self.step
            return a @ self.x, b

        with self.assertRaisesRegex(nmhal.StateError, "strict: use what the update gave"):
            jax.jit(f)(self.a)

    def test_same_numpy_array_after_an_update(self):
        w = np.asarray(self.w).copy()
        held = nj.update(self.array, w, 0 * self.step)
        for use in (lambda: nj.matmul(self.array, w, self.x), lambda: nj.update(self.array, w, self.step)):
            with self.assertRaisesRegex(nmhal.StateError, "strict: use what the update gave"):
                use()
        self.same(nj.matmul(self.array, held, self.x), self.array.matmul(None, self.x))

    def test_tracing_an_update_consumes_no_constant(self):
        y = nj.matmul(self.array, self.w, self.x)
        jax.jit(lambda dw: nj.update(self.array, self.w, dw)).lower(self.step)
        jax.jit(lambda: nj.update(self.array, self.w, self.step)).lower()
        self.same(nj.matmul(self.array, self.w, self.x), y)

    def test_compiled_program_meets_other_codes(self):
        f, add = jax.jit(lambda a: a @ self.x), jax.jit(lambda a: a + self.step)
        f(self.a).block_until_ready()
        f(self.a).block_until_ready()
        b = add(self.a)
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: .*the array is strict"):
            f(self.a).block_until_ready()  # cached, and the outer object was never seen to be updated
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: .*it was updated since"):
            add(self.a).W.block_until_ready()
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION"):
            (self.a @ self.x).block_until_ready()  # eager
        self.same(f(b), self.array.matmul(None, self.x))

    def test_zero_delta_across_a_jit_boundary_is_not_seen(self):
        y = self.a @ self.x
        jax.jit(lambda a: a + 0 * self.step)(self.a).W.block_until_ready()
        self.same(self.a @ self.x, y)

    def test_after_rebind_the_first_use_programs(self):
        f = jax.jit(lambda a: a @ self.x)
        y = f(self.a)
        self.array.rebind(self.dev)
        self.same(f(self.a), y)


@unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
class Analog(Bed):
    """Transposed products and noise, on four tiles."""

    uri = "sim:xbar64"
    shape = (70, 90)

    def setUp(self):
        super().setUp()
        self.a = nj.CrossbarArray(self.w, self.array)
        self.g = inputs(4, self.shape[0], 5)

    def test_transposed(self):
        y = self.array.matmul(self.w, self.g, transposed=True)
        self.assertEqual(y.shape, (4, 90))
        self.same(self.a.T @ self.g, y)
        self.same(self.g @ self.a, y)
        self.same(np.asarray(self.g) @ self.a, y)
        self.same(jax.vmap(lambda g: g @ self.a)(self.g), y)
        gradient = jax.grad(lambda w: nj.matmul(self.array, w, self.g, transposed=True).sum())(self.w)
        np.testing.assert_allclose(gradient, self.g.T @ jnp.ones((4, 90)), rtol=1e-5)

    def test_every_device_needs_the_transposed_product(self):
        with nmhal.open("sim:tinyodin") as chip:
            self.array.devices += (chip,)
            with self.assertRaisesRegex(nmhal.UnsupportedError, "sim:tinyodin: matmul: .* no transposed product"):
                nj.matmul(self.array, self.w, self.g, transposed=True)

    def test_backward_on_the_device(self):
        def loss(w, x):
            return (nj.matmul(self.array, w, x, backward="device") * self.g).sum()

        for grad in (jax.grad(loss, (0, 1)), jax.jit(jax.grad(loss, (0, 1)))):
            dw, dx = grad(self.w, self.x)
            np.testing.assert_allclose(dw, self.g.T @ self.x, rtol=1e-5)
            self.same(dx, self.array.matmul(self.w, self.g, transposed=True))
        before = self.array.stats().products
        jax.vmap(jax.grad(lambda x: nj.matmul(self.array, self.w, x, backward="device").sum()))(self.x)
        self.assertEqual(self.array.stats().products - before, 2)
        a = nj.CrossbarArray(self.w, self.array, backward="device")
        self.same(jax.grad(lambda x: ((a @ x) * self.g).sum())(self.x), dx)
        opposite = {"transposed": True, "backward": "device"}
        outer = jax.grad(lambda g: (nj.matmul(self.array, self.w, g, **opposite) * self.x).sum())
        self.same(outer(self.g), self.array.matmul(self.w, self.x))

    def test_jvp_through_the_device_is_refused(self):
        with self.assertRaisesRegex(TypeError, "forward-mode"):
            jax.jvp(lambda x: nj.matmul(self.array, self.w, x, backward="device"), (self.x,), (self.x,))


if __name__ == "__main__":
    unittest.main()
