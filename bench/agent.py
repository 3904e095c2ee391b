"""metrics-agent beside steady traffic: its share of a core with a scrape every 15 seconds, and how long a page takes."""

import contextlib
import gzip
import http.server
import socket
import statistics
import threading
import time

from contenders import Mdpipe
from measure import PROMETHEUS, WARM_UP_SECONDS, Work, World

SCRAPE_SECONDS = 15.0  # the usual scrape_interval
PAGES = 20
FORMS = {"OpenMetrics, gzip": PROMETHEUS, "OpenMetrics": {**PROMETHEUS, "Accept-Encoding": "identity"},
         "text, gzip": {"Accept-Encoding": "gzip"}, "text": {}}


class OtlpSink(http.server.BaseHTTPRequestHandler):
    """Accepts every request. Tests of the agent check the contents."""

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@contextlib.contextmanager
def receivers():
    """Receivers for all destinations except /metrics and the window log, and the options that enable them."""
    otlp = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OtlpSink)
    statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    statsd.bind(("127.0.0.1", 0))
    statsd.settimeout(0.2)
    ended = threading.Event()

    def drain():
        while not ended.is_set():
            with contextlib.suppress(socket.timeout):
                statsd.recv(65536)

    threads = [threading.Thread(target=otlp.serve_forever, daemon=True), threading.Thread(target=drain, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        yield (f"--otlp-endpoint=http://127.0.0.1:{otlp.server_address[1]}", "--statsd-format=dogstatsd", "--emf",
               f"--statsd-address=udp://127.0.0.1:{statsd.getsockname()[1]}")
    finally:
        otlp.shutdown()
        ended.set()
        for thread in threads:
            thread.join()
        otlp.server_close()
        statsd.close()


def sample_count(page):
    return sum(1 for line in page.splitlines() if not line.startswith(b"#"))


def time_pages(world, pages):
    """{form: {"ms": [...], "bytes": sent, "series": samples on the page}}, one form after the other"""
    out = {form: {"ms": []} for form in FORMS}
    for _ in range(pages):
        for form, headers in FORMS.items():
            page, took = world.scrape(headers)
            out[form]["ms"].append(took)
            out[form]["bytes"] = len(page)
            out[form]["series"] = sample_count(gzip.decompress(page) if "gzip" in form else page)
    return out


def share_of_a_core(world, seconds):
    """The figures of metrics-agent over whole scrape intervals, with one scrape in each."""
    before, began = world.cpu()["metrics-agent"], time.monotonic()
    while time.monotonic() - began < seconds:
        world.scrape()
        time.sleep(min(SCRAPE_SECONDS, seconds))
        world.check()
    return (world.cpu()["metrics-agent"] - before) / (time.monotonic() - began)


def run_agent(build, seconds, pages=PAGES, symbols=1000, rate=5000, all_destinations=True):
    with contextlib.ExitStack() as stack:
        flags = stack.enter_context(receivers()) if all_destinations else ()
        work = Work(seconds=seconds + 600, rate=rate, symbols=symbols, watch=False, agent_flags=flags)
        world = stack.enter_context(World(Mdpipe(build), work, build))
        world.go()
        time.sleep(2 * WARM_UP_SECONDS)
        share = share_of_a_core(world, seconds) if seconds else None
        memory = world.memory()["metrics-agent"]["VmHWM"]
        return {"symbols": symbols, "seconds": seconds, "cpu_share": share, "memory_max": memory, "pages": time_pages(world, pages)}


def describe_agent(figures):
    lines = [f"metrics-agent {figures['symbols']:,} symbols"]
    if figures["cpu_share"] is not None:
        lines[0] += f"  {100 * figures['cpu_share']:.2f} % of a core  at most {figures['memory_max'] / (1 << 20):.1f} MiB"
    for form, page in figures["pages"].items():
        lines.append(f"  {form:18} {page['series']:7,} series {page['bytes']:10,} bytes  median {statistics.median(page['ms']):6.1f}"
                     f"  largest {max(page['ms']):6.1f} ms")
    return "\n".join(lines)
