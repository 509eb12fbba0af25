#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nmhal.jax.matmul under the transformations of JAX and the optimisers of optax, on the emulated tinyODIN."""
import unittest

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax as nj
from jaxbed import N_IN, N_OUT, OnBoard as Bed, child, inputs


class OnBoard(Bed):
    def matmul(self, w, x, **how):
        return nj.matmul(self.array, w, x, **how)

    def ideal(self, w, x):
        """The same value on the host: a product with the weights and inputs that codes stand for."""
        steps = jnp.max(jnp.abs(x), -1, keepdims=True) / 127
        return (jnp.round(x / steps) * steps) @ self.array.quantise(w).T


class Values(OnBoard):
    def test_is_the_product_of_the_array(self):
        y = self.matmul(self.w, self.x)
        self.assertEqual(y.dtype, jnp.float32)
        self.same(y, self.array.matmul(self.w, self.x))
        np.testing.assert_allclose(y, self.ideal(self.w, self.x), rtol=1e-5, atol=1e-5)

    def test_shapes(self):
        for shape in ((N_IN,), (1, N_IN), (2, 3, N_IN), (0, N_IN), (2, 0, N_IN)):
            x = jnp.zeros(shape, jnp.float32).at[..., 0].set(1)
            self.assertEqual(self.matmul(self.w, x).shape, shape[:-1] + (N_OUT,))

    def test_batch_of_zero_touches_nothing(self):
        before = self.array.stats()
        self.matmul(self.w, jnp.zeros((0, N_IN))).block_until_ready()
        self.assertEqual(self.array.stats(), before)

    def test_weights_of_zero(self):
        self.same(self.matmul(jnp.zeros_like(self.w), self.x), jnp.zeros((4, N_OUT)))

    def test_numpy_arrays_and_lists(self):
        self.same(self.matmul(np.asarray(self.w), np.asarray(self.x).tolist()), self.matmul(self.w, self.x))

    def test_matrices_and_inputs_of_all_sizes(self):
        rng = np.random.default_rng(5)
        with nmhal.open(self.uri) as dev, nmhal.Array(dev, 10, 64) as array:
            for w, x in ((np.ones((10, 64)), np.full(64, 100)), (rng.normal(size=(10, 64)), rng.random((20, 64))),
                         (rng.normal(size=(10, 64)), rng.normal(size=(5, 64)) / 1000)):
                steps = np.abs(x).max(-1, keepdims=True) / 127
                y = nj.matmul(array, w, x)
                np.testing.assert_allclose(y, np.rint(x / steps) * steps @ array.quantise(w).T, rtol=1e-4, atol=1e-4)

    def test_keys_that_are_numbers(self):
        words = nj._ops.words_of
        for key in (2**31, np.int64(2**31), np.uint32(2**31), jnp.uint32(2**31), [0, 2**31]):
            self.same(words(key), np.array([0, 2**31], np.uint32))
        self.same(words(2**32 - 1), np.array([0, 2**32 - 1], np.uint32))
        for key in (-1, 2**32, 2**70, np.int64(2**40), np.int8(-1), [0, -1]):
            with self.assertRaisesRegex(ValueError, r"key is .*: must be 0\.\.4294967295"):
                words(key)
        for key in (0.5, True, "1"):
            with self.assertRaisesRegex(TypeError, "key: dtype is"):
                words(key)
        key = jax.random.key(0, impl="rbg")
        with self.assertRaisesRegex(ValueError, r"shape is \(4,\): .* pass jax.random.bits\(key\)"):
            words(key)
        self.assertEqual(words(jax.random.bits(key)).shape, (2,))

    def test_what_changes_is_programmed(self):
        f = jax.jit(self.matmul)
        f(self.w, self.x).block_until_ready()
        cells, writes = self.array.stats().cells, self.array.stats().writes
        step = float(np.abs(np.asarray(self.w[0])).max()) / 7
        least = int(np.abs(np.asarray(self.w[0])).argmin())
        f(self.w, self.x).block_until_ready()
        f(self.w.at[0, least].add(step / 50), self.x).block_until_ready()
        self.assertEqual((self.array.stats().cells, self.array.stats().writes), (cells, writes))
        f(self.w.at[0, least].add(2 * step), self.x).block_until_ready()
        self.assertEqual(self.array.stats().cells, cells + 1)


