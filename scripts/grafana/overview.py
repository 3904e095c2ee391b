"""The first dashboard: is the data complete, is it fresh, what does it cost? One screen with a column for each
question: its answer at the top, and the basis of the answer below."""

from .expressions import BY_RECIPE, MARKET_STREAMS, ZERO, grown, grown_lately, or_none, quantile, total
from .panels import (AMBER, BLUE, GREEN, GREY, RED, UP_OR_DOWN, Query, dashboard, datasource_variable, label_variable, link, stat, steps,
                     text_between, text_of_nothing, texts, timeseries)

UID = "mdpipe"
EXCHANGE = 'exchange=~"$exchange"'
DROPPED = f'collector_dropped_events_total{{{EXCHANGE}, reason!~"{BY_RECIPE}"}}'
RECONNECTS = f"collector_reconnects_total{{{EXCHANGE}}}"
# A reader that was asked to stop is not a fault.
READERS_DOWN = 'count(collector_component_up{component="ws-reader"} == 0 unless on (component, source) collector_component_stopped == 1)'
LOST_BY_REDIS = f'({total(grown("collector_redis_lost_events_total", "$__range"))} + ' \
                f'{total(grown("collector_stream_entries_removed_total", "$__range"))})'
# Readers that started again, connections that were re-established, and what is away now.
INTERRUPTIONS = f"""({total(grown(RECONNECTS, "$__range"))}
    + (sum(changes(process_start_time_seconds{{component="ws-reader"}}[$__range])) or {ZERO})
    + ({READERS_DOWN} or {ZERO}) + (count(collector_connection_up{{{EXCHANGE}}} == 0) or {ZERO}))"""
# The programs report up to a second apart, so a difference of three seconds of traffic and ten events is tolerated.
UNACCOUNTED = f"""(clamp_min(abs(sum(collector_messages_received_total) - sum(collector_messages_published_total{{{MARKET_STREAMS}}})
    - sum(collector_unconfirmed_events) - {total('collector_dropped_events_total{channel!="feed"}')}
    - {total("collector_conflated_events_total")})
    - 3 * sum(rate(collector_messages_received_total[$__rate_interval])) - 10, 0) and on () (min(collector_component_up) == 1) or {ZERO})"""
NOT_FRESH = f"""sum(collector_feed_state{{{EXCHANGE}, state=~"stale|gap|down"}})
    + (count(collector_feed_state{{{EXCHANGE}, state="pending"}} == 1
        and on (exchange, channel, symbol) time() - collector_feed_state_since_timestamp_seconds > 600) or {ZERO})
    + ({READERS_DOWN} or {ZERO})"""
STATES = {"live": steps(RED, 1, GREEN), "quiet": steps(GREEN), "pending": steps(GREEN, 1, AMBER), "gap": steps(GREEN, 1, RED),
          "stale": steps(GREEN, 1, RED), "down": steps(GREEN, 1, RED)}
STATE_COLOURS = {"live": "green", "quiet": "super-light-green", "pending": "blue", "gap": "yellow", "stale": "orange", "down": "red"}
NO_METRICS = text_of_nothing("no metrics", RED)


def of_state(state):
    return f'(sum(collector_feed_state{{{EXCHANGE}, state="{state}"}}) or {ZERO})'


