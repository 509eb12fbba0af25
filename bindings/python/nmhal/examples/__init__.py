# SPDX-License-Identifier: MIT
"""The example programs in Python, as they are in the tree; `python -m nmhal.examples` runs them."""
