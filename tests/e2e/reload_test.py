#!/usr/bin/python3
"""SIGHUP through the whole pipeline: symbols and channels are added and removed on the open connection while the others' events continue,
complete and in order; limits and the log level change; a wrong configuration changes nothing."""

import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, check_sequence, wait_for  # noqa: E402

READ_AGAIN = "configuration read again"
REFUSED = "the new configuration is refused; the old one stays"
KEPT = "options that cannot change while the program runs keep their values until it is restarted"


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)

    def write(self, name, **options):
        path = os.path.join(self.stack.folder, f"{name}.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
        return path

    def reload(self, program, msg=READ_AGAIN, **options):
        """Rewrites the program's file, sends SIGHUP and returns what the program logs about it."""
        known = len(program.logs(msg))
        if program.name == "ws-reader":
            options = {"exchange": self.exchange, **options}
        self.write(program.name, **options)
        program.process.send_signal(signal.SIGHUP)
        return program.wait_log(msg, count=known + 1)[-1]

    def start(self, exchange, symbols, **simulator_options):
        self.exchange = exchange
        self.publisher = self.stack.publisher(config=self.write("md-publisher"))
        self.agent = self.stack.agent(config=self.write("metrics-agent"))
        self.sent = os.path.join(self.stack.folder, "sent.log")
        self.simulator, self.url = self.stack.simulator(exchange, symbols=symbols, seed=3, log_sent=self.sent,
                                                        log_level="debug", **simulator_options)

    def read(self, **options):
        config = self.write("ws-reader", exchange=self.exchange, **options)
        self.reader = self.stack.program("ws-reader", runtime_dir=self.stack.folder, url=self.url, config=config)
        self.reader.wait_log("subscribed")

    def of(self, kind, symbol):
        return [entry for entry in self.stack.entries(f"md:{kind}") if entry["symbol"] == symbol]

    def more_of(self, kind, symbol, count=50):
        before = len(self.of(kind, symbol))
        wait_for(lambda: len(self.of(kind, symbol)) >= before + count, f"{count} more {kind} of {symbol}")

    def ended(self, channel, symbol):
        return wait_for(lambda: [event for event in self.stack.feed_events(channel, symbol) if event["state"] == "ended"],
                        f"{channel} of {symbol} ends")[-1]

    def requests(self, command):
        return [json.loads(line["text"]) for line in self.simulator.logs("request") if f'"{command}"' in line["text"]]

    def sent_trades(self, symbol):
        with open(self.sent, encoding="utf-8") as file:
            frames = [json.loads(line.rstrip("\n").split("\t", 2)[2]) for line in file]
        return [(frame["price"], frame["size"]) for frame in frames
                if frame.get("channel") == "trades" and frame["symbol"] == symbol]

    def test_symbols_come_and_go_under_load_and_no_event_of_the_others_is_missing(self):
        self.start("gmo", "BTC_JPY,ETH_JPY,XRP_JPY", rate=500, requests_per_second=1)
        self.read(symbols=["BTC_JPY", "ETH_JPY"], channels=["trade"])
        self.more_of("trade", "ETH_JPY")

        told = self.reload(self.reader, symbols=["BTC_JPY", "XRP_JPY"], channels=["trade"], retain_bytes="32MiB", log_level="debug")
        self.assertIn("symbols: BTC_JPY,ETH_JPY -> BTC_JPY,XRP_JPY", told["changed"])
        self.assertIn("log-level: info -> debug", told["changed"])
        self.assertEqual("retain-bytes", self.reader.wait_log(KEPT)[-1]["options"])
        last = self.ended("trade", "ETH_JPY")
        self.reader.wait_log("subscribed", count=2)
        self.more_of("trade", "XRP_JPY")
        self.more_of("trade", "BTC_JPY")
        self.assertEqual([["ETH_JPY"]], [[request["symbol"]] for request in self.requests("unsubscribe")])

        # After its end, the removed symbol has no more events, and only its counters are still shown.
        self.assertEqual([], [entry for entry in self.of("trade", "ETH_JPY") if int(entry["seq"]) > int(last["seq"])])
        received = 'collector_messages_received_total{exchange="gmo",channel="trade",symbol="ETH_JPY"}'
        wait_for(lambda: not [name for name in self.stack.samples() if name.startswith(("collector_feed_state", "collector_last_message"))
                              and "ETH_JPY" in name], "gauges of the removed symbol go")
        wait_for(lambda: self.stack.samples()[received] == len(self.of("trade", "ETH_JPY")), "its events are counted")
        wait_for(lambda: self.stack.http("/healthz") == (200, "ok\n"), "healthy")
        self.assertEqual("ended", json.loads(self.stack.redis.client.hget("md:state", "gmo:trade:ETH_JPY"))["state"])

        # And back again: it begins with a gap that says why.
        gaps = len([event for event in self.stack.feed_events("trade", "ETH_JPY") if event["state"] == "gap"])
        self.reload(self.reader, symbols=["BTC_JPY", "XRP_JPY", "ETH_JPY"], channels=["trade"])
        self.reader.wait_log("subscribed", count=3)
        self.more_of("trade", "ETH_JPY")
        states = [(event["state"], event["reason"]) for event in self.stack.feed_events("trade", "ETH_JPY")]
        self.assertIn(("gap", "collected from here on"), states)
        self.assertEqual(gaps + 1, len([state for state, _ in states if state == "gap"]))
        self.assertEqual("live", states[-1][0])

        self.simulator.stop()  # its log is complete then
        sent = self.sent_trades("BTC_JPY")
        wait_for(lambda: len(self.of("trade", "BTC_JPY")) >= len(sent), "all of the symbol that stayed")
        self.assertEqual(sent, [(entry["price"], entry["size"]) for entry in self.of("trade", "BTC_JPY")])
        sent = self.sent_trades("XRP_JPY")
        wait_for(lambda: len(self.of("trade", "XRP_JPY")) >= len(sent), "all of the symbol that came")
        self.assertEqual(sent, [(entry["price"], entry["size"]) for entry in self.of("trade", "XRP_JPY")])
        check_sequence(self.stack.all_entries(), self)
        # Paced, requests are a second apart; a host that stands still for a moment may bring two of them together.
        times = [line["time"] for line in self.simulator.logs("request")]
        together = [later - earlier for earlier, later in zip(times, times[1:]) if later - earlier < 300]
        self.assertLess(len(together), 2, f"requests as they came, ms: {times}")
        self.assertEqual([], self.reader.logs("skipped event: symbol not in --symbols"))
        self.assertEqual(1, len(self.reader.logs("connected")), "no reconnect")

    def test_the_book_of_a_new_symbol_begins_with_a_snapshot(self):
        self.start("binance", "BTCUSDT,ETHUSDT", rate=200)
        self.read(symbols=["BTCUSDT"], channels=["ticker", "orderbook"])
        self.more_of("orderbook", "BTCUSDT", 10)
        self.reload(self.reader, symbols=["BTCUSDT", "ETHUSDT"], channels=["orderbook"])
        self.more_of("orderbook", "ETHUSDT", 10)
        self.assertEqual("snapshot", self.of("orderbook", "ETHUSDT")[0]["kind"])
        last = self.ended("ticker", "BTCUSDT")
        self.assertEqual([], [entry for entry in self.of("ticker", "BTCUSDT") if int(entry["seq"]) > int(last["seq"])])

        self.reload(self.reader, symbols=["ETHUSDT"], channels=["orderbook"])
        last = self.ended("orderbook", "BTCUSDT")
        self.reload(self.reader, symbols=["BTCUSDT", "ETHUSDT"], channels=["orderbook"])
        self.more_of("orderbook", "BTCUSDT", 10)
        again = [entry["kind"] for entry in self.of("orderbook", "BTCUSDT") if int(entry["seq"]) > int(last["seq"])]
        self.assertEqual("snapshot", again[0])
        self.assertEqual(["snapshot"], [entry["kind"] for entry in self.of("orderbook", "ETHUSDT")][:1])
        self.assertEqual(1, len(self.reader.logs("connected")), "no reconnect")
        check_sequence(self.stack.all_entries(), self)

    def test_a_wrong_configuration_changes_nothing_and_is_named_in_one_line(self):
        self.start("gmo", "BTC_JPY", rate=100)
        symbols = {"symbols": ["BTC_JPY"], "channels": ["ticker"]}
        self.read(**symbols)
        for wrong, said in (({"symbols": []}, "--symbols is empty"), ({"channels": ["candles"]}, "ws-reader.toml:3"),
                            ({"symbol": ["BTC_JPY"]}, "unknown key 'symbol'"),
                            ({"exchange": "bitflyer"}, "--exchange 'bitflyer': this reader is gmo's")):
            self.assertIn(said, self.reload(self.reader, REFUSED, **{**symbols, **wrong})["why"])
        self.assertEqual("nothing", self.reload(self.reader, **symbols)["changed"])
        self.more_of("ticker", "BTC_JPY", 10)
        self.assertIn("stale-after:  -> ticker=5s", self.reload(self.reader, stale_after=["ticker=5s"], **symbols)["changed"])
        self.assertEqual([], self.reader.logs("subscriptions change"))

        self.assertIn("alert-off", self.reload(self.agent, alert_off=["MdpipeBacklog"], log_level="debug")["changed"])
        self.assertIn("MdpipeNonsense", self.reload(self.agent, REFUSED, alert_off=["MdpipeNonsense"])["why"])
        self.simulator.stop()
        self.reload(self.agent, alert_for=["MdpipeExchangeDown=0s"])  # and not a minute
        wait_for(lambda: any(value == 1 and "MdpipeExchangeDown" in name for name, value in self.stack.samples().items()),
                 "the alert by its new rule")
        told = self.reload(self.publisher, log_level="debug", maxlen="5")
        self.assertEqual("log-level: info -> debug", told["changed"])
        self.assertEqual("maxlen", self.publisher.wait_log(KEPT)[-1]["options"])


if __name__ == "__main__":
    unittest.main()
