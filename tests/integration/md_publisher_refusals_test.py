#!/usr/bin/python3
"""What md-publisher does when Redis answers with an error or someone cuts its streams: a real redis-server is made to refuse in each
of its ways. In the end every event is in its stream once and in order, and the log and the counters have said what was wrong."""

import json
import os
import subprocess
import sys
import threading
import time
import unittest

import redis

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from link_imitation import LinkReader  # noqa: E402
from md_publisher_test import PublisherTest, free_port  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402

KEPT = "Redis refused the events; they are kept and written again"
HELD = "Redis refuses the events until someone changes it; they are kept and tried again"
LOST = "Redis lost; the readers keep the events"
EMPTIED = "Redis has lost confirmed events of a source: it was emptied, failed over or restored"
CUT = "someone deleted or trimmed a stream; the feeds in it get a gap"
UNGUARDED = "Redis forbids to ask for the length of a stream; mdpipe cannot notice when it is deleted or trimmed"
REASONS = ("oom", "readonly", "noperm", "wrongtype", "auth", "loading", "busy", "noreplicas", "misconf", "cluster", "tls", "other")
RIGHTS = ("+xadd", "+xlen", "+hset", "+hlen", "+hgetall", "+multi", "+exec")


class RefusalTest(PublisherTest):
    persistent = True

    def setUp(self):
        super().setUp()
        self.command = self.redis.client.execute_command

    def refusals(self, reason):
        return self.listener.value("collector_redis_refusals_total", "md-publisher", reason)

    def connection(self):
        """Redis's number of the publisher's connection."""
        return [client["id"] for client in self.redis.client.client_list() if client["name"] == "md-publisher"]

    def wait_refused(self, publisher, msg, reason):
        line = wait_for(lambda: [log for log in publisher.logs(msg) if log.get("refusal") == reason], f"'{msg}' for {reason}")[0]
        wait_for(lambda: self.refusals(reason), f"the refusal {reason} in the metrics")
        return line

    def running(self, **options):
        """A publisher and a reader whose first events are in Redis."""
        publisher = self.publisher(**options)
        reader = self.reader()
        reader.append(10)
        reader.deliver()
        return publisher, reader

    def refused_for_a_while(self, reason, refuse, relent, msg=KEPT, same_connection=True):
        """Returns the publisher and the first log line of the refusal."""
        publisher, reader = self.running()
        before = self.connection()
        refuse()
        for _ in range(5):
            reader.append(20)
            reader.turn()
        line = self.wait_refused(publisher, msg, reason)
        self.assertEqual(self.seqs(), list(range(1, 11)))
        relent()
        for _ in range(5):
            reader.append(20)
            reader.turn()
        reader.deliver()
        self.assert_exactly_once(reader)
        self.assertEqual(self.connection() == before, same_connection)
        if same_connection:
            self.assertEqual(publisher.logs(LOST), [])
        wait_for(lambda: self.listener.value("collector_errors_total", "md-publisher", "publish_error") >= self.refusals(reason),
                 "each refusal is an error too")
        return publisher, line

    def gaps(self):
        return [entry for entry in self.stack.entries("md:feed") if entry["state"] == "gap"]

    def user(self, *rules):
        self.command("ACL", "SETUSER", "md", "reset", "on", ">pw", "-@all", *rules)
        port = free_port()
        self.redis.client.config_set("port", port)
        return {"redis_url": f"redis://md:pw@127.0.0.1:{port}"}


