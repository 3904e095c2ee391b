"""The whole pipeline with a proxy on every connection, in a folder of its own, and what can be done to it.

Real programs, a real redis-server that syncs every command to disk, ephemeral ports. Each program is restarted when it
ends on its own, as systemd would. The folders that hold state are small file systems that can be filled, if this
process may mount (root); `disks` says whether it may. Everything ends with the World, and the programs also with this process.

Processes must be started by the main thread: the kernel ends them with the thread that started them.
"""

import ctypes
import http.client
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import FAULTS, binary, flags, wait_for  # noqa: E402
from proxy import Hub  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNS = 0x00020000
FAKE_CLOCK = os.path.join(os.environ.get("MDPIPE_BIN_DIR", ""), "tests", "faults", "libmdpipe_fake_clock.so")
PORTS = (12_000, 32_000)
SYMBOLS = ("BTC_JPY", "ETH_JPY")
STREAMS = ("md:trade", "md:ticker", "md:orderbook", "md:feed")
DISK_MIB = {"redis": 256, "reader": 64, "agent": 4}
RESTART_PAUSE = 0.3  # seconds until a program that ended is started again
SPOOL_AFTER = 1.0  # seconds until what is unconfirmed goes to disk
STOP_MAX = 8  # seconds from SIGTERM; the programs promise 5

# The connections: name -> (client, server).
LINKS = {
    "exchange": ("ws-reader", "exchange-sim"),
    "events": ("ws-reader", "md-publisher"),
    "positions": ("ws-reader", "md-publisher"),
    "redis": ("md-publisher", "redis-server"),
    "reader-metrics": ("ws-reader", "metrics-agent"),
    "publisher-metrics": ("md-publisher", "metrics-agent"),
}
PROGRAMS = ("redis-server", "exchange-sim", "metrics-agent", "md-publisher", "ws-reader")  # in the order of starting


