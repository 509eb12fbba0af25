# SPDX-License-Identifier: MIT
"""A layer of spiking neurons on the device, with a surrogate gradient on the host."""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._array import Array
from ._ops import matrix, real, refuse_weights, result


@functools.lru_cache(maxsize=None)
def _call(slot: int, shape: tuple[int, int], threshold: float, leak: float) -> Callable[..., Any]:
    @jax.custom_batching.custom_vmap
    def call(w: jax.Array, spikes: jax.Array) -> Any:
        results = (result(*spikes.shape[:-1], shape[0]), result(*shape), result(shape[0]))
        return tuple(jax.ffi.ffi_call("nmhal_lif", results)(
            w, spikes, slot=np.int64(slot), threshold=np.float32(threshold), leak=np.float32(leak)))

    @call.def_vmap
    def batched_call(size: int, batched: Any, w: jax.Array, spikes: jax.Array) -> Any:
        if batched[0]:
            raise refuse_weights("lif")
        return call(w, spikes), (True, False, False)

    return call


def _retrace(codes: jax.Array, fired: jax.Array, threshold: jax.Array, leak: jax.Array,
             slope: float) -> tuple[jax.Array, jax.Array]:
    """The surrogate slope of each neuron in each step [T, ..., out], and whether its potential stays for the next.

    A step, as the chip does it but for the order inside: add the currents, fire and reset, leak toward 0. Potentials,
    threshold and leak are whole codes, so they are exact; resets are where the chip fired.
    """

    def step(v: jax.Array, inputs: Any) -> Any:
        current, spiked = inputs
        v = v + current
        stays = (spiked == 0) & (jnp.abs(v) > leak)
        return jnp.where(stays, v - jnp.sign(v) * leak, 0), (1 / (1 + slope * jnp.abs(v / threshold - 1)) ** 2, stays)

    slopes: tuple[jax.Array, jax.Array] = jax.lax.scan(step, jnp.zeros_like(codes[0]), (codes, fired))[1]
    return slopes


def _tangents(dcurrents: jax.Array, slopes: jax.Array, stays: jax.Array) -> jax.Array:
    """Tangents of the output spikes [T, ..., out] from those of the currents; linear in them."""

    def step(dv: jax.Array, inputs: Any) -> Any:
        dcurrent, surrogate, staying = inputs
        dv = dv + dcurrent
        return jnp.where(staying, dv, 0), surrogate * dv

    tangents: jax.Array = jax.lax.scan(step, jnp.zeros_like(dcurrents[0]), (dcurrents, slopes, stays))[1]
    return tangents


@functools.lru_cache(maxsize=None)
def _layer(slot: int, shape: tuple[int, int], threshold: float, leak: float, slope: float) -> Callable[..., Any]:
    call = _call(slot, shape, threshold, leak)

    @jax.custom_jvp
    def layer(w: jax.Array, spikes: jax.Array) -> Any:
        return call(w, spikes)

    @layer.defjvp
    def derivative(primals: Any, tangents: Any) -> Any:
        (w, spikes), (dw, dspikes) = primals, tangents
        fired, used, scale = layer(w, spikes)
        step = jnp.where(scale > 0, scale, 1)
        codes = jnp.round(spikes @ jnp.round(used / step[:, None]).T)
        by_time = functools.partial(jnp.moveaxis, source=-2, destination=0)
        slopes, stays = _retrace(by_time(codes), by_time(fired), jnp.ceil(threshold / step), jnp.round(leak / step),
                                 slope)
        dfired = _tangents(by_time(spikes @ dw.T + dspikes @ used.T), slopes, stays)
        return (fired, used, scale), (jnp.moveaxis(dfired, 0, -2) / threshold, dw, jnp.zeros_like(scale))

    return lambda w, spikes: layer(w, spikes)[0]


def _number(value: Any, what: str) -> float:
    if isinstance(value, jax.core.Tracer):
        raise TypeError(f"lif: {what} is traced: the program has it compiled in; must be a number (static_argnames)")
    return float(value)


def lif(array: Array, W: Any, spikes: Any, *, threshold: float = 1.0, leak: float = 0.0,
        slope: float = 5.0) -> jax.Array:
    """Output spikes [..., T, n_out] of leaky integrate-and-fire neurons, one run on the chip for each sample.

    W: [n_out, n_in] float32. spikes: [..., T, n_in] float32, 0 or 1: the inputs of each of T steps, applied one after
    the other. A neuron that reaches the threshold fires and starts from 0, at once; so an output is the number of
    spikes in a step. At the end of a step potentials leak toward 0 by `leak`. Both are in the unit of W, and become
    steps of the scale of each output: ceil(threshold / scale), round(leak / scale).
    Each sample starts from rest, in open loop; the neurons of the device are given back as they were.
    The derivative is a surrogate, 1 / (1 + slope |v - threshold| / threshold)^2 / threshold, with potentials computed
    from the spikes that the chip gave.
    threshold, leak, slope are numbers, part of the compiled program.
    Raises as matmul; OUT_OF_RANGE when threshold or leak are more steps than the neurons hold.
    """
    w = matrix(array, W, "lif")
    inputs = real(spikes, "lif: spikes")
    if inputs.ndim < 2 or inputs.shape[-1] != array.shape[1]:
        raise ValueError(f"lif: spikes have shape {inputs.shape}: must be [..., T, {array.shape[1]}]")
    threshold, leak, slope = _number(threshold, "threshold"), _number(leak, "leak"), _number(slope, "slope")
    if not threshold > 0 or not leak >= 0:
        raise ValueError(f"lif: threshold is {threshold}, leak {leak}: must be above 0, at least 0")
    if not 0 <= slope < math.inf:
        raise ValueError(f"lif: slope is {slope}: must be finite, at least 0")
    fired: jax.Array = _layer(array.slot(), array.shape, threshold, leak, slope)(w, inputs)
    return fired
