#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every check. ./test.sh --help says more.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 70
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

usage() {
  cat <<'TEXT'
Usage: ./test.sh [--quick] [--tsan] [--repeat N] [--no-install]
       ./test.sh --arm64 [--repeat N] [--no-install]
Runs the format check and shellcheck, the release build, all tests, and clang-tidy. The tests that are not slow run a second
time in a build with AddressSanitizer and UndefinedBehaviorSanitizer. That build and clang-tidy run while the tests are
waiting. The last line summarizes the tests; the exit code is 0 only if everything passed.

  --quick       leave out clang-tidy and the sanitizers
  --tsan        also run the tests that are not slow in a build with ThreadSanitizer
  --arm64       only the cross-build for 64-bit Arm: build, run the unit tests in an emulator (qemu-user), make the package
  --repeat N    run each test N times, or until it fails
  --no-install  do not install packages

Builds are those of CMakePresets.json, in build/, build-asan/, build-tsan/ and build-arm64/; full logs are in test-logs/ of each. Tests on
recorded frames read them from the folder MDPIPE_RECORDED; without it, they are skipped.
TEXT
}

QUICK=false
TSAN=false
ARM64=false
INSTALL=true
REPEAT=1
JOBS=$((3 * $(nproc)))            # the long tests wait most of the time
SANITIZED_JOBS=$((2 * $(nproc)))  # less so where everything takes longer
PASSED=0
FAILED=0
SKIPPED=0
FAILED_STEPS=()
BEGUN_STEP=
BEGUN_PID=

while [[ $# -gt 0 ]]; do
  case $1 in
    --quick) QUICK=true ;;
    --tsan) TSAN=true ;;
    --arm64) ARM64=true ;;
    --no-install) INSTALL=false ;;
    --repeat) REPEAT=${2-} && shift ;;
    --repeat=*) REPEAT=${1#*=} ;;
    -h | --help) usage && exit 0 ;;
    *) mdpipe_error "unknown argument '$1'; see ./test.sh --help" && exit 64 ;;
  esac
  shift
done
if [[ ! $REPEAT =~ ^[1-9][0-9]*$ ]]; then
  mdpipe_error "--repeat '$REPEAT': expected a number of times"
  exit 64
fi

# report STEP RESULT STARTED: "ok     release build    93 s"
report() { mdpipe_line "$(printf '%-6s %-62s %4d s' "$2" "$1" "$((SECONDS - $3))")"; }

fail_step() {
  report "$1" FAILED "$2"
  FAILED_STEPS+=("$1")
}

# check STEP LOG COMMAND...: a step without tests in it; one that fails counts as one failure.
check() {
  local step=$1 log=$2 started=$SECONDS
  shift 2
  if mdpipe_quiet "$step" "$log" "$@"; then
    report "$step" ok "$started"
    return 0
  fi
  fail_step "$step" "$started"
  FAILED=$((FAILED + 1))
  echo "--- the end of $log"
  tail -n 40 "$log"
  return 1
}

# The folder of a preset, as CMakePresets.json has it.
folder_of() { if [[ $1 == release ]]; then echo build; else echo "build-$1"; fi; }

# build STEP PRESET
build() {
  local step=$1 dir started=$SECONDS
  dir=$(folder_of "$2")
  if mdpipe_build "$dir" "$dir/test-logs/build.log" all --preset "$2"; then
    report "$step" ok "$started"
    return 0
  fi
  fail_step "$step" "$started"
  FAILED=$((FAILED + 1))
  return 1
}

# The value of an attribute of the report's first element.
junit_number() { grep -m 1 -oE "\b$2=\"[0-9]+\"" "$1" | grep -oE '[0-9]+'; }

# run_tests STEP PRESET
run_tests() {
  local step=$1 logs started=$SECONDS rc=0 total failed skipped
  logs=$(folder_of "$2")/test-logs
  local junit=$logs/junit.xml log=$logs/ctest.log
  rm -f "$junit"
  mdpipe_quiet "$step" "$log" ctest --preset "$2" --output-junit "$PWD/$junit" --parallel "$JOBS" --repeat "until-fail:$REPEAT" || rc=$?
  if [[ ! -s $junit ]]; then
    fail_step "$step" "$started"
    FAILED=$((FAILED + 1))
    tail -n 20 "$log"
    return 1
  fi
  total=$(junit_number "$junit" tests)
  failed=$(junit_number "$junit" failures)
  skipped=$(($(junit_number "$junit" skipped) + $(junit_number "$junit" disabled)))
  if ((rc != 0 && failed == 0)); then failed=1; fi  # ctest itself went wrong
  PASSED=$((PASSED + total - failed - skipped))
  FAILED=$((FAILED + failed))
  SKIPPED=$((SKIPPED + skipped))
  step+=": $((total - failed - skipped)) passed, $failed failed, $skipped skipped"
  if ((skipped > 0)); then
    grep -aE '\*\*\*(Skipped|Not Run)' "$log" | sed -E 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) .*/       skipped \1/' | sort -u
  fi
  if ((failed == 0)); then
    report "$step" ok "$started"
    return 0
  fi
  fail_step "$step" "$started"
  echo "--- of $log"
  # The output of tests that failed, and the list of them.
  awk '/\*\*\*(Failed|Timeout|Exception)/ {show = 60} show-- > 0; /tests passed,/ {rest = 1} rest' "$log" | tail -n 150
  return 1
}

