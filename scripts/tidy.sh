#!/usr/bin/env bash
# scripts/tidy.sh BUILD [all]: clang-tidy over our own sources as BUILD compiles them; those of the tests, which take longer than
# all others together, only with "all". Most of the time is spent on the headers of libraries, so files that are compiled with the
# same flags are checked as one unit that includes them; each exchange is a unit of its own, because exchanges may use the same
# names. A unit is checked again only if one of its files, what they include, .clang-tidy or clang-tidy itself has changed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 70
build=$(realpath "${1:?usage: scripts/tidy.sh BUILD [all]}")
skip=$PWD/tests/
[[ ${2-} != all ]] || skip=//
readonly UNIT_FILES=12  # more files in a unit cost memory and leave a processor idle at the end
export MDPIPE_TIDY_UNITS=$build/tidy-units
export MDPIPE_TIDY_CLEAN=$build/tidy-clean  # one empty file for each content without findings
if [[ ! -s $build/compile_commands.json ]]; then
  echo "$build/compile_commands.json is missing; configure the build first" >&2
  exit 1
fi
rm -rf "$MDPIPE_TIDY_UNITS"
mkdir -p "$MDPIPE_TIDY_CLEAN" "$MDPIPE_TIDY_UNITS"
MDPIPE_TIDY_SETUP=$(clang-tidy --version | sha256sum)$(sha256sum <.clang-tidy)
export MDPIPE_TIDY_SETUP

# The units: [{file, directory, command, files}], the command one that compiles the unit, which includes the files.
jq --arg root "$PWD/" --arg skip "$skip" --arg build "$build/" --arg units "$MDPIPE_TIDY_UNITS/" --argjson files "$UNIT_FILES" '
  map(select(.file | endswith(".cpp") and startswith($root) and (startswith($build) | not) and (startswith($skip) | not)))
  | unique_by(.file)
  | map(. + {flags: (.command | sub("^[^ ]*ccache "; "") | sub(" -o .*"; "")), venue: (.file | capture("/venues/(?<name>[^/]+)/").name? // "")})
  | group_by([.flags, .venue])
  | map(_nwise($files))
  | to_entries
  | map(($units + (.key | tostring) + ".cpp") as $unit
        | {file: $unit, directory: .value[0].directory, command: (.value[0].flags + " -c " + $unit), files: (.value | map(.file))})
' "$build/compile_commands.json" >"$MDPIPE_TIDY_UNITS/units.json" || exit 1
jq 'map(del(.files))' "$MDPIPE_TIDY_UNITS/units.json" >"$MDPIPE_TIDY_UNITS/compile_commands.json"

# tidy_unit FILE DIRECTORY COMMAND
tidy_unit() {
  local unit=$1 directory=$2 command=$3 key
  key=$({ echo "$MDPIPE_TIDY_SETUP"; (cd "$directory" && eval "${command/ -c / -E -C }" 2>/dev/null) || date +%N; } | sha256sum | cut -c 1-40)
  [[ ! -e $MDPIPE_TIDY_CLEAN/$key ]] || return 0
  # The flags are those of g++; a flag that clang does not know is no finding.
  if clang-tidy -p "$MDPIPE_TIDY_UNITS" --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-unused-command-line-argument "$unit" 2>&1 |
    grep -vE '^[0-9]+ warnings? (generated|treated as error)|^Suppressed|^Use -header-filter'; then
    return 1  # anything it says is a finding
  fi
  touch "$MDPIPE_TIDY_CLEAN/$key"
}
export -f tidy_unit

jq -r '.[] | .file as $unit | .files[] | [$unit, .] | @tsv' "$MDPIPE_TIDY_UNITS/units.json" |
  while IFS=$'\t' read -r unit file; do echo "#include \"$file\"  // NOLINT(bugprone-suspicious-include)" >>"$unit"; done

# shellcheck disable=SC2016  # expanded by the inner shell
jq -j '.[] | .file, "\u0000", .directory, "\u0000", .command, "\u0000"' "$MDPIPE_TIDY_UNITS/compile_commands.json" |
  xargs -0 -r -n 3 -P "$(nproc)" bash -c 'tidy_unit "$0" "$1" "$2"'
