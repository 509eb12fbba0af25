#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains a spiking network on real handwritten digits: neurons under lax.scan, the last layer on a crossbar.

usage: snn_scan.py [URI]

A pixel spikes the more often the brighter it is. Hidden leaky integrate-and-fire neurons run on the host, their spikes
drive the crossbar in every step, for the whole batch in one call; output neurons integrate what comes back.
"""
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax
from digits import CLASSES, PIXELS, load

STEPS, HIDDEN, DECAY, EPOCHS, BATCH, RATE = 8, 48, 0.8, 12, 64, 5e-3


@jax.custom_jvp
def fire(v: jax.Array) -> jax.Array:
    """1 where the potential is above the threshold of 1; its derivative is a surrogate."""
    return (v > 1).astype(jnp.float32)


@fire.defjvp
def _(primals: tuple, tangents: tuple) -> tuple:
    return fire(*primals), tangents[0] / (1 + 5 * jnp.abs(primals[0] - 1)) ** 2


def encode(x: jax.Array) -> jax.Array:
    """Spikes [T, batch, 64] of images [batch, 64]: evenly spread, round(T x) of them."""
    count = jnp.round(STEPS * x)
    times = jnp.arange(1, STEPS + 1)[:, None, None]
    return (jnp.floor(times * count / STEPS) > jnp.floor((times - 1) * count / STEPS)).astype(jnp.float32)


def outputs(params: dict, x: jax.Array) -> jax.Array:
    """Potentials [batch, 10] of the output neurons, summed over time."""

    def step(state: tuple, spikes: jax.Array) -> tuple:
        hidden, output = state
        hidden = DECAY * hidden + spikes @ params["first"].T
        fired = fire(hidden)
        output = DECAY * output + params["last"] @ fired
        return (hidden * (1 - fired), output), output

    rest = (jnp.zeros((len(x), HIDDEN)), jnp.zeros((len(x), CLASSES)))
    return jax.lax.scan(step, rest, encode(x))[1].sum(0)


def main() -> None:
    x, labels, x_test, labels_test = load()
    rng = np.random.default_rng(0)
    with nmhal.open(sys.argv[1] if len(sys.argv) > 1 else "sim:xbar64") as device:
        array = nmhal.Array(device, CLASSES, HIDDEN)
        w = jnp.asarray(rng.normal(0, HIDDEN ** -0.5, (CLASSES, HIDDEN)), jnp.float32)
        params = {"first": jnp.asarray(rng.normal(0.02, 1.5 * PIXELS ** -0.5, (HIDDEN, PIXELS)), jnp.float32),
                  "last": nmhal.jax.CrossbarArray(w, array)}
        optimiser = optax.adam(RATE)
        state = optimiser.init(params)

        def loss(params: dict, x: jax.Array, labels: jax.Array) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(outputs(params, x), labels).mean()

        @jax.jit
        def step(params: dict, state: optax.OptState, x: jax.Array, labels: jax.Array) -> tuple:
            value, gradient = jax.value_and_grad(loss)(params, x, labels)
            updates, state = optimiser.update(gradient, state, params)
            return optax.apply_updates(params, updates), state, value

        for epoch in range(EPOCHS):
            for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
                params, state, value = step(params, state, x[batch], labels[batch])
            if epoch % 4 == 3:
                accuracy = 100 * (jax.jit(outputs)(params, x_test).argmax(1) == labels_test).mean()
                print(f"epoch {epoch + 1}: loss {value:.3f}, {accuracy:.1f} % of the held-out digits")
        stats = array.stats()
        print(f"{stats.products} products on the crossbar, {stats.cells} cells written")


if __name__ == "__main__":
    main()