# begin STEP COMMAND...: a step without tests, beside the steps that follow until wait_for_begun, which counts it if it fails.
begin() {
  BEGUN_STEP=$1
  shift
  (
    trap mdpipe_quiet_stop EXIT
    trap 'exit 130' INT TERM HUP
    MDPIPE_TTY=false
    MDPIPE_NICE=10  # a tenth of what a test gets that wants the processor too
    "$@"
  ) &
  BEGUN_PID=$!
}

wait_for_begun() {
  local started=$SECONDS rc=0
  while kill -0 "$BEGUN_PID" 2>/dev/null; do
    mdpipe_transient "$BEGUN_STEP  $((SECONDS - started)) s"
    mdpipe_sleep 0.5
  done
  wait "$BEGUN_PID" || rc=$?
  BEGUN_PID=
  if ((rc == 0)); then return 0; fi
  FAILED_STEPS+=("$BEGUN_STEP")
  FAILED=$((FAILED + 1))
  return 1
}

# shellcheck disable=SC2317  # called by the trap
stop_all() {
  mdpipe_quiet_stop
  if [[ -z $BEGUN_PID ]]; then return 0; fi
  kill -TERM "$BEGUN_PID" 2>/dev/null
  wait "$BEGUN_PID" 2>/dev/null
}

sanitized_tests() { JOBS=$SANITIZED_JOBS run_tests "$1" "$2"; }

all_steps() {
  local tidy=(check "clang-tidy" build/test-logs/tidy.log scripts/tidy.sh build) asan=true
  begin "ASan and UBSan: build" build "ASan and UBSan: build" asan
  run_tests "release tests" release
  wait_for_begun || asan=false
  begin "clang-tidy" "${tidy[@]}"
  if [[ $asan == true ]]; then sanitized_tests "ASan and UBSan: tests" asan; fi
  wait_for_begun
}

finish() {
  if ((${#FAILED_STEPS[@]} > 0)); then
    echo "failed: $(IFS=';'; echo "${FAILED_STEPS[*]}")"
  fi
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  ((FAILED == 0)) || exit 1
  exit 0
}

trap stop_all EXIT
trap 'mdpipe_line "interrupted"; exit 130' INT TERM HUP

if [[ $INSTALL == true ]]; then
  lists=(build test)
  [[ $ARM64 == false ]] || lists=(build arm64)
  mdpipe_install_packages "${TMPDIR:-/tmp}/mdpipe-apt-$$.log" "${lists[@]}" || exit 69
  rm -f "${TMPDIR:-/tmp}/mdpipe-apt-$$.log"
  # Debian's npm is half a gigabyte, so the original StatsD server takes part only where an npm is here already.
  statsd_server=tests/integration/statsd_server
  if [[ $ARM64 == false && ! -d $statsd_server/node_modules/statsd ]] && command -v npm >/dev/null; then
    npm --prefix "$statsd_server" ci --omit=optional --no-audit --no-fund >/dev/null 2>&1 ||
      echo "set-up: npm could not install the StatsD server; its tests are skipped"
  fi
fi
export PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH  # Debian's python3 has the modules that the tests import

if [[ $ARM64 == true ]]; then
  check "arm64: libraries" build-arm64/test-logs/sysroot.log scripts/sysroot.sh arm64 build-arm64/sysroot || finish
  if build "arm64: build" arm64; then
    JOBS=$(nproc) run_tests "arm64: tests" arm64
    check "arm64: package" build-arm64/test-logs/package.log cmake --build build-arm64 --target package
  fi
  finish
fi
check "format and shellcheck" build/test-logs/format.log scripts/check_format.sh
build "release build" release || finish
if [[ $QUICK == true ]]; then run_tests "release tests" release; else all_steps; fi
if [[ $TSAN == true ]] && build "TSan: build" tsan; then sanitized_tests "TSan: tests" tsan; fi
finish