class Kinds(RefusalTest):
    def test_every_reason_is_zero_from_the_start(self):
        self.publisher()
        for reason in REASONS:
            wait_for(lambda name=reason: self.refusals(name) == 0, f"{reason} at 0")

    def test_out_of_memory(self):
        config = self.redis.client.config_set
        _, line = self.refused_for_a_while("oom", lambda: config("maxmemory", 1), lambda: config("maxmemory", 0))
        self.assertIn("maxmemory", line["remedy"])
        self.assertEqual((line["level"], line["command"], line["key"]), (40, "XADD", "md:trade"))

    def test_too_few_replicas(self):
        config = self.redis.client.config_set
        self.refused_for_a_while("noreplicas", lambda: config("min-replicas-to-write", 1), lambda: config("min-replicas-to-write", 0))

    def test_a_disk_that_cannot_be_written(self):
        in_the_way = os.path.join(self.stack.folder, "dump.rdb")

        def fail_to_save():
            os.mkdir(in_the_way)
            self.redis.client.config_set("save", "3600 1")
            self.redis.client.bgsave()
            wait_for(lambda: self.redis.client.info("persistence")["rdb_last_bgsave_status"] == "err", "a save that fails")

        def save():
            os.rmdir(in_the_way)
            self.redis.client.bgsave()
        self.refused_for_a_while("misconf", fail_to_save, save)

    def test_a_script_that_does_not_end(self):
        self.redis.client.config_set("busy-reply-threshold", 50)

        def run():
            try:
                redis.Redis(unix_socket_path=self.redis.socket).eval("while true do end", 0)
            except redis.exceptions.RedisError:
                pass  # it is killed
        script = threading.Thread(target=run)

        def is_busy():
            try:
                return not self.redis.client.ping()
            except redis.exceptions.RedisError:
                return True

        def start():
            script.start()
            wait_for(is_busy, "a busy Redis")

        publisher, reader = self.running()
        before = self.connection()
        start()
        reader.append(50)
        reader.turn()
        self.wait_refused(publisher, KEPT, "busy")
        self.command("SCRIPT", "KILL")
        script.join()
        reader.deliver()
        self.assert_exactly_once(reader)
        self.assertEqual(self.connection(), before)

    def test_a_replica(self):
        publisher, line = self.refused_for_a_while(
            "readonly", lambda: self.command("REPLICAOF", "127.0.0.1", "1"), lambda: self.command("REPLICAOF", "NO", "ONE"),
            msg=LOST, same_connection=False)
        self.assertEqual(line["retry_ms"], 0)
        self.assertIn("primary", line["remedy"])
        self.assertGreater(len(publisher.logs("Redis reached")), 1)

    def test_a_redis_that_is_loading(self):
        publisher, reader = self.running()
        for i in range(300):
            self.redis.client.set(f"other:{i}", os.urandom(400))  # Redis answers after each 1024 bytes it read
        self.redis.client.bgrewriteaof()  # answers come only while it reads a snapshot
        wait_for(lambda: self.redis.client.info("persistence")["aof_rewrite_in_progress"] == 0
                 and self.redis.client.info("persistence")["aof_rewrite_scheduled"] == 0, "the rewrite")
        self.redis.kill()
        with open(os.path.join(self.stack.folder, "redis.log"), "ab") as log:
            self.redis.process = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", self.redis.socket, "--dir", self.stack.folder, "--save", "",
                 "--appendonly", "yes", "--appendfsync", "always", "--key-load-delay", "10000",
                 "--loading-process-events-interval-bytes", "1024"], stdout=log, stderr=log)
        line = self.wait_refused(publisher, LOST, "loading")
        self.assertEqual(line["level"], 40)
        reader.append(20)
        reader.deliver()
        self.assert_exactly_once(reader)


