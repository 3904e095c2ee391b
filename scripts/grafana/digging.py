"""The second dashboard: everything that is counted, by symbol, channel and component, to find a cause."""

from .expressions import LEFT_OUT, ZERO, grown_lately, or_none, quantile
from .panels import (AMBER, BLUE, GREEN, GREY, RED, UP_OR_DOWN, Column, Query, dashboard, datasource_variable, heatmap, label_variable, link,
                     row, stat, steps, table, texts, timeline, timeseries)

UID = "mdpipe-digging"
EXCHANGE = 'exchange=~"$exchange"'
CHANNEL = f'{EXCHANGE}, channel=~"$channel"'
FEED = f'{CHANNEL}, symbol=~"$symbol"'
STREAM = f'{EXCHANGE}, symbol=~"$symbol"'
COMPONENT = 'component=~"$component"'
NONE_LOST = steps(GREEN, 1, RED)
SOME_IS_NORMAL = steps(GREEN, 1, AMBER)
# Best first; the number is the value that the panels give to the state.
STATES = {"live": GREEN, "quiet": "super-light-green", "pending": BLUE, "gap": "yellow", "stale": AMBER, "down": RED}
STATE_TEXTS = [texts(**{state: (number, colour) for number, (state, colour) in enumerate(STATES.items())})]
STATE_STEPS = steps(GREEN, 2, BLUE, 3, AMBER, 5, RED)
STATE_NUMBER = "sum by (exchange, channel, symbol) (" + " or ".join(
    f'{number} * (collector_feed_state{{{FEED}, state="{state}"}} == 1)' for number, state in enumerate(STATES)) + ")"


def rate(by, metric, selector):
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def counted(by, metric, selector):
    """Whole events in each interval."""
    return f'sum by ({by}) ({grown_lately(f"{metric}{{{selector}}}", "$__interval")})'


def counts(title, description, size, queries, thresholds=NONE_LOST):
    return timeseries(title, description + " Bars: the number in each interval; the legend has the sum.", size, queries, "short", thresholds,
                      bars=True, legend=("sum",))


def flow():
    return [
        row("Flow"),
        timeseries("Received, by feed", "Events read from the exchange, by channel and symbol.", (8, 8),
                   [Query(rate("exchange, channel, symbol", "collector_messages_received_total", FEED), "{{exchange}} {{channel}} {{symbol}}")],
                   "eps", steps(GREY), table=True, legend=("lastNotNull", "max")),
        timeseries("Published, by stream and symbol", "Events that Redis has confirmed. md:feed contains the state changes of the feeds.", (8, 8),
                   [Query(rate("exchange, stream, symbol", "collector_messages_published_total", STREAM), "{{exchange}} {{stream}} {{symbol}}")],
                   "eps", steps(GREY), table=True, legend=("lastNotNull", "max")),
        timeseries("Frames, by kind", """WebSocket frames by what they were. events: carry events. control: answers and pings. api_error: the
            exchange says no. rejected: could not be right.""", (4, 8),
                   [Query(rate("kind", "collector_frames_received_total", EXCHANGE), "{{kind}}")], "eps", steps(GREY)),
        timeseries("Bytes", "received: decompressed bytes of the frames that contained events. published: bytes of the commands to Redis.", (4, 8),
                   [Query(f"sum(rate(collector_received_bytes_total{{{FEED}}}[$__rate_interval]))", "received"),
                    Query(f"sum(rate(collector_published_bytes_total{{{STREAM}}}[$__rate_interval]))", "published")], "Bps", steps(GREY)),
    ]


