# SPDX-License-Identifier: MIT
"""libnmhal in Python."""
from ._nmhal import ffi, lib

__version__ = "{}.{}.{}".format(*((lib.nmhal_version() >> shift) & 255 for shift in (16, 8, 0)))
