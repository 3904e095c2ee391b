#!/usr/bin/env bash
# scripts/tidy.sh BUILD [all]: clang-tidy over our own sources as BUILD compiles them; those of the tests, which take longer than
# all others together, only with "all". A file is looked at again only when it, what it includes, .clang-tidy or clang-tidy itself
# has changed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 70
build=${1:?usage: scripts/tidy.sh BUILD [all]}
skip=$PWD/tests/
[[ ${2-} != all ]] || skip=//
export MDPIPE_TIDY_CLEAN=$build/tidy-clean  # one empty file for each content that was found clean
mkdir -p "$MDPIPE_TIDY_CLEAN"
if [[ ! -s $build/compile_commands.json ]]; then
  echo "$build/compile_commands.json is missing; configure the build first" >&2
  exit 1
fi
MDPIPE_TIDY_SETUP=$(clang-tidy --version | sha256sum)$(sha256sum <.clang-tidy)
export MDPIPE_TIDY_SETUP

# tidy_one BUILD FILE COMPILE-COMMAND
tidy_one() {
  local build=$1 file=$2 command=$3 key
  command=$(sed -E 's/ -o [^ ]+//; s/ -c / -E -C /; s#^[^ ]*ccache ##' <<<"$command")
  key=$({ echo "$MDPIPE_TIDY_SETUP"; (cd "$build" && eval "$command" 2>/dev/null) || date +%N; } | sha256sum | cut -c 1-40)
  [[ ! -e $MDPIPE_TIDY_CLEAN/$key ]] || return 0
  # Flags are g++'s; what clang does not know of them is no finding.
  if clang-tidy -p "$build" --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-unused-command-line-argument "$file" 2>&1 |
    grep -vE '^[0-9]+ warnings? (generated|treated as error)|^Suppressed|^Use -header-filter'; then
    return 1  # anything it says is a finding
  fi
  touch "$MDPIPE_TIDY_CLEAN/$key"
}
export -f tidy_one

# shellcheck disable=SC2016  # expanded by the inner shell
jq -j --arg root "$PWD/" --arg skip "$skip" --arg build "$(realpath "$build")/" \
  'map(select(.file | startswith($root) and (startswith($build) | not) and (startswith($skip) | not))) | unique_by(.file)[] | .file, "\u0000", .command, "\u0000"' \
  "$build/compile_commands.json" |
  xargs -0 -r -n 2 -P "$(nproc)" bash -c 'tidy_one "$0" "$1" "$2"' "$build"
