#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the C source of nmhal._nmhal: the public headers are the only declarations, so they cannot disagree with it.

usage: ffi.py INCLUDE_DIR OUTPUT.c
"""
import pathlib
import re
import sys

import cffi

HEADERS = ("nmhal.h", "analog.h", "array.h")
# Of driver.h only what makes a device of three functions; the rest is for drivers in C.
FUNCTIONS = r"struct nmhal_functions \{.*?\};|NMHAL_API [^;]*?nmhal_driver_\w*functions\([^;]*;" \
            r"|NMHAL_API [^;]*?nmhal_context_add_driver\([^;]*;"
NOT_CONSTANTS = re.compile(r"NMHAL_(API|MUST_CHECK|.*_H|.*_INIT)$")

# Called by a device whose functions are Python's, user is a handle of its object; guard.h, slots.h, xla.h.
CALLBACKS = """
extern "Python" int nmhal_py_multiply(void *user, const float *w, const float *x, float *y, unsigned out, unsigned in);
extern "Python" int nmhal_py_add(void *user, const float *w, const float *dw, float *w_new, unsigned n);
extern "Python" int nmhal_py_write(void *user, float *w, unsigned out, unsigned in);
extern "Python" const char *nmhal_py_explain(void *user);
void nmhal_py_guard(nmhal_device **devs, size_t count);
void nmhal_py_unguard(void);
void nmhal_py_guard_slots(void);
void nmhal_py_forked(void);
int64_t nmhal_py_slot_new(void);
void nmhal_py_slot_bind(int64_t number, nmhal_array *array, uint32_t n_out, uint32_t n_in,
                        const struct nmhal_array_options *options, nmhal_device **devs, size_t count);
void nmhal_py_interrupt_at_end(void);
void nmhal_py_array_free(nmhal_array *array);
struct xla_frame;
struct xla_error *nmhal_py_xla_matmul(struct xla_frame *frame);
struct xla_error *nmhal_py_xla_update(struct xla_frame *frame);
struct xla_error *nmhal_py_xla_lif(struct xla_frame *frame);
"""


def plain(text):
    """C declarations without comments, directives and attributes."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", " ", text, flags=re.S)
    text = re.sub(r"^\s*#.*?$", " ", text, flags=re.M)
    return re.sub(r"\b(NMHAL_API|NMHAL_MUST_CHECK)\b", " ", text)


def constants(text):
    """The names of the integer constants that a header defines."""
    names = re.findall(r"^#define (NMHAL_\w+)[ \t]+[^\s]", text, flags=re.M)
    return [name for name in names if not NOT_CONSTANTS.match(name)]


def declarations(include):
    """What cffi is told of the library."""
    texts = [(include / "nmhal" / name).read_text(encoding="utf-8") for name in HEADERS]
    driver = re.sub(r"/\*.*?\*/", " ", (include / "nmhal/driver.h").read_text(encoding="utf-8"), flags=re.S)
    parts = [f"#define {name} ..." for text in texts for name in constants(text)]
    parts += [plain(text) for text in texts]
    parts += ["struct nmhal_driver;"] + [plain(part) for part in re.findall(FUNCTIONS, driver, flags=re.S)]
    return "\n".join(parts) + CALLBACKS


def main():
    include, output = pathlib.Path(sys.argv[1]), sys.argv[2]
    ffi = cffi.FFI()
    ffi.cdef(declarations(include))
    ffi.set_source("nmhal._nmhal", "#include <nmhal/driver.h>\n" + "".join(
        f'#include "bindings/python/{name}.h"\n' for name in ("guard", "slots", "xla")))
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main()
