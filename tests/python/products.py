#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""products.py CASES RESULTS URI...: products of a jitted JAX program; the files are those of products.c."""
import struct
import sys

import jax
import jax.numpy as jnp
import numpy as np

import nmhal
import nmhal.jax

PRODUCT = struct.Struct("6I")  # n_out, n_in, batch, key, first, count


def main() -> None:
    cases, results, *uris = sys.argv[1:]
    devices = [nmhal.open(uri) for uri in uris]
    with open(cases, "rb") as source, open(results, "wb") as target:
        while head := source.read(PRODUCT.size):
            n_out, n_in, batch, key, first, count = PRODUCT.unpack(head)
            w, x = (jnp.asarray(np.frombuffer(source.read(4 * rows * n_in), np.float32).reshape(rows, n_in))
                    for rows in (n_out, batch))
            with nmhal.Array(devices[first:first + count], n_out, n_in) as array:
                y = jax.jit(lambda w, x: nmhal.jax.matmul(array, w, x, key=key))(w, x)
                target.write(np.asarray(y).tobytes())
    for device in devices:
        device.close()


if __name__ == "__main__":
    main()
