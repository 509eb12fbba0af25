# SPDX-License-Identifier: MIT
"""Products and updates as JAX sees them: pure functions of W, whose work a handler in C does on the device.

From the inside out: jax.ffi.ffi_call, custom_vmap (a batch is one call), custom_jvp or custom_vjp.
"""
from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .._array import Array
from .._errors import StateError, UnsupportedError
from .._nmhal import ffi, lib

Backward = Literal["ideal", "quantised", "readback", "device"]
_USED = {"ideal": 0, "quantised": 1, "readback": 2, "device": 0}

_pycapsule: Any = jax.ffi.pycapsule
for _name in ("matmul", "update", "lif"):
    _address = int(ffi.cast("uintptr_t", ffi.addressof(lib, f"nmhal_py_xla_{_name}")))
    jax.ffi.register_ffi_target(f"nmhal_{_name}", _pycapsule(ctypes.c_void_p(_address)), platform="cpu")


def result(*shape: int) -> Any:
    """A float32 result of a call."""
    struct: Any = jax.ShapeDtypeStruct
    return struct(shape, jnp.float32)


# ---- arguments -------------------------------------------------------------------------------------------------------

# Matrices that an update of their strict array has replaced: by slot and id, as long as they live.
_consumed: dict[tuple[int, int], weakref.ref[Any]] = {}


def consume(array: Array, w: Any) -> None:
    """From now on this very matrix, or tracer, must not be used with the array any more."""
    key = array.slot(), id(w)
    _consumed[key] = weakref.ref(w, lambda _: _consumed.pop(key, None))


def _is_tracer(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)


def check_not_consumed(array: Array, w: Any) -> None:
    """Raises StateError for what was consumed."""
    reference = _consumed.get((array.slot(), id(w))) if array.strict else None
    if reference is not None and reference() is w:
        raise StateError("this matrix was updated on its array, which is strict: use what the update gave")


def real(values: Any, what: str) -> jax.Array:
    """An array or tracer of float32; real numbers of NumPy and Python are rounded to it."""
    if isinstance(values, (np.ndarray, np.generic)):
        real_kind = np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)
        array = jnp.asarray(values.astype(np.float32) if real_kind else values)
    elif isinstance(values, (list, tuple, float, int)):
        array = jnp.asarray(values, jnp.float32)
    else:
        array = jnp.asarray(values)
    if array.dtype != jnp.float32:
        raise TypeError(f"{what}: dtype is {array.dtype}: must be float32 (use .astype)")
    return array


def matrix(array: Array, w: Any, what: str) -> jax.Array:
    """W as an array or tracer of the array's shape."""
    if not isinstance(array, Array):
        raise TypeError(f"{what}: the first argument is a {type(array).__name__}: must be an nmhal.Array")
    if array.freed:
        raise ValueError(f"{what}: the array was freed")
    check_not_consumed(array, w)
    checked = real(w, f"{what}: W")
    if checked.shape != array.shape:
        raise ValueError(f"{what}: W has shape {checked.shape}: must be {array.shape}")
    return checked


def _host_words(key: Any) -> Any:
    """A key that is not JAX's, in words of 32 bits."""
    words = np.asarray(key)
    if words.dtype == object and isinstance(key, int) or np.issubdtype(words.dtype, np.integer):
        if words.size and not 0 <= words.min() <= words.max() < 2**32:
            raise ValueError(f"key is {key}: must be 0..{2**32 - 1}")
        words = words.astype(np.uint32)
    return words


def words_of(key: Any) -> jax.Array:
    """A key as the two words that the handler gets: the second one is the high half of the first vector's number."""
    if isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    numbers: Any = key if isinstance(key, jax.Array) else _host_words(key)
    if not jnp.issubdtype(numbers.dtype, jnp.integer):
        raise TypeError(f"key: dtype is {numbers.dtype}: must be a key of jax.random or a whole number")
    words: jax.Array = jnp.asarray(numbers).astype(jnp.uint32)
    if words.ndim == 0:
        return jnp.stack([jnp.zeros((), jnp.uint32), words])
    if words.shape != (2,):
        raise ValueError(f"key: shape is {words.shape}: must be one number, or the 2 words of a key of jax.random; of "
                         "a key with more words pass jax.random.bits(key)")
    return words