class Access(RefusalTest):
    def test_a_stream_the_user_may_not_write_holds_until_it_may(self):
        options = self.user("~md:trade", "~md:cursor", "~md:state", *RIGHTS)
        publisher, reader = self.running(**options)
        before = self.connection()
        reader.append(5, kind="ticker")
        reader.append(5)
        reader.turn()
        line = self.wait_refused(publisher, HELD, "noperm")
        self.assertEqual((line["level"], line["user"], line["command"], line["key"]), (50, "md", "XADD", "md:ticker"))
        self.assertIn("ACL SETUSER md +xadd ~md:ticker", line["remedy"])
        self.command("ACL", "SETUSER", "md", "~md:ticker")
        reader.deliver()
        self.assertEqual(self.seqs("md:ticker"), list(range(11, 16)))
        self.assertEqual(self.seqs(), [*range(1, 11), *range(16, 21)])
        self.assertEqual(self.connection(), before)

    def test_without_the_right_to_ask_lengths_streams_are_written_unguarded(self):
        options = self.user("~md:*", *(right for right in RIGHTS if right not in ("+xlen", "+hlen")))
        publisher, reader = self.running(**options)
        reader.append(5, kind="ticker")
        reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.deliver()
        self.assertEqual(self.seqs("md:ticker"), list(range(11, 16)))
        warned = publisher.logs(UNGUARDED)
        self.assertEqual(len(warned), 1)
        self.assertIn("+xlen ~md:trade", warned[0]["remedy"])

    def test_the_right_to_ask_lengths_taken_away_while_running(self):
        publisher, reader = self.running(**self.user("~md:*", *RIGHTS))
        self.command("ACL", "SETUSER", "md", "-xlen")
        end = time.monotonic() + 1.5  # a look is due within a second
        while time.monotonic() < end:
            reader.append(1)
            reader.turn()
        reader.deliver()
        self.assert_exactly_once(reader)
        self.assertEqual(len(publisher.logs(UNGUARDED)), 1)

    def test_transactions_that_are_forbidden_are_never_written_piece_by_piece(self):
        options = self.user("~md:*", *(right for right in RIGHTS if right != "+multi"))
        publisher = self.publisher(**options)
        line = self.wait_refused(publisher, LOST, "noperm")
        self.assertEqual(line["level"], 50)
        self.assertIn("ACL SETUSER md +multi", line["remedy"])
        self.command("ACL", "SETUSER", "md", "+multi")
        reader = self.reader()
        reader.append(10)
        reader.deliver()
        self.assert_exactly_once(reader)

    def test_a_wrong_password_is_an_error_that_names_the_user(self):
        options = self.user("~md:*", *RIGHTS)
        self.command("ACL", "SETUSER", "md", "resetpass", ">other")
        publisher = self.publisher(**options)
        line = self.wait_refused(publisher, LOST, "auth")
        self.assertEqual((line["level"], line["user"]), (50, "md"))


