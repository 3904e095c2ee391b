# shellcheck shell=bash
# What run.sh and test.sh share: one line of progress for a long command, its log shown when it fails, and the build.
# Sourced, never run.

if [[ -t 1 ]]; then MDPIPE_TTY=true; else MDPIPE_TTY=false; fi
MDPIPE_QUIET_PID=

# Replaces the current line on a terminal; prints nothing if the output is not a terminal.
mdpipe_transient() {
  if [[ $MDPIPE_TTY == true ]]; then printf '\r\033[K%s' "$*"; fi
}

mdpipe_line() {
  mdpipe_transient ""
  printf '%s\n' "$*"
}

mdpipe_error() {
  mdpipe_transient ""
  printf 'error: %s\n' "$*" >&2
}

# mdpipe_quiet TITLE LOG COMMAND...: runs the command in a process group of its own, so that an interrupt ends all of it;
# its output goes to LOG, a terminal shows TITLE with ninja's counter. MDPIPE_NICE=N sets its niceness, also that of its autogroup,
# because the scheduler divides the processors among those first (sched(7)).
mdpipe_quiet() {
  local title=$1 log=$2 started=$SECONDS rc=0 step
  shift 2
  if [[ -n ${MDPIPE_NICE-} ]]; then
    # shellcheck disable=SC2016  # expanded by the inner shell
    set -- bash -c '{ echo "$0" >/proc/self/autogroup; } 2>/dev/null; exec nice -n "$0" "$@"' "$MDPIPE_NICE" "$@"
  fi
  mkdir -p "$(dirname "$log")"
  setsid "$@" >"$log" 2>&1 </dev/null &
  MDPIPE_QUIET_PID=$!
  while kill -0 "$MDPIPE_QUIET_PID" 2>/dev/null; do
    if [[ $MDPIPE_TTY == true ]]; then
      step=$(tail -c 4000 "$log" 2>/dev/null | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -n 1)
      mdpipe_transient "$title ${step}  $((SECONDS - started)) s"
    fi
    mdpipe_sleep 0.5
  done
  wait "$MDPIPE_QUIET_PID" || rc=$?
  MDPIPE_QUIET_PID=
  mdpipe_transient ""
  return "$rc"
}

# For traps: ends what mdpipe_quiet is running.
mdpipe_quiet_stop() {
  if [[ -z $MDPIPE_QUIET_PID ]]; then return 0; fi
  kill -TERM -- "-$MDPIPE_QUIET_PID" 2>/dev/null
  wait "$MDPIPE_QUIET_PID" 2>/dev/null
  MDPIPE_QUIET_PID=
}

# A sleep that a trapped signal cuts short: bash runs traps at once during wait, but not during a foreground command.
mdpipe_sleep() {
  sleep "$1" &
  wait $!
}

# As many compilers as there are cores, but not more than memory allows: the largest file takes about 1.2 GB.
mdpipe_jobs() {
  local available_kb jobs
  available_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  jobs=$((available_kb / 1200000))
  if ((jobs > $(nproc))); then jobs=$(nproc); fi
  if ((jobs < 1)); then jobs=1; fi
  echo "$jobs"
}

# mdpipe_build DIR LOG TARGETS CMAKE-ARGUMENT...: configures and builds; a second call for DIR waits for the first.
mdpipe_build() {
  local dir=$1 log=$2 targets=$3
  shift 3
  mkdir -p "$dir" 2>/dev/null
  if [[ ! -w $dir || ( -e $dir/CMakeCache.txt && ! -w $dir/CMakeCache.txt ) ]]; then
    mdpipe_error "$dir cannot be written, it was made by another user; remove it (sudo rm -r '$dir') and try again"
    return 1
  fi
  [[ $MDPIPE_TTY == true ]] || echo "set-up: building $(basename "$dir") (log: $log)"
  # shellcheck disable=SC2016  # expanded by the inner shell
  mdpipe_quiet "set-up: building $(basename "$dir")" "$log" flock "$dir/.lock" bash -c '
    set -e
    dir=$1 jobs=$2 targets=$3; shift 3
    cmake -S . -B "$dir" -G Ninja "$@"
    # shellcheck disable=SC2086
    ninja -C "$dir" -j "$jobs" $targets
    # If root builds in the tree of another user, the files belong to that user.
    if [[ $EUID -eq 0 && $(stat -c %u .) -ne 0 ]]; then chown -R --reference=. "$dir"; fi
  ' mdpipe-build "$dir" "$(mdpipe_jobs)" "$targets" "$@" && return 0
  mdpipe_error "the build in $dir failed; the whole log is $log, here is its end:"
  { grep -aE -A 12 'FAILED:|error:|CMake Error' "$log" || cat "$log"; } | tail -n 40 >&2
  return 1
}
