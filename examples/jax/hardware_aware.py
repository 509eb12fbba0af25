#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hardware-aware training: noise of the board in the forward pass, against rounding a network that never saw it.

usage: hardware_aware.py [URI]

A 64-24-10 network on real handwritten digits, both layers on a board whose outputs are noisy. Twice with the same start
and the same order of images: trained on the host and then put on the board; trained on the board. Both are judged
on the board with the same draws of noise (`key=`), over five seeds.
"""
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax
from digits import CLASSES, PIXELS, load

URI = "sim:xbar64,seed=1,noise=output:8"
HIDDEN, EPOCHS, BATCH, RATE, SEEDS = 24, 12, 64, 1e-2, 5
OPTIMISER = optax.adam(RATE)


def logits(params: dict, x: jax.Array, key: jax.Array) -> jax.Array:
    """[batch, 10] of images [batch, 64]."""
    first, last = jax.random.split(key)
    hidden = jax.nn.relu(params["first"].matmul(x, key=first) + params["bias"])
    return params["last"].matmul(hidden, key=last) + params["offset"]


def start(seed: int, arrays: tuple, mock: bool) -> dict:
    rng = np.random.default_rng(seed)
    shapes = {"first": (HIDDEN, PIXELS), "last": (CLASSES, HIDDEN)}
    layers = {name: nmhal.jax.CrossbarArray(jnp.asarray(rng.normal(0, shape[1] ** -0.5, shape), jnp.float32), array,
                                            mock=mock) for array, (name, shape) in zip(arrays, shapes.items())}
    return {**layers, "bias": jnp.zeros(HIDDEN), "offset": jnp.zeros(CLASSES)}


def loss(params: dict, x: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x, key), labels).mean()


@jax.jit
def step(params: dict, state: optax.OptState, x: jax.Array, labels: jax.Array, key: jax.Array) -> tuple:
    updates, state = OPTIMISER.update(jax.grad(loss)(params, x, labels, key), state, params)
    return optax.apply_updates(params, updates), state


def train(params: dict, seed: int) -> dict:
    """The parameters after training wherever their layers are."""
    x, labels, _, _ = load()
    rng = np.random.default_rng(seed)
    state, key = OPTIMISER.init(params), jax.random.key(seed)
    for _ in range(EPOCHS):
        for batch in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
            key, now = jax.random.split(key)
            params, state = step(params, state, x[batch], labels[batch], now)
    return params


@jax.jit
def right(params: dict, x: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
    """The share of images that are classified as labelled."""
    return (logits(params, x, key).argmax(1) == labels).mean()


def main() -> None:
    _, _, x, labels = load()
    with nmhal.open(sys.argv[1] if len(sys.argv) > 1 else URI) as device:
        arrays = nmhal.Array(device, HIDDEN, PIXELS), nmhal.Array(device, CLASSES, HIDDEN)

        def accuracy(params: dict, seed: int) -> float:
            """Percent of the held-out images on the board, over four draws of noise."""
            on_board = {name: nmhal.jax.CrossbarArray(value.W, value.array)
                        if isinstance(value, nmhal.jax.CrossbarArray) else value for name, value in params.items()}
            keys = jax.random.split(jax.random.key(1000 + seed), 4)
            return 100 * float(np.mean([right(on_board, x, labels, key) for key in keys]))

        results = []
        for seed in range(SEEDS):
            host = train(start(seed, arrays, mock=True), seed)
            board = train(start(seed, arrays, mock=False), seed)
            results.append((accuracy(host, seed), accuracy(board, seed)))
            print(f"seed {seed}: trained on the host {results[-1][0]:.1f} %, on the board {results[-1][1]:.1f} %")
    host, board = np.mean(results, 0)
    print(f"mean: host {host:.2f} %, board {board:.2f} %, hardware-aware training gains {board - host:.2f} points")


if __name__ == "__main__":
    main()
