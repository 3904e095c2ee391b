#!/usr/bin/env bash
# Collects market data of one exchange into Redis: installs what is missing, builds, starts everything, shows what
# happens, and on Ctrl-C ends everything and removes what it made. ./run.sh --help says more.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 70
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

usage() {
  cat <<'TEXT'
Usage: ./run.sh [EXCHANGE [SYMBOL...]]
Collects tickers, trades and order books of an exchange into Redis Streams until Ctrl-C.

  ./run.sh                          GMO Coin, BTC_JPY and ETH_JPY
  ./run.sh gmo BTC_JPY ETH_JPY      the same, named
  ./run.sh bitflyer BTC_JPY         bitFlyer
  ./run.sh binance BTCUSDT ETHUSDT  Binance spot

Installs missing Debian packages (as root or with sudo), builds a release in build/, and starts a private redis-server,
md-publisher, metrics-agent and ws-reader. If the exchange cannot be reached, the bundled simulator replaces it. At the end,
everything that was started is stopped, and everything that was created is removed, including the data in the private Redis.

Environment:
  REDIS_URL            write to this Redis (redis://[user[:password]@]host[:port][/database] or unix:///path) instead
  METRICS_PORT         port of /metrics; default 9100, or any free port if 9100 is in use
  MDPIPE_RUN_SECONDS   stop after this many seconds
  MDPIPE_CONNECT_SECONDS  seconds to wait for the exchange before the simulator replaces it; default 8
  MDPIPE_BUILD_DIR     build in this folder instead of build/
  MDPIPE_INSTALL       false: do not install packages
All options of the programs also work as environment variables; see docs/configuration.md.
TEXT
}

CONNECT_SECONDS=${MDPIPE_CONNECT_SECONDS:-8}  # then the simulator takes over
STOP_SECONDS=5       # what a program gets to end by itself
EXCHANGE=gmo
SYMBOLS=(BTC_JPY ETH_JPY)
BUILD=${MDPIPE_BUILD_DIR:-build}
DIR=                 # all that this run makes
METRICS=             # host:port of /metrics
REDIS_CLI=()         # how to talk to the Redis in use
declare -A PIDS=()   # program -> pid
FAILED=false
ERRORS_BEFORE=0      # those of the try to reach the exchange, before the simulator took its place

parse_arguments() {
  case ${1-} in
    -h | --help) usage && exit 0 ;;
    -*) mdpipe_error "unknown option '$1'; see ./run.sh --help" && exit 64 ;;
    "") return ;;
  esac
  EXCHANGE=$1
  shift
  if [[ $# -gt 0 ]]; then
    SYMBOLS=("$@")
    return
  fi
  case $EXCHANGE in
    gmo) SYMBOLS=(BTC_JPY ETH_JPY) ;;
    bitflyer) SYMBOLS=(BTC_JPY ETH_JPY) ;;
    binance) SYMBOLS=(BTCUSDT ETHUSDT) ;;
    *) mdpipe_error "no symbol is given; name at least one: ./run.sh $EXCHANGE SYMBOL..." && exit 64 ;;
  esac
}

set_up() {
  if [[ ${MDPIPE_INSTALL:-true} != false ]]; then
    mdpipe_install_packages "${TMPDIR:-/tmp}/mdpipe-apt-$$.log" build run || exit 69
    rm -f "${TMPDIR:-/tmp}/mdpipe-apt-$$.log"
  fi
  local started=$SECONDS arguments=()
  # A build folder that is there, test.sh's for one, stays as it is; a new one needs no tests.
  [[ -e $BUILD/CMakeCache.txt ]] || arguments=(-DCMAKE_BUILD_TYPE=Release -DMDPIPE_TESTS=OFF)
  mdpipe_build "$BUILD" "$BUILD/run-build.log" "ws-reader md-publisher metrics-agent exchange-sim" "${arguments[@]}" ||
    exit 70
  ((SECONDS - started < 5)) || mdpipe_line "set-up: built in $((SECONDS - started)) s"
}

# start PROGRAM COMMAND...: in the background, with its own session so that a terminal's Ctrl-C reaches only this script,
# which then ends the programs in order; should this script be killed, the kernel ends them.
start() {
  local name=$1
  shift
  setsid setpriv --pdeathsig TERM "$@" >>"$DIR/$name.log" 2>&1 </dev/null &
  PIDS[$name]=$!
}

is_alive() { [[ -n ${PIDS[$1]-} ]] && kill -0 "${PIDS[$1]}" 2>/dev/null; }

