#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What JAX sees of a crossbar: the same program on the host and on a board, as jaxprs.

A product on a board is one call of the handler inside a custom derivative; a gradient has it in the forward pass only;
under vmap it is still one call.
"""
import jax
import jax.numpy as jnp

import nmhal
import nmhal.jax


def main() -> None:
    with nmhal.open("sim:tinyodin") as device, nmhal.Array(device, 2, 3) as array:
        w, x = jnp.ones((2, 3)), jnp.ones((4, 3))
        host = nmhal.jax.CrossbarArray(w, mock=True)
        board = nmhal.jax.CrossbarArray(w, array)

        def layer(a: nmhal.jax.CrossbarArray, x: jax.Array) -> jax.Array:
            return jnp.tanh(a @ x).sum()

        for name, a in (("host", host), ("board", board)):
            print(f"{name}: layer\n{jax.make_jaxpr(layer)(a, x)}\n")
            print(f"{name}: gradient\n{jax.make_jaxpr(jax.grad(layer))(a, x)}\n")
        each = jax.vmap(lambda one: board @ one)
        print(f"board: vmap over {len(x)} samples\n{jax.make_jaxpr(each)(x)}")


if __name__ == "__main__":
    main()
