"""The first dashboard: is the data complete, is it fresh, what does it cost? One screen; a column for each question, its
answer at the top and what it rests on below."""

from .expressions import BY_RECIPE, MARKET_STREAMS, ZERO, grown, grown_lately, or_none, quantile, total
from .panels import (AMBER, BLUE, GREEN, GREY, RED, UP_OR_DOWN, Query, dashboard, datasource_variable, label_variable, link, stat, steps,
                     text_between, text_of_nothing, texts, timeseries)

UID = "mdpipe"
EXCHANGE = 'exchange=~"$exchange"'
DROPPED = f'collector_dropped_events_total{{{EXCHANGE}, reason!~"{BY_RECIPE}"}}'
RECONNECTS = f"collector_reconnects_total{{{EXCHANGE}}}"
# A reader that was asked to stop is nobody's fault.
READERS_DOWN = 'count(collector_component_up{component="ws-reader"} == 0 unless on (component, source) collector_component_stopped == 1)'
LOST_BY_REDIS = f'({total(grown("collector_redis_lost_events_total", "$__range"))} + ' \
                f'{total(grown("collector_stream_entries_removed_total", "$__range"))})'
# A reader that begins anew, a connection that did, and what is away at this moment.
INTERRUPTIONS = f"""({total(grown(RECONNECTS, "$__range"))}
    + (sum(changes(process_start_time_seconds{{component="ws-reader"}}[$__range])) or {ZERO})
    + ({READERS_DOWN} or {ZERO}) + (count(collector_connection_up{{{EXCHANGE}}} == 0) or {ZERO}))"""
# The programs report at different moments, up to a second apart: three seconds of traffic and ten events are no finding.
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
        stat("Complete?", f"""Events lost in the range shown: dropped by mdpipe for whatever reason, confirmed by Redis and gone again,
            deleted by others, or unaccounted for. "yes" is 0. "but for interruptions": nothing that was read is missing, but a connection or a
            reader was away meanwhile; gap events in md:feed say from when to when. docs/guarantees.md, docs/runbook.md.""", (5, 4),
             [Query(f'{total(grown(DROPPED, "$__range"))} + {LOST_BY_REDIS} + {UNACCOUNTED} + 0.25 * clamp_max({INTERRUPTIONS}, 1)', "lost")],
             "suffix: lost", steps(GREEN, 0.1, AMBER, 1, RED),
             [texts(yes=(0, GREEN)), text_between(0.1, 0.9, "but for interruptions", AMBER), NO_METRICS], background=True, text="value", decimals=0),
        stat("Held", """Events that the readers keep until Redis confirms them, in memory and on disk. A few while all is well; many
            while Redis or md-publisher is away: they arrive later, once, in order.""", (3, 4),
             [Query(total("collector_unconfirmed_events"), "held")], "short", steps(GREEN, 10_000, AMBER, 100_000, RED), [NO_METRICS],
             text="value"),
        stat("Fresh?", """Feeds not to be traded on: stale, in a gap or down, pending for ten minutes; a reader that is down counts as one, as it
            says nothing of its feeds. "yes" is 0. The same rules as /healthz, which names them. docs/feeds.md, docs/runbook.md.""", (5, 4),
             [Query(NOT_FRESH, "not fresh")], "suffix: not fresh", steps(GREEN, 1, RED),
             [texts(yes=(0, GREEN)), text_of_nothing("no feeds", RED)], background=True, text="value"),
        stat("Oldest live feed", """Age of the last event of that live feed that has been silent longest. Each feed's limit is its own
            (docs/feeds.md): a thin market may be old and well, so this has no red.""", (3, 4),
             [Query(f"""max(time() - collector_last_message_timestamp_seconds{{{EXCHANGE}}}
                 and on (exchange, channel, symbol) collector_feed_state{{state="live"}} == 1)""", "age")],
             "s", steps(GREEN, 30, AMBER), [text_of_nothing("none live", RED)], text="value", decimals=1),
        stat("Cheap?", """Processor time of all components together, as a share of one core. Each has one thread for its work, so one that
            comes near 100 % alone is at its limit.""", (5, 4),
             [Query('sum(rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))', "processor")],
             "percentunit", steps(GREEN, 0.5, AMBER, 1, RED), [NO_METRICS], background=True, text="value", decimals=1),
        stat("Memory", "Resident memory of all components together. It does not grow with time, only with the number of symbols.", (3, 4),
             [Query('sum(process_resident_memory_bytes{component!=""})', "memory")],
             "bytes", steps(GREEN, 256 * 2**20, AMBER, 2**30, RED), [NO_METRICS], text="value", decimals=0),
    ]


