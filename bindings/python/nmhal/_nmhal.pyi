# The extension module that ffi.py makes: declarations of the C headers, known to cffi only.
from typing import Any

ffi: Any
lib: Any