def answers():
    return [
        stat("Complete?", f"""Events lost in the time range shown: dropped by mdpipe for any reason, lost by Redis after it had confirmed them,
            deleted by others, or unaccounted for. "yes" is 0. "but for interruptions": nothing that was read is missing, but a connection or a
            reader was away meanwhile; gap events in md:feed give the times. docs/guarantees.md, docs/runbook.md.""", (5, 4),
             [Query(f'{total(grown(DROPPED, "$__range"))} + {LOST_BY_REDIS} + {UNACCOUNTED} + 0.25 * clamp_max({INTERRUPTIONS}, 1)', "lost")],
             "suffix: lost", steps(GREEN, 0.1, AMBER, 1, RED),
             [texts(yes=(0, GREEN)), text_between(0.1, 0.9, "but for interruptions", AMBER), NO_METRICS], background=True, text="value", decimals=0),
        stat("Held", """Events that the readers keep until Redis confirms them, in memory and on disk. There are a few if all is well, and many
            while Redis or md-publisher is away. They arrive later, once, in order.""", (3, 4),
             [Query(total("collector_unconfirmed_events"), "held")], "short", steps(GREEN, 10_000, AMBER, 100_000, RED), [NO_METRICS],
             text="value"),
        stat("Fresh?", """Feeds on which a bot must not trade: stale, in a gap, down, or pending for ten minutes. A reader that is down counts as one, because
            it reports nothing about its feeds. "yes" is 0. /healthz has the same rules and names the feeds. docs/feeds.md, docs/runbook.md.""", (5, 4),
             [Query(NOT_FRESH, "not fresh")], "suffix: not fresh", steps(GREEN, 1, RED),
             [texts(yes=(0, GREEN)), text_of_nothing("no feeds", RED)], background=True, text="value"),
        stat("Oldest live feed", """Age of the last event of the live feed that has been silent longest. Each feed has its own limit
            (docs/feeds.md). A slow market can have an old last event and still be live, so this panel is never red.""", (3, 4),
             [Query(f"""max(time() - collector_last_message_timestamp_seconds{{{EXCHANGE}}}
                 and on (exchange, channel, symbol) collector_feed_state{{state="live"}} == 1)""", "age")],
             "s", steps(GREEN, 30, AMBER), [text_of_nothing("none live", RED)], text="value", decimals=1),
        stat("Cheap?", """Processor time of all components together, as a share of one core. Each component works in one thread, so a single one
            near 100 % is at its limit.""", (5, 4),
             [Query('sum(rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))', "processor")],
             "percentunit", steps(GREEN, 0.5, AMBER, 1, RED), [NO_METRICS], background=True, text="value", decimals=1),
        stat("Memory", "Resident memory of all components together. It does not grow with time, only with the number of symbols.", (3, 4),
             [Query('sum(process_resident_memory_bytes{component!=""})', "memory")],
             "bytes", steps(GREEN, 256 * 2**20, AMBER, 2**30, RED), [NO_METRICS], text="value", decimals=0),
    ]


def reasons():
    red, amber = steps(GREEN, 1, RED), steps(GREEN, 1, AMBER)
    return [
        stat("Events, in the range shown", """The parts of "Complete?". dropped: by mdpipe, for all reasons except order book events that a snapshot replaces.
            gone: Redis held them but does not any more. unaccounted: received, but not published, held, dropped or conflated, over all
            exchanges, beyond what is being sent. interruptions: connections and readers that started again or are away.""", (8, 3),
             [Query(total(grown(DROPPED, "$__range")), "dropped", steps=red), Query(LOST_BY_REDIS, "gone", steps=red),
              Query(UNACCOUNTED, "unaccounted", steps=red), Query(INTERRUPTIONS, "interruptions", steps=amber)],
             "short", red, text="value_and_name", decimals=0),
        stat("Feeds, by state", """live: data is arriving. quiet: silent for longer than usual; a bot may trade. pending: subscribed, but no data yet.
            gap, stale, down: a bot must not trade. docs/feeds.md.""", (8, 3),
             [Query(of_state(state), state, steps=colours) for state, colours in STATES.items()], "none", steps(GREEN, 1, RED),
             text="value_and_name"),
        stat("What it does for that", """Events received per second; events received for each second of processor time of all components (more is
            better, but the number is small if there are few events); metric series.""", (8, 3),
             [Query(f"sum(rate(collector_messages_received_total{{{EXCHANGE}}}[$__rate_interval]))", "events / s"),
              Query("""sum(rate(collector_messages_received_total[$__rate_interval]))
                  / sum(rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))""", "events / CPU s"),
              Query("sum(collector_metric_series)", "series")], "short", steps(GREY), text="value_and_name"),
    ]


def services():
    return [
        stat("Components", "down: the component has sent no metrics for some time, so it is stopped or hangs. docs/runbook.md.", (8, 3),
             [Query("min by (component, source) (collector_component_up)", "{{source}}")], "none", steps(RED, 1, GREEN),
             UP_OR_DOWN, background=True, text="value_and_name"),
        stat("Exchange and Redis", "The WebSocket to each exchange, and whether md-publisher reaches Redis.", (5, 3),
             [Query(or_none(f"min by (exchange) (collector_connection_up{{{EXCHANGE}}})", "exchange", "exchange"), "{{exchange}}"),
              Query(f"min(collector_redis_up) or {ZERO}", "redis")],
             "none", steps(RED, 1, GREEN), UP_OR_DOWN, background=True, text="value_and_name"),
        stat("Alerts firing", """Alerts of metrics-agent and of Prometheus's rules. docs/runbook.md has a section for each name.""", (7, 3),
             [Query(or_none("""max by (alert) (collector_alert_firing == 1
                 or label_replace(ALERTS{alertstate="firing", alertname=~"Mdpipe.*"}, "alert", "$1", "alertname", "(.+)"))""", "alert"),
                    "{{alert}}")], "none", steps(GREEN, 1, RED), background=True, text="name", beneath=True),
        stat("Version", "The running versions, and the number of components of each. More than one version at a time is normal only during an upgrade.", (4, 3),
             [Query("count by (version) (collector_build_info)", "{{version}}")], "none", steps(BLUE), text="name"),
    ]


