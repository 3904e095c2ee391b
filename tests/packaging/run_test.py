"""run.sh as a user has it: it falls back to the simulator, two run beside each other, and however it ends nothing is left. The
exchange is an address without a listener, so no test talks to a real one."""
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60


def processes_of(folder):
    """Command lines of running programs that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            found.append(f"{entry.parent.name} {command}")
    return found


class Run:
    def __init__(self, *arguments, **environment):
        settings = dict(os.environ, MDPIPE_BUILD_DIR=os.environ["MDPIPE_BUILD"], MDPIPE_INSTALL="false", MDPIPE_CONNECT_SECONDS="1",
                        WS_URL="ws://127.0.0.1:9/", **environment)
        for name in ("REDIS_URL", "METRICS_PORT"):
            if name not in environment:
                settings.pop(name, None)
        self.output = tempfile.TemporaryFile("w+")
        # Another folder and a new session: no terminal, and SIGINT is not ignored.
        self.process = subprocess.Popen([ROOT / "run.sh", *arguments], cwd="/", env=settings, text=True, start_new_session=True,
                                        stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def text(self):
        self.output.flush()
        return Path(f"/proc/self/fd/{self.output.fileno()}").read_text()

    def wait_for(self, pattern):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"'{pattern}' did not appear in:\n{self.text()}")

    def folder(self):
        return self.wait_for(r"logs +(/tmp/mdpipe\.\w+)").group(1)

    def finish(self):
        return self.process.wait(DEADLINE_SECONDS)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE_SECONDS)
        self.output.close()


class RunScript(unittest.TestCase):
    def start(self, *arguments, **environment):
        run = Run(*arguments, **environment)
        self.addCleanup(run.close)
        return run

    def assert_nothing_left(self, folder):
        self.assertFalse(Path(folder).exists())
        self.assertEqual([], processes_of(folder))

    def test_two_beside_each_other_collect_and_leave_nothing(self):
        runs = [self.start(MDPIPE_RUN_SECONDS="12"), self.start("binance", "BTCUSDT", MDPIPE_RUN_SECONDS="12")]
        folders = [run.folder() for run in runs]
        ports = [run.wait_for(r"curl http://(127.0.0.1:\d+)/metrics").group(1) for run in runs]
        for run in runs:
            run.wait_for("the simulator takes its place")
            status = run.wait_for(r"md:(?:ticker|trade) ([\d.]+)/s .*p99 [\d.]+ ms \| errors (\d+) \| unconfirmed \d+")
            self.assertGreater(float(status.group(1)), 0)
            self.assertEqual("0", status.group(2))
        self.assertNotEqual(*ports)
        for run, folder in zip(runs, folders):
            self.assertEqual(0, run.finish(), run.text())
            self.assert_nothing_left(folder)

    def test_the_commands_it_prints_work(self):
        run = self.start("bitflyer", "BTC_JPY")
        command = run.wait_for(r"data +(redis-cli .*)").group(1)
        metrics = run.wait_for(r"metrics +(curl http\S+)").group(1)
        deadline = time.monotonic() + DEADLINE_SECONDS
        entries = ""
        while "price" not in entries and time.monotonic() < deadline:
            entries = subprocess.run(command, shell=True, capture_output=True, text=True).stdout
        self.assertIn("bitflyer", entries)
        self.assertIn("collector_messages_received_total",
                      subprocess.run(metrics, shell=True, capture_output=True, text=True).stdout)

    def test_signals_end_it_with_zero(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                run = self.start()
                folder = run.folder()
                run.process.send_signal(number)
                self.assertEqual(0, run.finish(), run.text())
                self.assert_nothing_left(folder)

    def test_a_program_that_dies_is_named(self):
        run = self.start()
        folder = run.folder()
        victim = next(line for line in processes_of(folder) if "/md-publisher " in line)
        os.kill(int(victim.split()[0]), signal.SIGKILL)
        self.assertEqual(70, run.finish())
        self.assertIn("md-publisher ended with exit code 137", run.text())
        self.assertEqual([], processes_of(folder))
        self.assertEqual([], [path.name for path in Path(folder).iterdir() if path.suffix != ".log"])
        subprocess.run(["rm", "-r", folder], check=True)

    def test_killed_itself_it_takes_the_programs_with_it(self):
        run = self.start()
        folder = run.folder()
        run.process.kill()
        run.finish()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while processes_of(folder) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual([], processes_of(folder))
        subprocess.run(["rm", "-r", folder], check=True)

    def test_a_given_redis_is_used_and_left_alone(self):
        with tempfile.TemporaryDirectory(prefix="mdpipe-run-test-") as folder:
            path = f"{folder}/redis.sock"
            redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
                                     stdout=subprocess.DEVNULL)
            try:
                run = self.start(REDIS_URL=f"unix://{path}?db=3", MDPIPE_RUN_SECONDS="8")
                self.assertIn(f"redis-cli -s {path} -n 3", run.wait_for("data .*").group(0))
                self.assertEqual(0, run.finish(), run.text())
                entries = subprocess.run(["redis-cli", "-s", path, "-n", "3", "XLEN", "md:ticker"], capture_output=True, text=True)
                self.assertGreater(int(entries.stdout), 0)
            finally:
                redis.terminate()
                redis.wait()

    def test_bad_configuration_is_shown(self):
        run = self.start(REDIS_URL="http://nowhere")
        self.assertEqual(70, run.finish())
        self.assertIn("--redis-url 'http://nowhere'", run.text())
        for folder in re.findall(r"the logs stay in (\S+)", run.text()):
            subprocess.run(["rm", "-r", folder], check=True)

    def test_wrong_usage(self):
        for arguments in (["--nonsense"], ["unheard-of"]):
            run = self.start(*arguments)
            self.assertEqual(64, run.finish())
        self.assertEqual(0, self.start("--help").finish())


if __name__ == "__main__":
    unittest.main()