class Transformations(OnBoard):
    def loss(self, w, x):
        return (self.matmul(w, x) ** 2).sum()

    def test_jit(self):
        self.same(jax.jit(self.matmul)(self.w, self.x), self.matmul(self.w, self.x))

    def test_grad_is_that_of_the_product_with_w(self):
        y = self.matmul(self.w, self.x)
        for grad in (jax.grad(self.loss, (0, 1)), jax.jit(jax.grad(self.loss, (0, 1)))):
            dw, dx = grad(self.w, self.x)
            np.testing.assert_allclose(dw, 2 * y.T @ self.x, rtol=1e-5)
            np.testing.assert_allclose(dx, 2 * y @ self.w, rtol=1e-5)

    def test_grad_touches_the_device_once(self):
        jax.grad(self.loss)(self.w, self.x)
        self.assertEqual(self.array.stats().products, 1)

    def test_value_and_grad(self):
        value, _ = jax.value_and_grad(self.loss)(self.w, self.x)
        self.same(value, self.loss(self.w, self.x))

    def test_jvp_and_linearize(self):
        dw, dx = jnp.ones_like(self.w), 2 * jnp.ones_like(self.x)
        y, dy = jax.jvp(self.matmul, (self.w, self.x), (dw, dx))
        self.same(y, self.matmul(self.w, self.x))
        np.testing.assert_allclose(dy, self.x @ dw.T + dx @ self.w.T, rtol=1e-5)
        _, linear = jax.linearize(self.matmul, self.w, self.x)
        np.testing.assert_allclose(linear(dw, dx), dy, rtol=1e-5)

    def test_vjp(self):
        y, pull = jax.vjp(self.matmul, self.w, self.x)
        dw, dx = pull(jnp.ones_like(y))
        np.testing.assert_allclose(dw, jnp.ones_like(y).T @ self.x, rtol=1e-5)
        np.testing.assert_allclose(dx, jnp.ones_like(y) @ self.w, rtol=1e-5)

    def test_second_derivative(self):
        hessian = jax.hessian(self.loss, 1)(self.w, self.x[0])
        np.testing.assert_allclose(hessian, 2 * self.w.T @ self.w, rtol=1e-4, atol=1e-5)

    def test_vmap_is_one_call(self):
        self.matmul(self.w, self.x).block_until_ready()
        before = self.array.stats()
        x = jnp.tile(self.x, (64, 1))
        y = jax.vmap(lambda one: self.matmul(self.w, one))(x)
        after = self.array.stats()
        self.assertEqual(after.products - before.products, 1)
        self.assertEqual(after.vectors - before.vectors, 256)
        self.same(y, self.matmul(self.w, x))

    def test_nested_vmap_and_other_axes(self):
        x = jnp.swapaxes(inputs(6, N_IN, 4).reshape(2, 3, N_IN), 1, 2)
        y = jax.vmap(jax.vmap(lambda one: self.matmul(self.w, one), in_axes=1, out_axes=1))(x)
        self.assertEqual(y.shape, (2, N_OUT, 3))
        self.same(y, jnp.swapaxes(self.matmul(self.w, jnp.swapaxes(x, 1, 2)), 1, 2))

    def test_gradients_per_sample(self):
        each = jax.jit(jax.vmap(jax.grad(self.loss), in_axes=(None, 0)))(self.w, self.x)
        self.same(each, jnp.stack([jax.grad(self.loss)(self.w, one) for one in self.x]))

    def test_vmap_over_weights_is_refused(self):
        with self.assertRaisesRegex(NotImplementedError, "a crossbar holds one matrix"):
            jax.vmap(self.matmul, in_axes=(0, None))(jnp.stack([self.w, self.w]), self.x)

    def test_scan(self):
        def step(h, x):
            h = jnp.tanh(self.matmul(self.w, x) + h)
            return h, h

        _, ys = jax.jit(lambda w, x: jax.lax.scan(step, jnp.zeros(N_OUT), x))(self.w, self.x)
        h = jnp.zeros(N_OUT)
        for x, y in zip(self.x, ys):
            h = jnp.tanh(self.matmul(self.w, x) + h)
            np.testing.assert_allclose(y, h, rtol=1e-6, atol=1e-7)

    def test_scan_under_grad(self):
        def loss(w):
            return jax.lax.scan(lambda h, x: (jnp.tanh(self.matmul(w, x) + h), None), jnp.zeros(N_OUT), self.x)[0].sum()

        np.testing.assert_allclose(jax.jit(jax.grad(loss))(self.w), jax.grad(loss)(self.w), rtol=1e-5)
        self.assertGreater(float(jnp.abs(jax.grad(loss)(self.w)).max()), 0)

    def test_while_and_cond(self):
        f = jax.jit(lambda w, x, on: jax.lax.cond(on, lambda: self.matmul(w, x), lambda: x[:, :N_OUT]))
        self.same(f(self.w, self.x, True), self.matmul(self.w, self.x))
        self.same(f(self.w, self.x, False), self.x[:, :N_OUT])

    def test_checkpoint(self):
        plain = jax.grad(self.loss)(self.w, self.x)
        self.same(jax.grad(jax.checkpoint(self.loss))(self.w, self.x), plain)
        self.same(jax.jit(jax.grad(jax.checkpoint(self.loss)))(self.w, self.x), plain)

    def test_backward_with_the_weights_that_were_used(self):
        y = self.matmul(self.w, self.x)
        for how in ("quantised", "readback"):
            grad = jax.grad(lambda w, x: (self.matmul(w, x, backward=how) ** 2).sum(), (0, 1))
            dw, dx = jax.jit(grad)(self.w, self.x)
            np.testing.assert_allclose(dw, 2 * y.T @ self.x, rtol=1e-5)
            np.testing.assert_allclose(dx, 2 * y @ self.array.quantise(self.w), rtol=1e-5)
            tangent = jax.jvp(lambda x: self.matmul(self.w, x, backward=how), (self.x,), (self.x,))[1]
            np.testing.assert_allclose(tangent, self.x @ self.array.quantise(self.w).T, rtol=1e-5, atol=1e-6)
            each = jax.vmap(lambda x: jax.grad(lambda x: self.matmul(self.w, x, backward=how).sum())(x))(self.x)
            np.testing.assert_allclose(each[0], self.array.quantise(self.w).sum(0), rtol=1e-5)

    def test_keys_under_vmap(self):
        y = self.matmul(self.w, self.x)
        keys = jax.random.split(jax.random.key(0), 4)
        self.same(jax.vmap(lambda x, k: self.matmul(self.w, x, key=k))(self.x, keys), y)
        self.same(jax.vmap(lambda x: self.matmul(self.w, x, key=keys[0]))(self.x), y)
        self.same(jax.vmap(lambda k: self.matmul(self.w, self.x, key=k))(keys)[2], y)
        nested = jax.vmap(lambda x: jax.vmap(lambda k: self.matmul(self.w, x, key=k))(keys))(self.x)
        self.same(nested[:, 1], y)