def feeds():
    since = f"time() - collector_feed_state_since_timestamp_seconds{{{FEED}}}"
    age = f"time() - collector_last_message_timestamp_seconds{{{FEED}}}"
    return [
        row("Feeds"),
        timeline("Feed states", "The state of each feed over time. docs/feeds.md says what the states mean and when they change.", (12, 9),
                 [Query(STATE_NUMBER, "{{exchange}} {{channel}} {{symbol}}")], STATE_TEXTS, STATE_STEPS),
        table("Feeds now", """The feed that has been silent longest is first. Last event: its age; empty if the feed never had one. In state
            for: time since the current state began.""", (12, 9),
              [Query(f"max by (exchange, channel, symbol) ({age} < 1e9)", "last event"), Query(STATE_NUMBER, "state"),
               Query(f"max by (exchange, channel, symbol) ({since})", "in state for")],
              [Column("Last event", "s", steps(GREEN, 30, AMBER)), Column("State", "none", STATE_STEPS, STATE_TEXTS),
               Column("In state for", "s", steps(GREY))], sort_by="Last event"),
        counts("Subscribed again", "Silent feeds that were resubscribed individually while others still had data, by channel.", (6, 7),
               [Query(counted("exchange, channel", "collector_resubscribes_total", CHANNEL), "{{exchange}} {{channel}}")], SOME_IS_NORMAL),
        counts("Reconnects", "Connections to the exchange that were re-established after a disconnect.", (6, 7),
               [Query(counted("exchange", "collector_reconnects_total", EXCHANGE), "{{exchange}}")], SOME_IS_NORMAL),
        timeline("Connections", "The WebSocket of each exchange, and whether each publisher reaches Redis.", (6, 7),
                 [Query(or_none(f"min by (exchange) (collector_connection_up{{{EXCHANGE}}})", "exchange", "exchange"), "{{exchange}}"),
                  Query("min(collector_redis_up)", "redis")], UP_OR_DOWN, steps(RED, 1, GREEN)),
        timeseries("Clocks", """offset: smallest latency of the last minute; below 0, this host's clock is behind the exchange's clock. negative: latencies
            below 0 in each interval. Check that NTP is running.""", (6, 7),
                   [Query(or_none(f"collector_clock_offset_seconds{{{EXCHANGE}}}", "exchange", "(after the first minute)"), "offset {{exchange}}"),
                    Query(counted("exchange", "collector_negative_latency_total", EXCHANGE), "negative {{exchange}}", unit="short", line="bars")],
                   "s", steps(RED, -0.1, GREEN), low=None, line=True),
    ]


def latency():
    publish, exchange = "collector_publish_latency_seconds", "collector_exchange_latency_seconds"
    parts = [
        row("Latency"),
        heatmap("Frame to Redis", "Distribution of the time from reading the frame off the socket to Redis's confirmation of the event.", (12, 8),
                Query(f"sum by (le) (increase({publish}_bucket{{{EXCHANGE}}}[$__rate_interval]))", "{{le}}"), "s"),
        heatmap("Exchange to here", """Distribution of the time from the exchange's timestamp to reading the frame off the socket, including the difference between the
            clocks.""", (12, 8),
                Query(f"sum by (le) (increase({exchange}_bucket{{{CHANNEL}}}[$__rate_interval]))", "{{le}}"), "s")]
    for histogram, selector, label, what in ((publish, EXCHANGE, "stream", "Frame to Redis, by stream"),
                                             (exchange, CHANNEL, "channel", "Exchange to here, by channel")):
        parts.append(timeseries(what, "p50: half of the events took less time. p99: one in a hundred took more. The scale is logarithmic.", (12, 8),
                                [Query(quantile(share, histogram, selector, label), f"{{{{{label}}}}} {name}", line=line)
                                 for share, name, line in ((0.5, "p50", None), (0.95, "p95", None), (0.99, "p99", "dashed"))],
                                "s", steps(GREEN, 0.1, AMBER, 0.5, RED), logarithmic=True, line=True))
    return parts


def faults():
    dropped = "collector_dropped_events_total"
    return [
        row("Faults"),
        counts("Errors, by type", "Each error is also logged, with a sample.", (8, 8),
               [Query(counted("component, error_type", "collector_errors_total", COMPONENT) + " > 0 " +
                      f'or on () label_replace({ZERO}, "error_type", "none", "", "")', "{{component}} {{error_type}}")], SOME_IS_NORMAL),
        counts("Dropped, by feed and reason", "Events that were read but never reached Redis, except those of order books. docs/guarantees.md.",
               (8, 8), [Query(or_none(counted("exchange, channel, symbol, reason", dropped, f'{FEED}, reason!~"{LEFT_OUT}"'), "reason"),
                              "{{reason}} {{exchange}} {{channel}} {{symbol}}")]),
        counts("Order book events left out, by reason", """before_snapshot, stale_delta and stale_snapshot are normal: a snapshot
            replaces these events. After any other reason, the book is in a gap until its next snapshot. docs/books.md.""", (8, 8),
               [Query(or_none(counted("exchange, symbol, reason", dropped, f'{FEED}, reason=~"{LEFT_OUT}"'), "reason"),
                      "{{reason}} {{exchange}} {{symbol}}")], SOME_IS_NORMAL),
        counts("Redis refused, by reason", "Commands that Redis answered with an error. What was refused is kept and written again.", (8, 8),
               [Query(counted("reason", "collector_redis_refusals_total", COMPONENT) + " > 0 " +
                      f'or on () label_replace({ZERO}, "reason", "none", "", "")', "{{reason}}")], SOME_IS_NORMAL),
        counts("Redis holds less", """lost: events that Redis had confirmed but no longer holds: it was emptied, failed over or restored. removed: another client deleted or
            trimmed entries of a stream.""", (8, 8),
               [Query(or_none(counted("source", "collector_redis_lost_events_total", ""), "source"), "lost {{source}}"),
                Query(counted("stream", "collector_stream_entries_removed_total", ""), "removed {{stream}}")]),
        counts("Conflated", "Events replaced by a newer event of the same symbol while Redis was behind (--when-behind=latest).", (8, 8),
               [Query(or_none(counted("exchange, channel, symbol", "collector_conflated_events_total", FEED), "channel"),
                      "{{exchange}} {{channel}} {{symbol}}")], SOME_IS_NORMAL),
    ]


