"""CMakePresets.json: each preset configures in a folder of its own, each workflow has its three steps, and
their folders are those that test.sh uses."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRESETS = json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))
CONFIGURE = [preset for preset in PRESETS["configurePresets"] if not preset.get("hidden")]
REQUIRED = {"release", "debug", "asan", "tsan", "fuzz", "arm64"}
SYSROOT_COMPLETE = ROOT / "build-arm64/sysroot/.packages"  # scripts/sysroot.sh writes it last


def cmake(*arguments):
    return subprocess.run(["cmake", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class Presets(unittest.TestCase):
    def test_each_kind_has_a_preset_for_each_step(self):
        for step in ("configure", "build", "test", "workflow"):
            listed = {preset["name"] for preset in PRESETS[f"{step}Presets"] if not preset.get("hidden")}
            self.assertEqual(REQUIRED, listed, step)
        listed = cmake("--list-presets=all")
        self.assertEqual(0, listed.returncode, listed.stdout)

    def test_each_workflow_configures_builds_and_tests_its_own_preset(self):
        for workflow in PRESETS["workflowPresets"]:
            with self.subTest(workflow["name"]):
                steps = [(step["type"], step["name"]) for step in workflow["steps"]]
                self.assertEqual([(step, workflow["name"]) for step in ("configure", "build", "test")], steps)

    def test_folders_are_those_of_test_sh(self):
        for preset in CONFIGURE:
            folder = "build" if preset["name"] == "release" else f"build-{preset['name']}"
            self.assertEqual(f"${{sourceDir}}/{folder}", preset["binaryDir"])


def add_configure_test(name):
    @unittest.skipIf(name == "fuzz" and not shutil.which("clang++"), "clang++ is not installed")
    def test(self):
        with tempfile.TemporaryDirectory(prefix="mdpipe-preset-") as folder:
            configured = cmake("--preset", name, "-B", folder)
            self.assertEqual(0, configured.returncode, configured.stdout[-2000:])
            self.assertNotIn("CMake Warning", configured.stdout)
            self.assertIn("MDPIPE_TESTS:BOOL=ON", (Path(folder) / "CMakeCache.txt").read_text(encoding="utf-8"))
    setattr(Presets, f"test_{name}_configures", test)


# Only ./test.sh --arm64 sets up a cross-build; if it was not run, there is nothing to configure with.
for preset in CONFIGURE:
    if preset["name"] != "arm64" or SYSROOT_COMPLETE.exists():
        add_configure_test(preset["name"])

if __name__ == "__main__":
    unittest.main()
