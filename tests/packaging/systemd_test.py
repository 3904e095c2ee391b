"""The package on a host of its own, where systemd is PID 1 (systemd_host.py), under load from the simulator: it starts at boot, even if Redis or the exchange is down;
each program restarts alone; a new release replaces the old one; the watchdog, credentials, reload, MemoryMax= and templates do what the units
say. In the end an independent checker (tests/faults/checker.py) compares what was sent with what Redis holds: the whole file is one run, in
the order of the numbers, and if one step fails, the rest is not tried."""
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path

import redis

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "faults")]
from checker import STREAMS, Checker, balance, samples_of, sent_from_line  # noqa: E402
from overlay_root import Unavailable, build_package, of_next_release  # noqa: E402
from systemd_host import SystemdHost, wait_for  # noqa: E402

UNITS = ("ws-reader@gmo", "md-publisher", "metrics-agent")
PROGRAM = {unit: unit.partition("@")[0] for unit in UNITS}
STATE = "/var/lib/mdpipe"
PASSWORD = "planted-redis-password"
RATE = 200  # events a second
EXPOSURE_MAX = 2.0

READER = """exchange = "gmo"
symbols = ["BTC_JPY"]
channels = ["ticker", "trade", "orderbook"]
url = "ws://127.0.0.1:9000/"
retain_bytes = "2MiB"
"""
PUBLISHER = """redis_url = "redis://127.0.0.1:6379"
maxlen = "0"
"""
AGENT = """metrics_interval_seconds = 1
log_level = "debug"
"""
REDIS_UNIT = """[Service]
ExecStart=/usr/bin/redis-server /srv/redis.conf
"""
# No paced subscriptions, so that a reader is soon ready; the reader paces itself to one a second.
EXCHANGE_UNIT = """[Service]
ExecStart=/usr/bin/exchange-sim --exchange={exchange} --symbols={symbol} --listen=127.0.0.1:{port} --rate={rate} --requests-per-second=0 \\
  --run-unwatched --log-sent=/srv/sent-{exchange}.log --log-sent-at-once --control=/srv/{exchange}.ctl
"""
# For all of the units: a watchdog short enough for a test, and five seconds to stop, as the programs promise.
FASTER = "[Service]\nWatchdogSec=3s\nTimeoutStopSec=5s\nTimeoutAbortSec=2s\n"

HOST = STOPPED_AT = None


def setUpModule():
    global HOST
    try:
        HOST = SystemdHost()
    except Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from None
    # On a disk: the overlay's files are in memory, and would count as memory of the program that writes them.
    disk = tempfile.TemporaryDirectory(prefix="mdpipe-state-", dir="/var/tmp")
    unittest.addModuleCleanup(disk.cleanup)
    unittest.addModuleCleanup(HOST.close)
    with tempfile.TemporaryDirectory(prefix="mdpipe-package-") as folder:
        package = build_package(folder)
        shutil.copy(package, HOST.path / "mdpipe.deb")
        shutil.copy(of_next_release(package), HOST.path / "mdpipe-next.deb")
    with HOST.root.as_chroot():
        HOST.root.run("dpkg", "--install", "/mdpipe.deb")
        configure()
    try:
        HOST.boot(bind=(disk.name, STATE))
    except Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from None
    HOST.control_memory()


def configure():
    HOST.write("etc/mdpipe/gmo.toml", READER)
    HOST.write("etc/mdpipe/md-publisher.toml", PUBLISHER)
    HOST.write("etc/mdpipe/metrics-agent.toml", AGENT)
    HOST.write("etc/mdpipe/redis_password", PASSWORD + "\n", mode=0o600)
    for unit in ("ws-reader@", "md-publisher", "metrics-agent"):
        HOST.write(f"etc/systemd/system/{unit}.service.d/faster.conf", FASTER)
    HOST.write("etc/systemd/system/md-publisher.service.d/credential.conf",
               "[Service]\nLoadCredential=redis_password:/etc/mdpipe/redis_password\n")
    HOST.write("srv/redis.conf", f'port 6379\nunixsocket /srv/redis.sock\nunixsocketperm 777\nsave ""\ndir /srv\nrequirepass {PASSWORD}\n')
    HOST.write("etc/systemd/system/redis-test.service", REDIS_UNIT)
    HOST.write("etc/systemd/system/exchange-test.service", EXCHANGE_UNIT.format(exchange="gmo", symbol="BTC_JPY,ETH_JPY", port=9000, rate=RATE))
    HOST.write("etc/systemd/system/bitflyer-test.service", EXCHANGE_UNIT.format(exchange="bitflyer", symbol="ETH_JPY", port=9001, rate=20))
    HOST.root.run("systemctl", "enable", "ws-reader@gmo")


