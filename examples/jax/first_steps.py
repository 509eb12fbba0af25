# SPDX-License-Identifier: MIT
import jax
import jax.numpy as jnp
import nmhal.jax

array = nmhal.Array(nmhal.open("sim:tinyodin"), 2, 3)  # 2 outputs, 3 inputs; a board: nmhal.open("usb:...")
W = jnp.array([[0.5, -1.0, 0.25], [0.75, 0.5, -0.5]])  # ordinary arrays
x = jnp.array([[1.0, 0.5, -0.25], [0.0, 1.0, 0.5]])

def loss(W):
    return jnp.sum(nmhal.jax.matmul(array, W, x) ** 2)  # on the chip: one call for the batch

for step in range(5):
    W = W - 0.1 * jax.jit(jax.grad(loss))(W)  # the next product programs the cells that changed, and only them
    print(f"loss {loss(W):.3f}, {array.stats().cells} cells written so far")
