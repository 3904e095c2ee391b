"""A host of its own: systemd booted as PID 1 of a container over an overlay (overlay_root.py), without a network but loopback. Nothing of the
real host's services starts, nothing on it changes. Raises Unavailable if systemd-nspawn or overlayfs do not work here."""
import atexit
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from overlay_root import OverlayRoot, Unavailable

PR_SET_PDEATHSIG = 1
DEADLINE = 60.0  # seconds; generous, as nothing waits for it when all is well


def wait_for(condition, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {deadline:g} s: {what}")


class SystemdHost:
    def __init__(self):
        for tool in ("systemd-nspawn", "nsenter"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        if not Path("/lib/systemd/systemd").exists() or not Path("/lib/systemd/system/dbus.service").exists():
            raise Unavailable("systemd or dbus is not installed")
        # Two containers at the same time would share control groups.
        self.lock = open("/run/mdpipe-systemd-host.lock", "w", encoding="ascii")  # pylint: disable=consider-using-with
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.root = OverlayRoot()
        atexit.register(self.close)  # a second time changes nothing
        self.path = self.root.path
        self.nspawn = self.init = None
        self._forget_the_real_host()

    def _forget_the_real_host(self):
        for wants in (self.path / "etc/systemd/system").glob("*.wants"):
            shutil.rmtree(wants)
        for link in (self.path / "etc").glob("rc?.d/S*"):
            link.unlink()
        (self.path / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        (self.path / "var/lib/man-db/auto-update").unlink(missing_ok=True)
        machine_id = self.path / "etc/machine-id"
        machine_id.unlink(missing_ok=True)
        machine_id.touch()

    def boot(self, bind):
        """Returns once multi-user.target is reached. `bind` is a folder of this host and its path inside."""
        console = open(self.root.base / "console.log", "wb")  # pylint: disable=consider-using-with
        with console:
            self.nspawn = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-D", str(self.path),
                                            f"--machine=mdpipe-{os.getpid()}", "--private-network", "--link-journal=no", "--console=pipe",
                                            f"--bind={bind[0]}:{bind[1]}", "-b", "--", "--unit=multi-user.target"], stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                           start_new_session=True,
                                           preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        wait_for(self._is_up, "systemd boots", 30)

    def _is_up(self):
        if self.nspawn.poll() is not None:
            said = (self.root.base / "console.log").read_text(errors="replace").strip().splitlines()
            self.nspawn = None
            raise Unavailable(f"systemd-nspawn does not run here: {said[-1] if said else ''}")
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        self.init = int(children[0]) if children else None
        return self.init and self.run("systemctl", "is-active", "multi-user.target", check=False).stdout == "active\n"

    def control_memory(self):
        """Whether MemoryMax= is in force. The controllers of a container are read-only at first."""
        for controller in ("memory", "pids"):
            self.run("mount", "-o", "remount,bind,rw", f"/sys/fs/cgroup/{controller}", check=False)
        self.run("systemctl", "daemon-reexec")

    def run(self, *command, check=True):
        """Inside; the finished process, standard error in its output."""
        done = subprocess.run(["nsenter", "-t", str(self.init), "-a", "--", *map(str, command)], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=2 * DEADLINE,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
        return done

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def pid(self, unit):
        return int(self.show(unit, "MainPID"))

    def journal(self, unit, *arguments):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, *arguments).stdout.splitlines()

    def write(self, path, text, mode=0o644):
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def close(self):
        if self.nspawn:
            if self.init:
                os.kill(self.init, signal.SIGRTMIN + 4)  # poweroff.target
            try:
                self.nspawn.wait(20 if self.init else 0)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
            self.nspawn = None
        self.root.close()
        # What the container's init leaves in control groups.
        for name in ("payload", "supervisor"):
            subprocess.run(f"find /sys/fs/cgroup/*/{name} /sys/fs/cgroup/{name} -depth -type d -exec rmdir {{}} \\;", shell=True, check=False,
                           capture_output=True)
        self.lock.close()
