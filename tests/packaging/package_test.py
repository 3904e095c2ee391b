"""The package for Debian: what it holds and declares, that lintian finds no error, and, if run by root, that it installs, upgrades,
removes and purges cleanly in an overlay over this host's root. systemd_test.py checks an upgrade under load."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ["MDPIPE_BUILD"]
sys.path.insert(0, str(Path(__file__).parent))
from overlay_root import OverlayRoot, Unavailable, build_package, of_next_release  # noqa: E402

PROGRAMS = ("ws-reader", "md-publisher", "metrics-agent", "exchange-sim")
SCRIPTS = ("postinst", "prerm", "postrm")
CONFFILES = {f"/etc/mdpipe/{path.name}" for path in (ROOT / "examples").glob("*.toml")}
# What a package that was purged leaves: dpkg's own notes, the user (postrm says why), and an index of manual pages.
LEFT_BY_DPKG = re.compile(r"var/(lib|log|cache)/(dpkg|apt|man|ldconfig)\b|var/log/alternatives.log|var/lib/systemd/deb-systemd-helper-enabled$"
                          r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd\.lock$|etc/ld\.so\.cache$|etc/apt/|etc/resolv\.conf$")


FOLDER = PACKAGE = None


def setUpModule():
    global FOLDER, PACKAGE
    folder = tempfile.TemporaryDirectory(prefix="mdpipe-package-")
    unittest.addModuleCleanup(folder.cleanup)
    FOLDER = Path(folder.name)
    PACKAGE = build_package(FOLDER)


def run(*command, **options):
    return subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          **options)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tree = FOLDER / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", PACKAGE, cls.tree], check=True)

    def field(self, name):
        return run("dpkg-deb", "--field", PACKAGE, name).stdout.strip()

    @staticmethod
    def files(top):
        paths = (path.relative_to(top) for path in Path(top).rglob("*") if path.is_file())
        return {str(path) for path in paths if path.parts[0] != "DEBIAN"}

    def test_it_holds_what_a_source_build_installs(self):
        staged = FOLDER / "staged"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, capture_output=True,
                       env=dict(os.environ, DESTDIR=str(staged)))
        self.assertEqual(self.files(staged) | {"usr/share/doc/mdpipe/changelog.Debian.gz"}, self.files(self.tree))
        for unit in ("md-publisher", "metrics-agent", "ws-reader@"):
            path = f"usr/lib/systemd/system/{unit}.service"
            self.assertEqual((staged / path).read_text(), (self.tree / path).read_text())
            self.assertIn(f"ExecStart=/usr/bin/{unit.rstrip('@')} --config=/etc/mdpipe/", (self.tree / path).read_text())

    def test_configuration_is_dpkgs_to_keep(self):
        self.assertEqual(CONFFILES, set((self.tree / "DEBIAN/conffiles").read_text().split()))
        self.assertEqual(CONFFILES, {f"/{path}" for path in self.files(self.tree) if path.startswith("etc/")})

    def test_everything_belongs_to_root_and_only_root_may_change_it(self):
        for line in run("dpkg-deb", "--contents", PACKAGE).stdout.splitlines():
            mode, owner, *_, path = line.split()
            with self.subTest(path):
                self.assertEqual("root/root", owner)
                self.assertRegex(mode, r"^(drwxr-xr-x|-rw-r--r--)$" if "/bin/" not in path or path.endswith("/") else r"^-rwxr-xr-x$")

    def test_it_depends_on_what_the_programs_load(self):
        depends = {re.match(r"[\w.+-]+", part.strip()).group() for part in self.field("Depends").split(",")}
        self.assertTrue({"libcurl4", "ca-certificates", "systemd"} <= depends, depends)
        # One of each way that dpkg-shlibdeps finds: by the programs, by what metrics-agent loads for TLS, by both.
        self.assertTrue({"libzmq5", "libssl3", "libsqlite3-0", "libprometheus-cpp-core1.0", "libc6"} <= depends, depends)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_has_no_remark_on_its_scripts(self):
        for script in SCRIPTS:
            checked = run("shellcheck", "--shell=sh", self.tree / "DEBIAN" / script)
            self.assertEqual((0, ""), (checked.returncode, checked.stdout))

    @unittest.skipUnless(shutil.which("lintian"), "lintian is not installed")
    def test_lintian_finds_no_error(self):
        checked = run("lintian", "--allow-root", "--fail-on=error", PACKAGE)
        print(checked.stdout)
        self.assertEqual(0, checked.returncode, checked.stdout)


class Life(unittest.TestCase):
    """The package from installation to purge. systemd does not run in the chroot: systemd_test.py checks that it
    starts and restarts the programs."""

    def setUp(self):
        try:
            self.root = OverlayRoot()
        except Unavailable as reason:
            self.skipTest(str(reason))
        self.addCleanup(self.root.close)
        self.enterContext(self.root.as_chroot())
        if self.root.is_host():
            (self.root.path / "var/lib/man-db/auto-update").unlink(missing_ok=True)  # an index of all manual pages takes seconds
        else:
            shutil.copy("/etc/resolv.conf", self.root.path / "etc/resolv.conf")
            self.root.run("apt-get", "update", "-qq")

    def install(self, package):
        copy = self.root.path / "mdpipe.deb"
        shutil.copy(package, copy)
        install = ("dpkg", "--install") if self.root.is_host() else ("apt-get", "install", "-qq", "--no-install-recommends")
        self.root.run(*install, "/mdpipe.deb")
        copy.unlink()

    def exists(self, path):
        return os.path.lexists(self.root.path / path)

    def mode(self, path):
        return self.root.run("stat", "--format=%U:%G %a", f"/{path}").strip()

    def enabled(self):
        wants = self.root.path / "etc/systemd/system/mdpipe.target.wants"
        return {path.name for path in wants.glob("*")} if wants.exists() else set()

    def test_installs_upgrades_removes_and_purges(self):
        run_as_mdpipe = ("setpriv", "--reuid=mdpipe", "--regid=mdpipe", "--init-groups")
        before = self.root.changed_files()
        self.install(PACKAGE)
        self.assertEqual(["root:mdpipe 750", "mdpipe:mdpipe 770"], [self.mode("etc/mdpipe"), self.mode("run/mdpipe")])
        self.assertEqual({"md-publisher.service", "metrics-agent.service"}, self.enabled())
        for name, program in (("md-publisher", "md-publisher"), ("metrics-agent", "metrics-agent"), ("gmo", "ws-reader")):
            shown = self.root.run(*run_as_mdpipe, program, f"--config=/etc/mdpipe/{name}.toml", "--check-config")
            self.assertIn(f"/etc/mdpipe/{name}.toml", shown)

        gmo = self.root.path / "etc/mdpipe/gmo.toml"
        gmo.write_text(gmo.read_text().replace("ETH_JPY", "XRP_JPY"))
        self.root.run("systemctl", "disable", "metrics-agent.service")
        self.root.run("systemctl", "enable", "ws-reader@gmo.service")
        spool = self.root.path / "var/lib/mdpipe/spool-gmo.db"
        spool.parent.mkdir(exist_ok=True)
        spool.touch()
        self.install(of_next_release(PACKAGE))
        self.assertIn("-99", self.root.run("dpkg-query", "--showformat=${Version}", "--show", "mdpipe"))
        self.assertIn("XRP_JPY", gmo.read_text())
        self.assertEqual({"md-publisher.service", "ws-reader@gmo.service"}, self.enabled())

        self.root.run("dpkg", "--remove", "mdpipe")
        self.assertEqual([], [name for name in PROGRAMS if self.exists(f"usr/bin/{name}")])
        self.assertIn("XRP_JPY", gmo.read_text())
        self.assertTrue(spool.exists())

        self.assertNotIn("warning", self.root.run("dpkg", "--purge", "mdpipe"))
        left = {path for path in self.root.changed_files() - before if not LEFT_BY_DPKG.match(path) and (self.exists(path) or os.path.lexists(f"/{path}"))}
        if self.root.is_host():  # else apt has brought the libraries
            self.assertEqual(set(), left)
        for folder in ("etc/mdpipe", "run/mdpipe", "var/lib/mdpipe", "usr/share/doc/mdpipe", "etc/systemd/system/mdpipe.target.wants"):
            self.assertFalse(self.exists(folder), folder)


if __name__ == "__main__":
    unittest.main()
