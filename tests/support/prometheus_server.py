"""A real Prometheus that scrapes metrics-agent, for as long as a test needs it."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from mdpipe_stack import free_port, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from grafana.prometheus import Prometheus  # noqa: E402

START_S = 60
ATTEMPTS = 5  # at a free port that another process may take first


class PrometheusServer:
    def __init__(self, folder, target_port, scrape_interval_s=1, rules=None):
        self.folder = folder
        self.config = os.path.join(folder, "prometheus.yml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""global: {{scrape_interval: {scrape_interval_s}s, evaluation_interval: {scrape_interval_s}s}}
rule_files: [{f"'{rules}'" if rules else ""}]
scrape_configs:
- job_name: mdpipe
  static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]
""")
        for _ in range(ATTEMPTS):
            if self._start():
                return
        raise AssertionError(f"prometheus ended: {self._log()[-2000:]}")

    def _start(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.api = Prometheus(self.url)
        with open(os.path.join(self.folder, "prometheus.log"), "ab") as log:
            self.process = subprocess.Popen(["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.folder}/prometheus",
                                             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        wait_for(lambda: self.process.poll() is not None or self._ready(), "Prometheus is ready", START_S)
        return self.process.poll() is None

    def _log(self):
        with open(os.path.join(self.folder, "prometheus.log"), encoding="utf-8") as log:
            return log.read()

    def _ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
