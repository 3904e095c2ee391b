#!/usr/bin/env bash
# Builds what the benchmark needs and measures: bench/run.sh --help says what. The work is in bench.py.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." || exit 70
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

BUILD=${MDPIPE_BUILD_DIR:-build}
TARGETS="ws-reader md-publisher metrics-agent bench-feed bench-limit bench-watch"

help_asked() { [[ " $* " == *" -h "* || " $* " == *" --help "* ]]; }

trap mdpipe_quiet_stop EXIT
trap 'exit 130' INT TERM HUP
if ! help_asked "$@"; then
  if [[ ${MDPIPE_INSTALL:-true} != false ]]; then
    mdpipe_install_packages "${TMPDIR:-/tmp}/mdpipe-apt-$$.log" build run bench || exit 69
    rm -f "${TMPDIR:-/tmp}/mdpipe-apt-$$.log"
  fi
  arguments=()
  # A word after an option may be its value: a results folder named micro only makes the build longer.
  if [[ " $* " == *" micro "* || " $* " == *" all "* ]]; then
    arguments+=(-DMDPIPE_BENCH=ON)
    TARGETS+=" bench-micro"
  fi
  [[ -e $BUILD/CMakeCache.txt ]] || arguments+=(-DCMAKE_BUILD_TYPE=Release -DMDPIPE_TESTS=OFF)
  mdpipe_build "$BUILD" "$BUILD/bench-build.log" "$TARGETS" "${arguments[@]}" || exit 70
  # Without node, the Node collector is left out. If its installation fails, the reason is printed.
  if command -v npm >/dev/null && [[ ! -d bench/node/node_modules/ws ]]; then
    mdpipe_quiet "set-up: npm ci" "$BUILD/bench-npm.log" npm --prefix bench/node ci --no-audit --no-fund ||
      { echo "npm could not install the Node collector's packages; the end of $BUILD/bench-npm.log:" && tail -n 5 "$BUILD/bench-npm.log"; } >&2
  fi
fi
exec /usr/bin/python3 bench/bench.py --build "$BUILD" "$@"
