# SPDX-License-Identifier: MIT
"""The package as it is installed, and its document."""
import ast
import ctypes
import importlib.metadata
import os
import pathlib
import re
import subprocess
import unittest

import nmhal
from common import python

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path(nmhal.__file__).parent
DOCUMENT = (ROOT / "docs/python.md").read_text(encoding="utf-8")


class Package(unittest.TestCase):
    def test_public_names(self):
        """All that is imported without an underscore is public: type checkers see only what __all__ has."""
        tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
        imported = {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom)
                    for alias in node.names}
        self.assertEqual({name for name in imported if not name.startswith("_")}, set(nmhal.__all__))
        for name in nmhal.__all__:
            self.assertTrue(hasattr(nmhal, name), name)

    def test_every_public_call_has_a_docstring(self):
        missing = []
        for path in set(PACKAGE.rglob("*.py")) - set((PACKAGE / "examples/jax").glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            inner = {child for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
                     for child in ast.walk(node) if child is not node}
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") \
                        and ast.get_docstring(node) is None and node not in inner:
                    missing.append(f"{path.name}: {node.name}")
        self.assertEqual(missing, [])

    def test_version(self):
        self.assertRegex((ROOT / "meson.build").read_text(encoding="utf-8"), f"version: '{nmhal.__version__}'")
        self.assertRegex((ROOT / "pyproject.toml").read_text(encoding="utf-8"), f'version = "{nmhal.__version__}"')

    def test_what_is_installed(self):
        found = next(iter(importlib.metadata.distributions(name="nmhal", path=[str(PACKAGE.parent)])), None)
        if not found:
            self.skipTest("nmhal was not installed by pip")
        self.assertRegex(found.read_text("WHEEL"), r"Tag: cp3\d+-abi3-linux_")
        names = [str(path) for path in found.files if "__pycache__" not in path.parts]
        self.assertEqual([name for name in names if not name.startswith(("nmhal/", "nmhal-"))], [])
        in_tree = {str(path.relative_to(ROOT / "bindings/python")) for path in
                   (ROOT / "bindings/python/nmhal").rglob("*") if path.suffix in (".py", ".pyi", ".typed")}
        examples = {f"nmhal/examples/{path.relative_to(ROOT / 'examples')}" for path in
                    [*(ROOT / "examples/jax").glob("*.py"), *(ROOT / "examples/digits").glob("digits.csv"),
                     ROOT / "examples/digits/README.md"]}
        self.assertEqual({name for name in names if name.startswith("nmhal/")},
                         in_tree | examples | {"nmhal/_nmhal.abi3.so"})

    def test_nothing_of_the_build_is_inside(self):
        """The extension finds its libraries wherever the system has them, not where they were built."""
        extension = PACKAGE / "_nmhal.abi3.so"
        self.assertNotIn(os.fsencode(ROOT), extension.read_bytes())
        told = subprocess.run(["readelf", "--dynamic", extension], capture_output=True, text=True, check=True).stdout
        self.assertIn("libc.so", told)
        for paths in re.findall(r"\((?:RPATH|RUNPATH)\)[^[]*\[(.*)\]", told):
            for path in paths.split(":"):
                self.assertTrue(path.startswith("/usr/lib/"), path)

    def test_examples_run_where_they_are_installed(self):
        found = python("import runpy, sys\nsys.argv = ['nmhal.examples']\n"
                       "runpy.run_module('nmhal.examples', run_name='__main__')")
        self.assertEqual(found.stderr, "")
        programs, folder = found.stdout.splitlines()
        self.assertEqual({f"{name}.py" for name in programs.split(", ")} | {"digits.py"},
                         {path.name for path in (ROOT / "examples/jax").glob("*.py")})
        self.assertIn(str(PACKAGE / "examples/jax"), folder)
        found = python("import runpy, sys\nsys.argv = ['nmhal.examples', 'nonesuch']\n"
                       "runpy.run_module('nmhal.examples', run_name='__main__')")
        self.assertEqual((found.returncode, found.stderr.split(":")[0]), (1, "no example 'nonesuch'"))

    def test_the_extension_exports_itself_only(self):
        """So a program that is linked with another libnmhal and embeds Python has no mixture of both."""
        module = ctypes.CDLL(str(PACKAGE / "_nmhal.abi3.so"))
        self.assertTrue(module.PyInit__nmhal)
        for name in ("nmhal_version", "nmhal_py_guard"):
            self.assertFalse(hasattr(module, name), name)

    def test_frameworks_are_not_imported(self):
        found = python("import sys, nmhal\nprint([name for name in ('jax', 'matplotlib') if name in sys.modules])")
        self.assertEqual((found.stdout, found.stderr), ("[]\n", ""))


class Document(unittest.TestCase):
    def test_the_examples_run(self):
        examples = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.M | re.S)
        self.assertGreaterEqual(len(examples), 2)
        self.assertLessEqual(len(examples[0].splitlines()), 15)
        for example in examples:
            with self.subTest(example=example):
                found = python(example)
                self.assertEqual((found.returncode, found.stderr), (0, ""))
                wanted = re.findall(r"^print\(.*\)  # (.*)$", example, re.M)
                self.assertEqual(found.stdout.splitlines(), wanted)

    def test_every_call_in_c_is_in_the_table(self):
        declared = set()
        for header in ("nmhal.h", "analog.h", "array.h"):
            code = re.sub(r"/\*.*?\*/", "", (ROOT / "include/nmhal" / header).read_text(encoding="utf-8"), flags=re.S)
            declared |= {re.search(r"(nmhal_\w+)\(", line)[1] for line in re.findall(r"^NMHAL_API [^;]*;", code, re.M)}
        rows = set(re.findall(r"`(nmhal_\w+)`", DOCUMENT))
        self.assertEqual(declared - rows, set())
        self.assertGreater(len(declared), 50)

    def test_the_table_names_what_is_there(self):
        names = set(re.findall(r"`(Context|Device|Array|Image|Attributes)\.(\w+)(?:\(\))?`", DOCUMENT))
        self.assertGreater(len(names), 40)
        for kind, name in names:
            self.assertTrue(hasattr(getattr(nmhal, kind), name) or name in ("attrs", "caps", "uri"), f"{kind}.{name}")

    def test_every_method_is_in_the_table(self):
        for kind in (nmhal.Context, nmhal.Device, nmhal.Array, nmhal.Image):
            for name in dir(kind):
                if not name.startswith("_"):
                    self.assertTrue(f"`{kind.__name__}.{name}" in DOCUMENT, f"{kind.__name__}.{name}")


if __name__ == "__main__":
    unittest.main()
