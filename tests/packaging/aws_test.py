"""compose/aws: the files against the model of the API that AWS publishes with its SDK (botocore) and Fargate's own rules; their containers as
processes of this host, which must bring data from the simulator to Redis, both as one task and as three; and that no secret is in them, nor
in any other file of the repository."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "compose/aws"
CONTAINER = ROOT / "compose/container"
sys.path.insert(0, str(ROOT / "tests/support"))
PROGRAMS = {Path(path).name: path for path in os.environ["MDPIPE_PROGRAMS"].split(":")}
os.environ.setdefault("MDPIPE_BIN_DIR", os.environ["MDPIPE_BUILD"])
from mdpipe_stack import Stack, free_port, wait_for  # noqa: E402

try:
    import botocore.session
    from botocore.validate import ParamValidator
except ImportError:
    botocore = None

TASKS = {path.stem: json.loads(path.read_text()) for path in AWS.glob("task*.json")}
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html (read 2026-11-25): CPU units -> least and most MiB.
FARGATE_MEMORY = {"256": (512, 2048), "512": (1024, 4096), "1024": (2048, 8192)}
# Of a container, not on Fargate: .../developerguide/task_definition_parameters.html, the same day.
NOT_ON_FARGATE = {"privileged", "links", "dockerSecurityOptions", "extraHosts", "disableNetworking", "dnsServers", "dnsSearchDomains", "hostname"}
HEALTH_CHECK = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}
STOP_TIMEOUT_MAX = 120
SECRET_ARN = re.compile(r"arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+(:\w+::)?$")
PROGRAM_STOPS_SECONDS = 5


def containers():
    return [(task, container) for task, definition in TASKS.items() for container in definition["containerDefinitions"]]


def pairs(entries):
    return {entry["name"]: entry["value"] for entry in entries}


def enum_findings(shape, value, path=""):
    """Values that are none of those the model lists; botocore itself leaves these to the server."""
    if shape.type_name == "structure":
        return [found for name, inner in value.items() if name in shape.members
                for found in enum_findings(shape.members[name], inner, f"{path}.{name}")]
    if shape.type_name == "list":
        return [found for inner in value for found in enum_findings(shape.member, inner, f"{path}[]")]
    return [f"{path}: {value}"] if getattr(shape, "enum", None) and value not in shape.enum else []


class Files(unittest.TestCase):
    def accepted(self, operation, value):
        model = botocore.session.get_session().get_service_model("ecs")
        shape = model.operation_model(operation).input_shape
        report = ParamValidator().validate(value, shape)
        self.assertFalse(report.has_errors(), report.generate_report())
        self.assertEqual([], enum_findings(shape, value))

    @unittest.skipUnless(botocore, "python3-botocore is not installed")
    def test_the_api_takes_them(self):
        for name, task in TASKS.items():
            with self.subTest(name):
                known = json.loads(json.dumps(task))
                for container in known["containerDefinitions"]:
                    container.pop("restartPolicy", None)  # newer than Debian's model: looked at below
                self.accepted("RegisterTaskDefinition", known)
        self.accepted("CreateService", json.loads((AWS / "service.json").read_text()))

    @unittest.skipUnless(botocore, "python3-botocore is not installed")
    def test_a_wrong_file_would_be_found(self):
        wrong = json.loads(json.dumps(TASKS["task-ws-reader-gmo"]))
        for change in ({"netWorkMode": "awsvpc"}, {"cpu": 256}, {"networkMode": "vpc"}):
            with self.assertRaises(AssertionError):
                self.accepted("RegisterTaskDefinition", {**wrong, **change})

    def test_fargate_can_run_them(self):
        for name, task in TASKS.items():
            with self.subTest(name):
                self.assertEqual((["FARGATE"], "awsvpc"), (task["requiresCompatibilities"], task["networkMode"]))
                least, most = FARGATE_MEMORY[task["cpu"]]
                self.assertTrue(least <= int(task["memory"]) <= most and int(task["memory"]) % 512 == 0)
                self.assertTrue(any(container["essential"] for container in task["containerDefinitions"]))
        for task, container in containers():
            with self.subTest(f"{task} {container['name']}"):
                self.assertEqual(set(), NOT_ON_FARGATE & set(container))
                self.assertEqual({"capabilities"}, set(container["linuxParameters"]))  # neither tmpfs nor devices there
                self.assertLessEqual(container.get("stopTimeout", 0), STOP_TIMEOUT_MAX)
                self.assertEqual("awslogs", container["logConfiguration"]["logDriver"])
                for key, (low, high) in HEALTH_CHECK.items():
                    self.assertTrue("healthCheck" not in container or low <= container["healthCheck"][key] <= high, key)
                volumes = {volume["name"] for volume in TASKS[task]["volumes"]}
                self.assertTrue({mount["sourceVolume"] for mount in container["mountPoints"]} <= volumes)
                names = {other["name"] for other in TASKS[task]["containerDefinitions"]}
                self.assertTrue({needed["containerName"] for needed in container.get("dependsOn", ())} <= names)

    def test_containers_are_what_the_image_is_made_for(self):
        dockerfile = (ROOT / "compose/Dockerfile").read_text()
        volumes = set(json.loads(re.search(r"^VOLUME (\[.*\])$", dockerfile, re.M).group(1)))
        for task, container in containers():
            with self.subTest(f"{task} {container['name']}"):
                self.assertTrue(container["readonlyRootFilesystem"])
                self.assertIn(f"USER {container['user']}\n", dockerfile)
                self.assertEqual(["ALL"], container["linuxParameters"]["capabilities"]["drop"])
                # Only the owner that a VOLUME of the image has lets a user other than root write to it.
                self.assertTrue({mount["containerPath"] for mount in container["mountPoints"]} <= volumes)
                self.assertEqual("non-blocking", container["logConfiguration"]["options"]["mode"])  # no log stops the loop
                if container["name"] == "secrets":
                    continue
                self.assertGreater(container["stopTimeout"], PROGRAM_STOPS_SECONDS)
                # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerRestartPolicy.html, read 2026-11-25
                policy = container["restartPolicy"]
                self.assertEqual({"enabled", "ignoredExitCodes", "restartAttemptPeriod"}, set(policy))
                self.assertEqual([64, 78], policy["ignoredExitCodes"])  # as systemd's RestartPreventExitStatus
                self.assertTrue(60 <= policy["restartAttemptPeriod"] <= 1800)

    def test_a_deployment_stops_the_old_before_it_starts_the_new(self):
        # Two living readers of one source are refused.
        deployment = json.loads((AWS / "service.json").read_text())["deploymentConfiguration"]
        self.assertEqual((0, 100), (deployment["minimumHealthyPercent"], deployment["maximumPercent"]))

    def test_secrets_are_named_and_never_written(self):
        policy = json.loads((AWS / "execution-role-policy.json").read_text())
        readable = {arn for statement in policy["Statement"] if statement["Sid"] == "Secrets" for arn in statement["Resource"]}
        for task, container in containers():
            with self.subTest(f"{task} {container['name']}"):
                for secret in container.get("secrets", ()):
                    self.assertRegex(secret["valueFrom"], SECRET_ARN)
                    self.assertTrue(any(secret["valueFrom"].startswith(arn) for arn in readable))
                    self.assertEqual("secrets", container["name"])  # no program has one in its environment
                for name, value in pairs(container["environment"]).items():
                    self.assertNotRegex(name, r"PASSWORD|SECRET|TOKEN|WEBHOOK|HEADERS")
                    self.assertNotRegex(value, r"://[^/@]*:[^/@]+@")

    def test_no_file_of_the_repository_holds_one(self):
        looks_real = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN (\w+ )?PRIVATE KEY-----\n[A-Za-z0-9+/]{40}"
                                r"|hooks\.slack\.com/services/T[0-9A-Z]{8,}/B|discord(app)?\.com/api/webhooks/\d{17,}|\bgh[pousr]_[A-Za-z0-9]{36}\b")
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
        if listed.returncode != 0:
            self.skipTest("this is no git checkout")
        for name in filter(None, listed.stdout.decode().split("\0")):
            path = ROOT / name
            if path.is_file() and (found := looks_real.search(path.read_bytes().decode(errors="replace"))):
                self.fail(f"{name} holds what looks like a secret: {found.group()[:12]}...")


class Task:
    """The containers of one task definition as processes, each in the environment of its definition and nothing else; `changes` are what is
    different on this host: text for text, in values and arguments."""

    def __init__(self, test, definition, changes):
        self.test = test
        self.folder = Path(test.enterContext(tempfile.TemporaryDirectory(prefix="mdpipe-task-")))
        for volume in ("run", "state", "credentials"):
            (self.folder / volume).mkdir(mode=0o700)
        self.folders = [(mount["containerPath"], f"{self.folder}/{mount['sourceVolume']}")
                        for container in definition["containerDefinitions"] for mount in container["mountPoints"]]
        self.changes = [*changes, *self.folders]
        self.containers = {container["name"]: container for container in definition["containerDefinitions"]}
        self.processes = {}

    @staticmethod
    def changed(text, changes):
        for old, new in changes:
            text = text.replace(old, new)
        return text

    def environment(self, container, changes=None):
        # RUNTIME_DIRECTORY and STATE_DIRECTORY are the image's.
        given = {"PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": "/run/mdpipe", "STATE_DIRECTORY": "/var/lib/mdpipe",
                 **pairs(container["environment"])}
        return {name: self.changed(value, changes or self.changes) for name, value in given.items()}

    def command(self, words):
        first, *rest = words
        return [PROGRAMS.get(first) or str(CONTAINER / Path(first).name), *(self.changed(word, self.changes) for word in rest)]

    def write_secrets(self, secret):
        """`secret`: what Secrets Manager has, by key."""
        container = self.containers.get("secrets")
        if container is None:
            return
        given = {entry["name"]: secret[entry["valueFrom"].split(":")[7]] for entry in container["secrets"]}
        done = subprocess.run(self.command(container["command"]), env={**self.environment(container), **given}, capture_output=True, text=True,
                              check=True)
        written = {argument.partition("=")[0]: argument.partition("=")[2] or argument.lower() for argument in container["command"][1:]}
        self.test.assertEqual(set(given), set(written))
        for name, file in written.items():
            path = self.folder / "credentials" / file
            self.test.assertEqual((given[name] + "\n", 0o600), (path.read_text(), path.stat().st_mode & 0o777))
            self.test.assertNotIn(given[name], done.stdout + done.stderr)

    def check_configuration(self):
        """With the addresses of the definition."""
        for container in self.containers.values():
            if container["name"] != "secrets":
                checked = subprocess.run([*self.command(container["command"]), "--check-config"], env=self.environment(container, self.folders),
                                         capture_output=True, text=True, check=False)
                self.test.assertEqual(0, checked.returncode, checked.stdout + checked.stderr)

    def start(self, extra):
        for name, container in self.containers.items():
            if name == "secrets":
                continue
            out = open(self.folder / f"{name}.log", "wb")  # pylint: disable=consider-using-with
            self.test.addCleanup(out.close)
            self.processes[name] = subprocess.Popen(self.command(container["command"]), env={**self.environment(container), **extra}, stdout=out,
                                                    stderr=out, cwd=self.folder)
            self.test.addCleanup(self.end, self.processes[name])

    @staticmethod
    def end(process):
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def is_healthy(self, name):
        container = self.containers[name]
        _, *words = container["healthCheck"]["command"]
        return subprocess.run(self.command(words), env=self.environment(container), timeout=20, check=False).returncode == 0

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for name, process in self.processes.items():
            self.test.assertEqual(0, process.wait(self.containers[name]["stopTimeout"]), name)


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class Tasks(unittest.TestCase):
    def setUp(self):
        self.stack = self.enterContext(Stack())
        self.stack.redis.client.config_set("requirepass", "planted-password")
        self.stack.redis.client.execute_command("AUTH", "planted-password")
        _, self.url = self.stack.simulator("gmo", rate=50)

    def make_keys(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="mdpipe-keys-")))
        keys = {}
        for name in ("md-publisher", "metrics-agent", "reader-gmo"):
            subprocess.run([PROGRAMS["mdpipe-keygen"], f"--name={name}", f"--directory={folder}"], check=True, capture_output=True)
            key = f"curve_{name.replace('-', '_')}"
            keys[f"{key}_secret"] = (folder / f"{name}.key_secret").read_text().rstrip("\n")
            keys[key] = (folder / f"{name}.key").read_text().rstrip("\n")
        return keys

    def run_tasks(self, names):
        """Runs them until data is in Redis, looks at health and logs, hangs the publisher, stops all."""
        redis_url = pairs(next(container for _, container in containers() if container["name"] == "md-publisher")["environment"])["REDIS_URL"]
        http = free_port()
        changes = [(redis_url, self.stack.redis.url), ("metrics-agent.mdpipe.internal", "127.0.0.1"), ("md-publisher.mdpipe.internal", "127.0.0.1"),
                   ("0.0.0.0", "127.0.0.1"), ("9100", str(http)), *((str(port), str(free_port())) for port in (7701, 7702, 7703))]
        # Without these variables in the definition, the defaults for port and address would apply.
        extra = {"METRICS_PORT": str(http), "WS_URL": self.url, "METRICS_INTERVAL_SECONDS": "1"}
        secret = {"redis_password": "planted-password", "alert_webhook_url": "http://127.0.0.1:1/planted-webhook", **self.make_keys()}
        tasks = [Task(self, TASKS[name], changes) for name in names]
        for task in tasks:
            for container in task.containers.values():
                container["environment"] = [*container["environment"], {"name": "METRICS_AGENT", "value": f"127.0.0.1:{http}"}]
            task.write_secrets(secret)
            task.check_configuration()
            task.start(extra)
        wait_for(lambda: self.stack.total() > 0, f"data in Redis; logs: {[task.log(name)[-600:] for task in tasks for name in task.processes]}")
        owner = {name: task for task in tasks for name in task.processes}
        for name, task in owner.items():
            wait_for(lambda task=task, name=name: task.is_healthy(name), f"{name} is healthy")
            self.assertNotIn("planted", task.log(name))
        emf = wait_for(lambda: [line for line in owner["metrics-agent"].log("metrics-agent").splitlines() if '"_aws"' in line], "a line of EMF")
        self.assertIn("CloudWatchMetrics", json.loads(emf[0])["_aws"])

        publisher = owner["md-publisher"].processes["md-publisher"]
        publisher.send_signal(signal.SIGSTOP)
        wait_for(lambda: not owner["md-publisher"].is_healthy("md-publisher"), "a publisher that hangs is not healthy")
        self.assertTrue(owner["ws-reader-gmo"].is_healthy("ws-reader-gmo"))
        publisher.send_signal(signal.SIGCONT)
        wait_for(lambda: owner["md-publisher"].is_healthy("md-publisher"), "the publisher is healthy again")
        for task in tasks:
            task.stop()

    def test_one_task_brings_data_to_redis(self):
        self.run_tasks(["task"])

    def test_three_tasks_bring_data_to_redis(self):
        self.run_tasks(["task-md-publisher", "task-metrics-agent", "task-ws-reader-gmo"])


class HealthCheck(unittest.TestCase):
    def check(self, *arguments):
        return subprocess.run([str(CONTAINER / "healthcheck"), *arguments], check=False, timeout=20,
                              env=dict(os.environ, METRICS_AGENT=f"127.0.0.1:{free_port()}")).returncode

    def test_without_an_agent_only_the_agent_is_ill(self):
        self.assertEqual([1, 0, 0], [self.check("metrics-agent"), self.check("md-publisher"), self.check("ws-reader", "gmo")])


if __name__ == "__main__":
    unittest.main()