class Optimisers(OnBoard):
    def fit(self, optimiser):
        """Least squares on plain W by the optimiser, everything under one jit."""
        goal = jnp.asarray(np.random.default_rng(2).normal(size=(N_OUT, N_IN)), jnp.float32)
        x = inputs(64, N_IN, 3)
        params = {"w": self.w, "b": jnp.zeros(N_OUT)}

        def loss(params):
            return ((self.matmul(params["w"], x) + params["b"] - x @ goal.T) ** 2).mean()

        @jax.jit
        def step(params, state):
            value, grads = jax.value_and_grad(loss)(params)
            updates, state = optimiser.update(grads, state, params)
            return optax.apply_updates(params, updates), state, value

        state, first = optimiser.init(params), float(loss(params))
        for _ in range(150):
            params, state, value = step(params, state)
        self.assertLess(float(value), 0.1 * first)
        stats = self.array.stats()
        self.assertLess(stats.cells, 256 * N_IN + 0.7 * self.w.size * 150)

    def test_sgd(self):
        self.fit(optax.sgd(0.05, momentum=0.9))

    def test_adam(self):
        self.fit(optax.adam(0.05))

    def test_adamw(self):
        self.fit(optax.adamw(0.05))


class BadInput(OnBoard):
    def test_dtypes(self):
        with self.assertRaisesRegex(TypeError, "matmul: x: dtype is int32: must be float32"):
            self.matmul(self.w, jnp.ones(N_IN, jnp.int32))
        with self.assertRaisesRegex(TypeError, "matmul: W: dtype is bfloat16: must be float32"):
            self.matmul(self.w.astype(jnp.bfloat16), self.x)
        output, status = child("""
            import jax, numpy as np, nmhal, nmhal.jax
            jax.config.update("jax_enable_x64", True)
            array = nmhal.Array(nmhal.open("sim:tinyodin"), 2, 3)
            try:
                nmhal.jax.matmul(array, jax.numpy.ones((2, 3)), np.ones(3))
            except TypeError as error:
                print(error)
            for x in (np.ones(3), np.ones(3, int), [1.0, 1, 1], (1, 1, 1)):
                print(nmhal.jax.matmul(array, np.ones((2, 3)), x).dtype)
            """)
        self.assertEqual(status, 0, output)
        self.assertIn("matmul: W: dtype is float64: must be float32", output)
        self.assertTrue(output.endswith(4 * "float32\n"), output)
        for bad in (np.ones(N_IN, bool), np.ones(N_IN, complex)):
            with self.assertRaisesRegex(TypeError, "matmul: x: dtype is .*: must be float32"):
                self.matmul(self.w, bad)

    def test_shapes(self):
        for w, x, text in ((self.w, jnp.float32(1), r"x has shape \(\): must be \[..., 9\]"),
                           (self.w, self.x[:, :-1], r"x has shape \(4, 8\)"),
                           (self.w.T, self.x, r"W has shape \(9, 6\): must be \(6, 9\)"),
                           (self.w[0], self.x, r"W has shape \(9,\)"),
                           (self.w[None], self.x, r"W has shape \(1, 6, 9\)")):
            with self.assertRaisesRegex(ValueError, text):
                self.matmul(w, x)

    def test_other_arguments(self):
        with self.assertRaisesRegex(TypeError, "must be an nmhal.Array"):
            nj.matmul(self.dev, self.w, self.x)
        with self.assertRaisesRegex(ValueError, "backward is 'host': must be one of 'ideal', 'quantised'"):
            self.matmul(self.w, self.x, backward="host")
        with self.assertRaisesRegex(ValueError, r"key: shape is \(3,\)"):
            self.matmul(self.w, self.x, key=jnp.zeros(3, jnp.uint32))
        with self.assertRaisesRegex(TypeError, "key: dtype is float64"):
            self.matmul(self.w, self.x, key=0.5)

    def test_transposed_needs_the_device(self):
        for how in ({"transposed": True}, {"backward": "device"}):
            with self.assertRaisesRegex(nmhal.UnsupportedError, "sim:tinyodin: matmul: .* no transposed product"):
                self.matmul(self.w, self.x[:, :N_OUT] if "transposed" in how else self.x, **how)

    def test_numbers_that_are_not_finite(self):
        for bad in (np.nan, np.inf):
            with self.assertRaisesRegex(Exception, r"INVALID_ARGUMENT: sim:tinyodin: .*W\[1\]\[2\] is (nan|inf)"):
                jax.jit(self.matmul)(self.w.at[1, 2].set(bad), self.x).block_until_ready()
            with self.assertRaisesRegex(Exception, r"x\[3\]\[0\] is (nan|inf), must be finite"):
                jax.jit(self.matmul)(self.w, self.x.at[3, 0].set(bad)).block_until_ready()
        self.same(self.matmul(self.w, self.x), self.array.matmul(self.w, self.x))

    def test_freed_array(self):
        f = jax.jit(self.matmul)
        f(self.w, self.x).block_until_ready()
        self.array.free()
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: the array of this program was freed; wait"):
            f(self.w, self.x).block_until_ready()
        with self.assertRaisesRegex(ValueError, "the array was freed"):
            self.matmul(self.w, self.x)

    def test_array_that_was_collected(self):
        self.array.free()  # its tile is the only one
        array = nmhal.Array(self.dev, 1, 1)
        slot = array.slot()
        del array
        replacement = nmhal.Array(self.dev, 1, 1)
        self.assertGreater(replacement.slot(), slot)

    def test_closed_device_and_rebind(self):
        f = jax.jit(self.matmul)
        y = f(self.w, self.x)
        self.dev.close()
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: sim:tinyodin"):
            f(self.w, self.x).block_until_ready()
        self.dev = nmhal.open("sim:tinyodin")
        self.array.rebind(self.dev)
        self.same(f(self.w, self.x), y)
        self.assertEqual(self.array.stats().products, 1)
        self.assertEqual(f._cache_size(), 1)