def refuse_weights(what: str) -> NotImplementedError:
    """Why there is no vmap over weights."""
    return NotImplementedError(f"{what}: vmap over weights: a crossbar holds one matrix, so each would have to be "
                               "programmed in turn; loop over them, or use an array for each")


# ---- products --------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def _call(slot: int, shape: tuple[int, int], transposed: bool, used: int) -> Callable[..., tuple[jax.Array, ...]]:
    """(w, x, key or None) to (y,) or (y, weights used): one call on the device, also under vmap."""

    @jax.custom_batching.custom_vmap
    def call(w: jax.Array, x: jax.Array, key: jax.Array | None) -> tuple[jax.Array, ...]:
        results = [result(*x.shape[:-1], shape[1] if transposed else shape[0])]
        results += [result(*shape)] if used else []
        operands = (w, x) if key is None else (w, x, key)
        return tuple(jax.ffi.ffi_call("nmhal_matmul", results)(
            *operands, slot=np.int64(slot), transposed=np.int64(transposed), used=np.int64(used)))

    @call.def_vmap
    def batched_call(size: int, batched: Any, w: jax.Array, x: jax.Array, key: jax.Array | None) -> Any:
        w_batched, x_batched, key_batched = batched
        if w_batched:
            raise refuse_weights("matmul")
        if key is not None and (key_batched or key.ndim > 1):
            # A key for each vector of the batch: both get the new axis.
            x = x if x_batched else jnp.broadcast_to(x, (size, *x.shape))
            key = key if key_batched else jnp.broadcast_to(key, (size, *key.shape))
        return call(w, x, key), (True, False)[:2 if used else 1]

    return call


def _rows(x: jax.Array) -> jax.Array:
    return x.reshape(-1, x.shape[-1])


def _host(w: jax.Array, x: jax.Array, transposed: bool) -> jax.Array:
    return x @ w if transposed else x @ w.T


@functools.lru_cache(maxsize=None)
def _on_host(slot: int, shape: tuple[int, int], transposed: bool, used: int) -> Callable[..., jax.Array]:
    """A product whose derivative is computed on the host, with W or with the weights that the device used."""
    call = _call(slot, shape, transposed, used)

    @jax.custom_jvp
    def product(w: jax.Array, x: jax.Array, key: jax.Array | None) -> tuple[jax.Array, ...]:
        return call(w, x, key)

    @product.defjvp
    def derivative(primals: Any, tangents: Any) -> Any:
        (w, x, key), (dw, dx, _) = primals, tangents
        results = product(w, x, key)
        slope = results[1] if used else w
        dy = _host(dw, x, transposed) + _host(slope, dx, transposed)
        return results, (dy, dw)[:len(results)]

    return lambda w, x, key: product(w, x, key)[0]


