"""A root file system to install packages into: an overlay over this host's own, or over the one in MDPIPE_TEST_ROOT (made by
debootstrap, say). Nothing below changes; what was changed is in `changes`. Needs root and overlayfs, else Unavailable is raised."""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path


class Unavailable(Exception):
    """Why there can be no overlay here."""


class OverlayRoot:
    def __init__(self):
        self.lower = os.environ.get("MDPIPE_TEST_ROOT", "/")
        self.mounts = []
        if os.geteuid() != 0:
            raise Unavailable("this is not root")
        # On a separate tmpfs: in a container / is an overlay, and an overlay cannot be the upper layer of another one.
        self.base = Path(tempfile.mkdtemp(prefix="mdpipe-root-", dir="/run"))
        self.path = self.base / "root"
        self.changes = self.base / "changes"
        try:
            self._mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", at=self.base)
            for folder in (self.path, self.changes, self.base / "work"):
                folder.mkdir()
            self._mount("-t", "overlay", "overlay", "-o", f"lowerdir={self.lower},upperdir={self.changes},workdir={self.base}/work",
                        at=self.path)
        except subprocess.CalledProcessError as error:
            self.close()
            raise Unavailable(f"no overlayfs over {self.lower}: {error.stderr.strip()}") from None

    def _mount(self, *arguments, at):
        subprocess.run(["mount", *arguments, str(at)], check=True, capture_output=True, text=True)
        self.mounts.append(at)

    def close(self):
        while self.mounts:
            subprocess.run(["umount", "--lazy", str(self.mounts.pop())], check=False)
        shutil.rmtree(self.base, ignore_errors=True)

    def is_host(self):
        return self.lower == "/"

    @contextlib.contextmanager
    def as_chroot(self):
        """With what programs in a chroot expect to find."""
        self._mount("-t", "proc", "proc", at=self.path / "proc")
        self._mount("--bind", "/dev", at=self.path / "dev")
        try:
            yield
        finally:
            for _ in range(2):
                subprocess.run(["umount", "--lazy", str(self.mounts.pop())], check=True)

    def run(self, *command, check=True, **options):
        """In the chroot; its output, with standard error in it."""
        done = subprocess.run(["chroot", str(self.path), *map(str, command)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                                             "DEBIAN_FRONTEND": "noninteractive"}, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout if check else done

    def changed_files(self):
        """Files that were made, changed or removed since, but not folders."""
        return {str(path.relative_to(self.changes)) for path in self.changes.rglob("*") if path.is_symlink() or not path.is_dir()}


def build_package(into):
    """The package of this build."""
    made = subprocess.run(["cpack", "--config", f"{os.environ['MDPIPE_BUILD']}/CPackConfig.cmake", "-B", str(into)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode != 0:
        raise AssertionError(made.stdout)
    return next(Path(into).glob("mdpipe_*.deb"))


def of_next_release(package):
    """The same package with a higher revision: an upgrade, without building the package again."""
    tree = package.parent / "next"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*-)\d+$", r"\g<1>99", control.read_text(), flags=re.M))
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, package.parent], check=True, capture_output=True)
    return next(package.parent.glob("mdpipe_*-99_*.deb"))
