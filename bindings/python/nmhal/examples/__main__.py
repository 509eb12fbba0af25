# SPDX-License-Identifier: MIT
"""python -m nmhal.examples [NAME [ARGUMENT...]]: runs an example; without NAME, says which there are and where."""
import pathlib
import runpy
import sys

PROGRAMS = ("first_steps", "jaxpr", "digits_mlp", "snn_scan", "hardware_aware")


def main() -> None:
    """What the command line says."""
    folder = pathlib.Path(__file__).with_name("jax")
    if len(sys.argv) < 2:
        print(f"{', '.join(PROGRAMS)}\nin {folder}, to copy from; they need JAX and optax: "
              "pip install 'jax>=0.10' optax")
        return
    if sys.argv[1] not in PROGRAMS:
        sys.exit(f"no example {sys.argv[1]!r}: there are {', '.join(PROGRAMS)}")
    sys.argv = [str(folder / f"{sys.argv[1]}.py"), *sys.argv[2:]]
    sys.path.insert(0, str(folder))  # as python does with a program
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
