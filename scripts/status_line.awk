# Makes run.sh's status line from two answers of /metrics, the older one first:
#   awk -v seconds=5 -v errors_before=0 -f status_line.awk OLD NEW
# Rates and the quantile are over the time between the two; errors and unconfirmed events are as of the newer one.
function label(name,   at, rest) {
  at = index($0, name "=\"")
  if (!at) return ""
  rest = substr($0, at + length(name) + 2)
  return substr(rest, 1, index(rest, "\"") - 1)
}
FNR == 1 { file++ }
/^collector_messages_published_total\{/ {
  stream = label("stream")
  if (!(stream in known)) { known[stream] = 1; order[++streams] = stream }
  published[file, stream] += $NF
}
/^collector_publish_latency_seconds_bucket\{/ {
  bound = label("le")
  if (!(bound in is_bound)) { is_bound[bound] = 1; bounds[++bound_count] = bound }
  latency[file, bound] += $NF
}
file == 2 && /^collector_errors_total\{/ { errors += $NF }
file == 2 && /^collector_dropped_events_total\{/ { dropped += $NF }
file == 2 && /^collector_unconfirmed_events\{/ { unconfirmed += $NF }

# The 99th percentile inside its bucket, in ms; "-" if nothing was published.
function p99(   total, wanted, i, below, here, lower, upper) {
  total = latency[2, "+Inf"] - latency[1, "+Inf"]
  if (total <= 0) return "-"
  wanted = 0.99 * total
  for (i = 1; i <= bound_count; i++) {
    here = latency[2, bounds[i]] - latency[1, bounds[i]]
    if (here >= wanted) {
      if (bounds[i] == "+Inf") return sprintf("over %g s", lower)
      upper = bounds[i]
      return sprintf("%.2f ms", 1000 * (lower + (upper - lower) * (wanted - below) / (here - below)))
    }
    below = here
    lower = bounds[i]
  }
  return "-"
}
END {
  shown_max = 6
  for (i = 1; i <= streams && i <= shown_max; i++) {
    printf "%s %.1f/s  ", order[i], (published[2, order[i]] - published[1, order[i]]) / seconds
  }
  if (streams > shown_max) printf "and %d more  ", streams - shown_max
  if (!streams) printf "waiting for the first event  "
  printf "| publish p99 %s | errors %d | unconfirmed %d", p99(), errors - errors_before, unconfirmed
  if (dropped) printf " | DROPPED %d", dropped
  printf "\n"
}