class Processes(unittest.TestCase):
    def test_without_jax(self):
        output, status = child("""
            import sys
            sys.modules["jax"] = None
            import nmhal
            with nmhal.open("sim:tinyodin"):
                pass
            try:
                import nmhal.jax
            except ImportError as error:
                print(error)
            """)
        self.assertEqual(status, 0, output)
        self.assertIn("nmhal.jax needs JAX", output)
        self.assertIn("pip install 'jax>=0.10'", output)

    def test_several_devices_are_refused(self):
        output, status = child("""
            import jax, jax.numpy as jnp, nmhal, nmhal.jax
            from jax.sharding import Mesh, NamedSharding, PartitionSpec
            array = nmhal.Array(nmhal.open("sim:tinyodin"), 2, 3)
            x = jnp.tile(jnp.eye(2, 3), (2, 1))
            f = jax.jit(lambda x: nmhal.jax.matmul(array, jnp.ones((2, 3)), x))
            assert f(x).shape == (4, 2)
            mesh = NamedSharding(Mesh(jax.devices(), ("i",)), PartitionSpec("i"))
            for place in (mesh, jax.devices()[1]):
                try:
                    f(jax.device_put(x, place)).block_until_ready()
                except Exception as error:
                    print(error)
            assert f(x).shape == (4, 2)
            """, XLA_FLAGS="--xla_force_host_platform_device_count=2")
        self.assertEqual(status, 0, output)
        self.assertEqual(output.count("UNIMPLEMENTED: on device 1 of XLA: a crossbar is driven from"), 2, output)

    def test_ctrl_c_ends_a_long_run(self):
        output, status = child("""
            import os, signal, threading, time
            import jax, jax.numpy as jnp, nmhal, nmhal.jax
            array = nmhal.Array(nmhal.open("sim:tinyodin"), 200, 250)
            w, x = jnp.ones((200, 250)).at[:, 1:].set(0), jnp.zeros((512, 250)).at[:, 0].set(1)
            def step(i, y):
                return nmhal.jax.matmul(array, w, x + 0 * y[0, 0])
            f = jax.jit(lambda n: jax.lax.fori_loop(0, n, step, jnp.zeros((512, 200))))
            f(1).block_until_ready()
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            start = time.monotonic()
            try:
                try:
                    f(1000000).block_until_ready()
                finally:
                    time.sleep(0.2)  # the failure of the program may come first, the interrupt follows
            except KeyboardInterrupt as error:
                print("KeyboardInterrupt after", error.__context__)
            print("soon", time.monotonic() - start < 20)
            f(1).block_until_ready()
            print("usable")
            """)
        self.assertEqual(status, 0, output)
        self.assertIn("KeyboardInterrupt after CANCELLED: sim:tinyodin", output)
        self.assertIn("soon True\nusable\n", output)