def free_port():
    """A free port below those of outgoing connections. While one of our ports is shut, a client that keeps connecting to
    a port of outgoing connections would at some time get the same port for its own end, and be connected to itself."""
    while True:
        port = random.SystemRandom().randint(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def private_mounts():
    """Only this process and its children see its mounts from now on; False if that is not allowed."""
    if os.geteuid() != 0 or LIBC.unshare(CLONE_NEWNS) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode == 0


class Process:
    """One program under the world's supervision; its output goes to files in the folder."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.process = None
        self.starts = 0
        self.wanted = False
        self.paused = False
        self.own_ends = []  # exit codes of programs that ended without being stopped by the test
        self.start_at = 0  # steady time of the next start

    def start(self):
        self.wanted = True
        self.paused = False
        command = self.world.command(self.name, self.starts)
        self.starts += 1
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("METRICS_", "ENABLE_", "REDIS_", "WS_"))}
        environment.update(self.world.clock_environment(self.name))
        path = os.path.join(self.world.folder, self.name)
        with open(f"{path}.out", "ab") as out, open(f"{path}.err", "ab") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment,
                                            cwd=self.world.folder, start_new_session=True,  # Ctrl-C is for us alone
                                            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9; it stays down until start()."""
        self.wanted = False
        if self.running():
            self.process.kill()
            self.process.wait()

    def term(self):
        """SIGTERM. The program must exit within the promised time; otherwise it is killed and reported."""
        self.wanted = False
        if not self.running():
            return
        self.process.send_signal(signal.SIGTERM)
        if self.paused:
            self.resume()
        try:
            self.process.wait(STOP_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.world.complain(f"{self.name} did not end within {STOP_MAX} s of SIGTERM")

    def pause(self):
        self.paused = True
        if self.running():
            self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.paused = False
        if self.running():
            self.process.send_signal(signal.SIGCONT)

    def supervise(self):
        if not self.wanted or self.running():
            return
        if self.start_at == 0:
            self.own_ends.append(self.process.returncode)
            self.start_at = time.monotonic() + RESTART_PAUSE
        elif time.monotonic() >= self.start_at:
            self.start_at = 0
            self.start()

    def said(self, end=3000):
        text = ""
        for kind in ("out", "err"):
            with open(os.path.join(self.world.folder, f"{self.name}.{kind}"), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - end))
                text += file.read().decode(errors="replace")
        return text


class World:
    def __init__(self, seed, rate, reader_options=None, publisher_options=None):
        self.seed = seed
        self.rate = rate
        self.reader_options = reader_options or {}
        self.publisher_options = publisher_options or {}
        self.complaints = []
        self.folder = tempfile.mkdtemp(prefix="mdpipe-faults-")
        self.redis_socket = os.path.join(self.folder, "redis.sock")
        self.control = os.path.join(self.folder, "sim.ctl")
        self.disks = self._make_disks()
        self.clocks = os.path.exists(FAKE_CLOCK)
        self.ports = {name: free_port() for name in (*LINKS, "redis", "sim", "pull", "pub", "agent", "http")}
        self.hub = Hub()
        self.links = {name: self._link(name, target) for name, target in (
            ("exchange", "sim"), ("events", "pull"), ("positions", "pub"), ("redis", "redis-server"),
            ("reader-metrics", "agent"), ("publisher-metrics", "agent"))}
        self.redis = redis.Redis(unix_socket_path=self.redis_socket, decode_responses=True, socket_timeout=2)
        self.programs = {name: Process(self, name) for name in PROGRAMS}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def complain(self, sentence):
        self.complaints.append(sentence)

    # Building it.

    def _make_disks(self):
        mounted = private_mounts()
        for name, mib in DISK_MIB.items():
            path = self.disk(name)
            os.mkdir(path)
            mounted = mounted and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "faults", path], check=False,
                                                 capture_output=True).returncode == 0
        return mounted

    def disk(self, name):
        return os.path.join(self.folder, f"disk-{name}")

    def _link(self, name, target):
        upstream = f"unix:{self.redis_socket}" if target == "redis-server" else f"tcp:127.0.0.1:{self.ports[target]}"
        return self.hub.proxy(name, f"tcp:127.0.0.1:{self.ports[name]}", upstream)

    def _through(self, link):
        return f"tcp://127.0.0.1:{self.ports[link]}"

    def command(self, name, starts):
        return [*getattr(self, "_" + name.replace("-", "_"))(starts)]

    def _redis_server(self, _):
        return ["redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--dir", self.disk("redis"), "--save", "",
                "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-min-size", "32mb"]

    def sent_path(self, start):
        return os.path.join(self.folder, f"sent-{start}.log")

    def _exchange_sim(self, starts):
        options = {"exchange": "gmo", "listen": f"127.0.0.1:{self.ports['sim']}", "symbols": ",".join(SYMBOLS),
                   "rate": self.rate, "seed": self.seed + starts, "requests_per_second": 0, "book_levels": 3,
                   "run_unwatched": "true", "control": self.control, "log_sent": self.sent_path(starts),
                   "log_sent_at_once": "true"}
        return [binary("exchange-sim"), *flags(options)]

    def _metrics_agent(self, _):
        options = {"runtime_dir": self.folder, "state_dir": self.disk("agent"), "metrics_port": self.ports["http"],
                   "metrics_interval_seconds": 1, "metrics_endpoint": f"tcp://127.0.0.1:{self.ports['agent']}"}
        return [binary("metrics-agent"), *flags(options)]

    def _md_publisher(self, _):
        options = {"runtime_dir": self.folder, "redis_url": f"redis://127.0.0.1:{self.ports['redis']}", "maxlen": 0,
                   "events_endpoint": f"tcp://127.0.0.1:{self.ports['pull']}",
                   "positions_endpoint": f"tcp://127.0.0.1:{self.ports['pub']}",
                   "metrics_endpoint": self._through("publisher-metrics"), "reconnect_delay_max": "1s",
                   **self.publisher_options}
        return [binary("md-publisher"), *flags(options)]

    def _ws_reader(self, _):
        options = {"exchange": "gmo", "symbols": ",".join(SYMBOLS), "channels": "trade,ticker,orderbook",
                   "url": f"ws://127.0.0.1:{self.ports['exchange']}/", "runtime_dir": self.folder,
                   "state_dir": self.disk("reader"), "spool_after": f"{int(SPOOL_AFTER * 1000)}ms",
                   "events_endpoint": self._through("events"), "positions_endpoint": self._through("positions"),
                   "metrics_endpoint": self._through("reader-metrics"), "reconnect_delay_max": "1s", "ping_interval": "2s",
                   "pong_timeout": "4s", **self.reader_options}
        return [binary("ws-reader"), *flags(options)]

    def _start(self):
        for name in PROGRAMS:
            self.programs[name].start()
            if name == "redis-server":
                wait_for(self.redis_answers, "redis-server answers")
        wait_for(lambda: self.xlen("md:trade") > 0 and self.xlen("md:orderbook") > 0, f"events flow; {self.said()}")

    def said(self):
        return "\n".join(f"--- {name}: {process.said()}" for name, process in self.programs.items() if process.starts)

    def spool_seconds(self):
        """The maximum age of events that are lost with a killed reader."""
        return 0.0 if self.reader_options.get("spool") == "always" else SPOOL_AFTER + 0.5

    def keeps_all(self):
        return self.publisher_options.get("maxlen", 0) == 0

    # Steering it.

    def supervise(self):
        for process in self.programs.values():
            process.supervise()

    def clock_environment(self, name):
        if not self.clocks:
            return {}
        path = self._clock_path(name)
        if not os.path.exists(path):
            self.step_clock(name, 0)
        return {"LD_PRELOAD": FAKE_CLOCK, "MDPIPE_FAKE_CLOCK": path}

    def _clock_path(self, name):
        return os.path.join(self.folder, f"clock-{name}")

    def step_clock(self, name, seconds):
        """The program's wall clock is so many seconds ahead of ours from now on; see fake_clock.cpp."""
        path = self._clock_path(name)
        offset = struct.pack("q", seconds * 1_000_000_000)
        with open(path, "r+b" if os.path.exists(path) else "wb", buffering=0) as file:
            file.write(offset)  # in place: the programs have the file mapped

    def fill_disk(self, name):
        with open(os.path.join(self.disk(name), "ballast"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def free_disk(self, name):
        path = os.path.join(self.disk(name), "ballast")
        if os.path.exists(path):
            os.unlink(path)

    def tell_simulator(self, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(self.control)
            control.sendall(command.encode() + b"\n")
            return control.makefile().readline()

    def heal(self):
        """Whatever was done: connections whole, programs awake and running, disks empty, clocks right."""
        for link in self.links.values():
            link.heal()
        for name in DISK_MIB:
            self.free_disk(name)
        for name, process in self.programs.items():
            if process.paused:
                process.resume()
            if self.clocks:
                self.step_clock(name, 0)
            if not process.wanted:
                process.start()

    # Looking at it.

    def redis_answers(self):
        try:
            return self.redis.ping()
        except redis.exceptions.RedisError:
            return False

    def xlen(self, stream):
        try:
            return self.redis.xlen(stream)
        except redis.exceptions.RedisError:
            return 0

    def metrics(self):
        """The text of /metrics, "" if the agent does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["http"], timeout=2)
        try:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            return response.read().decode() if response.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    # Ending it.

    def close(self):
        for process in self.programs.values():
            process.wanted = False
            process.resume()
        for name in reversed(PROGRAMS):
            process = self.programs[name]
            if process.running():
                process.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_MAX
        for process in self.programs.values():
            if process.process is not None:
                try:
                    process.process.wait(max(0.1, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.process.kill()
                    process.process.wait()
        self.hub.close()
        self._look_for_aborts()
        for name in DISK_MIB:
            subprocess.run(["umount", "-l", self.disk(name)], check=False, capture_output=True)
        if self.complaints and os.environ.get("MDPIPE_FAULT_KEEP"):
            print(f"kept: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _look_for_aborts(self):
        for name, process in self.programs.items():
            if process.starts and any(word in process.said() for word in FAULTS):
                self.complain(f"{name}: {process.said()}")