def say(sentence):
    print(f"ok    {sentence}", flush=True)


class Follower:
    """What the simulator sent and what Redis holds, as both grow, into the checker."""

    def __init__(self):
        self.checker = Checker()
        self.client = redis.Redis(unix_socket_path=str(HOST.path / "srv/redis.sock"), password=PASSWORD, decode_responses=True)
        self.last = {f"md:{channel}": "0-0" for channel in STREAMS}
        self.read_bytes = 0
        self.simulator = 0

    def on_new_simulator(self):
        """It has ended and will start a new record."""
        self.follow()
        self.read_bytes = 0
        self.simulator += 1

    def follow(self):
        entries = []  # before the simulator's record: see checker.py
        while answer := self.client.xread(self.last, count=5000):
            for stream, found in answer:
                self.last[stream] = found[-1][0]
                entries += [(stream.removeprefix("md:"), fields) for _, fields in found if fields["exchange"] == "gmo"]
        with open(HOST.path / "srv/sent-gmo.log", "rb") as file:
            file.seek(self.read_bytes)
            while (line := file.readline()).endswith(b"\n"):
                self.read_bytes += len(line)
                if frame := sent_from_line(line.decode(), self.simulator):
                    self.checker.on_sent(frame)
        for channel, fields in entries:
            self.checker.on_entry(channel, fields)

    def count(self):
        return self.client.xlen("md:trade")

    def wait_for_more(self, what):
        before = self.count()
        wait_for(lambda: self.count() > before, f"data in Redis {what}")


def control(exchange, command):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(HOST.path / f"srv/{exchange}.ctl"))
        connection.sendall(f"{command}\n".encode())
        return connection.makefile().readline()


def state(unit):
    return HOST.show(unit, "ActiveState")


def wait_active(unit):
    wait_for(lambda: state(unit) == "active", f"{unit} is active")


def samples():
    return samples_of(HOST.run("curl", "-fsS", "--max-time", "20", "http://127.0.0.1:9100/metrics").stdout)