def buffers():
    return [
        row("Buffers"),
        timeseries("Events held", "Events that a reader keeps because Redis has not confirmed them yet.", (8, 7),
                   [Query(or_none("collector_unconfirmed_events", "source"), "{{source}}")], "short", steps(GREEN, 10_000, AMBER, 100_000, RED)),
        timeseries("Bytes held", """memory: up to --retain-bytes of ws-reader. disk: its spool, up to --spool-bytes. to Redis: commands that were sent or are
            waiting, and are not answered yet.""", (8, 7),
                   [Query("collector_unconfirmed_bytes", "memory {{source}}"), Query("collector_spool_bytes", "disk {{source}}"),
                    Query("collector_redis_buffer_bytes", "to Redis {{source}}")], "bytes", steps(GREEN, 48 * 2**20, AMBER, 2**30, RED)),
        timeseries("Redis's memory", """used: as Redis reports it. limit: its maxmemory, at which it refuses writes; absent if there is no limit. streams: only with
            --stream-bytes-max.""", (8, 7),
                   [Query("collector_redis_memory_used_bytes", "used"), Query("collector_redis_memory_max_bytes > 0", "limit"),
                    Query("collector_stream_bytes > 0", "streams")], "bytes", steps(GREEN)),
        counts("Pauses in reading", "Pauses in reading from the exchange, at most half a second each, because Redis accepted events too slowly.",
               (8, 7), [Query(counted("exchange", "collector_input_pauses_total", EXCHANGE), "{{exchange}}")], SOME_IS_NORMAL),
    ]


def processes():
    return [
        row("Processes"),
        timeline("Components", "down: the component sent no metrics for some time.", (12, 7),
                 [Query(f"min by (component, source) (collector_component_up{{{COMPONENT}}})", "{{component}} {{source}}")],
                 UP_OR_DOWN, steps(RED, 1, GREEN)),
        table("Components now", "Heard: age of its last metrics, which arrive once a second. Running for: time since its process started.", (12, 7),
              [Query(f"max by (component, source) (time() - collector_component_last_seen_timestamp_seconds{{{COMPONENT}}})", "heard"),
               Query(f"max by (component, source) (time() - process_start_time_seconds{{{COMPONENT}}})", "running for"),
               Query(f"max by (component, source) (collector_component_up{{{COMPONENT}}})", "up"),
               Query(f"max by (component, source) (collector_component_stopped{{{COMPONENT}}})", "asked to stop")],
              [Column("Heard", "s", steps(GREEN, 5, AMBER, 10, RED)), Column("Running for", "s", steps(AMBER, 60, GREEN)),
               Column("Up", "none", steps(RED, 1, GREEN), UP_OR_DOWN), Column("Asked to stop", "none", steps(GREEN, 1, AMBER))],
              sort_by="Heard"),
        timeseries("Processor", "Share of one core.", (6, 7),
                   [Query(rate("component, source", "process_cpu_seconds_total", COMPONENT), "{{component}} {{source}}")],
                   "percentunit", steps(GREEN, 0.5, AMBER, 0.9, RED), line=True),
        timeseries("Memory", "Resident memory.", (6, 7),
                   [Query(f"process_resident_memory_bytes{{{COMPONENT}}}", "{{component}} {{source}}")],
                   "bytes", steps(GREEN, 256 * 2**20, AMBER, 2**30, RED), line=True),
        timeseries("Address space", "Virtual memory: mapped, but mostly never used.", (6, 7),
                   [Query(f"process_virtual_memory_bytes{{{COMPONENT}}}", "{{component}} {{source}}")], "bytes", steps(GREY)),
        timeseries("Open files", "Share of the open file descriptors that the process may have.", (6, 7),
                   [Query(f"process_open_fds{{{COMPONENT}}} / process_max_fds{{{COMPONENT}}}", "{{component}} {{source}}")],
                   "percentunit", steps(GREEN, 0.5, AMBER, 0.8, RED), line=True),
        counts("Connections refused", """Attempts to connect to an encrypted endpoint with a key that is not in --curve-peers-dir. The log has the key and the
            address.""", (24, 6),
               [Query(or_none(counted("component, socket", "collector_connections_refused_total", COMPONENT), "component"),
                      "{{component}} {{socket}}")], SOME_IS_NORMAL),
    ]


