#!/usr/bin/python3
"""ws-reader as a process: a WebSocket server that misbehaves at one end, metrics and events at the other.
MDPIPE_BIN_DIR names the build folder."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from link_imitation import MetricsListener  # noqa: E402
from mdpipe_stack import Stack, binary, wait_for  # noqa: E402
from ws_server import BINARY, Certificates, Server, TEXT  # noqa: E402

TRADE = ('{"channel":"trades","price":"750760","side":"BUY","size":"0.1","symbol":"BTC_JPY",'
         '"timestamp":"2018-03-30T12:34:56.789Z"}')
FRAME_MAX = 4096


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.folder = self.stack.folder
        self.listener = MetricsListener(self.folder)
        self.addCleanup(self.listener.close)

    def server(self, certificate=None):
        server = Server(certificate)
        self.addCleanup(server.close)
        return server

    def reader(self, server, exchange="gmo", **options):
        return self.stack.reader(exchange, **{"symbols": "BTC_JPY", "channels": "trade", "url": server.url,
                                           "frame_bytes_max": FRAME_MAX, "reconnect_delay_max": "50ms",
                                           "reconnect_delay_min": "10ms", **options})

    def connection(self, server, number=0):
        return wait_for(lambda: len(server.connections) > number and server.connections[number], "a connection")

    def errors(self, error_type):
        return self.listener.value("collector_errors_total", "ws-reader", error_type) or 0

    def received(self):
        return self.listener.value("collector_messages_received_total", "gmo", "trade", "BTC_JPY") or 0

    def wait_received(self, count):
        wait_for(lambda: self.received() == count, f"{count} events counted")


class Connecting(ReaderTest):
    def test_subscribes_and_takes_events_over_a_plain_connection(self):
        server = self.server()
        reader = self.reader(server)
        connection = self.connection(server)
        wait_for(lambda: connection.received, "the subscription")
        self.assertEqual(json.loads(connection.received[0]),
                         {"command": "subscribe", "channel": "trades", "symbol": "BTC_JPY", "option": "TAKER_ONLY"})
        connection.text(TRADE)
        self.wait_received(1)
        self.assertEqual(self.listener.value("collector_connection_up", "gmo"), 1)
        reader.wait_log("subscribed")

    def test_subscribes_again_after_a_reconnect(self):
        server = self.server()
        reader = self.reader(server)
        for number in range(3):
            connection = self.connection(server, number)
            wait_for(lambda c=connection: c.received, "the subscription", 15)  # paced over reconnects
            connection.text(TRADE)
            self.wait_received(number + 1)
            connection.cut()
        reader.wait_log("connection lost", 3)
        wait_for(lambda: self.listener.value("collector_reconnects_total", "gmo") >= 2, "reconnects counted")

    def test_the_close_code_and_reason_are_logged(self):
        server = self.server()
        reader = self.reader(server)
        self.connection(server).close(1012, "service restart")
        lost = reader.wait_log("connection lost")[0]
        self.assertEqual((lost["code"], lost["reason"]), (1012, "service restart"))

    def test_waits_as_long_as_the_server_asks(self):
        server = self.server()
        server.refuse.append("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n")
        reader = self.reader(server)
        failed = reader.wait_log("connection failed")[0]
        self.assertEqual(failed["reason"], "the server answered HTTP 503")
        self.assertGreaterEqual(failed["retry_ms"], 2000)
        self.connection(server)
        wait_for(lambda: self.errors("connection_error") == 1, "the error counted")

    def test_gives_up_a_server_that_never_answers(self):
        server = self.server()
        server.upgrade = False
        reader = self.reader(server, connect_timeout="300ms")
        failed = reader.wait_log("connection failed")[0]
        self.assertIn("--connect-timeout 300 ms", failed["reason"])

    def test_no_retry_ends_with_69(self):
        server = self.server()
        server.refuse.append("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        reader = self.reader(server, no_retry="true")
        self.assertEqual(reader.wait(20), 69)
        self.assertEqual(reader.logs("the exchange cannot be reached")[0]["reason"], "the server answered HTTP 404")

    def test_answers_pings(self):
        server = self.server()
        self.reader(server)
        connection = self.connection(server)
        connection.ping()
        wait_for(lambda: connection.pongs == 1, "the pong")

    def test_a_peer_that_answers_no_ping_is_left(self):
        for interval in ("300ms", "100ms"):  # also with pings closer than the timeout
            with self.subTest(interval):
                server = self.server()
                reader = self.reader(server, ping_interval=interval, pong_timeout="500ms", source=f"s{interval}")
                connection = self.connection(server)
                connection.answer_pings = False
                lost = reader.wait_log("connection lost")[0]
                self.assertIn("no pong within --pong-timeout 500 ms", lost["reason"])

    def test_pongs_keep_a_quiet_connection(self):
        server = self.server()
        reader = self.reader(server, ping_interval="100ms", pong_timeout="1s")
        connection = self.connection(server)
        wait_for(lambda: connection.pings >= 15, "pings for longer than the timeout")
        self.assertFalse(reader.logs("connection lost"))


class Frames(ReaderTest):
    """Each bad frame is counted, the connection goes on and the next good frame arrives."""

    def setUp(self):
        super().setUp()
        self.web = self.server()
        self.program = self.reader(self.web)
        self.peer = self.connection(self.web)

    def good_after(self, error_type, count=1):
        self.peer.text(TRADE)
        self.wait_received(1)
        wait_for(lambda: self.errors(error_type) == count, f"{count} {error_type}")
        self.assertEqual(len(self.web.connections), 1)
        self.assertFalse(self.program.logs("connection lost"))

    def test_deflate_is_offered_and_read(self):
        self.assertTrue(self.peer.deflate)
        for _ in range(3):
            self.peer.text_deflated(TRADE.encode())
        self.wait_received(3)

    def test_fragmented(self):
        self.peer.frame(TEXT, TRADE[:30].encode(), fin=False)
        self.peer.ping()
        self.peer.frame(0, TRADE[30:].encode())
        self.wait_received(1)

    def test_not_json(self):
        self.peer.text("{]")
        self.peer.text("")
        self.good_after("parse_error", 2)

    def test_unknown_channel(self):
        self.peer.text('{"channel":"candles","symbol":"BTC_JPY"}')
        self.good_after("unknown_channel")

    def test_unknown_symbol(self):
        self.peer.text(TRADE.replace("BTC_JPY", "XRP_JPY"))
        self.good_after("unknown_symbol")

    def test_oversized(self):
        self.peer.text("x" * (FRAME_MAX + 1))
        self.good_after("frame_too_large")

    def test_as_large_as_allowed(self):
        self.peer.text(TRADE.ljust(FRAME_MAX))
        self.wait_received(1)

    def test_binary(self):
        self.peer.frame(BINARY, TRADE.encode())
        self.good_after("binary_frame")

    def test_invalid_utf8(self):
        self.peer.text(TRADE.encode().replace(b"BUY", b"B\xffY"))
        self.good_after("parse_error")

    def test_deflate_bomb(self):
        self.peer.text_deflated(b"x" * (8 * FRAME_MAX))
        self.good_after("frame_too_large")

    def test_huge_bomb_ends_the_connection_and_not_the_program(self):
        before = self.resident()
        self.peer.text_deflated(b"\0" * (200 << 20))
        again = self.connection(self.web, 1)
        again.text(TRADE)
        self.wait_received(1)
        self.assertLess(self.resident() - before, 20 << 20)

    def resident(self):
        with open(f"/proc/{self.program.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


class Tls(ReaderTest):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory(prefix="mdpipe-tls-")
        cls.certificates = Certificates(cls.keys.name)
        cls.good = cls.certificates.make("good", "DNS:localhost,IP:127.0.0.1")
        cls.wrong_host = cls.certificates.make("wrong", "DNS:other.example")
        cls.expired = cls.certificates.make("expired", "DNS:localhost", expired=True)

    @classmethod
    def tearDownClass(cls):
        cls.keys.cleanup()

    def refused(self, certificate, **options):
        server = self.server(certificate)
        reader = self.reader(server, **options)
        failed = reader.wait_log("connection failed")[0]
        self.assertEqual(server.connections, [])
        wait_for(lambda: self.errors("connection_error") >= 1, "the error counted")
        return failed["reason"]

    def test_the_right_name_from_the_right_authority(self):
        server = self.server(self.good)
        self.reader(server, ca_file=self.certificates.ca)
        connection = self.connection(server)
        connection.text(TRADE)
        self.wait_received(1)
        self.assertEqual(server.server_names, ["localhost"])

    def test_an_address_the_certificate_names(self):
        server = self.server(self.good)
        self.reader(server, ca_file=self.certificates.ca, url=f"wss://127.0.0.1:{server.port}/ws")
        self.connection(server)

    def test_another_name(self):
        reason = self.refused(self.wrong_host, ca_file=self.certificates.ca)
        self.assertIn("not trusted for localhost", reason)
        self.assertIn("ostname mismatch", reason)

    def test_an_unknown_authority(self):
        self.assertIn("unable to get local issuer certificate", self.refused(self.good))

    def test_an_expired_certificate(self):
        self.assertIn("expired", self.refused(self.expired, ca_file=self.certificates.ca))

    def test_a_server_without_tls(self):
        server = self.server()
        reader = self.reader(server, url=server.url.replace("ws:", "wss:"), ca_file=self.certificates.ca)
        reader.wait_log("connection failed")

    def test_a_ca_file_that_is_none(self):
        for path in ("/nonexistent", "/dev/null"):
            reader = self.reader(self.server(), url="wss://localhost:1/", ca_file=path)
            self.assertEqual(reader.wait(20), 78)
            self.assertIn(f"--ca-file '{path}'", reader.errors[0])


class Running(ReaderTest):
    def test_sigterm_ends_in_time_with_0(self):
        server = self.server()
        self.stack.publisher()
        reader = self.reader(server)
        connection = self.connection(server)
        started = time.monotonic()
        self.assertEqual(reader.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        self.assertTrue(connection.closed.wait(5))
        self.assertTrue(reader.logs("stopped"))

    def test_sigterm_with_events_nobody_took_keeps_them_for_the_next_start(self):
        server = self.server()
        reader = self.reader(server)
        self.connection(server).text(TRADE)
        self.wait_received(1)
        started = time.monotonic()
        self.assertEqual(reader.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        feed_changes = 4  # pending, gap, live, down
        stopped = reader.logs("stopped; unconfirmed events are kept in the spool for the next start")[0]
        self.assertEqual((stopped["unconfirmed"], stopped["lost"]), (1 + feed_changes, 0))
        again = self.reader(server)
        self.assertEqual(again.wait_log("the spool holds events of the previous run; they are sent first")[0]["events"], 1 + feed_changes)

    def test_sigterm_without_a_spool_says_what_is_lost(self):
        feed_changes = 4  # pending, gap, live, down
        server = self.server()
        reader = self.reader(server, spool="off")
        self.connection(server).text(TRADE)
        self.wait_received(1)
        started = time.monotonic()
        self.assertEqual(reader.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(reader.logs("stopped; unconfirmed events are lost")[0]["unconfirmed"], 1 + feed_changes)

    def test_a_second_sigterm_ends_at_once(self):
        server = self.server()
        reader = self.reader(server)
        self.connection(server).text(TRADE)
        self.wait_received(1)
        reader.process.send_signal(signal.SIGTERM)
        reader.wait_log("stopping")
        reader.process.send_signal(signal.SIGTERM)
        self.assertEqual(reader.wait(2), 0)

    def test_sigterm_while_nothing_is_connected(self):
        server = self.server()
        server.upgrade = False
        reader = self.reader(server)
        reader.wait_log("connecting")
        self.assertEqual(reader.stop(5), 0)

    def test_a_second_reader_of_the_same_source_is_refused(self):
        server = self.server()
        first = self.reader(server)
        self.connection(server)
        second = self.reader(server)
        self.assertEqual(second.wait(20), 69)
        self.assertIn(f"pid {first.process.pid}", second.errors[0])
        other = self.reader(server, source="gmo-2")
        self.connection(server, 1)
        self.assertTrue(first.running() and other.running())

    def test_a_folder_that_cannot_be_used_is_one_sentence(self):
        reader = self.reader(self.server(), runtime_dir="/proc/nope")
        self.assertEqual(reader.wait(20), 78)
        self.assertEqual(len(reader.errors), 1)
        self.assertIn("/proc/nope", reader.errors[0])

    def test_requests_keep_their_distance_over_a_restart(self):
        """GMO allows one request a second for each address: a reader that restarts waits for its turn too."""
        server = self.server()
        first = self.reader(server)
        wait_for(lambda: self.connection(server).received, "the first request")
        sent = time.monotonic()
        first.kill()
        self.reader(server)
        connection = self.connection(server, 1)
        wait_for(lambda: connection.received, "the second request")
        self.assertGreaterEqual(time.monotonic() - sent, 0.9)

    def test_every_event_reaches_redis_once_through_a_publisher(self):
        server = self.server()
        self.stack.publisher()
        self.reader(server)
        connection = self.connection(server)
        for number in range(500):
            connection.text(TRADE.replace("750760", str(number)))
        wait_for(lambda: self.stack.total() == 500, "500 entries")
        self.assertEqual([entry["price"] for entry in self.stack.entries("md:trade")], [str(n) for n in range(500)])

    def config(self, text):
        path = os.path.join(self.folder, "reader.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_a_file_on_standard_input_is_delivered_whole_through_restarts(self):
        """The memory bound is far below the file, so reading has to wait for Redis; then the program ends by itself."""
        frames = 30_000
        with tempfile.TemporaryFile() as file:
            file.write((TRADE + "\n").encode() * frames)
            file.seek(0)
            reader = self.stack.reader("gmo", stdin=file, retain_bytes=1 << 20,
                                       config=self.config("stdin = true"))
        for _ in range(3):
            publisher = self.stack.publisher(maxlen=0)
            before = self.stack.total()
            wait_for(lambda b=before: self.stack.total() > b or not reader.running(), "progress")
            publisher.kill()
        self.stack.publisher(maxlen=0)
        self.assertEqual(reader.wait(30), 0)
        self.assertEqual([int(e["seq"]) for e in self.stack.entries("md:trade")], list(range(1, frames + 1)))


class Feeds(ReaderTest):
    """bitFlyer, which answers each request."""

    @staticmethod
    def ticker(symbol):
        return json.dumps({"jsonrpc": "2.0", "method": "channelMessage", "params": {
            "channel": f"lightning_ticker_{symbol}", "message": {"best_bid": 1, "best_ask": 2, "ltp": 1}}})

    def test_a_refused_unsubscription_disturbs_nothing(self):
        server = self.server()
        reader = self.reader(server, exchange="bitflyer", symbols="BTC_JPY,ETH_JPY", channels="ticker", stale_after="ticker=3s")
        connection = self.connection(server)
        wait_for(lambda: len(connection.received) == 2, "the subscriptions")
        for request in list(connection.received):
            connection.text(json.dumps({"jsonrpc": "2.0", "id": json.loads(request)["id"], "result": True}))
        reader.wait_log("subscribed")

        def resubscription():
            connection.text(self.ticker("BTC_JPY"))  # its sibling has data
            return len(connection.received) == 4 and [json.loads(request) for request in connection.received[2:]]
        ends, begins = wait_for(resubscription, "the silent one is subscribed again")
        self.assertEqual([ends["method"], begins["method"]], ["unsubscribe", "subscribe"])
        self.assertEqual({call["params"]["channel"] for call in (ends, begins)}, {"lightning_ticker_ETH_JPY"})
        connection.text(json.dumps({"jsonrpc": "2.0", "id": ends["id"], "error": {"code": -32000, "message": "no"}}))
        connection.text(json.dumps({"jsonrpc": "2.0", "id": begins["id"], "result": True}))
        connection.text(self.ticker("ETH_JPY"))
        wait_for(lambda: self.listener.value("collector_messages_received_total", "bitflyer", "ticker", "ETH_JPY") == 1, "its data")
        wait_for(lambda: self.listener.value("collector_feed_state", "bitflyer", "ticker", "ETH_JPY") == 1, "live")
        self.assertEqual(self.listener.value("collector_resubscribes_total", "bitflyer", "ticker"), 1)
        self.assertEqual((len(server.connections), reader.logs("connection lost")), (1, []))


class Filter(unittest.TestCase):
    def run_filter(self, frames, *options, **settings):
        return subprocess.run([binary("ws-reader"), "--stdin", "--stdout", "--exchange=gmo", *options], input=frames,
                              capture_output=True, timeout=30, check=False, **settings)

    def test_frames_become_ndjson(self):
        done = self.run_filter((TRADE + "\n" + TRADE.replace("BTC_JPY", "ETH_JPY") + "\r\n\n{]\n" + TRADE).encode())
        self.assertEqual(done.returncode, 0)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([e["seq"] for e in events], [1, 2, 3])
        self.assertEqual([e["symbol"] for e in events], ["BTC_JPY", "ETH_JPY", "BTC_JPY"])
        self.assertEqual(events[0]["price"], "750760")
        stopped = [json.loads(line) for line in done.stderr.splitlines()][-1]
        self.assertEqual((stopped["frames"], stopped["events"], stopped["rejected"]), (4, 3, 1))

    def test_symbols_filter(self):
        done = self.run_filter((TRADE + "\n" + TRADE.replace("BTC_JPY", "ETH_JPY")).encode(), "--symbols=ETH_JPY")
        self.assertEqual([json.loads(line)["symbol"] for line in done.stdout.splitlines()], ["ETH_JPY"])

    def test_no_input_is_no_output(self):
        done = self.run_filter(b"")
        self.assertEqual((done.returncode, done.stdout), (0, b""))

    def test_a_large_file_comes_out_whole(self):
        with tempfile.TemporaryFile() as file:
            file.write((TRADE + "\n").encode() * 100_000)
            file.seek(0)
            done = subprocess.run([binary("ws-reader"), "--stdin", "--stdout", "--exchange=gmo"], stdin=file,
                                  capture_output=True, timeout=50, check=False)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 100_000)
        self.assertEqual(json.loads(lines[-1])["seq"], 100_000)

    def test_output_that_is_full_and_does_not_block_loses_nothing(self):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with tempfile.TemporaryFile() as file:
            file.write((TRADE + "\n").encode() * 20_000)
            file.seek(0)
            process = subprocess.Popen([binary("ws-reader"), "--stdin", "--stdout", "--exchange=gmo"], stdin=file,
                                       stdout=writing, stderr=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading, "rb") as out:
            self.assertEqual(sum(1 for _ in out), 20_000)
        self.assertEqual(process.wait(10), 0)

    def test_a_reader_of_the_output_that_leaves_ends_it(self):
        process = subprocess.Popen([binary("ws-reader"), "--stdin", "--stdout", "--exchange=gmo"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.close()
        process.stdin.write(TRADE.encode() + b"\n")
        process.stdin.flush()
        self.assertEqual(process.wait(10), 0)
        process.stdin.close()

    def refused(self, *options, environment=None):
        done = subprocess.run([binary("ws-reader"), *options], capture_output=True, text=True, timeout=20, check=False,
                              env={**os.environ, **(environment or {})})
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.returncode, done.stderr

    def test_bad_usage_is_64_and_bad_configuration_78(self):
        for options, code, words in [(["--exchange=nyse"], 64, "gmo"), (["--nonsense"], 64, "--nonsense"),
                                     (["--exchange=gmo"], 78, "--symbols"), (["stray"], 64, "stray"),
                                     (["--exchange=gmo", "--symbols=X", "--url=http://x"], 78, "--url"),
                                     (["--config=/nonexistent.toml"], 78, "/nonexistent.toml")]:
            found, sentence = self.refused(*options)
            self.assertEqual(found, code, options)
            self.assertIn(words, sentence)
        found, sentence = self.refused("--exchange=gmo", "--symbols=X", environment={"FRAME_BYTES_MAX": "lots"})
        self.assertEqual(found, 78)
        self.assertIn("environment FRAME_BYTES_MAX", sentence)

    def test_check_config_prints_values_with_their_origin(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('exchange = "gmo"\nsymbols = ["BTC_JPY", "ETH_JPY"]\n')
            file.flush()
            done = subprocess.run([binary("ws-reader"), "--check-config", f"--config={file.name}", "--log-level=debug"],
                                  capture_output=True, text=True, timeout=20, check=True)
            self.assertIn(f'symbols = "BTC_JPY,ETH_JPY"  # {file.name}:2', done.stdout)
            self.assertIn('log_level = "debug"  # flag', done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
