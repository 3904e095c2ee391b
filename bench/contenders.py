"""What is measured: mdpipe, the Node collector and the limit program, each started against a feed and a Redis."""

import os
import shutil

from processes import Process, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


def read_port(path):
    """The port in the file; 0 until the program has written all of it."""
    if not os.path.exists(path):
        return 0
    with open(path, encoding="ascii") as file:
        text = file.read()
    return int(text) if text.endswith("\n") else 0


class Contender:
    """The processes by name; the cost of collecting is the sum over all of them."""
    name = ""

    def __init__(self, build):
        self.build = build
        self.processes = []
        self.metrics_port = 0

    def start(self, work, folder, feed_port, redis_port):
        raise NotImplementedError

    def _run(self, name, command, folder, **options):
        self.processes.append(Process(name, command, folder, **options))

    def stop(self):
        for process in self.processes:
            process.stop()


class Mdpipe(Contender):
    name = "mdpipe"

    def start(self, work, folder, feed_port, redis_port):
        def run(program, *flags):
            self._run(program, [os.path.join(self.build, program, program), f"--runtime-dir={folder}",
                                f"--enable-metrics={'true' if work.metrics else 'false'}", *flags], folder)

        port_file = os.path.join(folder, "metrics-port")
        run("metrics-agent", f"--state-dir={folder}", "--metrics-port=0", f"--port-file={port_file}", *work.agent_flags)
        run("md-publisher", f"--redis-url=redis://127.0.0.1:{redis_port}",
            f"--maxlen={work.maxlen},orderbook={work.maxlen_books}")
        self.metrics_port = wait_for(lambda: read_port(port_file), "metrics-agent listens")
        run("ws-reader", "--exchange=gmo", f"--symbols={','.join(work.symbol_names())}", f"--url=ws://127.0.0.1:{feed_port}/",
            *work.reader_flags)
        self.processes.reverse()  # stop them in the order of the data


def baseline_from(folder):
    """mdpipe as it was built in another folder; measured in turn with this build, it shows what a change costs."""
    class Baseline(Mdpipe):
        name = "baseline"

        def __init__(self, _build):
            super().__init__(folder)
    return Baseline


class NodeCollector(Contender):
    name = "node"

    @staticmethod
    def is_there():
        return shutil.which("node") and os.path.isdir(os.path.join(HERE, "node", "node_modules", "ws"))

    def start(self, work, folder, feed_port, redis_port):
        self._run("node", ["node", os.path.join(HERE, "node", "collector.js")], folder, environment={
            "WS_URL": f"ws://127.0.0.1:{feed_port}/", "REDIS_URL": f"redis://127.0.0.1:{redis_port}",
            "SYMBOLS": ",".join(work.symbol_names()), "MAXLEN": str(work.maxlen), "MAXLEN_BOOKS": str(work.maxlen_books),
            "ENABLE_METRICS": "true" if work.metrics else "false", "NODE_ENV": "production"})

        def port():
            for line in self.processes[0].output().splitlines():
                if '"metrics_port":' in line:
                    return int(line.split('"metrics_port":')[1].split(",")[0])
            return 0
        self.metrics_port = wait_for(port, "the Node collector listens")


class Limit(Contender):
    name = "limit"

    def start(self, work, folder, feed_port, redis_port):
        self._run("limit", [os.path.join(self.build, "bench", "bench-limit"), str(feed_port), str(redis_port),
                            str(work.depth_of_books()), str(work.maxlen), str(work.maxlen_books)], folder)