class InsideOfACall(unittest.TestCase):
    def test_ctrl_c_inside_of_a_function(self):
        output, status = child("""
            import os, signal, threading, time
            import jax, jax.numpy as jnp, nmhal, nmhal.jax as nj

            def multiply(w, x):
                end = time.monotonic() + pause
                while time.monotonic() < end:
                    time.sleep(0.01)
                return w @ x

            pause = 0
            dev = nmhal.device_from_functions(multiply, lambda w: None)
            array = nmhal.Array(dev, 2, 3)
            product = jax.jit(lambda x: nj.matmul(array, jnp.ones((2, 3)), x))
            product(jnp.ones(3)).block_until_ready()
            pause = 20
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            start = time.monotonic()
            try:
                try:
                    product(jnp.ones(3)).block_until_ready()
                finally:
                    time.sleep(0.2)
            except KeyboardInterrupt:
                print("KeyboardInterrupt")
            pause = 0
            print(*product(jnp.ones(3)), time.monotonic() - start < 19)
            """)
        self.assertEqual((output, status), ("KeyboardInterrupt\n3.0 3.0 True\n", 0))

    def test_arrays_that_go_inside_of_a_call(self):
        """As the garbage collector may free them: another board's, and that of the call itself."""
        kept = [nmhal.Array(nmhal.open("sim:tinyodin"), 2, 3)]
        dev = nmhal.device_from_functions(lambda w, x: (kept.clear(), w @ x)[1], lambda w: None)
        kept.append(nmhal.Array(dev, 2, 3))
        product = jax.jit(lambda w, x, array=kept[1]: nj.matmul(array, w, x)).lower(
            jnp.ones((2, 3)), jnp.ones(3)).compile()
        np.testing.assert_array_equal(product(jnp.ones((2, 3)), jnp.ones(3)), [3, 3])
        with self.assertRaisesRegex(Exception, "freed"):
            jax.block_until_ready(product(jnp.ones((2, 3)), jnp.ones(3)))
        dev.close()


if __name__ == "__main__":
    unittest.main()
