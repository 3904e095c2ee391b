#!/usr/bin/python3
"""metrics-agent forwards to StatsD: every count arrives to the unit, over outages of the receiver and of the agent. The
receivers are a strict parser of the published formats and Debian's collectd. MDPIPE_BIN_DIR names the folder of the binary."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import wait_for  # noqa: E402
from statsd_support import (AgentCase, BINARY, CollectdReceiver, LATENCY_DOG, LATENCY_PLAIN, OFFSET, OFFSET_PLAIN,  # noqa: E402
                            RECEIVED, RECEIVED_DOG, RECEIVED_PLAIN, StrictReceiver, free_udp_port, observe)


class StatsdTest(AgentCase):
    def receiver(self, address, **options):
        return self.closing(StrictReceiver(address, **options))

    def places(self):
        """(option, address of the receiver) of a UDP port and a Unix socket"""
        port, path = free_udp_port(), os.path.join(self.folder, "statsd.sock")
        return (f"udp://127.0.0.1:{port}", port), (f"unix://{path}", path)

    def for_each_place_and_format(self, check):
        for option, address in self.places():
            for form in ("statsd", "dogstatsd"):
                with self.subTest(address=option, format=form):
                    check(option, address, form)
                    self.fresh_folder()

    def test_every_count_arrives_to_the_unit(self):
        def check(option, address, form):
            is_dog = form == "dogstatsd"
            receiver = self.receiver(address, is_dog=is_dog)
            agent = self.agent(statsd_address=option, statsd_format=form)
            reader = self.component()
            latencies = {}
            for turn in range(1, 4):
                reader.add(*RECEIVED, 1000 * turn + 7)
                for nanos in range(100_000, 50_000_000, 777_777):
                    latencies[nanos] = latencies.get(nanos, 0) + turn * 3
                observe(reader, latencies)
                reader.set("gauges", *OFFSET, -0.25)
                reader.send()
                self.wait_windows(agent, 1)
            reader.send(last=True)
            self.assertEqual(agent.stop(), 0)
            received, latency = (RECEIVED_DOG, LATENCY_DOG) if is_dog else (RECEIVED_PLAIN, LATENCY_PLAIN)
            wait_for(lambda: receiver.count(received) >= 6021, "the counts")
            wait_for(lambda: receiver.observations(latency) >= sum(latencies.values()), "the observations")
            receiver.close()
            self.assertEqual(receiver.count(received), 6021)
            self.assertEqual(receiver.observations(latency), sum(latencies.values()))
            self.assertEqual(sum(window["received"].get("ticker:BTC_JPY", 0) for window in agent.windows("gmo")), 6021)
            self.assertEqual(receiver.malformed, [])
            values = [value for value, _ in receiver.samples[latency]]
            unit = 1 if is_dog else 1000
            self.assertAlmostEqual(min(values) / unit, 0.0001, delta=0.000001)
            self.assertAlmostEqual(max(values) / unit, max(latencies) * 1e-9, delta=0.001)
            offset = (OFFSET_PLAIN if not is_dog else ("mdpipe.collector_clock_offset_seconds", "exchange:gmo"))
            self.assertEqual(receiver.gauges[offset], -0.25)

        self.for_each_place_and_format(check)

    def fresh_folder(self):
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))

    def test_an_outage_of_the_receiver_loses_nothing(self):
        for option, address in self.places():
            with self.subTest(address=option):
                first = self.receiver(address)
                agent = self.agent(statsd_address=option)
                reader = self.component()
                reader.add(*RECEIVED, 100)
                observe(reader, {1_000_000: 10})
                reader.send()
                wait_for(lambda: first.count(RECEIVED_PLAIN) == 100 and first.observations(LATENCY_PLAIN) == 10, "the first counts")
                first.close()
                reader.add(*RECEIVED, 23)
                observe(reader, {1_000_000: 10, 2_000_000: 33})
                reader.send()
                self.wait_windows(agent, 2)
                self.assertGreaterEqual(agent.samples()['collector_forward_errors_total{destination="statsd",reason="refused"}'], 1)
                second = self.receiver(address)
                wait_for(lambda: second.count(RECEIVED_PLAIN) == 23 and second.observations(LATENCY_PLAIN) == 33, "the rest")
                reader.add(*RECEIVED, 1)
                reader.send()
                wait_for(lambda: second.count(RECEIVED_PLAIN) == 24, "one more")
                self.assertEqual(agent.stop(), 0)
                self.assertEqual(second.count(RECEIVED_PLAIN), 24)
                self.assertEqual(sum("cannot reach the StatsD receiver" in message for message in agent.messages()), 1)
                self.assertIn("the StatsD receiver is reached again", agent.messages())
                self.fresh_folder()

    def test_an_agent_that_ends_during_an_outage_loses_nothing(self):
        for option, address in self.places():
            for end in ("stop", "kill"):
                with self.subTest(address=option, end=end):
                    agent = self.agent(statsd_address=option)
                    reader = self.component()
                    reader.add(*RECEIVED, 150)
                    observe(reader, {1_000_000: 77})
                    reader.send()
                    wait_for(lambda a=agent: sum(w["received"].get("ticker:BTC_JPY", 0) for w in a.windows("gmo")) == 150, "the window")
                    self.wait_windows(agent, 2)  # one of them has its state on disk
                    getattr(agent, end)()
                    reader.add(*RECEIVED, 5)
                    again = self.agent(statsd_address=option)
                    reader.subscribed()
                    reader.send()
                    self.wait_windows(again, 1)
                    receiver = self.receiver(address)
                    wait_for(lambda r=receiver: r.count(RECEIVED_PLAIN) >= 155 and r.observations(LATENCY_PLAIN) >= 77, "the counts")
                    self.wait_windows(again, 2)
                    self.assertEqual(again.stop(), 0)
                    self.assertEqual(receiver.count(RECEIVED_PLAIN), 155)
                    self.assertEqual(receiver.observations(LATENCY_PLAIN), 77)
                    receiver.close()
                    self.fresh_folder()

    def test_a_full_queue_delays_nobody_and_loses_nothing(self):
        path = os.path.join(self.folder, "statsd.sock")
        receiver = self.receiver(path, reads=False)
        agent = self.agent(statsd_address=f"unix://{path}", statsd_datagram_bytes_max=1432)
        reader = self.component("ws-reader", "binance")
        self.many_series(reader, 3000)
        reader.send()
        self.wait_windows(agent, 3)
        self.assertEqual(sum(sum(window["received"].values()) for window in agent.windows("binance")), 6000)
        errors = 'collector_forward_errors_total{destination="statsd",reason="queue_full"}'
        wait_for(lambda: agent.samples()[errors] >= 1, "the error is counted")
        receiver.start_reading()
        wait_for(lambda: sum(receiver.count(self.series_name(i)) for i in range(3000)) >= 6000, "all counts")
        self.wait_windows(agent, 2)
        self.assertEqual({receiver.count(self.series_name(i)) for i in range(3000)}, {2})
        self.assertEqual(agent.stop(), 0)

    @staticmethod
    def many_series(reader, count):
        for number in range(count):
            reader.add("collector_messages_received_total", ["binance", "ticker", f"SYMBOL{number}"], 2)

    @staticmethod
    def series_name(number):
        return f"mdpipe.collector_messages_received_total.binance.ticker.SYMBOL{number}"

    def test_thousands_of_series_share_full_datagrams_within_the_limit(self):
        port = free_udp_port()
        receiver = self.receiver(port)
        agent = self.agent(statsd_address=f"udp://127.0.0.1:{port}")
        reader = self.component("ws-reader", "binance")
        self.many_series(reader, 3000)
        reader.send()
        wait_for(lambda: sum(receiver.count(self.series_name(i)) for i in range(3000)) >= 6000, "all counts")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual({receiver.count(self.series_name(i)) for i in range(3000)}, {2})
        self.assertLessEqual(max(receiver.datagram_bytes), 1432)
        self.assertGreater(sum(size > 1300 for size in receiver.datagram_bytes), 100)
        self.assertEqual(receiver.malformed, [])

    def test_hostile_labels_stay_labels(self):
        labels = ["a:1|c", "x|#y:z,w", "BTC@0.1|g|日本 \"'\\;=/..", ""]

        def check(option, address, form):
            is_dog = form == "dogstatsd"
            receiver = self.receiver(address, is_dog=is_dog)
            agent = self.agent(statsd_address=option, statsd_format=form)
            reader = self.component()
            for label in labels:
                reader.add("collector_messages_received_total", [label, label, label], 3)
            reader.add("collector_messages_received_total", ["x" * 256, "y" * 256, "日" * 85], 4)
            reader.send()
            wait_for(lambda r=receiver: sum(r.counters.values()) >= 16, "the counts")
            self.assertEqual(agent.stop(), 0)
            received = [count for key, count in receiver.counters.items()
                        if (key[0] if is_dog else key).startswith("mdpipe.collector_messages_received_total")]
            self.assertEqual(sorted(received), [3, 3, 3, 3, 4])
            self.assertEqual(receiver.malformed, [])
            receiver.close()

        self.for_each_place_and_format(check)

    def test_constant_tags_and_the_agents_own_counters(self):
        port = free_udp_port()
        receiver = self.receiver(port, is_dog=True)
        agent = self.agent(statsd_address=f"udp://localhost:{port}", statsd_format="dogstatsd", statsd_prefix="",
                           statsd_tags="env=prod,site=tokyo")
        reader = self.component()
        reader.add(*RECEIVED, 9)
        reader.send()
        key = (RECEIVED_DOG[0].split(".")[1], *sorted([*RECEIVED_DOG[1:], "env:prod", "site:tokyo"]))
        wait_for(lambda: receiver.count(key) == 9, "the count")
        wait_for(lambda: agent.samples()['collector_forwarded_points_total{destination="statsd"}'] > 0, "points are counted")
        self.assertEqual(agent.samples()['collector_forward_dropped_points_total{destination="statsd",reason="too_long"}'], 0)
        self.assertEqual(agent.stop(), 0)

    def test_a_name_that_nobody_knows_delays_nobody(self):
        agent = self.agent(statsd_address="udp://nowhere.invalid:8125")
        reader = self.component()
        reader.add(*RECEIVED, 9)
        reader.send()
        self.wait_windows(agent, 3)
        errors = 'collector_forward_errors_total{destination="statsd",reason="resolve"}'
        wait_for(lambda: agent.samples()[errors] >= 1, "the error is counted")
        self.assertEqual(agent.stop(), 0)

    def test_wrong_options_are_refused_in_one_sentence(self):
        for arguments, part in ((["--statsd-address=localhost"], "udp://HOST:PORT"),
                                (["--statsd-address=udp://h:1", "--statsd-tags=a=b"], "--statsd-format=dogstatsd")):
            run = subprocess.run([BINARY, *arguments, "--check-config"], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(run.returncode, 78)
            self.assertEqual(len(run.stderr.splitlines()), 1)
            self.assertIn(part, run.stderr)

    def test_collectd_counts_the_same(self):
        port = free_udp_port()
        collectd = self.closing(CollectdReceiver(self.folder, port))
        agent = self.agent(statsd_address=f"udp://127.0.0.1:{port}")
        reader = self.component()
        reader.add(*RECEIVED, 12345)
        reader.set("gauges", *OFFSET, -0.25)
        reader.send()
        wait_for(lambda: collectd.count(RECEIVED_PLAIN) == 12345, "collectd has counted")
        wait_for(lambda: collectd.value("gauge", OFFSET_PLAIN) == -0.25, "collectd has the gauge")
        collectd.close()
        reader.add(*RECEIVED, 77)
        reader.send()
        self.wait_windows(agent, 2)
        again = self.closing(CollectdReceiver(self.folder, port))
        wait_for(lambda: again.count(RECEIVED_PLAIN) == 77, "the rest is counted by the next one")
        self.wait_windows(agent, 2)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(again.count(RECEIVED_PLAIN), 77)
        self.assertNotIn("Unable to parse", collectd.log() + again.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
