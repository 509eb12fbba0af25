#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast nmhal.jax is, as ratios of the best times in one run: they depend little on the machine and its other work.

usage: jax_bench.py [--quick] [URI]     URI: sim:xbar256 when it is there

  matmul / (identity + C)   jitted matmul, over a jitted identity of the same shapes plus the call of Array.matmul()
  pure_callback / matmul    the same work through jax.pure_callback
  calls / vmap              256 unrolled calls in one jit (as xbarax had them), over one vmap
  board calls / vmap        the same with a round trip of 250 us for each call, as over USB (computed)
  step / host step          a step of training a 784-128-10 network, batch 128, last layer on the crossbar, over JAX
"""
import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nmhal
import nmhal.jax

ROUND_TRIP = 250e-6


def best(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Least seconds of each; they take turns, so that all see the same machine."""
    least = dict.fromkeys(works, float("inf"))
    for work in works.values():
        jax.block_until_ready(work())
    for _ in range(rounds):
        for name, work in works.items():
            begin = time.perf_counter()
            jax.block_until_ready(work())
            least[name] = min(least[name], time.perf_counter() - begin)
    return least


def calls(array: nmhal.Array, n: int, rounds: int) -> dict[str, float]:
    """Products of n x n, batch 32, in several ways."""
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(n, n)).astype(np.float32), rng.normal(size=(32, n)).astype(np.float32)
    jw, jx = jnp.asarray(w), jnp.asarray(x)
    y = jax.ShapeDtypeStruct((32, n), jnp.float32)
    matmul = jax.jit(lambda w, x: nmhal.jax.matmul(array, w, x))
    callback = jax.jit(lambda w, x: jax.pure_callback(lambda w, x: array.matmul(np.asarray(w), np.asarray(x)), y, w, x))
    identity = jax.jit(lambda w, x: x + 0 * w[0])
    found = best({"matmul": lambda: matmul(jw, jx), "callback": lambda: callback(jw, jx),
                     "identity": lambda: identity(jw, jx), "C": lambda: array.matmul(w, x)}, rounds)
    return {"matmul / (identity + C)": found["matmul"] / (found["identity"] + found["C"]),
            "pure_callback / matmul": found["callback"] / found["matmul"]}


def batches(array: nmhal.Array, n: int, rounds: int) -> dict[str, float]:
    """256 samples by one vmap, and one call each."""
    rng = np.random.default_rng(1)
    w, x = jnp.asarray(rng.normal(size=(n, n)), jnp.float32), jnp.asarray(rng.normal(size=(256, n)), jnp.float32)
    once = jax.jit(jax.vmap(lambda w, x: nmhal.jax.matmul(array, w, x), (None, 0)))
    each = jax.jit(lambda w, x: jnp.stack([nmhal.jax.matmul(array, w, one) for one in x]))
    jax.block_until_ready(once(w, x))
    before = array.stats().products
    jax.block_until_ready(once(w, x))
    assert array.stats().products == before + 1, "vmap is one call on the device"
    found = best({"once": lambda: once(w, x), "each": lambda: each(w, x)}, rounds)
    return {"calls / vmap": found["each"] / found["once"],
            "board calls / vmap": (found["each"] + 256 * ROUND_TRIP) / (found["once"] + ROUND_TRIP)}


def training(array: nmhal.Array, rounds: int) -> dict[str, float]:
    """Steps of adam on a 784-128-10 network."""
    rng = np.random.default_rng(2)
    x, labels = jnp.asarray(rng.random((128, 784)), jnp.float32), jnp.asarray(rng.integers(0, 10, 128))
    optimiser = optax.adam(1e-3)

    def make(last: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[[], Any]:
        params = {"first": jnp.asarray(rng.normal(0, 784 ** -0.5, (128, 784)), jnp.float32), "bias": jnp.zeros(128),
                  "last": jnp.asarray(rng.normal(0, 128 ** -0.5, (10, 128)), jnp.float32)}
        state = [params, optimiser.init(params)]

        def loss(params: Any) -> jax.Array:
            hidden = jax.nn.relu(x @ params["first"].T + params["bias"])
            return optax.softmax_cross_entropy_with_integer_labels(last(params["last"], hidden), labels).mean()

        @jax.jit
        def step(params: Any, opt: Any) -> Any:
            updates, opt = optimiser.update(jax.grad(loss)(params), opt, params)
            return optax.apply_updates(params, updates), opt

        def work() -> Any:
            state[:] = step(*state)
            return state

        return work

    before = array.stats().cells
    found = best({"board": make(lambda w, h: nmhal.jax.matmul(array, w, h)),
                     "host": make(lambda w, h: h @ w.T)}, rounds)
    written = array.stats().cells - before
    return {"step / host step": found["board"] / found["host"], "cells / weights / step": written / 1280 / (rounds + 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it runs")
    parser.add_argument("uri", nargs="?", default="sim:xbar256")
    args = parser.parse_args()
    with nmhal.open(args.uri) as device:
        n, rounds = min(device.caps.rows, device.caps.cols), 3 if args.quick else 200
        print(f"jax {jax.__version__}, {args.uri}, {n} x {n}, best of {rounds}")
        with nmhal.Array(device, n, n) as array:
            results = calls(array, n, rounds) | batches(array, n, max(3, rounds // 10))
        with nmhal.Array(device, 10, 128) as array:
            results |= training(array, rounds)
    for name, ratio in results.items():
        print(f"{name:28} {ratio:8.2f}")


if __name__ == "__main__":
    main()