@functools.lru_cache(maxsize=None)
def _on_device(slot: int, shape: tuple[int, int], transposed: bool) -> Callable[..., jax.Array]:
    """A product whose derivative with respect to x is the opposite product on the device: reverse mode only."""
    call = _call(slot, shape, transposed, 0)

    @jax.custom_vjp
    def product(w: jax.Array, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return call(w, x, key)[0]

    def forward(w: jax.Array, x: jax.Array, key: jax.Array | None) -> Any:
        return product(w, x, key), (w, x, key)

    def backward(kept: Any, ct: jax.Array) -> Any:
        w, x, key = kept
        outer = _rows(x).T @ _rows(ct) if transposed else _rows(ct).T @ _rows(x)
        return outer, _on_device(slot, shape, not transposed)(w, ct, key), None

    product.defvjp(forward, backward)
    return product


def matmul(array: Array, W: Any, x: Any, *, key: Any = None, backward: Backward = "ideal",
           transposed: bool = False) -> jax.Array:
    """y[..., out] = sum over in of W[out, in] * x[..., in] on the devices of the array; what differs is programmed.

    W: [n_out, n_in] float32, an ordinary array. x: [..., n_in] float32; transposed: [..., n_out], and y [..., n_in].
    Real numbers of NumPy and Python are rounded to float32; arrays of JAX must have it.
    key: a key of jax.random or a number from 0 to 2^32 - 1 makes the noise of reading the same whenever it is the
    same; without one it follows the order in which XLA happens to run the calls.
    backward: the weights of the derivative with respect to x: "ideal": W; "quantised": what its codes stand for;
    "readback": what the device holds, read back; "device": the opposite product, on the device, which needs the
    transposed product and gives reverse mode only (jax refuses jvp of it).
    Raises TypeError, ValueError, UnsupportedError while tracing; a failure of the device is a JaxRuntimeError with
    its status and sentence when the result is waited for. vmap over W raises NotImplementedError.
    """
    w = matrix(array, W, "matmul")
    vectors = real(x, "matmul: x")
    if backward not in _USED:
        raise ValueError(f"matmul: backward is {backward!r}: must be one of {', '.join(map(repr, _USED))}")
    width = array.shape[0] if transposed else array.shape[1]
    if vectors.ndim < 1 or vectors.shape[-1] != width:
        raise ValueError(f"matmul: x has shape {vectors.shape}: must be [..., {width}]")
    if transposed or backward == "device":
        for device in array.devices:
            if "infer_transposed" not in device.caps.features:
                raise UnsupportedError(f"{device.uri}: matmul: the device has no transposed product", device.uri)
    words = None if key is None else words_of(key)
    if backward == "device":
        return _on_device(array.slot(), array.shape, transposed)(w, vectors, words)
    return _on_host(array.slot(), array.shape, transposed, _USED[backward])(w, vectors, words)


# ---- updates ---------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def _update(slot: int, shape: tuple[int, int]) -> Callable[..., jax.Array]:
    @jax.custom_batching.custom_vmap
    def call(w: jax.Array, dw: jax.Array) -> jax.Array:
        call_handler: Any = jax.ffi.ffi_call("nmhal_update", result(*shape))
        held: jax.Array = call_handler(w, dw, slot=np.int64(slot))
        return held

    @call.def_vmap
    def batched_call(size: int, batched: Any, w: jax.Array, dw: jax.Array) -> Any:
        raise refuse_weights("update")

    @jax.custom_jvp
    def add(w: jax.Array, dw: jax.Array) -> jax.Array:
        held: jax.Array = call(w, dw)
        return held

    @add.defjvp
    def derivative(primals: Any, tangents: Any) -> Any:
        return add(*primals), tangents[0] + tangents[1]

    return add


def update(array: Array, W: Any, dW: Any) -> jax.Array:
    """W + dW as the device itself adds, in steps of its codes: the matrix that the device then stands for.

    W, dW: [n_out, n_in] float32. W is programmed first where it differs. On a strict array W is consumed: using it
    again raises StateError at once on the same array (of JAX or NumPy) or tracer, and fails with FAILED_PRECONDITION
    when a program meets other codes. Tracing alone consumes tracers only. The derivative is that of W + dW.
    """
    w = matrix(array, W, "update")
    delta = real(dW, "update: dW")
    if delta.shape != array.shape:
        raise ValueError(f"update: dW has shape {delta.shape}: must be {array.shape}")
    updated = _update(array.slot(), array.shape)(w, delta)
    if array.strict and (_is_tracer(w) or not _is_tracer(updated)):
        consume(array, w)
        if isinstance(W, np.ndarray):
            consume(array, W)
    return updated