class WrongType(RefusalTest):
    def test_a_key_in_the_way_before_the_start_holds_everything(self):
        self.redis.client.set("md:ticker", "in the way")
        publisher, reader = self.running()
        reader.append(5, kind="ticker")
        reader.append(5)
        reader.turn()
        line = self.wait_refused(publisher, HELD, "wrongtype")
        self.assertEqual((line["level"], line["key"]), (50, "md:ticker"))
        self.assertIn("rename or delete the key", line["remedy"])
        self.assertEqual(self.seqs(), list(range(1, 11)))
        self.redis.client.rename("md:ticker", "elsewhere")
        reader.deliver()
        self.assertEqual(self.seqs("md:ticker"), list(range(11, 16)))
        self.assertEqual(self.seqs(), [*range(1, 11), *range(16, 21)])

    def test_a_key_replaced_while_running_costs_one_transaction_and_says_so(self):
        publisher, reader = self.running()
        reader.append(5, kind="ticker")
        reader.deliver()
        self.redis.client.delete("md:ticker")
        self.redis.client.set("md:ticker", "in the way")
        reader.append(5, kind="ticker")
        reader.send_new()
        dropped = ("collector_dropped_events_total", "md-publisher", "gmo", "ticker", "BTC_JPY", "redis_refused")
        lost = wait_for(lambda: reader.turn() or self.listener.value(*dropped), "the drops in the metrics")
        refused = publisher.wait_log("Redis rejected an event: the key of its stream holds another type")[0]
        self.assertEqual(refused["stream"], "md:ticker")
        wait_for(lambda: [gap["lost"] for gap in self.gaps()] == [str(lost)], "the gap of what was refused")
        reader.append(5, kind="ticker")
        reader.turn()
        self.wait_refused(publisher, HELD, "wrongtype")
        self.redis.client.delete("md:ticker")
        reader.deliver()
        self.assertEqual(self.seqs("md:ticker"), list(range(16 + int(lost), reader.last_seq + 1)))
        self.assertEqual(self.listener.value(*dropped), lost)
        wait_for(lambda: len(self.gaps()) == 2, "the gap of the stream that was deleted")
        gap = self.gaps()[1]
        self.assertEqual((gap["reason"], gap["lost"]), ("someone deleted or trimmed the stream", "5"))

    def test_a_state_key_in_the_way_loses_no_state(self):
        publisher, reader = self.running()
        self.redis.client.set("md:state", "in the way")
        reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.turn()
        self.assertEqual(self.wait_refused(publisher, HELD, "wrongtype")["key"], "md:state")
        self.redis.client.delete("md:state")
        reader.deliver()
        self.assertIn("gmo:trade:BTC_JPY", self.redis.client.hgetall("md:state"))

    def test_a_cursor_key_replaced_while_running_doubles_nothing(self):
        publisher, reader = self.running()
        self.redis.client.delete("md:cursor")
        self.redis.client.set("md:cursor", "in the way")
        reader.append(20)
        reader.turn()
        self.assertEqual(self.wait_refused(publisher, LOST, "wrongtype")["level"], 50)
        self.redis.client.delete("md:cursor")
        reader.append(20)
        reader.deliver()
        self.assert_exactly_once(reader)


