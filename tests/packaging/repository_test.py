"""What a contributor meets: the hooks refuse what continuous integration would."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Repository:
    """A git repository of its own, with the scripts of this one."""

    def __init__(self, path):
        self.path = Path(path)
        shutil.copytree(ROOT / "scripts", self.path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / ".clang-format", self.path)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Tester")
        self.git("config", "user.email", "tester@example.org")

    def run(self, *command):
        home = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(command, cwd=self.path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env=dict(home, HOME=str(self.path), LC_ALL="C.UTF-8"))

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


if __name__ == "__main__":
    unittest.main()
