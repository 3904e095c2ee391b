"""For contributors: the hooks refuse a commit that continuous integration would refuse, the release script makes a release and stops at
an error, and the files that the contributors' documents name exist."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md")
# The first folder or file of a path in this repository; other words with a slash are no paths.
TOP = {path.name for path in ROOT.iterdir()} | {"build-fuzz", "build-asan"}


class Repository:
    """A separate git repository with the scripts of this one."""

    def __init__(self, path):
        self.path = Path(path)
        shutil.copytree(ROOT / "scripts", self.path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".clang-format", self.path)
        (self.path / "docs").mkdir()
        shutil.copy(ROOT / "docs/adding-an-exchange.md", self.path / "docs")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Tester")
        self.git("config", "user.email", "tester@example.org")

    def run(self, *command, **variables):
        outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(command, cwd=self.path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env=dict(outside, HOME=str(self.path), LC_ALL="C.UTF-8", **variables))

    def git(self, *arguments):
        done = self.run("git", *arguments)
        if done.returncode != 0:
            raise AssertionError(f"git {arguments}: {done.stdout}")
        return done.stdout.strip()

    def write(self, name, text):
        (self.path / name).write_text(text, encoding="utf-8")

    def read(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def commit_all(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", message)


class WithRepository(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mdpipe-repository-")
        self.addCleanup(folder.cleanup)
        self.repository = Repository(folder.name)


@unittest.skipUnless(shutil.which("clang-format") and shutil.which("shellcheck"), "clang-format or shellcheck is not installed")
class Hooks(WithRepository):
    def commit(self, name, text):
        self.repository.write(name, text)
        self.repository.git("add", name)
        done = self.repository.run("git", "commit", "--quiet", "--message", "try")
        self.repository.git("reset", "--quiet")
        return done

    def test_a_commit_is_refused_while_the_format_check_fails(self):
        self.repository.git("config", "core.hooksPath", "scripts/hooks")
        self.repository.write("good.cpp", "int main() { return 0; }\n")
        self.repository.commit_all("first")
        for name, bad, good in (("main.cpp", "int main( ){return 0;}\n", "int main() { return 0; }\n"),
                                ("tool.sh", "#!/bin/sh\necho $1\n", '#!/bin/sh\necho "$1"\n')):
            with self.subTest(name):
                refused = self.commit(name, bad)
                self.assertEqual(1, refused.returncode, refused.stdout)
                self.assertIn(name, refused.stdout)
                self.assertIn("pre-commit: correct the above", refused.stdout)
                accepted = self.commit(name, good)
                self.assertEqual((0, ""), (accepted.returncode, accepted.stdout))

    def test_a_push_is_not_held_up_where_nothing_was_built(self):
        pushed = self.repository.run("scripts/hooks/pre-push")
        self.assertEqual(0, pushed.returncode)
        self.assertIn("there is no build", pushed.stdout)


class BeforeRelease(WithRepository):
    CHANGELOG = "# Changelog\n\n## Unreleased (0.2.0)\n\n### Added\n\n- A thing.\n\n## 0.1.0 (2026-01-02)\n\n- The first.\n"

    def setUp(self):
        super().setUp()
        self.repository.write("CMakeLists.txt", "project(mdpipe VERSION 0.2.0 LANGUAGES CXX\n")
        self.repository.write("CHANGELOG.md", self.CHANGELOG)
        self.repository.commit_all("first")


class Release(BeforeRelease):
    def release(self, *arguments):
        return self.repository.run("scripts/release.sh", *arguments)

    def test_a_release_is_a_changelog_section_a_commit_and_a_tag(self):
        before = self.repository.git("rev-parse", "HEAD")
        done = self.release("0.2.0", "--skip-packages")
        self.assertEqual(0, done.returncode, done.stdout)
        text = self.repository.read("CHANGELOG.md")
        self.assertRegex(text, r"^# Changelog\n\n## Unreleased\n\n## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n### Added\n\n- A thing\.\n\n## 0\.1\.0 \(2026-01-02\)")
        self.assertEqual([before, "release: 0.2.0"], self.repository.git("log", "-1", "--format=%P%n%s").split("\n"))
        self.assertEqual("CHANGELOG.md", self.repository.git("diff", "--name-only", "HEAD^"))
        self.assertEqual("mdpipe 0.2.0\n\n### Added\n\n- A thing.", self.repository.git("tag", "--list", "--format=%(contents)", "v0.2.0"))
        self.assertEqual(self.repository.git("rev-parse", "HEAD"), self.repository.git("rev-parse", "v0.2.0^{commit}"))

    def test_a_second_run_changes_nothing(self):
        self.release("0.2.0", "--skip-packages")
        before = self.repository.git("rev-parse", "HEAD", "v0.2.0")
        again = self.release("0.2.0", "--skip-packages")
        self.assertEqual(0, again.returncode, again.stdout)
        self.assertEqual(2, again.stdout.count("done:"))
        self.assertEqual(before, self.repository.git("rev-parse", "HEAD", "v0.2.0"))

    def test_a_dry_run_names_each_step_and_changes_nothing(self):
        before = self.repository.git("rev-parse", "HEAD")
        said = self.release("0.2.0", "--dry-run")
        self.assertEqual(0, said.returncode, said.stdout)
        for step in ("would: CHANGELOG.md", "would: tag v0.2.0", "mdpipe_0.2.0-1_amd64.deb", "mdpipe_0.2.0-1_arm64.deb", "SHA256SUMS"):
            self.assertIn(step, said.stdout)
        self.assertEqual((before, "", ""), (self.repository.git("rev-parse", "HEAD"), self.repository.git("tag"), self.repository.git("status", "--porcelain")))

    def test_it_stops_before_it_changes_anything(self):
        def uncommitted():
            self.repository.write("CMakeLists.txt", "project(mdpipe VERSION 0.2.0 LANGUAGES CXX C\n")

        def released_elsewhere():
            self.repository.git("tag", "v0.2.0")
            self.repository.write("file", "new")
            self.repository.commit_all("second")

        def nothing_new():
            self.repository.write("CHANGELOG.md", self.CHANGELOG.replace("### Added\n\n- A thing.\n\n", ""))
            self.repository.commit_all("second")

        for change, arguments, code, reason in (
                (None, ["0.3.0"], 1, "CMakeLists.txt has version '0.2.0', not '0.3.0'"), (None, ["2"], 64, "expected three numbers"),
                (None, [], 64, "expected three numbers"), (None, ["0.2.0", "--fast"], 64, "unknown option '--fast'"),
                (uncommitted, ["0.2.0"], 1, "not committed"), (released_elsewhere, ["0.2.0"], 1, "the tag v0.2.0 is on another commit"),
                (nothing_new, ["0.2.0"], 1, "nothing in a section 'Unreleased'")):
            with self.subTest(reason):
                first = self.repository.git("rev-parse", "HEAD")
                if change:
                    change()
                before = self.repository.git("rev-parse", "HEAD"), self.repository.git("tag"), self.repository.git("status", "--porcelain")
                stopped = self.release(*arguments, "--skip-packages")
                self.assertEqual(code, stopped.returncode, stopped.stdout)
                self.assertIn(reason, stopped.stdout)
                self.assertEqual(before, (self.repository.git("rev-parse", "HEAD"), self.repository.git("tag"), self.repository.git("status", "--porcelain")))
                self.repository.git("reset", "--quiet", "--hard", first)
                if "v0.2.0" in self.repository.git("tag"):
                    self.repository.git("tag", "--delete", "v0.2.0")


# Stands for ninja: makes a package without contents in the folder of the build, for the architecture that ends the folder's name.
NINJA = r"""#!/bin/bash
architecture=${WRONG_ARCHITECTURE:-${2##*-}}
mkdir -p "$2/tree/DEBIAN"
printf 'Package: mdpipe\nVersion: 0.2.0-1\nArchitecture: %s\nMaintainer: A Tester <tester@example.org>\nDescription: empty\n' \
  "$architecture" >"$2/tree/DEBIAN/control"
dpkg-deb --build "$2/tree" "$2/mdpipe_0.2.0-1_${2##*-}.deb"
"""


@unittest.skipUnless(subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=False).stdout == "amd64\n",
                     "packages are built on amd64")
class ReleasePackages(BeforeRelease):
    """Steps 4 and 5, with scripts instead of cmake, ninja and sysroot.sh. Each notes its arguments in the file calls."""

    def setUp(self):
        super().setUp()
        self.repository.write(".gitignore", "/release/\n/tools/\n/calls\n")
        (self.repository.path / "tools").mkdir()
        note = '#!/bin/bash\necho "${0##*/} $*" >>calls\n'
        for name, text in (("tools/cmake", note), ("tools/ninja", NINJA), ("scripts/sysroot.sh", note)):
            self.repository.write(name, text)
            (self.repository.path / name).chmod(0o755)
        self.repository.commit_all("second")

    def release(self, *arguments, **variables):
        tools = f"{self.repository.path}/tools:{os.environ['PATH']}"
        return self.repository.run("scripts/release.sh", *arguments, "--no-install", PATH=tools, **variables)

    def test_packages_for_both_architectures_and_their_checksums(self):
        done = self.release("0.2.0")
        self.assertEqual(0, done.returncode, done.stdout)
        folder = self.repository.path / "release/0.2.0"
        self.assertEqual({"SHA256SUMS", "mdpipe_0.2.0-1_amd64.deb", "mdpipe_0.2.0-1_arm64.deb"}, {path.name for path in folder.iterdir()})
        checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
        self.assertEqual(2, checked.stdout.count(": OK"))
        calls = self.repository.read("calls")
        self.assertIn("sysroot.sh arm64 build-arm64/sysroot", calls)
        for architecture, preset in (("amd64", "release"), ("arm64", "arm64")):
            self.assertRegex(calls, rf"cmake -S . -B release/build-{architecture} .*--preset {preset} -DMDPIPE_TESTS=OFF")

    def test_after_a_failure_the_same_command_goes_on(self):
        failed = self.release("0.2.0", WRONG_ARCHITECTURE="i386")
        self.assertEqual(1, failed.returncode, failed.stdout)
        self.assertIn("release/build-amd64/mdpipe_0.2.0-1_amd64.deb is not for amd64", failed.stdout)
        self.assertEqual([], list(self.repository.path.glob("release/0.2.0/*")))
        done = self.release("0.2.0")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertEqual(2, done.stdout.count("done:"), "changelog and tag")
        before = self.repository.read("calls").count("cmake")
        again = self.release("0.2.0")
        self.assertEqual((0, 4), (again.returncode, again.stdout.count("done:")), again.stdout)
        self.assertEqual(before, self.repository.read("calls").count("cmake"))


class Documents(unittest.TestCase):
    def test_what_contributors_documents_name_is_there(self):
        for name in DOCUMENTS:
            text = (ROOT / name).read_text(encoding="utf-8")
            links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
            paths = {word.rstrip(".") for word in re.findall(r"[\w.@+-]+(?:/[\w.@+-]+)+", re.sub(r"https?://\S+", "", text)) if word.split("/")[0] in TOP}
            for path in sorted(paths | set(links)):
                if path.startswith("build") or "NAME" in path:
                    continue  # made by the commands of the document
                with self.subTest(f"{name}: {path}"):
                    self.assertTrue((ROOT / path).exists(), f"{name} names {path}")

    def test_presets_that_contributing_names_exist(self):
        presets = json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))
        known = {preset["name"] for preset in presets["configurePresets"]}
        named = set(re.findall(r"--preset[ =](\w+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
        self.assertTrue(named)
        self.assertEqual(set(), named - known)

    def test_the_forge_runs_what_everybody_runs(self):
        workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
        self.assertEqual([".ci/run", ".ci/run --arm64"], re.findall(r"run: (\.ci/run.*)", workflow))


if __name__ == "__main__":
    unittest.main()
