#!/usr/bin/env bash
# The fault matrix for as long as wanted: tests/soak.sh MINUTES SEED. --help says more.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit 70

usage() {
  cat <<'TEXT'
Usage: tests/soak.sh MINUTES SEED [--build DIR] [--rate N] [--seconds N] [--faults N] [--spool MODE]
Hurts the whole pipeline for MINUTES, at random moments and in random ways that SEED decides, under a load of numbered
events, and compares what is in Redis with what the simulated exchange sent. Prints a line for each fault and a summary;
the exit code is 0 only if nothing was lost, doubled, swapped or miscounted. Ctrl-C ends it early, with the summary.

  --build DIR   folder with the programs, built here if they are missing; default build
  --rate N      events per second; default 500
  --seconds N   length of the faults that last (stopped, slow, disk full, clock wrong); default 10
  --faults N    end after N faults
  --spool MODE  auto, always or off: --spool of ws-reader

As root it also fills disks: small file systems that only this run sees.
TEXT
}

BUILD=build
PASSED_ON=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --build) BUILD=${2-} && shift ;;
    *) PASSED_ON+=("$1") ;;
  esac
  shift
done
if ((${#PASSED_ON[@]} < 2)); then
  usage >&2
  exit 64
fi

TARGETS=(ws-reader md-publisher metrics-agent exchange-sim mdpipe_fake_clock)
if [[ ! -e $BUILD/tests/faults/libmdpipe_fake_clock.so || ! -x $BUILD/ws-reader/ws-reader ]]; then
  echo "building in $BUILD"
  cmake -S . -B "$BUILD" -G Ninja -DMDPIPE_TESTS=ON >/dev/null && ninja -C "$BUILD" "${TARGETS[@]}" >/dev/null || exit 70
fi
# Debian's python3 has the modules that the tests import.
MDPIPE_BIN_DIR=$(readlink -f "$BUILD") exec /usr/bin/python3 tests/faults/soak.py "${PASSED_ON[@]}"
