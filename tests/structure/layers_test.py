#!/usr/bin/python3
"""Folders depend on each other in one direction only: scripts/check_layers.py finds nothing in this tree, and names the file of every
kind of wrong include that is planted into a copy of it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = ROOT / "scripts" / "check_layers.py"
FOLDERS = ("libshared", "ws-reader", "md-publisher", "metrics-agent")


def check(root):
    return subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True, check=False)


class LayersTest(unittest.TestCase):
    def test_the_tree_keeps_the_rules(self):
        result = check(ROOT)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class PlantedIncludeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, self.root / name)

    def plant(self, file, header):
        """Makes `file` include `header`, both of which exist."""
        self.assertTrue((ROOT / header).is_file(), header)
        path = self.root / file
        path.write_text(f'#include "{header}"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")

    def assert_found(self, file, header, rule):
        result = check(self.root)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(rule, result.stdout)
        self.assertIn(f"{file} includes {header}", result.stdout)

    def test_an_untouched_copy_keeps_the_rules(self):
        self.assertEqual(check(self.root).returncode, 0)

    def test_two_folders_that_include_each_other_are_found(self):
        file, header = "ws-reader/venues/adapter.hpp", "ws-reader/books/order_book.hpp"
        self.plant(file, header)
        self.assert_found(file, header, "depend on each other in a circle")

    def test_a_longer_circle_of_folders_is_found(self):
        file, header = "libshared/time/time.hpp", "libshared/metrics/collector.hpp"
        self.plant(file, header)
        self.assert_found(file, header, "depend on each other in a circle")

    def test_a_program_that_includes_another_one_is_found(self):
        file, header = "metrics-agent/app.cpp", "ws-reader/config.hpp"
        self.plant(file, header)
        self.assert_found(file, header, "metrics-agent/ must not know ws-reader/")

    def test_a_folder_that_includes_a_header_of_its_programs_top_folder_is_found(self):
        file, header = "ws-reader/source/session.hpp", "ws-reader/config.hpp"
        self.plant(file, header)
        self.assert_found(file, header, "ws-reader/source/ must not include headers of ws-reader/ itself")

    def test_a_shared_library_that_includes_a_program_is_found(self):
        file, header = "libshared/wire/link.hpp", "md-publisher/app.hpp"
        self.plant(file, header)
        self.assert_found(file, header, "libshared/ must not know md-publisher/")

    def test_a_folder_without_any_of_the_programs_is_no_success(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertNotEqual(check(empty).returncode, 0)


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
