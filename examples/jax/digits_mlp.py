#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains a 64-40-10 network on real handwritten digits with its last layer on a crossbar, in place.

usage: digits_mlp.py [URI]

The same training runs twice, on the host and with `A @ h` on the board. Every step of the optimiser changes the
weights a little; the next product writes the cells whose codes changed, so the board is trained by deltas.
"""
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax
from digits import CLASSES, PIXELS, load

HIDDEN, EPOCHS, BATCH, RATE = 40, 30, 64, 3e-3


def logits(params: dict, x: jax.Array) -> jax.Array:
    """[batch, 10] of images [batch, 64]; params["last"] may be on a board."""
    hidden = jax.nn.relu(x @ params["first"].T + params["bias"])
    return params["last"] @ hidden + params["offset"]


def train(last: nmhal.jax.CrossbarArray) -> float:
    """Trains with `last` as the last layer; the accuracy on the held-out images in percent."""
    x, labels, x_test, labels_test = load()
    rng = np.random.default_rng(0)
    params = {"first": jnp.asarray(rng.normal(0, PIXELS ** -0.5, (HIDDEN, PIXELS)), jnp.float32),
              "bias": jnp.zeros(HIDDEN), "last": last, "offset": jnp.zeros(CLASSES)}
    optimiser = optax.adam(RATE)

    def loss(params: dict, x: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), labels).mean()

    @jax.jit
    def step(params: dict, state: optax.OptState, x: jax.Array, labels: jax.Array) -> tuple[dict, optax.OptState]:
        gradient = jax.grad(loss)(params, x, labels)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    state = optimiser.init(params)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            params, state = step(params, state, x[batch], labels[batch])
    return float(100 * (logits(params, x_test).argmax(1) == labels_test).mean())


def main() -> None:
    w = jnp.asarray(np.random.default_rng(1).normal(0, HIDDEN ** -0.5, (CLASSES, HIDDEN)), jnp.float32)
    steps = EPOCHS * (len(load()[0]) // BATCH)
    with nmhal.open(sys.argv[1] if len(sys.argv) > 1 else "sim:xbar64") as device:
        array = nmhal.Array(device, CLASSES, HIDDEN)
        host = train(nmhal.jax.CrossbarArray(w, mock=True))
        board = train(nmhal.jax.CrossbarArray(w, array))
        stats = array.stats()
        print(f"host {host:.1f} %, board {board:.1f} % of the held-out digits")
        print(f"{steps} steps, {stats.products} products, {stats.cells} cells written: "
              f"{stats.cells / (steps * w.size):.3f} of a rewrite in each step")


if __name__ == "__main__":
    main()