def reasons():
    red, amber = steps(GREEN, 1, RED), steps(GREEN, 1, AMBER)
    return [
        stat("Events, in the range shown", """What "complete?" adds up. dropped: by mdpipe, all reasons but book events that a snapshot stands for.
            gone: Redis held them and holds them no more. unaccounted: received, and neither published, held, dropped nor conflated, over all
            exchanges, beyond what is on its way. interruptions: connections and readers that began anew or are away.""", (8, 3),
             [Query(total(grown(DROPPED, "$__range")), "dropped", steps=red), Query(LOST_BY_REDIS, "gone", steps=red),
              Query(UNACCOUNTED, "unaccounted", steps=red), Query(INTERRUPTIONS, "interruptions", steps=amber)],
             "short", red, text="value_and_name", decimals=0),
        stat("Feeds, by state", """live: data comes. quiet: silent for longer than usual, may be traded on. pending: subscribed, nothing came yet.
            gap, stale, down: not to be traded on. docs/feeds.md.""", (8, 3),
             [Query(of_state(state), state, steps=colours) for state, colours in STATES.items()], "none", steps(GREEN, 1, RED),
             text="value_and_name"),
        stat("What it does for that", """Events received a second; events received for each second of processor time of all components (more is
            better, but few events cannot make many); series that are counted in.""", (8, 3),
             [Query(f"sum(rate(collector_messages_received_total{{{EXCHANGE}}}[$__rate_interval]))", "events / s"),
              Query("""sum(rate(collector_messages_received_total[$__rate_interval]))
                  / sum(rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))""", "events / CPU s"),
              Query("sum(collector_metric_series)", "series")], "short", steps(GREY), text="value_and_name"),
    ]


def services():
    return [
        stat("Components", "down: it has sent no metrics for a while, so it is stopped or stuck. docs/runbook.md.", (8, 3),
             [Query("min by (component, source) (collector_component_up)", "{{source}}")], "none", steps(RED, 1, GREEN),
             UP_OR_DOWN, background=True, text="value_and_name"),
        stat("Exchange and Redis", "The WebSocket to each exchange, and Redis as md-publisher finds it.", (5, 3),
             [Query(or_none(f"min by (exchange) (collector_connection_up{{{EXCHANGE}}})", "exchange", "exchange"), "{{exchange}}"),
              Query(f"min(collector_redis_up) or {ZERO}", "redis")],
             "none", steps(RED, 1, GREEN), UP_OR_DOWN, background=True, text="value_and_name"),
        stat("Alerts firing", """Of metrics-agent and of Prometheus's rules. docs/runbook.md has a section for each name.""", (7, 3),
             [Query(or_none("""max by (alert) (collector_alert_firing == 1
                 or label_replace(ALERTS{alertstate="firing", alertname=~"Mdpipe.*"}, "alert", "$1", "alertname", "(.+)"))""", "alert"),
                    "{{alert}}")], "none", steps(GREEN, 1, RED), background=True, text="name", beneath=True),
        stat("Version", "What is running, and in how many components: more than one version at a time is for the moment of an upgrade only.", (4, 3),
             [Query("count by (version) (collector_build_info)", "{{version}}")], "none", steps(BLUE), text="name"),
    ]


def curves():
    latency = "collector_publish_latency_seconds", "collector_exchange_latency_seconds"
    return [
        timeseries("Received and published", """Events read from the exchange, and confirmed by Redis. One hides the other while all is well;
            where they part, events are held or lost.""", (8, 6),
                   [Query(f"sum(rate(collector_messages_received_total{{{EXCHANGE}}}[$__rate_interval]))", "received", colour=BLUE),
                    Query(f"sum(rate(collector_messages_published_total{{{EXCHANGE}, {MARKET_STREAMS}}}[$__rate_interval]))", "published",
                          colour=GREEN, line="dashed")], "eps", steps(GREY), legend=("lastNotNull", "max")),
        timeseries("Latency", """to Redis: from the frame read off the socket to the event confirmed. to here: from the exchange's timestamp to the
            frame read, which includes the difference of the clocks. The scale is logarithmic; half a second to Redis is an alert.""", (8, 6),
                   [Query(quantile(0.5, latency[0], EXCHANGE), "to Redis p50", colour="light-blue"),
                    Query(quantile(0.99, latency[0], EXCHANGE), "to Redis p99", colour="dark-blue"),
                    Query(quantile(0.5, latency[1], EXCHANGE), "to here p50", colour="light-purple", line="dashed"),
                    Query(quantile(0.99, latency[1], EXCHANGE), "to here p99", colour="dark-purple", line="dashed")],
                   "s", steps(GREEN, 0.1, AMBER, 0.5, RED), logarithmic=True, line=True),
        timeseries("Processor, by component", "Share of one core, by component.", (8, 6),
                   [Query('sum by (source) (rate(process_cpu_seconds_total{component!=""}[$__rate_interval]))', "{{source}}")],
                   "percentunit", steps(GREEN, 0.5, AMBER, 1, RED), stacked=True, line=True),
        timeseries("Lost, and interruptions", """Bars: events lost in each interval, and connections to the exchange that were set up again. Empty is
            good.""", (8, 5),
                   [Query(or_none(f'sum by (reason) ({grown_lately(DROPPED, "$__interval")})', "reason"), "dropped: {{reason}}"),
                    Query(f"""{total(grown_lately("collector_redis_lost_events_total", "$__interval"))}
                        + {total(grown_lately("collector_stream_entries_removed_total", "$__interval"))}""", "gone from Redis", colour="purple"),
                    Query(total(grown_lately(RECONNECTS, "$__interval")), "reconnects", colour=AMBER)],
                   "short", steps(GREEN, 1, RED), bars=True, legend=("sum",)),
        timeseries("Feeds over time", "How many feeds were in each state. All green is good.", (8, 5),
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
    return dashboard(UID, "mdpipe: complete, fresh, cheap", """Is the data complete, fresh and cheap? What the parts mean is in their
        descriptions; what to do about them is in docs/runbook.md.""", variables, links,
                     [*answers(), *reasons(), *services(), *curves()], refresh="5s", span="15m")
