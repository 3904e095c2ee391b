#!/usr/bin/python3
"""A library that CMake calls PURE cannot name a socket or a clock, and each source whose header says "Pure" is in such a library."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PURE = ROOT / "cmake" / "pure.hpp"
COMPILER = os.environ.get("MDPIPE_CXX", "c++")
LISTS = [ROOT / folder / "CMakeLists.txt" for folder in ("libshared", "ws-reader", "ws-reader/venues", "md-publisher", "metrics-agent")]


def compiles(source):
    return subprocess.run([COMPILER, "-std=c++17", "-fsyntax-only", "-I", ROOT, "-include", PURE, "-x", "c++", "-"], input=source, text=True,
                          capture_output=True, check=False)


def pure_sources():
    """Paths of all sources that a PURE library lists; a pattern counts with all that it matches."""
    found = set()
    for path in LISTS:
        for body in re.findall(r"mdpipe_library\(\w+\s+PURE\b(.*?)\)", path.read_text(encoding="utf-8"), re.DOTALL):
            names = re.findall(r"[\w./*-]+\.cpp", body)
            if "venue_sources" in body:
                names.append("*/*.cpp")
            found.update(match for name in names for match in path.parent.glob(name))
    return found


class PureTest(unittest.TestCase):
    def test_code_that_gets_the_time_as_an_argument_compiles(self):
        result = compiles('#include "libshared/time/time.hpp"\nbool late(mdpipe::SteadyTime now, mdpipe::SteadyTime due) { return now > due; }\n')
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_clocks_and_sockets_cannot_be_named(self):
        for line in ("auto now() { return mdpipe::steady_now(); }", "auto now() { return mdpipe::wall_now(); }",
                     "namespace asio { class io_context; }", "namespace zmq { class context_t; }"):
            result = compiles(line + "\n")
            self.assertNotEqual(result.returncode, 0, line)
            self.assertIn("poisoned", result.stderr)

    def test_sources_that_say_so_are_in_a_pure_library(self):
        pure = pure_sources()
        self.assertGreater(len(pure), 50)
        impure = []
        for header in sorted(path for top in ("libshared", "ws-reader", "md-publisher", "metrics-agent") for path in (ROOT / top).rglob("*.hpp")):
            opening = header.read_text(encoding="utf-8").split("#include", 1)[0]
            source = header.with_suffix(".cpp")
            if re.search(r"\bPure\b", opening) and source.exists() and source not in pure:
                impure.append(str(source.relative_to(ROOT)))
        self.assertEqual(impure, [], "their headers say Pure; list them in a PURE library, or correct the header")


if __name__ == "__main__":
    unittest.main()