# SIGTERM, and after STOP_SECONDS SIGKILL.
stop() {
  local name=$1 pid=${PIDS[$1]-} deadline
  [[ -n $pid ]] || return 0
  unset "PIDS[$name]"
  kill -TERM "$pid" 2>/dev/null || return 0
  deadline=$((SECONDS + STOP_SECONDS))
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS > deadline)); then
      mdpipe_line "$name did not end within $STOP_SECONDS s and is killed"
      kill -KILL "$pid" 2>/dev/null
      break
    fi
    sleep 0.05
  done
  wait "$pid" 2>/dev/null
}

# In the order of the data, so that each passes on what it holds before the next one goes.
clean_up() {
  trap '' INT TERM HUP
  mdpipe_quiet_stop
  local name
  for name in ws-reader exchange-sim md-publisher metrics-agent redis-server; do stop "$name"; done
  [[ -n $DIR ]] || return 0
  if [[ $FAILED == true ]]; then
    find "$DIR" -mindepth 1 ! -name '*.log' -delete
    echo "the logs stay in $DIR" >&2
  else
    rm -rf "$DIR"
  fi
}

# fail PROGRAM WHY: names it, shows the end of its log, and ends.
fail() {
  FAILED=true
  mdpipe_error "$1 $2; the end of its log:"
  tail -n 15 "$DIR/$1.log" >&2
  exit 70
}

# wait_for SECONDS PROGRAM CONDITION...: true when the condition holds, false when the time is up or the program has ended.
wait_for() {
  local deadline=$((SECONDS + $1)) name=$2
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)) || ! is_alive "$name"; then return 1; fi
    mdpipe_sleep 0.1
  done
}

redis_answers() { [[ $("${REDIS_CLI[@]}" ping 2>/dev/null) == PONG ]]; }

# Redis cannot be told "any free port", so ports are tried; its Unix socket tells that it is ours that answers.
start_redis() {
  local port try
  for try in {1..20}; do
    port=$((20000 + RANDOM % 12000))
    REDIS_CLI=(redis-cli -s "$DIR/redis.sock")
    start redis-server redis-server --bind 127.0.0.1 --port "$port" --unixsocket "$DIR/redis.sock" --unixsocketperm 700 \
      --save '' --appendonly no --dir "$DIR" --daemonize no --logfile ''
    if wait_for 10 redis-server redis_answers; then
      REDIS_URL=unix://$DIR/redis.sock
      REDIS_SHOWN="redis-cli -p $port"
      return
    fi
    grep -q 'Failed listening' "$DIR/redis-server.log" || fail redis-server "did not start"
    unset 'PIDS[redis-server]'
  done
  fail redis-server "found no free port in $try tries"
}