class Cuts(RefusalTest):
    def write_until(self, reader, condition, what, **event):
        def turn():
            reader.append(1, **event)
            reader.turn()
            return condition()
        return wait_for(turn, what)

    def cut(self, removed, cut, **options):
        """Cuts md:trade once and returns the gap event."""
        publisher, reader = self.running(**options)
        cut()
        self.write_until(reader, self.gaps, "a gap event")
        counted = ("collector_stream_entries_removed_total", "md:trade")
        wait_for(lambda: self.listener.value(*counted) == removed, f"{removed} removed entries in the metrics")
        line = publisher.logs(CUT)[0]
        self.assertEqual((line["level"], line["stream"], line["entries"]), (40, "md:trade", removed))
        reader.deliver()
        seqs = self.seqs()
        self.assertEqual(seqs, sorted(set(seqs)))
        tail = min(5, len(seqs))  # the first event after the cut may be the one that shows it
        self.assertEqual(seqs[-tail:], list(range(reader.last_seq - tail + 1, reader.last_seq + 1)))
        gap, = self.gaps()
        self.assertNotIn("seq", gap)
        self.assertEqual((gap["type"], gap["exchange"], gap["symbol"], gap["channel"], gap["state"], gap["ts"], gap["lost"]),
                         ("feed", "gmo", "BTC_JPY", "trade", "gap", "0", str(removed)))
        self.assertEqual(self.redis.client.exists("md:state"), 0)

    def test_a_stream_someone_trimmed(self):
        self.cut(7, lambda: self.redis.client.xtrim("md:trade", maxlen=3, approximate=False))

    def test_an_entry_someone_deleted(self):
        self.cut(1, lambda: self.redis.client.xdel("md:trade", self.redis.client.xrange("md:trade")[4][0]))

    def test_a_stream_someone_deleted(self):
        self.cut(10, lambda: self.redis.client.delete("md:trade"))

    def test_a_stream_cut_while_the_connection_was_lost(self):
        def cut():
            self.redis.client.xtrim("md:trade", maxlen=3, approximate=False)
            self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.cut(7, cut)

    def test_gap_events_in_msgpack(self):
        _, reader = self.running(format="msgpack")
        self.redis.client.delete("md:trade")
        self.write_until(reader, lambda: self.redis.client.xlen("md:feed"), "a gap event")

    def test_several_feeds_in_a_stream_each_get_a_gap_without_a_number(self):
        _, reader = self.running()
        reader.append(5, symbol="ETH_JPY")
        reader.deliver()
        self.redis.client.delete("md:trade")
        self.write_until(reader, lambda: len(self.gaps()) == 2, "two gap events")
        self.assertEqual({gap["symbol"] for gap in self.gaps()}, {"BTC_JPY", "ETH_JPY"})
        self.assertTrue(all("lost" not in gap for gap in self.gaps()))

    def test_a_redis_emptied_while_connected(self):
        publisher, reader = self.running()
        other = self.reader("bitflyer")
        other.append(5, symbol="OTHER")
        other.deliver()
        due = time.monotonic() + 1.1
        wait_for(lambda: time.monotonic() > due, "the next transaction looks at the streams' lengths, once a second")
        self.redis.client.flushall()
        reader.append(20)
        reader.deliver()
        behind = publisher.wait_log(EMPTIED, count=2)
        self.assertEqual(sorted(line["source"] for line in behind), ["bitflyer", "gmo"])
        other.append(5, symbol="OTHER")
        other.deliver()
        of = {"BTC_JPY": [], "OTHER": []}
        for entry in self.stack.entries("md:trade"):
            of[entry["symbol"]].append(int(entry["seq"]))
        self.assertEqual(of, {"BTC_JPY": list(range(11, 31)), "OTHER": list(range(6, 11))})
        self.assertEqual(publisher.logs(CUT), [])
        self.assertEqual(set(self.redis.client.hgetall("md:cursor")), {"gmo", "bitflyer"})

    def test_two_publishers_that_trim_the_same_stream_raise_no_alarm(self):
        publishers, readers = [self.publisher(maxlen=300)], [self.reader()]
        folder = os.path.join(self.stack.folder, "second")
        os.mkdir(folder)
        publishers.append(self.publisher(maxlen=300, runtime_dir=folder, source="second"))
        second = LinkReader(folder, "bitflyer")
        self.addCleanup(second.close)
        second.wait_connected()
        readers.append(second)
        end = time.monotonic() + 3.5  # three looks
        while time.monotonic() < end:
            for reader in readers:
                reader.append(100, symbol=reader.source)
                reader.turn()
        for reader in readers:
            reader.deliver()
        self.assertLess(self.redis.client.xlen("md:trade"), 600)
        for publisher in publishers:
            self.assertEqual(publisher.logs(CUT), [])


class States(RefusalTest):
    def feed(self, reader, state, since, channel="trade", **more):
        reader.append(1, kind="feed", channel=channel, state=state, since=since, reason=f"it is {state}", **more)

    def test_the_present_state_of_each_feed_is_in_a_hash(self):
        self.publisher()
        reader = self.reader()
        self.feed(reader, "gap", 5, lost=3)
        self.feed(reader, "live", 7)
        self.feed(reader, "stale", 8, channel="orderbook", symbol="あ")
        reader.deliver()
        states = {field: json.loads(value) for field, value in self.redis.client.hgetall("md:state").items()}
        self.assertEqual(states, {"gmo:trade:BTC_JPY": {"state": "live", "since": 7, "reason": "it is live"},
                                  "gmo:orderbook:あ": {"state": "stale", "since": 8, "reason": "it is stale"}})
        self.assertEqual([entry["state"] for entry in self.stack.entries("md:feed")], ["gap", "live", "stale"])

    def test_the_hash_has_the_name_it_is_given(self):
        self.publisher(state_key="elsewhere", format="msgpack")
        reader = self.reader()
        self.feed(reader, "live", 7)
        reader.deliver()
        self.assertEqual(list(self.redis.client.hgetall("elsewhere")), ["gmo:trade:BTC_JPY"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
