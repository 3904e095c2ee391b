#!/usr/bin/python3
"""md-publisher as a process: a reader in Python at one end, a real redis-server at the other. MDPIPE_BIN_DIR names the
build folder."""

import os
import socket
import sys
import time
import unittest

import msgpack
import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from link_imitation import LinkReader, MetricsListener, event  # noqa: E402
from mdpipe_stack import Stack, wait_for  # noqa: E402

SMALL_BUFFERS = {"in_flight_bytes_max": 65536, "reconnect_delay_max": "200ms"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class PublisherTest(unittest.TestCase):
    persistent = False

    def setUp(self):
        self.stack = Stack(persistent_redis=self.persistent)
        self.addCleanup(self.stack.__exit__)
        self.redis = self.stack.redis
        self.readers = []
        self.listener = MetricsListener(self.stack.folder)
        self.addCleanup(self.listener.close)

    def reader(self, source="gmo", **options):
        reader = LinkReader(self.stack.folder, source, **options)
        self.addCleanup(reader.close)
        if any(program.name == "md-publisher" and program.running() for program in self.stack.programs):
            reader.wait_connected()  # so that a turn right after it does send
        return reader

    def publisher(self, **options):
        return self.stack.publisher(**{**SMALL_BUFFERS, **options})

    def seqs(self, stream="md:trade"):
        return [int(entry["seq"]) for entry in self.stack.entries(stream)]

    def assert_exactly_once(self, reader, stream="md:trade"):
        self.assertEqual(self.seqs(stream), list(range(1, reader.last_seq + 1)))

    def error_of(self, **options):
        """Exit code and the one sentence of a publisher that refuses to start."""
        publisher = self.stack.publisher(**options)
        code = publisher.wait(20)
        self.assertEqual(len(publisher.errors), 1, publisher.errors)
        return code, publisher.errors[0]

    def work_through(self, reader, disturb, turns=60):
        """Events keep coming while `disturb` is called in the middle; in the end everything must be confirmed."""
        for turn in range(turns):
            reader.append(20)
            reader.turn()
            if turn == turns // 2:
                disturb()
        reader.deliver()


class Delivery(PublisherTest):
    def test_events_reach_their_streams_with_their_cursor(self):
        self.publisher()
        reader = self.reader()
        reader.append(3)
        reader.append(2, kind="ticker", bid="1", ask="2")
        reader.append(1, kind="news", headline="unheard of", tags=["a", "b"])
        reader.deliver()
        self.assertEqual(self.seqs(), [1, 2, 3])
        self.assertEqual(self.seqs("md:ticker"), [4, 5])
        news = self.stack.entries("md:news")[0]
        self.assertEqual((news["headline"], news["tags"]), ("unheard of", '["a","b"]'))
        self.assertEqual(self.redis.client.hgetall("md:cursor"), {"gmo": f"{reader.epoch}:6"})

    def test_several_sources_keep_their_own_positions(self):
        self.publisher()
        readers = [self.reader(name) for name in ("gmo", "gmo2", "bitflyer")]
        for count, reader in enumerate(readers, 1):
            reader.append(count * 10, symbol=reader.source)
        for reader in readers:
            reader.deliver()
        for reader in readers:
            found = [int(e["seq"]) for e in self.stack.entries("md:trade") if e["symbol"] == reader.source]
            self.assertEqual(found, list(range(1, reader.last_seq + 1)))
        self.assertEqual(set(self.redis.client.hgetall("md:cursor")), {"gmo", "gmo2", "bitflyer"})

    def test_duplicates_are_dropped_and_holes_are_asked_for(self):
        self.publisher()
        reader = self.reader()
        reader.append(10)
        reader.deliver()
        reader.send_batch(1, 10, oldest=1)
        reader.send_batch(5, 8, oldest=1)  # 5..10 again, 11 and 12 new
        reader.append(2)
        wait_for(lambda: self.seqs() == list(range(1, 13)), "the new ones of a batch that is known in part")
        reader.append(3)
        reader.send_batch(14, 2, oldest=11)  # 13 is missing
        reader.next_to_send = 16
        reader.deliver()
        self.assertGreater(reader.resends, 0)
        self.assert_exactly_once(reader)

    def test_events_the_reader_dropped_are_reported_and_passed_over(self):
        publisher = self.publisher()
        reader = self.reader()
        reader.append(2)
        reader.deliver()
        reader.send_batch(10, 1, oldest=10)
        wait_for(lambda: self.seqs() == [1, 2, 10], "the event behind the lost ones")
        self.assertEqual(publisher.wait_log("events are missing that the reader dropped; gap events say which")[0]["count"], 7)

    def test_a_restarted_reader_starts_anew(self):
        self.publisher()
        first = self.reader()
        first.append(5)
        first.deliver()
        second = self.reader()
        second.append(3)
        second.deliver()
        self.assertEqual(self.seqs(), [1, 2, 3, 4, 5, 1, 2, 3])

    def test_msgpack_format(self):
        self.publisher(format="msgpack")
        reader = self.reader()
        reader.append(1, symbol="あ", extra=[1, {"a": None}])
        sent = dict(reader.kept[1])
        reader.deliver()
        raw = redis.Redis(unix_socket_path=self.redis.socket)
        (_, fields), = raw.xrange("md:trade")
        self.assertEqual(list(fields), [b"e"])
        self.assertEqual(msgpack.unpackb(fields[b"e"]), sent)

    def test_stream_template_and_trimming(self):
        self.publisher(stream_name="{exchange}:{symbol}", maxlen="100,ticker=0")
        reader = self.reader()
        reader.append(2000)
        reader.append(500, symbol="ETH_JPY", kind="ticker")
        reader.deliver()
        self.assertLess(self.redis.client.xlen("gmo:BTC_JPY"), 400)  # "about": by whole nodes
        self.assertEqual(self.seqs("gmo:BTC_JPY")[-1], 2000)
        self.assertEqual(self.redis.client.xlen("gmo:ETH_JPY"), 500)

    def test_counts_what_it_writes(self):
        self.publisher()
        reader = self.reader()
        reader.append(7)
        reader.deliver()
        published = ("collector_messages_published_total", "gmo", "md:trade", "BTC_JPY")
        wait_for(lambda: self.listener.value(*published) == 7, "the count in the metrics")
        self.assertEqual(self.listener.value("collector_redis_up", "md-publisher"), 1)
        self.assertEqual(self.listener.value("collector_publish_latency_seconds", "gmo", "md:trade"), 7)
        self.assertGreater(self.listener.value("collector_published_bytes_total", *published[1:]), 7 * 100)

    def test_sigterm_writes_what_was_taken_and_says_goodbye(self):
        publisher = self.publisher()
        reader = self.reader()
        wait_for(lambda: self.listener.read(100), "the first metrics")
        reader.append(500)
        reader.deliver()
        started = time.monotonic()
        self.assertEqual(publisher.stop(), 0)
        self.assertLess(time.monotonic() - started, 5)
        wait_for(lambda: self.listener.read(100) and self.listener.last, "the last message of the metrics")
        self.assert_exactly_once(reader)


class Refusals(PublisherTest):
    def send_bad(self, reader, *parts):
        reader.send_raw(*parts)
        return wait_for(lambda: self.listener.value("collector_errors_total", "md-publisher", "link_error"), "an error")

    def test_messages_that_cannot_be_right_are_counted_and_the_next_is_taken(self):
        publisher = self.publisher()
        reader = self.reader()
        good = msgpack.packb([event(1)])
        bad = [(b"garbage",), (b"a", b"b", b"c"), (b"", b""), (b"\xc1", good),
               (msgpack.packb([2, "gmo", 1, 1]), good), (msgpack.packb([2, 5, 1, 1, 1, 1, 1, 1, 1, False]), good),
               (msgpack.packb([2, "x" * 200, 1, 1, 1, 1, 1, 1, 1, False]), good)]
        for parts in bad:
            reader.send_raw(*parts)
        reader.append(1)
        reader.deliver()
        self.assert_exactly_once(reader)
        wait_for(lambda: self.listener.value("collector_errors_total", "md-publisher", "link_error") == len(bad),
                 "one error for each")
        self.assertTrue(publisher.logs("message of a reader refused"))

    def test_another_wire_version_is_refused_by_name(self):
        publisher = self.publisher()
        reader = self.reader()
        reader.append(1)
        reader.send_batch(1, 1, version=3)
        refused = publisher.wait_log("message of a reader refused")
        self.assertIn("wire version 3 where this program speaks 2", refused[0]["reason"])
        self.assertEqual(self.stack.total(), 0)

    def test_events_that_are_none_are_dropped_and_counted(self):
        self.publisher()
        reader = self.reader()
        reader.append(4)
        payload = msgpack.packb([event(1), 7, {"type": "trade"}, event(4)])
        reader.send_raw(reader.header(1, 4), payload)
        reader.next_to_send = 5
        reader.deliver()
        self.assertEqual(self.seqs(), [1, 4])
        dropped = ("collector_dropped_events_total", "md-publisher", "", "", "", "malformed")
        wait_for(lambda: self.listener.value(*dropped) == 2, "the drops in the metrics")

    def test_a_payload_that_breaks_off_costs_only_its_rest(self):
        publisher = self.publisher()
        reader = self.reader()
        reader.append(3)
        payload = msgpack.packb([reader.kept[seq] for seq in (1, 2, 3)])
        reader.send_raw(reader.header(1, 3), payload[:-5])
        reader.next_to_send = 4
        reader.append(1)
        reader.deliver()
        self.assertEqual(self.seqs(), [1, 2, 4])
        publisher.wait_log("message of a reader refused")

    def test_a_second_publisher_on_the_same_endpoint_is_refused(self):
        first = self.publisher()
        first.wait_log("Redis reached")
        code, sentence = self.error_of()
        self.assertEqual(code, 69)
        self.assertIn(f"pid {first.process.pid}", sentence)
        reader = self.reader()
        reader.append(1)
        reader.deliver()  # the first one still works

    def test_bad_configuration_is_one_sentence(self):
        cases = [({"redis_url": "http://h"}, 78, "expected redis://"),
                 ({"stream_name": "md:{kind}"}, 78, "{kind}"), ({"maxlen": "many"}, 78, "--maxlen"),
                 ({"format": "xml"}, 64, "fields, msgpack"), ({"no_such": "1"}, 64, "--no-such"),
                 ({"redis_password_file": "/nonexistent"}, 78, "/nonexistent"),
                 ({"redis_password_file": self.stack.folder}, 78, self.stack.folder),
                 ({"runtime_dir": "/proc/nope"}, 78, "/proc/nope"), ({"cursor_key": ""}, 78, "--cursor-key"),
                 ({"state_key": "md:cursor"}, 78, "--state-key")]
        for options, expected, words in cases:
            code, sentence = self.error_of(**options)
            self.assertEqual(code, expected, (options, sentence))
            self.assertIn(words, sentence)


class RedisAccess(PublisherTest):
    def delivers(self, **options):
        publisher = self.publisher(**options)
        reader = self.reader()
        reader.append(5)
        reader.deliver()
        publisher.stop()
        return reader

    def test_tcp_and_a_database(self):
        port = free_port()
        self.redis.client.config_set("port", port)
        self.delivers(redis_url=f"redis://127.0.0.1:{port}/3")
        other = redis.Redis(port=port, db=3, decode_responses=True)
        self.assertEqual(other.xlen("md:trade"), 5)
        self.assertEqual(self.stack.total(), 0)

    def test_database_of_a_unix_socket(self):
        self.delivers(redis_url=f"{self.redis.url}?db=5")
        self.assertEqual(redis.Redis(unix_socket_path=self.redis.socket, db=5).xlen("md:trade"), 5)

    def test_acl_user_with_a_password_file(self):
        self.redis.client.execute_command("ACL", "SETUSER", "md", "on", ">se cret", "~md:*", "-@all", "+xadd", "+hset",
                                          "+hgetall", "+multi", "+exec")
        path = os.path.join(self.stack.folder, "password")
        with open(path, "w", encoding="ascii") as file:
            file.write("se cret\n")
        port = free_port()
        self.redis.client.config_set("port", port)
        self.delivers(redis_url=f"redis://md@127.0.0.1:{port}", redis_password_file=path)
        self.assertEqual(self.stack.total(), 5)

    def test_a_wrong_password_is_told_without_it(self):
        self.redis.client.execute_command("ACL", "SETUSER", "md", "on", ">right", "+@all", "~*")
        port = free_port()
        self.redis.client.config_set("port", port)
        publisher = self.publisher(redis_url=f"redis://md:hunter2@127.0.0.1:{port}")
        lost = publisher.wait_log("Redis lost; the readers keep the events")
        self.assertIn("WRONGPASS", lost[0]["reason"])
        self.assertNotIn("hunter2", "".join(publisher.lines + publisher.errors))
        self.redis.client.execute_command("ACL", "SETUSER", "md", ">hunter2")
        publisher.wait_log("Redis reached")

    def test_no_retry_ends_with_69(self):
        publisher = self.publisher(redis_url=f"redis://127.0.0.1:{free_port()}", no_retry="true")
        self.assertEqual(publisher.wait(20), 69)
        self.assertIn("refused", publisher.logs("Redis cannot be reached")[0]["reason"])

    def test_waits_for_a_redis_that_is_not_there_yet(self):
        self.redis.kill()
        publisher = self.publisher()
        publisher.wait_log("Redis lost; the readers keep the events")
        reader = self.reader()
        reader.append(5)
        reader.turn()
        self.redis.start()
        reader.deliver()
        self.assert_exactly_once(reader)


class Faults(PublisherTest):
    """Exactly once, whatever happens to Redis or the publisher; a Redis that syncs each write loses none itself."""
    persistent = True

    def test_publisher_killed_again_and_again(self):
        publisher = self.publisher()
        reader = self.reader()
        for _ in range(4):
            for _ in range(10):
                reader.append(20)
                reader.turn()
            publisher.kill()
            publisher = self.publisher()
        reader.deliver()
        self.assert_exactly_once(reader)

    def test_redis_killed_and_started_again(self):
        self.publisher()
        reader = self.reader()
        for _ in range(3):
            self.work_through(reader, lambda: (self.redis.kill(), self.redis.start()), turns=20)
        self.assert_exactly_once(reader)

    def test_redis_stopped_longer_than_the_timeout(self):
        publisher = self.publisher(redis_timeout="300ms")
        reader = self.reader()

        def stop_for_a_while():
            self.redis.pause()
            reader.append(20)
            reader.turn()
            publisher.wait_log("Redis lost; the readers keep the events")
            self.redis.resume()
        self.work_through(reader, stop_for_a_while)
        self.assert_exactly_once(reader)

    def test_connection_killed_in_the_middle(self):
        self.publisher()
        reader = self.reader()
        for _ in range(5):
            self.work_through(reader, lambda: self.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
                              turns=10)
        self.assert_exactly_once(reader)

    def test_a_redis_that_refuses_every_write_is_not_hammered(self):
        publisher = self.publisher(reconnect_delay_max="10s")
        reader = self.reader()
        self.redis.client.config_set("maxmemory", 1)
        reader.append(1)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            reader.turn()
        refused = [log for log in publisher.logs() if log["msg"].startswith("Redis refused")]
        self.assertTrue(refused)
        self.assertLess(len(refused), 4)
        self.redis.client.config_set("maxmemory", 0)
        reader.deliver()
        self.assert_exactly_once(reader)

    def test_what_redis_says_of_a_large_transaction_is_heard_at_once(self):
        """The answers to its commands are not read one by one, be they short, long or errors."""
        publisher = self.publisher(in_flight_bytes_max=4 << 20, redis_timeout="120s")
        reader = self.reader()
        for count in (4000, 700, 4000):
            reader.append(count)
            reader.send_batch(reader.next_to_send, count)
            reader.next_to_send = reader.next_seq
            reader.deliver()
        self.redis.client.config_set("maxmemory", 1)
        reader.append(4000)
        reader.send_batch(reader.next_to_send, 4000)
        reader.next_to_send = reader.next_seq
        wait_for(lambda: [log for log in publisher.logs() if log["msg"].startswith("Redis refused")], "the refusal is heard")
        self.redis.client.config_set("maxmemory", 0)
        reader.deliver()
        self.assert_exactly_once(reader)
        self.assertEqual(reader.resends, 0)

    def test_events_never_confirmed_are_asked_for_when_redis_comes_back_empty(self):
        publisher = self.publisher(redis_timeout="300ms")
        publisher.wait_log("Redis reached")
        reader = self.reader()
        self.redis.pause()  # the connection is there, the first transaction never ends
        reader.append(5)
        lost = "Redis lost; the readers keep the events"
        wait_for(lambda: (reader.turn(), publisher.logs(lost))[1], lost)  # a turn sends nothing before the link is up
        self.redis.kill()
        for name in ("appendonlydir", "dump.rdb"):
            os.system(f"rm -rf '{self.stack.folder}/{name}'")
        self.redis.start()
        reader.deliver()  # without a further event
        self.assert_exactly_once(reader)

    def test_an_emptied_redis_is_noticed(self):
        publisher = self.publisher()
        reader = self.reader()
        reader.append(5)
        reader.deliver()
        self.redis.client.flushall()
        self.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        lost = "Redis has lost confirmed events of a source: it was emptied, failed over or restored"
        behind = publisher.wait_log(lost)
        self.assertEqual((behind[0]["source"], behind[0]["events"]), ("gmo", 5))
        wait_for(lambda: (reader.hear(10), reader.lost)[1] == (0, 5), "the position says what Redis lost")
        reader.append(5)
        reader.deliver()
        self.assertEqual(self.seqs(), [6, 7, 8, 9, 10])

    def test_an_emptied_redis_is_noticed_by_a_publisher_that_started_with_it(self):
        publisher = self.publisher()
        reader = self.reader()
        reader.append(5)
        reader.deliver()
        publisher.kill()
        self.redis.client.flushall()
        self.publisher()
        reader.send_batch(6, 0)  # a heartbeat: it knows what was confirmed
        wait_for(lambda: (reader.hear(10), reader.lost)[1] == (0, 5), "the position says what Redis lost")

    def test_two_living_readers_of_one_name(self):
        """The reader that started later is refused, and the first continues undisturbed."""
        publisher = self.publisher()
        started = time.time_ns() - 10_000_000_000
        first, second = self.reader(epoch=started), self.reader(epoch=started + 1)
        for reader in (first, second, first):
            reader.append(3, symbol=str(reader.epoch))
            reader.deliver() if not reader.refused else None
        publisher.wait_log("two readers of one name are alive; the one that started later is refused. "
                           "Give each its own --source")
        wait_for(lambda: (second.hear(10), second.refused)[1], "the second is told that it is refused")
        first.append(3, symbol=str(first.epoch))
        first.deliver()
        found = [int(e["seq"]) for e in self.stack.entries("md:trade") if e["symbol"] == str(first.epoch)]
        self.assertEqual(found, list(range(1, 10)))

    def test_a_reader_restarted_while_redis_is_away(self):
        """Events of the dead reader wait in the socket together with those of its successor: none is doubled or lost."""
        self.redis.kill()
        publisher = self.publisher()
        publisher.wait_log("Redis lost; the readers keep the events")
        now = time.time_ns()
        dead, alive = self.reader(epoch=now), self.reader(epoch=now + 1)
        for reader in (dead, alive):
            reader.append(200, symbol=str(reader.epoch))
            wait_for(lambda r=reader: r.push.poll(0, 2) or r.hear(), "a connection")
            reader.send_new(batch=4)
            self.assertEqual(reader.next_to_send, 201)
        self.redis.start()
        alive.deliver()

        def found(symbol):
            return [int(e["seq"]) for e in self.stack.entries("md:trade") if e["symbol"] == symbol]
        wait_for(lambda: found(str(now)) == list(range(1, 201)), "the dead reader's events")
        self.assertEqual(found(str(now + 1)), list(range(1, 201)))
        wait_for(lambda: self.redis.client.hget("md:cursor", "gmo") == f"{now + 1}:200", "the living reader's cursor")


if __name__ == "__main__":
    unittest.main(verbosity=2)