use_redis() {
  if [[ -z ${REDIS_URL-} ]]; then
    start_redis
    return
  fi
  # The URL may hold a password, so it is shown as the variable it came from.
  # shellcheck disable=SC2016
  REDIS_SHOWN='redis-cli -u "$REDIS_URL"'
  if [[ $REDIS_URL == unix://* ]]; then
    local path=${REDIS_URL#unix://} database=0
    [[ $path != *'?db='* ]] || database=${path#*'?db='}
    REDIS_SHOWN="redis-cli -s ${path%%\?*} -n $database"
  fi
}

agent_listens() { [[ -s $DIR/metrics-port ]] && metrics >/dev/null; }

metrics() {
  [[ -s $DIR/metrics-port ]] || return 1
  METRICS=127.0.0.1:$(<"$DIR/metrics-port")
  curl -fsS --max-time 2 "http://$METRICS/metrics" 2>/dev/null
}

start_agent() {
  local port
  for port in ${METRICS_PORT:-9100 0}; do
    rm -f "$DIR/metrics-port"
    start metrics-agent "$BUILD/metrics-agent/metrics-agent" --runtime-dir="$DIR" --state-dir="$DIR" \
      --metrics-bind-address=127.0.0.1 --metrics-port="$port" --port-file="$DIR/metrics-port"
    if wait_for 10 metrics-agent agent_listens; then return; fi
    unset 'PIDS[metrics-agent]'
  done
  fail metrics-agent "did not start"
}

start_reader() {
  local symbols
  symbols=$(IFS=,; echo "${SYMBOLS[*]}")
  start ws-reader "$BUILD/ws-reader/ws-reader" --runtime-dir="$DIR" --exchange="$EXCHANGE" --symbols="$symbols" "$@"
}

is_connected() { metrics | grep -qF "collector_connection_up{exchange=\"$EXCHANGE\"} 1"; }

simulator_listens() { [[ -s $DIR/exchange-sim-port ]]; }

start_simulator() {
  local symbols path=/
  symbols=$(IFS=,; echo "${SYMBOLS[*]}")
  if [[ $EXCHANGE == binance ]]; then path=/stream; fi  # that is where its combined streams are
  start exchange-sim "$BUILD/tools/exchange-sim/exchange-sim" --exchange="$EXCHANGE" --symbols="$symbols" \
    --listen=127.0.0.1:0 --port-file="$DIR/exchange-sim-port"
  wait_for 10 exchange-sim simulator_listens || fail exchange-sim "did not start"
  start_reader --url="ws://127.0.0.1:$(<"$DIR/exchange-sim-port")$path"
  wait_for 10 ws-reader is_connected || fail ws-reader "did not connect to the simulator"
  ERRORS_BEFORE=$(metrics | awk '/^collector_errors_total/ {sum += $NF} END {print sum + 0}')
}

collect() {
  mdpipe_transient "connecting to $EXCHANGE ..."
  start_reader
  if wait_for "$CONNECT_SECONDS" ws-reader is_connected; then
    mdpipe_line "collecting live from $EXCHANGE: ${SYMBOLS[*]}"
    return
  fi
  is_alive ws-reader || fail ws-reader "ended"
  stop ws-reader
  mv "$DIR/ws-reader.log" "$DIR/ws-reader-live.log"
  mdpipe_line "$EXCHANGE cannot be reached within $CONNECT_SECONDS s: the simulator takes its place (${SYMBOLS[*]})"
  start_simulator
}

say_where() {
  mdpipe_line "  data     $REDIS_SHOWN XREVRANGE md:trade + - COUNT 3"
  mdpipe_line "  metrics  curl http://$METRICS/metrics   (health: /healthz)"
  mdpipe_line "  logs     $DIR/{ws-reader,md-publisher,metrics-agent}.log"
  mdpipe_line "Ctrl-C ends it."
}

# Ends the script with the program's log where one has ended.
check_alive() {
  local name
  for name in "${!PIDS[@]}"; do
    if ! is_alive "$name"; then
      local rc=0
      wait "${PIDS[$name]}" || rc=$?
      unset "PIDS[$name]"
      fail "$name" "ended with exit code $rc"
    fi
  done
}

# Rates are over the last few seconds: metrics arrive once a second, so one second alone would jump.
status_loop() {
  local span=5 turn=0 began=$SECONDS back seconds line times=()
  while :; do
    check_alive
    if [[ -n ${MDPIPE_RUN_SECONDS-} ]] && ((SECONDS - began >= MDPIPE_RUN_SECONDS)); then return; fi
    if metrics >"$DIR/sample.$turn"; then
      times[turn]=${EPOCHREALTIME/[.,]/}
      back=$((turn < span ? turn : span))
      if ((back > 0)); then
        seconds=$((times[turn] - times[turn - back]))e-6
        line=$(awk -v seconds="$seconds" -v errors_before="$ERRORS_BEFORE" -f scripts/status_line.awk "$DIR/sample.$((turn - back))" "$DIR/sample.$turn")
        if [[ $MDPIPE_TTY == true ]]; then
          mdpipe_transient "${line:0:$((${COLUMNS:-$(tput cols 2>/dev/null || echo 120)} - 1))}"
        elif ((turn % 10 == 5)); then
          echo "$line"
        fi
      fi
      if ((turn >= span)); then
        rm -f "$DIR/sample.$((turn - span))"
        unset "times[turn - span]"
      fi
      turn=$((turn + 1))
    fi
    mdpipe_sleep 1
  done
}

parse_arguments "$@"
for variable in MDPIPE_RUN_SECONDS MDPIPE_CONNECT_SECONDS; do
  if [[ -n ${!variable-} && ! ${!variable} =~ ^[0-9]+$ ]]; then
    mdpipe_error "$variable '${!variable}': expected a whole number of seconds"
    exit 64
  fi
done
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
set_up
# Short, whatever TMPDIR is: the path of a Unix socket has at most 107 characters.
DIR=$(mktemp -d "/tmp/mdpipe.XXXXXX") || exit 69
trap 'mdpipe_line "ending"; exit 0' INT TERM HUP
use_redis
export REDIS_URL
# Exchanges limit requests by IP address, so all runs share the file that paces them.
touch "$BUILD/pace-$EXCHANGE" && ln -s "$(realpath "$BUILD")/pace-$EXCHANGE" "$DIR/pace-$EXCHANGE"
start_agent
start md-publisher "$BUILD/md-publisher/md-publisher" --runtime-dir="$DIR"
collect
say_where
status_loop