def observation():
    return [
        row("Metrics and alerts"),
        timeseries("Series", "Metric series of each component; the limit for one component is 50,000.", (6, 7),
                   [Query(f"collector_metric_series{{{COMPONENT}}}", "{{component}}")], "short", steps(GREEN, 40_000, AMBER, 50_000, RED), line=True),
        counts("Metrics not counted or not heard", """refused: new series at the limit. lost: messages that never reached metrics-agent; the next full message
            corrects the totals.""", (6, 7),
               [Query(counted("component", "collector_metric_series_dropped_total", COMPONENT), "refused {{component}}"),
                Query(counted("component", "collector_metric_deltas_lost_total", COMPONENT), "lost {{component}}")], SOME_IS_NORMAL),
        counts("Forwarded points", "Data points that other destinations (statsd, otlp, emf) have accepted.", (6, 7),
               [Query(or_none(counted("destination", "collector_forwarded_points_total", ""), "destination"), "{{destination}}")], steps(GREY)),
        counts("Forwarding failed", "errors: the destination was not reached; the data is kept and sent later. dropped: data points that it will never receive.", (6, 7),
               [Query(or_none(counted("destination, reason", "collector_forward_errors_total", ""), "destination", "no"),
                      "{{destination}} errors {{reason}}"),
                Query(or_none(counted("destination, reason", "collector_forward_dropped_points_total", ""), "destination", "none"),
                      "{{destination}} dropped {{reason}}")]),
        timeline("Alerts", "Alerts of metrics-agent and of Prometheus's rules. docs/runbook.md has a section for each.", (12, 7),
                 [Query(or_none("""max by (alert) (collector_alert_firing
                     or label_replace(ALERTS{alertstate="firing", alertname=~"Mdpipe.*"}, "alert", "$1", "alertname", "(.+)"))""", "alert"),
                        "{{alert}}")], [texts(quiet=(0, GREEN), firing=(1, RED))], steps(GREEN, 1, RED)),
        counts("Alert messages", "Messages of metrics-agent to the alert webhook, by result.", (6, 7),
               [Query(or_none(counted("result", "collector_alert_notifications_total", ""), "result"), "{{result}}")], SOME_IS_NORMAL),
        counts("HTTP", "Requests to metrics-agent, by path and status code; cut: clients that read their answer too slowly.", (6, 7),
               [Query(counted("path, code", "collector_http_requests_total", ""), "{{path}} {{code}}"),
                Query(grown_lately("collector_http_answers_cut_total", "$__interval"), "cut")], SOME_IS_NORMAL),
        stat("Builds", "Version and commit of the running programs, with the number of components.", (24, 4),
             [Query("count by (version, commit) (collector_build_info)", "{{version}} {{commit}}")], "none", steps(BLUE), text="value_and_name"),
    ]


def made():
    received = "collector_messages_received_total"
    variables = [datasource_variable(),
                 label_variable("exchange", "Exchange", received, "exchange"),
                 label_variable("channel", "Channel", f"{received}{{{EXCHANGE}}}", "channel"),
                 label_variable("symbol", "Symbol", f"{received}{{{CHANNEL}}}", "symbol"),
                 label_variable("component", "Component", "collector_component_up", "component", all_value=".+")]
    links = [link("mdpipe: complete, fresh, cheap", "mdpipe", "The three answers")]
    return dashboard(UID, "mdpipe: digging", """Everything that mdpipe counts, by symbol, channel and component. Choose at the top what to show;
        docs/runbook.md says what to look for.""", variables, links,
                     [*flow(), *feeds(), *latency(), *faults(), *buffers(), *processes(), *observation()], refresh="10s", span="30m")
