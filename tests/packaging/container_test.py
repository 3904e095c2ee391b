"""The image and the services of compose/docker-compose.yml, run by podman. No registry is asked: the base is the Debian root in MDPIPE_TEST_ROOT (debootstrap
--variant=minbase bookworm DIR), the programs are those of this build instead of the Dockerfile's first stage, and Redis is Debian's.
podman gets the settings of each service in the compose file (user, read-only root, capabilities, volumes, command, health, stop); instead of the engine's
network, the services share one loopback. Needs root, podman and runc."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
os.environ.setdefault("MDPIPE_BIN_DIR", os.environ["MDPIPE_BUILD"])
from mdpipe_stack import wait_for  # noqa: E402

SERVICES = ("redis", "exchange-sim", "ws-reader", "md-publisher", "metrics-agent")
OURS = SERVICES[1:]
FIRST_STAGE = "FROM ${BASE} AS build\nCOPY out /out\n"
REDIS_IMAGE = """FROM localhost/base
RUN apt-get update && apt-get install -y --no-install-recommends redis-server
VOLUME /data
WORKDIR /data
"""
# What the kernel of a container in a container denies the engine; nothing of it is the programs'.
HOST_LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")

PODMAN = COMPOSE = HOSTS = None


def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done


def podman(*arguments, **options):
    return run(*PODMAN, *arguments, **options)


def build(name, context, containerfile):
    (context / "Containerfile").write_text(containerfile)
    podman("build", "--isolation=chroot", "--network=host", "--build-arg=BASE=localhost/base", "-f", context / "Containerfile", "-t", name, context)


def make_images(folder):
    tar = subprocess.Popen(["tar", "-C", os.environ["MDPIPE_TEST_ROOT"], "-c", "."], stdout=subprocess.PIPE)
    subprocess.run([*PODMAN, "import", "-", "localhost/base"], stdin=tar.stdout, check=True, capture_output=True)
    tar.wait()
    context = folder / "context"
    context.mkdir()
    run("cmake", "--install", os.environ["MDPIPE_BUILD"], "--prefix", "/usr/local", "--strip", env=dict(os.environ, DESTDIR=str(context / "out")))
    shutil.copytree(ROOT / "compose/container", context / "compose/container")
    stages = re.split(r"^(?=FROM )", (ROOT / "compose/Dockerfile").read_text(), flags=re.M)
    build("mdpipe", context, stages[0] + FIRST_STAGE + stages[2])
    build(COMPOSE["services"]["redis"]["image"], context, REDIS_IMAGE)


def setUpModule():
    global PODMAN, COMPOSE, HOSTS
    if os.geteuid() != 0:
        raise unittest.SkipTest("this is not root")
    if not os.environ.get("MDPIPE_TEST_ROOT"):
        raise unittest.SkipTest("MDPIPE_TEST_ROOT names no Debian root")
    for tool in ("podman", "runc", "docker-compose"):
        if not shutil.which(tool):
            raise unittest.SkipTest(f"{tool} is not installed")
    import yaml  # comes with docker-compose
    COMPOSE = yaml.safe_load(run("docker-compose", "--profile", "sim", "config", cwd=ROOT / "compose",
                                 env=dict(os.environ, WS_URL="ws://exchange-sim:9000/")).stdout)
    folder = Path(tempfile.mkdtemp(prefix="mdpipe-container-", dir="/var/tmp"))
    PODMAN = ("podman", "--root", folder / "storage", "--runroot", folder / "run", "--runtime=runc", "--cgroup-manager=cgroupfs")
    unittest.addModuleCleanup(remove, folder)
    HOSTS = folder / "hosts"
    HOSTS.write_text("".join(f"127.0.0.1 {name}\n" for name in ("localhost", *SERVICES)))
    make_images(folder)


def remove(folder):
    podman("rm", "--all", "--force", "--time=1", check=False)
    podman("system", "reset", "--force", check=False)
    for mounted in reversed([line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]):
        run("umount", "--lazy", mounted, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def seconds(text):
    """docker-compose prints durations as 10s or 1m30s."""
    return sum(int(number) * {"m": 60, "s": 1}[unit] for number, unit in re.findall(r"(\d+)(m|s)", text))


def start(name):
    service = COMPOSE["services"][name]
    options = ["--detach", f"--name={name}", *HOST_LIMITS]
    options += ["--network=none"] if name == SERVICES[0] else [f"--network=container:{SERVICES[0]}"]
    options += [f"--volume={HOSTS}:/etc/hosts:ro"]
    if service.get("read_only"):
        options += ["--read-only", "--read-only-tmpfs=false"]
    options += [f"--cap-drop={capability}" for capability in service.get("cap_drop", ())]
    options += [f"--security-opt={option.replace(':true', '')}" for option in service.get("security_opt", ())]
    options += [f"--volume={volume}" for volume in service.get("volumes", ())]
    options += [f"--env={key}={value}" for key, value in service.get("environment", {}).items()]
    if "healthcheck" in service:
        kind, *words = service["healthcheck"]["test"]  # podman 4.3 takes no list
        assert kind == "CMD" and not any(" " in word for word in words), words
        options += [f"--health-cmd={' '.join(words)}", "--health-interval=disable"]  # asked when the test asks
    podman("run", *options, service["image"], *service["command"])


def inside(name, *command):
    return podman("exec", name, *command, check=False).stdout.strip()


def is_healthy(name):
    return podman("healthcheck", "run", name, check=False).returncode == 0


class Containers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for name in SERVICES:
            start(name)

    def tearDown(self):
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors):
            for name in OURS:
                print(f"--- {name}", podman("logs", "--tail=8", name, check=False).stdout, sep="\n")

    def entries(self):
        return int(inside("redis", "redis-cli", "XLEN", "md:ticker") or 0)

    def test_1_data_reaches_redis(self):
        wait_for(lambda: self.entries() > 0, "entries in Redis")
        for name in (name for name in SERVICES if "healthcheck" in COMPOSE["services"][name]):
            wait_for(lambda name=name: is_healthy(name), f"{name} is healthy")

    def test_2_no_root_nothing_to_write_to_no_capability(self):
        for name in OURS:
            with self.subTest(name):
                status = inside(name, "bash", "-c", "cat /proc/1/status")
                self.assertRegex(status, r"Uid:\s+10001\s+10001")
                self.assertRegex(status, r"CapEff:\s+0+\nCapBnd:\s+0+\n")
                self.assertRegex(status, r"NoNewPrivs:\s+1")
                self.assertIn("Read-only file system", inside(name, "bash", "-c", "echo > /usr/local/x; echo > /run/x"))

    def test_3_one_that_hangs_is_not_healthy(self):
        podman("kill", "--signal=STOP", "md-publisher")
        try:
            wait_for(lambda: not is_healthy("md-publisher"), "the publisher is not healthy")
            self.assertTrue(is_healthy("ws-reader"))
        finally:
            podman("kill", "--signal=CONT", "md-publisher")
        wait_for(lambda: is_healthy("md-publisher"), "the publisher is healthy again")

    def test_4_a_container_is_replaced_without_loss(self):
        podman("rm", "--force", "md-publisher")
        before = self.entries()
        start("md-publisher")
        wait_for(lambda: self.entries() > before, "more entries")
        numbers = [[int(seq) for seq in re.findall(r"^seq\n(\d+)$", inside("redis", "redis-cli", "XRANGE", f"md:{stream}", "-", "+"), re.M)]
                   for stream in ("ticker", "trade", "orderbook", "feed")]
        last = numbers[0][-1]  # of the stream that was read first: whatever has a lower number was written before
        self.assertEqual(list(range(1, last + 1)), sorted(seq for stream in numbers for seq in stream if seq <= last))

    def test_5_they_stop_when_they_are_asked_to(self):
        self.assertEqual("SIGTERM", json.loads(podman("image", "inspect", "mdpipe").stdout)[0]["Config"]["StopSignal"])
        for name in reversed(OURS):
            with self.subTest(name):
                grace = seconds(COMPOSE["services"][name]["stop_grace_period"])
                podman("stop", f"--time={grace}", name)  # kills what takes longer, which then ends with 137
                self.assertEqual("0", podman("inspect", "--format={{.State.ExitCode}}", name).stdout.strip())


if __name__ == "__main__":
    unittest.main()