def curves():
    latency = "collector_publish_latency_seconds", "collector_exchange_latency_seconds"
    return [
        timeseries("Received and published", """Events read from the exchange, and events confirmed by Redis. If all is well, the curves cover each other;
            if they differ, events are held or lost.""", (8, 6),
                   [Query(f"sum(rate(collector_messages_received_total{{{EXCHANGE}}}[$__rate_interval]))", "received", colour=BLUE),
                    Query(f"sum(rate(collector_messages_published_total{{{EXCHANGE}, {MARKET_STREAMS}}}[$__rate_interval]))", "published",
                          colour=GREEN, line="dashed")], "eps", steps(GREY), legend=("lastNotNull", "max")),
        timeseries("Latency", """to Redis: from reading the frame off the socket to the confirmation of the event. to here: from the exchange's timestamp to
            reading the frame, including the difference between the clocks. The scale is logarithmic. Half a second to Redis raises an alert.""", (8, 6),
                   [Query(quantile(0.5, latency[0], EXCHANGE), "to Redis p50", colour="light-blue"),
                    Query(quantile(0.99, latency[0], EXCHANGE), "to Redis p99", colour="dark-blue"),
                    Query(quantile(0.5, latency[1], EXCHANGE), "to here p50", colour="light-purple", line="dashed"),
                    Query(quantile(0.99, latency[1], EXCHANGE), "to here p99", colour="dark-purple", line="dashed")],
                   "s", steps(GREEN, 0.1, AMBER, 0.5, RED), logarithmic=True, line=True),
        timeseries("Processor, by component", "Share of one core, by component.", (8, 6),
                   [Query('sum by (source) (rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))', "{{source}}")],
                   "percentunit", steps(GREEN, 0.5, AMBER, 1, RED), stacked=True, line=True),
        timeseries("Lost, and interruptions", """Bars: events lost in each interval, and connections to the exchange that were re-established. No bars is
            good.""", (8, 5),
                   [Query(or_none(f'sum by (reason) ({grown_lately(DROPPED, "$__interval")})', "reason"), "dropped: {{reason}}"),
                    Query(f"""{total(grown_lately("collector_redis_lost_events_total", "$__interval"))}
                        + {total(grown_lately("collector_stream_entries_removed_total", "$__interval"))}""", "gone from Redis", colour="purple"),
                    Query(total(grown_lately(RECONNECTS, "$__interval")), "reconnects", colour=AMBER)],
                   "short", steps(GREEN, 1, RED), bars=True, legend=("sum",)),
        timeseries("Feeds over time", "Number of feeds in each state. All green is good.", (8, 5),
                   [Query(of_state(state), state, colour=STATE_COLOURS[state]) for state in STATES],
                   "none", steps(GREY), stacked=True, solid=True),
        timeseries("Memory, by component", "Resident memory, by component.", (8, 5),
                   [Query('sum by (source) (process_resident_memory_bytes{component!=""})', "{{source}}")],
                   "bytes", steps(GREEN, 256 * 2**20, AMBER, 2**30, RED), stacked=True, line=True),
    ]


def made():
    variables = [datasource_variable(),
                 label_variable("exchange", "Exchange", "collector_messages_received_total", "exchange")]
    links = [link("mdpipe: digging", "mdpipe-digging", "Everything that is counted, by symbol, channel and component")]
    return dashboard(UID, "mdpipe: complete, fresh, cheap", """Is the data complete, fresh and cheap? The descriptions of the panels say
        what they mean; docs/runbook.md says what to do.""", variables, links,
                     [*answers(), *reasons(), *services(), *curves()], refresh="5s", span="15m")
