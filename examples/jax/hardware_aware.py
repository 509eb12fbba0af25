#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hardware-aware training: noise of the board in the forward pass, against rounding a network that never saw it.

usage: hardware_aware.py [NOISE...]     what noise= takes; wan2022 and pcm unless told otherwise

A 64-24-10 network on real handwritten digits, both layers on a 64 x 64 board with weights of 4 bits. Twice with the
same start, rate and order of images: trained on the host and then put on a board; trained with its products on boards
that were programmed a day ago, a new one in every step, so that it learns the noise and not the cells of one board.
Both are judged on the same boards, which training never saw, with the same draws of noise: freshly programmed and a
day later. Means over five seeds.
"""
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax
from digits import CLASSES, PIXELS, load

HIDDEN, EPOCHS, BATCH, RATE = 24, 100, 64, 1e-2
DAY = 86400  # seconds
SEEDS, BOARDS, AGES = 5, 8, {"fresh": 0, "after a day": DAY}
SHAPES = {"first": (HIDDEN, PIXELS), "last": (CLASSES, HIDDEN)}
X, LABELS, X_TEST, LABELS_TEST = load()
OPTIMISER = optax.adam(optax.cosine_decay_schedule(RATE, EPOCHS * (len(X) // BATCH)))


class Boards:
    """The arrays of both layers, on one board after the other."""

    def __init__(self, noise: str) -> None:
        self.noise = noise
        self.device = nmhal.open("sim:xbar64")
        self.arrays = {name: nmhal.Array(self.device, *shape) for name, shape in SHAPES.items()}

    def change(self, seed: int, params: dict, age: int) -> None:
        """Goes on with a new board that was programmed `age` seconds ago; compiled programs go with it."""
        jax.block_until_ready(params)  # nothing runs on the old one any more
        self.device.close()
        self.device = nmhal.open(f"sim:xbar64,seed={seed},noise={self.noise}")
        for name, array in self.arrays.items():
            array.rebind(self.device)
            array.program(params[name].W)
        self.device.attrs["time_s"] = age

    def put(self, params: dict, *, mock: bool = False) -> dict:
        """The parameters with their layers here, or on the host."""
        return params | {name: nmhal.jax.CrossbarArray(params[name].W, array, mock=mock)
                         for name, array in self.arrays.items()}


def logits(params: dict, x: jax.Array, key: jax.Array) -> jax.Array:
    """[batch, 10] of images [batch, 64]."""
    first, last = jax.random.split(key)
    hidden = jax.nn.relu(params["first"].matmul(x, key=first) + params["bias"])
    return params["last"].matmul(hidden, key=last) + params["offset"]


def start(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    layers = {name: nmhal.jax.CrossbarArray(jnp.asarray(rng.normal(0, shape[1] ** -0.5, shape), jnp.float32), mock=True)
              for name, shape in SHAPES.items()}
    return {**layers, "bias": jnp.zeros(HIDDEN), "offset": jnp.zeros(CLASSES)}


def loss(params: dict, x: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x, key), labels).mean()


@jax.jit
def step(params: dict, state: optax.OptState, x: jax.Array, labels: jax.Array, key: jax.Array) -> tuple:
    updates, state = OPTIMISER.update(jax.grad(loss)(params, x, labels, key), state, params)
    return optax.apply_updates(params, updates), state


def train(params: dict, seed: int, boards: Boards | None) -> dict:
    """The parameters after training wherever their layers are; boards: those that they are on."""
    rng = np.random.default_rng(seed)
    state, key = OPTIMISER.init(params), jax.random.key(seed)
    for epoch in range(EPOCHS):
        for n, batch in enumerate(np.array_split(rng.permutation(len(X)), len(X) // BATCH)):
            if boards:
                boards.change(10000 * (seed + 1) + 100 * epoch + n, params, DAY)
            key, now = jax.random.split(key)
            params, state = step(params, state, X[batch], LABELS[batch], now)
    return params


@jax.jit
def right(params: dict, key: jax.Array) -> jax.Array:
    """Percent of the held-out images that are classified as labelled."""
    return 100 * (logits(params, X_TEST, key).argmax(1) == LABELS_TEST).mean()


def judge(params: dict, boards: Boards) -> list[float]:
    """Percent for each of AGES, mean over the boards."""
    found = []
    for age in AGES.values():
        for board in range(BOARDS):
            boards.change(board, params, age)
            found.append(float(right(boards.put(params), jax.random.key(board))))
    return np.reshape(found, (len(AGES), BOARDS)).mean(1).tolist()


def main() -> None:
    hosts = [train(start(seed), seed, None) for seed in range(SEEDS)]
    print(f"on the host: {np.mean([right(params, jax.random.key(0)) for params in hosts]):.2f} %")
    for noise in sys.argv[1:] or ("wan2022", "pcm"):
        boards = Boards(noise)
        rounded = np.array([judge(params, boards) for params in hosts])
        aware = np.array([judge(train(boards.put(start(seed)), seed, boards), boards) for seed in range(SEEDS)])
        for n, age in enumerate(AGES):
            gains = aware[:, n] - rounded[:, n]
            print(f"{noise}, {age}: rounded {rounded[:, n].mean():.2f} %, hardware-aware {aware[:, n].mean():.2f} %, "
                  f"gains {gains.mean():.2f} points ({gains.min():.2f} to {gains.max():.2f})")


if __name__ == "__main__":
    main()
