#!/usr/bin/env bash
# scripts/sysroot.sh ARCHITECTURE FOLDER: downloads the libraries that mdpipe is built with, and all that they depend on, for another
# Debian architecture, and unpacks them in FOLDER. Installs nothing on this host and needs no root: apt gets a state of its own. A second
# run changes nothing unless the list of packages has changed. The toolchain files in cmake/toolchains use the folder.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

if [[ $# -ne 2 || ! $1 =~ ^[a-z0-9]+$ ]]; then
  echo "usage: scripts/sysroot.sh ARCHITECTURE FOLDER, such as arm64 build-arm64/sysroot" >&2
  exit 64
fi
architecture=$1
mkdir -p "$2"
sysroot=$(realpath "$2")

# Headers and libraries; the compiler and the other tools are this host's.
wanted=()
for package in "${MDPIPE_PACKAGES_BUILD[@]}" "${MDPIPE_PACKAGES_TEST[@]}"; do
  [[ $package == lib*-dev || $package == *-dev ]] && [[ $package != libclang* ]] && wanted+=("$package")
done

done_for=$sysroot/.packages  # what was unpacked; written last
if [[ -e $done_for && $(<"$done_for") == "$architecture ${wanted[*]}" ]]; then exit 0; fi
find "$sysroot" -mindepth 1 -delete

work=$(mktemp -d --tmpdir mdpipe-sysroot.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,debs,control}
touch "$work/status"
apt() {
  apt-get -o "Dir::State=$work/state" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache" \
    -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o APT::Sandbox::User= -o Dpkg::Use-Pty=0 \
    -o Debug::NoLocking=true "$@" </dev/null
}
# A source without this architecture is only a warning here: the next command names what is missing.
apt update >"$work/log" 2>&1 || true
if ! apt install -y --download-only --no-install-recommends "${wanted[@]}" >>"$work/log" 2>&1; then
  echo "error: apt-get could not download the packages for $architecture; the end of its output:" >&2
  tail -n 15 "$work/log" >&2
  exit 69
fi

# dpkg-shlibdeps asks dpkg's database which package a library is in, by the library's path on this host, and that package's
# symbols for the version to depend on.
database=$sysroot/var/lib/dpkg
mkdir -p "$database/info"
echo 1 >"$database/info/format"
for deb in "$work"/cache/archives/*.deb; do
  dpkg-deb --extract "$deb" "$sysroot"
  rm -rf "$work/control"
  dpkg-deb --control "$deb" "$work/control"
  name=$(dpkg-deb --field "$deb" Package)
  # With its architecture where packages of several may be installed together.
  [[ $(dpkg-deb --field "$deb" Multi-Arch) != same ]] || name+=:$architecture
  { sed '1a Status: install ok installed' "$work/control/control"; echo; } >>"$database/status"
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -nE "s,^\./(.*[^/])\$,$sysroot/\1,p" >"$database/info/$name.list"
  for file in symbols shlibs; do
    [[ ! -e $work/control/$file ]] || cp "$work/control/$file" "$database/info/$name.$file"
  done
done
# An absolute link would lead out of the folder, to this host's own libraries.
find "$sysroot" -type l -lname '/*' -printf '%l\t%p\n' | while IFS=$'\t' read -r target link; do
  ln -snfr "$sysroot$target" "$link"
done
echo "$architecture ${wanted[*]}" >"$done_for"
