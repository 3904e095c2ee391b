"""The compose folder against the tools that will read it: docker-compose, promtool and amtool of Debian. The dashboard's expressions
must parse and, as the alert rules, name metrics of the catalogue and options that exist. A tool that is missing is a visible skip."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
RULES = COMPOSE / "prometheus/mdpipe.rules.yml"
DASHBOARD = COMPOSE / "grafana/dashboards/mdpipe.json"
PROGRAMS = {Path(path).name: path for path in os.environ["MDPIPE_PROGRAMS"].split(":")}


def run(*command, cwd=COMPOSE, **environment):
    return subprocess.run([str(part) for part in command], cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, **environment))


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not installed")


def catalogue():
    text = (ROOT / "libshared/metrics/catalogue.hpp").read_text()
    return dict(re.findall(r'MetricInfo\{\s*Metric::\w+,\s*"(\w+)",\s*Kind::(\w+)', text))


def expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def metric_names(text):
    return set(re.findall(r"\b((?:collector|process)_\w+)", text))


class Compose(unittest.TestCase):
    @needs("docker-compose")
    def test_docker_compose_accepts_the_file(self):
        for arguments in ([], ["--profile", "sim"]):
            shown = run("docker-compose", *arguments, "config", "-q")
            self.assertEqual((0, ""), (shown.returncode, shown.stdout))

    @needs("docker-compose")
    def test_programs_accept_what_their_containers_give_them(self):
        shown = run("docker-compose", "--profile", "sim", "config", "--services")
        self.assertTrue(set(PROGRAMS) <= set(shown.stdout.split()), shown.stdout)
        text = (COMPOSE / "docker-compose.yml").read_text()
        for command in re.findall(r"^    command: (\[.*\])$", text, re.M):
            program, *arguments = json.loads(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", command))
            if program not in PROGRAMS:
                continue
            with self.subTest(program):
                needed = {"ws-reader": {"EXCHANGE": "gmo", "SYMBOLS": "BTC_JPY,ETH_JPY", "WS_URL": ""},
                          "md-publisher": {"REDIS_URL": "redis://redis:6379"}}.get(program, {})
                checked = run(PROGRAMS[program], *arguments, "--check-config", **needed)
                self.assertEqual(0, checked.returncode, checked.stdout)

    @needs("promtool")
    def test_prometheus_accepts_configuration_and_rules(self):
        for arguments in (["check", "config", "prometheus.yml"], ["check", "rules", "--lint-fatal", RULES.name],
                          ["test", "rules", "mdpipe.rules.test.yml"]):
            shown = run("promtool", *arguments, cwd=RULES.parent)
            self.assertEqual(0, shown.returncode, shown.stdout)

    def test_each_alert_is_seen_firing_by_a_rule_test(self):
        alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
        tests = (RULES.parent / "mdpipe.rules.test.yml").read_text()
        fired = re.findall(r"- alertname: (\w+)\n(?:.*\n)?\s+exp_alerts:\n", tests)
        self.assertEqual(set(alerts), set(fired))

    @needs("amtool")
    def test_alertmanager_accepts_its_configuration(self):
        shown = run("amtool", "check-config", COMPOSE / "alertmanager/alertmanager.yml")
        self.assertEqual(0, shown.returncode, shown.stdout)

    @needs("promtool")
    def test_dashboard_expressions_parse(self):
        rules = [{"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "1m", text)}
                 for number, text in enumerate(expressions())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
            file.flush()
            shown = run("promtool", "check", "rules", "--lint=none", file.name)
            self.assertEqual(0, shown.returncode, shown.stdout)

    def test_rules_and_dashboard_name_metrics_that_exist(self):
        known = catalogue()
        known_series = set(known) | {f"{name}_bucket" for name, kind in known.items() if kind == "Histogram"}
        self.assertEqual(set(), metric_names(RULES.read_text()) - known_series)
        self.assertEqual(set(), metric_names(" ".join(expressions())) - known_series)

    def test_dashboard_uses_the_provisioned_data_source(self):
        uid = re.search(r"uid: (\S+)", (COMPOSE / "grafana/provisioning/datasources/prometheus.yml").read_text()).group(1)
        dashboard = json.loads(DASHBOARD.read_text())
        self.assertEqual({uid}, {target["datasource"]["uid"] for panel in dashboard["panels"] for target in panel["targets"]})
        identifiers = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(identifiers), len(set(identifiers)))


if __name__ == "__main__":
    unittest.main()
