#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nmhal.jax.lif: the spikes of the chip bit for bit, and the surrogate gradient along them."""
import threading
import unittest

import jax
import jax.numpy as jnp
import numpy as np

import nmhal
import nmhal.jax as nj
from jaxbed import N_IN, N_OUT, OnBoard as Bed

STEPS, THRESHOLD, LEAK = 40, 1.6, 0.1


class Lif(Bed):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(7)
        self.w = jnp.asarray(rng.normal(0.3, 0.6, self.shape), jnp.float32)
        self.spikes = jnp.asarray(rng.random((3, STEPS, N_IN)) < 0.2, jnp.float32)

    def lif(self, w, spikes, **how):
        return nj.lif(self.array, w, spikes, **{"threshold": THRESHOLD, "leak": LEAK, **how})

    def scale(self):
        """What a code of each output is worth, as docs/arrays.md says."""
        return np.array([2.0 ** (np.ceil(8 * np.log2(m / 7) - 1e-9) / 8) for m in np.abs(self.w).max(1)])

    def by_hand(self, spikes):
        """A sample by Device.run() alone."""
        self.array.program(self.w)
        scale = self.scale()
        neurons = np.zeros(N_OUT, nmhal.NEURON)
        neurons["threshold"] = np.ceil(THRESHOLD / scale)
        neurons["leak"] = np.rint(LEAK / scale)
        neurons["enabled"] = 1
        self.dev.set_neurons(neurons)
        self.dev.reset_state()
        steps, rows = np.nonzero(np.asarray(spikes))
        events = np.zeros(len(steps), nmhal.EVENT)
        events["step"], events["address"] = steps, rows
        out = np.zeros((STEPS, N_OUT), np.float32)
        run = self.dev.run(events, steps=STEPS, leak_each_step=True)
        np.add.at(out, (run.events["step"], run.events["address"]), 1)
        return out

    def test_the_spikes_of_the_chip(self):
        out = self.lif(self.w, self.spikes)
        self.assertEqual(out.shape, (3, STEPS, N_OUT))
        self.assertGreater(float(out.sum()), 50)
        for sample, spikes in zip(out, self.spikes):
            self.same(sample, self.by_hand(spikes))

    def test_two_layers_on_a_chip_from_two_threads(self):
        """Each has the chip to itself from its weights to its last run."""
        self.array.free()
        arrays = [nmhal.Array(self.dev, N_OUT, N_IN, share=True) for _ in range(2)]
        layers = [jax.jit(lambda s, a=a, w=w: nj.lif(a, w, s, threshold=THRESHOLD))
                  for a, w in zip(arrays, (self.w, self.w[::-1]))]
        expected = [np.asarray(layer(self.spikes)) for layer in layers]
        self.assertFalse(np.array_equal(*expected))
        wrong, start = [], threading.Barrier(2)

        def work(layer, right):
            start.wait()
            wrong.extend(i for i in range(40) if not np.array_equal(layer(self.spikes), right))

        threads = [threading.Thread(target=work, args=pair) for pair in zip(layers, expected)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        for array in arrays:
            array.free()

    def test_transformations(self):
        out = self.lif(self.w, self.spikes)
        self.same(jax.jit(self.lif)(self.w, self.spikes), out)
        self.same(self.lif(self.w, self.spikes[1]), out[1])
        self.same(jax.vmap(lambda s: self.lif(self.w, s))(self.spikes), out)
        self.same(jax.lax.map(lambda s: self.lif(self.w, s), self.spikes), out)
        self.assertEqual(self.lif(self.w, self.spikes[:0]).shape, (0, STEPS, N_OUT))

    def test_the_neurons_of_the_device_come_back(self):
        mine = np.zeros(256, nmhal.NEURON)
        mine["threshold"], mine["leak"], mine["enabled"] = np.arange(256), 3, np.arange(256) % 2
        self.dev.set_neurons(mine)
        self.lif(self.w, self.spikes).block_until_ready()
        self.same(self.dev.neurons(), mine)

    def reference(self, w, spikes, given, slope=5.0):
        """Sum of the outputs of a model on the host that jax differentiates itself; resets are the chip's spikes."""
        used, fired, scale = jnp.asarray(self.array.quantise(self.w)), self.lif(self.w, given), self.scale()
        threshold, leak = np.ceil(THRESHOLD / scale), np.rint(LEAK / scale)
        w = used + w - jax.lax.stop_gradient(w)
        v, exact, total = jnp.zeros(N_OUT), np.zeros(N_OUT), 0.0
        for t in range(STEPS):
            v = v + w @ spikes[t]
            exact = exact + np.rint(np.asarray(used) / scale[:, None]) @ np.asarray(given[t])
            total += (v / (1 + slope * np.abs(exact / threshold - 1)) ** 2 / THRESHOLD).sum()
            alive = (np.asarray(fired[t]) == 0) & (np.abs(exact) > leak)
            v, exact = jnp.where(alive, v, 0.0), np.where(alive, exact - np.sign(exact) * leak, 0)
        return total

    def test_surrogate_gradient(self):
        spikes = self.spikes[2]
        dw, ds = jax.grad(lambda w, s: self.lif(w, s).sum(), (0, 1))(self.w, spikes)
        rw, rs = jax.grad(self.reference, (0, 1))(self.w, spikes, spikes)
        np.testing.assert_allclose(dw, rw, rtol=2e-4, atol=1e-4)
        np.testing.assert_allclose(ds, rs, rtol=2e-4, atol=1e-4)
        self.assertGreater(float(jnp.abs(dw).max()), 0.1)
        batch = jax.jit(jax.grad(lambda w: self.lif(w, self.spikes).sum()))(self.w)
        each = jax.vmap(jax.grad(lambda w, s: self.lif(w, s).sum()), (None, 0))(self.w, self.spikes)
        np.testing.assert_allclose(each.sum(0), batch, rtol=1e-4, atol=1e-4)
        tangent = jax.jvp(lambda w: self.lif(w, self.spikes).sum(), (self.w,), (self.w,))[1]
        np.testing.assert_allclose(tangent, (batch * self.w).sum(), rtol=1e-4)

    def test_training_by_the_surrogate(self):
        goal = jnp.asarray([4.0, 0, 8, 2, 0, 6])
        step = jax.jit(lambda w: w - 0.004 * jax.grad(
            lambda w: ((self.lif(w, self.spikes, slope=2.0).sum(1) - goal) ** 2).mean())(w))
        w, error = self.w, lambda w: float(((self.lif(w, self.spikes).sum(1) - goal) ** 2).mean())
        first = error(w)
        for _ in range(60):
            w = step(w)
        self.assertLess(error(w), 0.35 * first)

    def test_bad_arguments(self):
        for call, kind, text in (
                (lambda: self.lif(self.w, self.spikes[0, 0]), ValueError, r"have shape \(9,\): must be \[..., T"),
                (lambda: self.lif(self.w, self.spikes[..., 1:]), ValueError, r"must be \[..., T, 9\]"),
                (lambda: self.lif(self.w, self.spikes.astype(bool)), TypeError, "spikes: dtype is bool"),
                (lambda: self.lif(self.w, self.spikes, threshold=0.0), ValueError, "threshold is 0.0"),
                (lambda: self.lif(self.w, self.spikes, slope=-1.0), ValueError, "slope is -1.0: must be finite"),
                (lambda: self.lif(self.w, self.spikes, slope=np.inf), ValueError, "slope is inf"),
                (lambda: jax.jit(lambda v: self.lif(self.w, self.spikes, threshold=v))(1.0), TypeError,
                 "threshold is traced: the program has it compiled in"),
                (lambda: self.lif(self.w, self.spikes, leak=-1.0), ValueError, "leak -1.0"),
                (lambda: jax.vmap(self.lif, (0, None))(jnp.stack([self.w, self.w]), self.spikes), NotImplementedError,
                 "lif: vmap over weights"),
                (lambda: self.lif(self.w, 0.5 * self.spikes).block_until_ready(), Exception, "is 0.5: must be 0 or 1"),
                (lambda: self.lif(self.w, self.spikes, threshold=1e4).block_until_ready(), Exception,
                 "OUT_OF_RANGE: sim:tinyodin: output 0: threshold and leak are")):
            with self.assertRaisesRegex(kind, text):
                call()
        self.dev.attrs["open_loop"] = 0
        with self.assertRaisesRegex(Exception, "FAILED_PRECONDITION: sim:tinyodin: the loop is closed"):
            self.lif(self.w, self.spikes).block_until_ready()


if __name__ == "__main__":
    unittest.main()