class Systemd(unittest.TestCase):
    follower = None

    def setUp(self):
        if STOPPED_AT and STOPPED_AT != self.id():
            self.skipTest(f"{STOPPED_AT.rpartition('.')[2]} has failed")

    def run(self, result=None):
        global STOPPED_AT
        failed = len(result.failures) + len(result.errors)
        super().run(result)
        if not STOPPED_AT and len(result.failures) + len(result.errors) > failed:
            STOPPED_AT = self.id()
            for unit in UNITS:
                print(f"--- {unit}", *HOST.journal(unit, "-n", "15"), sep="\n")

    def others_keep_running(self, units, action):
        """Does `action`, during which these units must keep running."""
        before = {unit: HOST.pid(unit) for unit in units}
        action()
        self.assertEqual(before, {unit: HOST.pid(unit) for unit in units})

    def check_books(self, dropped_max=None):
        """Silences the exchange until all is in Redis: received = published + dropped, published = what Redis holds."""
        control("gmo", "silence on")
        shown = []

        def in_order():
            self.follower.follow()
            ours = {name: value for name, value in samples().items() if 'exchange="gmo"' in name or 'source="gmo"' in name}
            shown[:] = balance(ours, self.follower.checker.entries)
            self.dropped = sum(value for name, value in ours.items() if name.startswith("collector_dropped_events_total"))
            return not shown
        try:
            wait_for(in_order, "the books balance")
        except AssertionError as error:
            raise AssertionError(f"{error}: {shown}") from None
        if dropped_max is not None:
            self.assertLessEqual(self.dropped, dropped_max)
        control("gmo", "silence off")

    def test_01_boot_waits_for_nobody(self):
        wait_active("metrics-agent")
        restart_pause = 2  # RestartSec: a restart loop would show after it
        began = float(HOST.show("md-publisher", "InactiveExitTimestampMonotonic")) / 1e6
        wait_for(lambda: float(Path("/proc/uptime").read_text().split()[0]) > began + 2 * restart_pause, "some seconds have passed")
        for unit in ("ws-reader@gmo", "md-publisher"):
            self.assertEqual(("activating", "0"), (state(unit), HOST.show(unit, "NRestarts")), unit)
        say("booted: the target is reached; what Redis and the exchange are away for is activating and was not restarted")

    def test_02_ready_when_work_can_be_done_with_a_password_from_a_credential(self):
        HOST.run("systemctl", "start", "redis-test")
        wait_active("md-publisher")
        HOST.run("systemctl", "start", "exchange-test")
        wait_active("ws-reader@gmo")
        Systemd.follower = Follower()
        self.follower.wait_for_more("after the start")
        say(f"READY: {HOST.show('md-publisher', 'StatusText')}; {HOST.show('ws-reader@gmo', 'StatusText')}")
        for place in ("cmdline", "environ"):
            self.assertNotIn(PASSWORD, HOST.run("cat", f"/proc/{HOST.pid('md-publisher')}/{place}").stdout)
        self.assertNotEqual(0, HOST.run("setpriv", "--reuid=mdpipe", "--regid=mdpipe", "--clear-groups", "cat", "/etc/mdpipe/redis_password",
                                        check=False).returncode)
        say("the password came by LoadCredential=: its file is root's alone, it is in no argument and no environment")

    def test_03_the_journal_is_readable_as_json(self):
        for unit in UNITS:
            lines = HOST.journal(unit, f"SYSLOG_IDENTIFIER={PROGRAM[unit]}")
            self.assertTrue(lines)
            for line in lines:
                entry = json.loads(line)
                self.assertTrue({"level", "time", "pid", "name", "msg"} <= set(entry), line)
        say("each line of each program in the journal is an object with level, time and msg")

    def test_04_a_new_release_replaces_the_running_one_without_loss(self):
        before = {unit: HOST.pid(unit) for unit in UNITS}
        HOST.run("dpkg", "--install", "/mdpipe-next.deb")
        for unit in UNITS:
            wait_for(lambda unit=unit: HOST.pid(unit) not in (0, before[unit]), f"{unit} runs anew")
            wait_active(unit)
            self.assertEqual("0", HOST.show(unit, "NRestarts"))
        self.follower.wait_for_more("after the upgrade")
        self.check_books(dropped_max=0)
        say(f"upgraded under {RATE} events/s: all three run anew, {sum(self.follower.checker.entries.values())} received = in Redis, 0 dropped")

    def test_05_each_restarts_alone(self):
        for action, number in (("restart", 0), ("kill", 1)):
            for victim in UNITS:
                pid = HOST.pid(victim)
                command = ("systemctl", "--no-block", "restart", victim) if action == "restart" else ("systemctl", "kill", "--kill-whom=main", "-s", "KILL", victim)

                def hurt(command=command, victim=victim, pid=pid):
                    HOST.run(*command)
                    wait_for(lambda: HOST.pid(victim) not in (0, pid), f"{victim} runs anew after {action}")
                    wait_active(victim)
                self.others_keep_running([unit for unit in UNITS if unit != victim], hurt)
                self.assertEqual(str(number), HOST.show(victim, "NRestarts"))
                self.follower.wait_for_more(f"after {action} of {victim}")
            # A reader that was killed counts the events that were only in its memory.
            self.check_books(dropped_max=0 if action == "restart" else None)
            say(f"{action}: each of the three alone, the others went on; the books balance, {self.dropped:g} dropped")

    def test_06_started_in_the_opposite_order(self):
        HOST.run("systemctl", "stop", *UNITS, "exchange-test")
        for unit in (*UNITS, "exchange-test"):
            self.assertEqual("inactive", state(unit))
        self.follower.on_new_simulator()
        for unit in ("ws-reader@gmo", "md-publisher", "metrics-agent", "exchange-test"):
            HOST.run("systemctl", "--no-block", "start", unit)
        for unit in UNITS:
            wait_active(unit)
        self.follower.wait_for_more("after starting")
        say("stopped, then started reader first, agent last and the exchange after them: data flows")

    def test_07_the_watchdog_ends_what_hangs(self):
        pids = {unit: HOST.pid(unit) for unit in UNITS}
        HOST.run("systemctl", "kill", "--kill-whom=main", "-s", "STOP", *UNITS)
        for unit in UNITS:
            wait_for(lambda unit=unit: HOST.pid(unit) not in (0, pids[unit]), f"{unit} is replaced")
            wait_active(unit)
            self.assertTrue(any("Watchdog timeout" in line for line in HOST.journal(unit)), unit)
        self.follower.wait_for_more("after the watchdog")
        say("all three were stopped by SIGSTOP; the watchdog killed and systemd restarted them")

    def test_08_reload(self):
        def reload(unit, file, text, log):
            HOST.write(f"etc/mdpipe/{file}.toml", text)
            count = len([line for line in HOST.journal(unit) if log in line])
            HOST.run("systemctl", "reload", unit)
            wait_for(lambda: len([line for line in HOST.journal(unit) if log in line]) > count, f"{unit} says '{log}'")

        def change_all():
            reload("metrics-agent", "metrics-agent", AGENT.replace("debug", "info"), "configuration read again")
            reload("md-publisher", "md-publisher", PUBLISHER + 'log_level = "debug"\n', "configuration read again")
            reload("ws-reader@gmo", "gmo", READER.replace('"trade"', '"trade", "cooking"'), "the new configuration is refused")
            reload("ws-reader@gmo", "gmo", READER.replace('"BTC_JPY"', '"BTC_JPY", "ETH_JPY"'), "configuration read again")
            wait_for(lambda: any(fields["symbol"] == "ETH_JPY" for _, fields in self.follower.client.xrevrange("md:trade", count=500)),
                     "trades of the symbol that was added")
        self.others_keep_running(UNITS, change_all)
        say("systemctl reload: log levels changed, a symbol added, a bad configuration refused, no process replaced")

    def test_09_an_exchange_comes_and_goes_while_the_others_run(self):
        HOST.write("etc/mdpipe/bitflyer.toml",
                   'exchange = "bitflyer"\nsymbols = ["ETH_JPY"]\nchannels = ["trade"]\nurl = "ws://127.0.0.1:9001/"\n')
        HOST.run("systemctl", "start", "bitflyer-test")

        def come():
            HOST.run("systemctl", "enable", "--now", "ws-reader@bitflyer")
            wait_for(lambda: any(fields["exchange"] == "bitflyer" for _, fields in self.follower.client.xrevrange("md:trade", count=500)),
                     "bitFlyer's trades")

        def go():
            HOST.run("systemctl", "disable", "--now", "ws-reader@bitflyer")
            self.assertEqual(("inactive", "success"), (state("ws-reader@bitflyer"), HOST.show("ws-reader@bitflyer", "Result")))
            self.follower.wait_for_more("after bitFlyer has gone")
        self.others_keep_running(UNITS, come)
        self.others_keep_running(UNITS, go)
        say("ws-reader@bitflyer came, its trades reached Redis, and went; the others kept their processes")

    def test_10_memory_max_is_kept_in_an_outage(self):
        limit_bytes = 40 << 20
        # A slow disk may hold a write up for longer than the three seconds of the other tests.
        HOST.write("etc/systemd/system/ws-reader@.service.d/faster.conf", FASTER.replace("WatchdogSec=3s", "WatchdogSec=30s"))
        HOST.run("systemctl", "daemon-reload")
        HOST.run("systemctl", "restart", "ws-reader@gmo")
        HOST.run("systemctl", "set-property", "--runtime", "ws-reader@gmo", f"MemoryMax={limit_bytes}")
        if not HOST.show("ws-reader@gmo", "MemoryCurrent").isdigit():
            print("SKIPPED: the memory controller is not available in this container", flush=True)
            return
        pid, restarts = HOST.pid("ws-reader@gmo"), HOST.show("ws-reader@gmo", "NRestarts")
        HOST.run("systemctl", "kill", "--kill-whom=main", "-s", "STOP", "redis-test")
        control("gmo", "rate 10000")

        def spooled():
            return samples().get('collector_spool_bytes{source="gmo"}', 0)
        wait_for(lambda: spooled() > limit_bytes, "more is kept on disk than there may be in memory")
        highest = int(HOST.show("ws-reader@gmo", "MemoryCurrent"))
        self.assertLessEqual(highest, limit_bytes)
        self.assertEqual((pid, restarts), (HOST.pid("ws-reader@gmo"), HOST.show("ws-reader@gmo", "NRestarts")))
        kept = spooled()
        control("gmo", f"rate {RATE}")
        HOST.run("systemctl", "kill", "--kill-whom=main", "-s", "CONT", "redis-test")
        self.check_books()
        say(f"MemoryMax={limit_bytes >> 20}M: {kept / 2**20:.0f} MiB waited on disk, {highest / 2**20:.0f} MiB in memory, same process; the books balance")

    def test_11_stops_within_five_seconds_though_redis_hangs(self):
        HOST.run("systemctl", "kill", "--kill-whom=main", "-s", "STOP", "redis-test")
        control("gmo", "rate 2000")
        wait_for(lambda: any(value > 1000 for name, value in samples().items() if name.startswith("collector_unconfirmed_events")), "a backlog")
        HOST.run("systemctl", "stop", "mdpipe.target", *UNITS)
        for unit in UNITS:  # TimeoutStopSec=5s: a program that took longer is killed, and the result is "timeout"
            self.assertEqual(("inactive", "success"), (state(unit), HOST.show(unit, "Result")), unit)
        HOST.run("systemctl", "kill", "--kill-whom=main", "-s", "CONT", "redis-test")
        control("gmo", f"rate {RATE}")
        HOST.run("systemctl", "start", "mdpipe.target", "metrics-agent", "md-publisher", "ws-reader@gmo")
        self.check_books()
        say("with Redis hanging and a backlog the target stopped within 5 s, cleanly; afterwards the books balance")

    def test_12_bad_configuration_is_not_tried_again(self):
        HOST.write("etc/mdpipe/bad.toml", 'exchange = "nonsense"\n')
        self.assertNotEqual(0, HOST.run("systemctl", "start", "ws-reader@bad", check=False).returncode)
        self.assertEqual(("failed", "78", "0"), (state("ws-reader@bad"), HOST.show("ws-reader@bad", "ExecMainStatus"),
                                                 HOST.show("ws-reader@bad", "NRestarts")))
        say("bad configuration: failed with 78, not tried again")

    def test_13_systemd_has_nothing_to_say(self):
        self.assertEqual("", HOST.run("systemd-analyze", "verify", *(f"{unit}.service" for unit in UNITS), "mdpipe.target").stdout)
        for unit in UNITS:
            rated = HOST.run("systemd-analyze", "security", "--no-pager", f"{unit}.service").stdout
            exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", rated).group(1))
            self.assertLessEqual(exposure, EXPOSURE_MAX)
            say(f"{unit}: verify prints nothing, exposure {exposure}")

    def test_14_the_checker_finds_nothing(self):
        self.check_books()
        starts = sum(line.startswith("Starting ") for line in HOST.journal("ws-reader@gmo"))
        findings = self.follower.checker.finish(starts)
        self.assertFalse(findings, findings.sentences)
        checker = self.follower.checker
        say(f"checker: {checker.sent()} frames sent, {checker.matched()} in Redis once and in order; {len(checker.holes())} holes around "
            f"{starts - 1} restarts of the reader, each said in md:feed; {self.dropped:g} events dropped by what was killed")

    def test_15_purge_ends_and_removes_everything(self):
        HOST.run("dpkg", "--purge", "mdpipe")
        self.assertNotIn("mdpipe", HOST.run("systemctl", "list-units", "--plain", "--no-legend", "mdpipe*", "ws-reader*", "md-pub*").stdout)
        running = {Path(os.readlink(path)).name for path in Path("/proc").glob("[0-9]*/exe") if self.in_container(path)}
        self.assertEqual(set(), running & set(PROGRAM.values()))
        self.assertEqual("", HOST.run("ls", "-A", STATE).stdout)
        for path in ("etc/systemd/system/multi-user.target.wants/mdpipe.target", "usr/bin/ws-reader"):
            self.assertFalse(os.path.lexists(HOST.path / path), path)
        say("purged while running: no process, no state, no link is left")

    @staticmethod
    def in_container(exe):
        try:
            return os.readlink(exe.parent / "ns/pid") == os.readlink(f"/proc/{HOST.init}/ns/pid") and os.readlink(exe)
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
