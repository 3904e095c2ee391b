#!/usr/bin/python3
"""Five minutes of the real pipeline for docs/dashboard.svg: three simulated exchanges, a connection that is cut, a Redis that is away
for a while, a symbol that freezes until the end; then the picture of the dashboard.

    MDPIPE_BIN_DIR=build tests/support/dashboard_run.py docs/dashboard.svg
    MDPIPE_BIN_DIR=build tests/support/dashboard_run.py --hold     # draws nothing; Prometheus stays up until Ctrl-C
"""

import math
import os
import signal
import socket
import sys
import time
from pathlib import Path

from mdpipe_stack import Stack
from prometheus_server import PrometheusServer
from grafana import picture
from grafana.prometheus import View

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "compose/grafana/dashboards/mdpipe.json"
MARKETS = {"gmo": ("BTC_JPY,ETH_JPY", 300), "bitflyer": ("BTC_JPY,FX_BTC_JPY", 200), "binance": ("BTCUSDT,ETHUSDT", 500)}
SCRAPE_INTERVAL_S = 5
TICK_S = 5
SPAN_S = 300


class Market:
    """Simulated exchanges whose traffic comes and goes, and a reader for each."""

    def __init__(self, stack):
        self.stack = stack
        self.controls = {}
        for exchange, (symbols, rate) in MARKETS.items():
            self.controls[exchange] = os.path.join(stack.folder, f"{exchange}.ctl")
            _, url = stack.simulator(exchange, symbols=symbols, rate=rate, control=self.controls[exchange])
            rest = {"rest_url": url.replace("ws://", "http://").replace("/stream", "")} if exchange == "binance" else {}
            stack.reader(exchange, symbols=symbols, url=url, stale_after="ticker=10s,trade=10s,orderbook=10s", **rest)

    def tell(self, exchange, command):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(self.controls[exchange])
            control.sendall(f"{command}\n".encode())
            control.recv(4096)

    def move(self, second):
        for number, (exchange, (_, rate)) in enumerate(MARKETS.items()):
            wave = 1 + 0.35 * math.sin(second / (17 + 9 * number)) + 0.15 * math.sin(second / 7 + number)
            self.tell(exchange, f"rate {rate * wave:.0f}")


def play(stack, market, seconds):
    redis = stack.redis
    story = {60: lambda: market.tell("bitflyer", "drop"), 120: redis.kill, 145: redis.start,
             225: lambda: market.tell("gmo", "silence-symbol ETH_JPY on")}
    begin = time.monotonic()
    for second in range(0, seconds, TICK_S):
        time.sleep(max(0, begin + second - time.monotonic()))  # not a condition to wait for: this span is drawn
        market.move(second)
        story.get(second, lambda: None)()


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 64
    with Stack(persistent_redis=True) as stack:
        stack.agent()
        prometheus = PrometheusServer(stack.folder, stack.metrics_port, SCRAPE_INTERVAL_S, ROOT / "compose/prometheus/mdpipe.rules.yml")
        try:
            stack.publisher()
            market = Market(stack)
            time.sleep(6 * SCRAPE_INTERVAL_S)  # the curves begin with full intervals
            play(stack, market, SPAN_S)
            view = View(time.time() - SPAN_S, time.time(), SCRAPE_INTERVAL_S)
            if arguments == ["--hold"]:
                print(f"{prometheus.url} --from={view.start:.0f} --to={view.end:.0f}", flush=True)
                signal.sigwait({signal.SIGINT, signal.SIGTERM})
            else:
                Path(arguments[0]).write_text(picture.draw(DASHBOARD, prometheus.api, view), encoding="utf-8")
        finally:
            prometheus.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
