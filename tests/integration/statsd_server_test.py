#!/usr/bin/python3
"""The original StatsD server (statsd_server/package.json) counts what metrics-agent forwards, to the unit. Skipped, exit 77,
if its package is not installed: npm --prefix tests/integration/statsd_server ci --omit=optional. MDPIPE_BIN_DIR names the
folder of the binary."""

import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import wait_for  # noqa: E402
from statsd_support import (AgentCase, LATENCY_PLAIN, OFFSET, OFFSET_PLAIN, RECEIVED, RECEIVED_PLAIN, StatsdServer,  # noqa: E402
                            free_udp_port, observe)


class StatsdServerTest(AgentCase):
    def test_the_original_server_counts_the_same_over_its_own_restart(self):
        port = free_udp_port()
        first = self.closing(StatsdServer(self.folder, port))
        agent = self.agent(statsd_address=f"udp://127.0.0.1:{port}")
        reader = self.component()
        latencies = {nanos: 11 for nanos in range(100_000, 50_000_000, 777_777)}
        reader.add(*RECEIVED, 12345)
        observe(reader, latencies)
        reader.set("gauges", *OFFSET, -0.25)
        reader.send()
        total = sum(latencies.values())
        wait_for(lambda: first.count(RECEIVED_PLAIN) == 12345 and first.observations(LATENCY_PLAIN) == total, "StatsD has counted")
        self.assertEqual(first.gauge(OFFSET_PLAIN), -0.25)
        first.close()
        reader.add(*RECEIVED, 77)
        observe(reader, {**latencies, 1_000_000_000: 1001})
        reader.send()
        self.wait_windows(agent, 2)
        second = self.closing(StatsdServer(self.folder, port))
        wait_for(lambda: second.count(RECEIVED_PLAIN) == 77 and second.observations(LATENCY_PLAIN) == 1001, "the rest")
        self.wait_windows(agent, 2)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual((second.count(RECEIVED_PLAIN), second.observations(LATENCY_PLAIN)), (77, 1001))
        self.assertEqual(first.bad_lines() + second.bad_lines(), 0)

    def test_it_reads_the_tags_of_dogstatsd(self):
        port = free_udp_port()
        server = self.closing(StatsdServer(self.folder, port))
        agent = self.agent(statsd_address=f"udp://127.0.0.1:{port}", statsd_format="dogstatsd")
        reader = self.component()
        reader.add(*RECEIVED, 150)
        reader.send()
        key = "mdpipe.collector_messages_received_total;exchange=gmo;channel=ticker;symbol=BTC_JPY"
        wait_for(lambda: server.count(key) == 150, "StatsD has counted")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(server.bad_lines(), 0)


if __name__ == "__main__":
    if not (shutil.which("node") and os.path.isdir(StatsdServer.PACKAGE)):
        print("skipped: node or the package of the StatsD server is not here")
        sys.exit(77)
    unittest.main(verbosity=2)
