# SPDX-License-Identifier: MIT
"""Crossbars in JAX programs: products, neurons, and an array type; docs/jax.md.

    import nmhal, nmhal.jax
    array = nmhal.Array(nmhal.open("sim:tinyodin"), 10, 64)
    y = nmhal.jax.matmul(array, W, x)    # under jit, grad, vmap, scan, ... W and x are ordinary arrays
"""
try:
    import jax as _jax  # noqa: F401 - only whether it is there
except ImportError as error:
    raise ImportError(f"nmhal.jax needs JAX, which cannot be imported ({error}): pip install 'jax>=0.10'") from error

from ._crossbar import CrossbarArray
from ._lif import lif
from ._ops import matmul, update

__all__ = ["CrossbarArray", "lif", "matmul", "update"]
