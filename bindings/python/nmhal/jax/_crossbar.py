# SPDX-License-Identifier: MIT
"""A matrix together with the array that holds it, for programs written as `A @ x`."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._array import Array
from ._ops import Backward, check_not_consumed, matmul, real, update


@jax.tree_util.register_pytree_node_class
class CrossbarArray:
    """W [n_out, n_in] on an array. A pytree of W: it goes through jit, grad, tree_map and optimisers as W does.

    `A @ x` (x [..., n_in], the last axis counts, as in matmul), `A.T @ x` and `x @ A` (x [..., n_out]) are products on
    the device; `A + dW` is the device's own addition. Making one touches no device: the first product programs W.
    mock=True computes on the host, with the same numbers as W, and needs no array.
    """

    __array_ufunc__ = None  # so that NumPy arrays leave `x @ A` and `dW + A` to this class

    W: Any

    def __init__(self, W: Any, array: Array | None = None, *, mock: bool = False,
                 backward: Backward = "ideal") -> None:
        if array is None and not mock:
            raise TypeError("CrossbarArray: an nmhal.Array is needed, or mock=True")
        self.W = real(W, "CrossbarArray: W")
        shape = self.W.shape if array is None else array.shape
        if self.W.shape != shape or self.W.ndim != 2:
            wanted = shape if array else "[n_out, n_in]"
            raise ValueError(f"CrossbarArray: W has shape {self.W.shape}: must be {wanted}")
        self._static: tuple[Array | None, bool, Backward, bool] = (array, mock, backward, False)

    def _with(self, W: Any, transposed: bool) -> CrossbarArray:
        return self.tree_unflatten((*self._static[:3], transposed), (W,))

    def tree_flatten(self) -> tuple[tuple[Any], Any]:
        """For JAX: W is the leaf; the array and how it is used are static."""
        if self.array is not None:
            check_not_consumed(self.array, self.W)
        return (self.W,), self._static

    @classmethod
    def tree_unflatten(cls, static: Any, leaves: Any) -> CrossbarArray:
        """For JAX."""
        made = object.__new__(cls)
        made._static = static
        (made.W,) = leaves
        return made

    @property
    def array(self) -> Array | None:
        """The array that holds W; None when mocked without one."""
        return self._static[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs of `A @ x`."""
        n_out, n_in = self.W.shape
        return (n_in, n_out) if self._static[3] else (n_out, n_in)

    @property
    def T(self) -> CrossbarArray:
        """The transposed view: the same weights."""
        return self._with(self.W, not self._static[3])

    def _product(self, x: Any, key: Any, transposed: bool) -> jax.Array:
        array, mock, backward, _ = self._static
        if not mock:
            assert array is not None
            return matmul(array, self.W, x, key=key, backward=backward, transposed=transposed)
        vectors = real(x, "CrossbarArray: x")
        width = self.W.shape[0 if transposed else 1]
        if vectors.ndim < 1 or vectors.shape[-1] != width:
            raise ValueError(f"CrossbarArray: x has shape {vectors.shape}: must be [..., {width}]")
        product: jax.Array = vectors @ self.W if transposed else vectors @ self.W.T
        return product

    def matmul(self, x: Any, *, key: Any = None) -> jax.Array:
        """`A @ x` with a key for the noise; see nmhal.jax.matmul."""
        return self._product(x, key, self._static[3])

    def __matmul__(self, x: Any) -> jax.Array:
        return self._product(x, None, self._static[3])

    def __rmatmul__(self, x: Any) -> jax.Array:
        return self._product(x, None, not self._static[3])

    @staticmethod
    def _delta(dW: Any) -> jax.Array:
        if isinstance(dW, CrossbarArray):
            raise TypeError("CrossbarArray: dW is a CrossbarArray too: must be an array, such as its W")
        return real(dW, "CrossbarArray: dW")

    def __add__(self, dW: Any) -> CrossbarArray:
        array, mock, _, transposed = self._static
        if transposed:
            raise TypeError("CrossbarArray: A.T + dW: add to A itself")
        delta = self._delta(dW)
        if mock:
            if delta.shape != self.W.shape:
                raise ValueError(f"CrossbarArray: dW has shape {delta.shape}: must be {self.W.shape}")
            return self._with(self.W + delta, False)
        assert array is not None
        return self._with(update(array, self.W, delta), False)

    __radd__ = __add__

    def __sub__(self, dW: Any) -> CrossbarArray:
        return self + jnp.negative(self._delta(dW))

    def __repr__(self) -> str:
        array, mock, _, transposed = self._static
        where = "mock" if mock else repr(array)
        return f"CrossbarArray({self.W!r}, {where}){'.T' if transposed else ''}"
