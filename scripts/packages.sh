#!/usr/bin/env bash
# The Debian packages mdpipe needs, and a function that installs those of them that are missing. Sourced by run.sh and
# test.sh; run on its own it installs what its arguments name: scripts/packages.sh [build] [run] [test] [bench] [arm64]
# shellcheck disable=SC2034  # the lists are read through a reference, by name

MDPIPE_PACKAGES_BUILD=(
  ca-certificates  # ws-reader verifies the exchange's certificate against it
  ccache cmake g++ git ninja-build pkg-config
  libasio-dev libhiredis-dev libssl-dev libwebsocketpp-dev zlib1g-dev
  libzmq3-dev cppzmq-dev libmsgpack-cxx-dev
  prometheus-cpp-dev libsimdjson-dev libtomlplusplus-dev libfmt-dev
  libsqlite3-dev libcurl4-openssl-dev libprotozero-dev
)
MDPIPE_PACKAGES_RUN=(
  ca-certificates curl procps redis-server redis-tools
)
MDPIPE_PACKAGES_TEST=(
  libgtest-dev libgmock-dev
  clang clang-format clang-tidy libclang-rt-14-dev shellcheck valgrind
  curl jq openssl procps iproute2 python3 python3-msgpack python3-prometheus-client python3-redis python3-websockets python3-zmq
  redis-server redis-tools sqlite3
  man-db groff lintian systemd docker-compose prometheus prometheus-alertmanager zsh
  collectd-core python3-jsonschema  # a StatsD receiver; the published schema of CloudWatch's format
  python3-botocore  # the published model of ECS
)

# npm brings the definitions that the OTLP receiver of the tests decodes with. A Node.js from elsewhere has an npm of its own, which
# Debian's would remove.
if ! command -v npm >/dev/null; then
  MDPIPE_PACKAGES_TEST+=(nodejs npm)
fi

MDPIPE_PACKAGES_BENCH=(
  gcc libbenchmark-dev python3
)

# The tools for a cross-build; its libraries are not installed but unpacked by scripts/sysroot.sh.
MDPIPE_PACKAGES_ARM64=(
  dpkg-dev g++-aarch64-linux-gnu python3 qemu-user-static
)

mdpipe_missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# As root, or through sudo.
mdpipe_as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

# While packages are installed no service may start: mdpipe must not start a second redis-server or Prometheus on this
# host. A policy that exists already is the administrator's and stays.
mdpipe_apt() {
  local policy=/usr/sbin/policy-rc.d made=false rc=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | mdpipe_as_root tee "$policy" >/dev/null && mdpipe_as_root chmod 755 "$policy" && made=true
  fi
  mdpipe_as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
    apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null || rc=$?
  if [[ $made == true ]]; then mdpipe_as_root rm -f "$policy"; fi
  return "$rc"
}

# mdpipe_install_packages LOG LIST...: LIST is build, run, test, bench or arm64. Quiet; the whole output of apt goes to LOG.
mdpipe_install_packages() {
  local log=$1 list wanted=() missing
  shift
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "error: apt-get is not here; mdpipe's set-up is for Debian 12. Install by hand what scripts/packages.sh lists." >&2
    return 1
  fi
  for list in "$@"; do
    local -n packages="MDPIPE_PACKAGES_${list^^}"
    wanted+=("${packages[@]}")
  done
  mapfile -t missing < <(mdpipe_missing_packages "${wanted[@]}" | sort -u)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
    echo "error: ${#missing[@]} packages are missing and this is neither root nor is sudo here. As root, run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "set-up: installing ${#missing[@]} packages (log: $log)"
  if ! mdpipe_apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    # The usual reason is that the package lists are missing or old.
    if ! { mdpipe_apt update && mdpipe_apt install -y --no-install-recommends "${missing[@]}"; } >>"$log" 2>&1; then
      echo "error: apt-get could not install the packages; the end of $log:" >&2
      tail -n 15 "$log" >&2
      return 1
    fi
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  for list in "$@"; do
    if [[ ! $list =~ ^(build|run|test|bench|arm64)$ ]]; then
      echo "usage: scripts/packages.sh [build] [run] [test] [bench] [arm64]" >&2
      exit 64
    fi
  done
  mdpipe_install_packages "$(mktemp --tmpdir mdpipe-apt.XXXXXX.log)" "$@"
fi
