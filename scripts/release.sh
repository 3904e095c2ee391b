#!/usr/bin/env bash
# Makes a release of the commit that is checked out. scripts/release.sh --help says more.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

usage() {
  cat <<'TEXT'
Usage: scripts/release.sh VERSION [--dry-run] [--skip-packages] [--no-install]
Makes the release VERSION, such as 0.2.0, of what is checked out. Before it, set the version in CMakeLists.txt and run ./test.sh.

  1. checks that nothing is uncommitted and that CMakeLists.txt has this version
  2. turns the section "Unreleased" of CHANGELOG.md into the section of this version, with today's date, and commits that
  3. makes the annotated tag vVERSION, whose text is that section
  4. builds the Debian packages for amd64 and arm64 into release/VERSION/
  5. writes release/VERSION/SHA256SUMS

A step that is done is left as it is, so after a failure run the same command again. Nothing is pushed: the last lines say how.

  --dry-run        say what would be done, and change nothing
  --skip-packages  leave out steps 4 and 5
  --no-install     install no packages
TEXT
}

VERSION=
DRY_RUN=false
PACKAGES=true
INSTALL=true

die() {
  mdpipe_error "$@"
  exit 1
}

# The lines of CHANGELOG.md below the heading that begins with "## $1", without blank lines at both ends.
section() {
  awk -v heading="## $1" '
    /^## / {inside = index($0, heading) == 1 && substr($0, length(heading) + 1) !~ /^[^ ]/; next}
    inside' CHANGELOG.md | sed -e '/./,$!d' | tac | sed -e '/./,$!d' | tac
}

# step TEXT: true if the step is to be carried out.
step() {
  if [[ $DRY_RUN == true ]]; then
    mdpipe_line "would: $1"
    return 1
  fi
  mdpipe_line "release: $1"
}

done_already() { mdpipe_line "done:  $1"; }

check_sources() {
  local version changes
  changes=$(git status --porcelain)
  [[ -z $changes ]] || die "there are changes that are not committed; commit or stash them:"$'\n'"$changes"
  version=$(sed -nE 's/^project\(mdpipe VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
  [[ $version == "$VERSION" ]] || die "CMakeLists.txt has version '$version', not '$VERSION': correct the line project(mdpipe VERSION ...) and commit it"
  if git rev-parse --quiet --verify "refs/tags/v$VERSION" >/dev/null && [[ $(git rev-parse "v$VERSION^{commit}") != $(git rev-parse HEAD) ]]; then
    die "the tag v$VERSION is on another commit: to make its packages, git checkout v$VERSION; for a new release, choose a new version"
  fi
}

write_changelog() {
  if [[ -n $(section "$VERSION") ]]; then
    done_already "CHANGELOG.md has a section $VERSION"
    return
  fi
  [[ -n $(section Unreleased) ]] || die "CHANGELOG.md has nothing in a section 'Unreleased', so there is nothing to release"
  step "CHANGELOG.md: the section Unreleased becomes $VERSION, and is committed" || return 0
  sed -i -E "s/^## Unreleased( .*)?\$/## Unreleased\n\n## $VERSION ($(date -u +%F))/" CHANGELOG.md
  git commit --quiet --message "release: $VERSION" -- CHANGELOG.md
}

make_tag() {
  if git rev-parse --quiet --verify "refs/tags/v$VERSION" >/dev/null; then
    done_already "the tag v$VERSION is here"
    return
  fi
  step "tag v$VERSION" || return 0
  { echo "mdpipe $VERSION"; echo; section "$VERSION"; } | git tag --annotate --cleanup=verbatim --file=- "v$VERSION"
}

# make_package ARCHITECTURE PRESET
make_package() {
  local architecture=$1 build=release/build-$1 log=release/build-$1/build.log package
  package=release/$VERSION/mdpipe_${VERSION}-1_$architecture.deb
  if [[ -s $package ]]; then
    done_already "$package"
    return
  fi
  step "build $package" || return 0
  # The same sources make the same package.
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  export SOURCE_DATE_EPOCH
  mdpipe_build "$build" "$log" package --preset "$2" -DMDPIPE_TESTS=OFF
  [[ $(dpkg-deb --field "$build/${package##*/}" Architecture) == "$architecture" ]] || die "$build/${package##*/} is not for $architecture"
  mkdir -p "release/$VERSION"
  cp "$build/${package##*/}" "$package.part"
  mv "$package.part" "$package"
}

make_packages() {
  local lists=(build arm64)
  [[ $INSTALL == false || $DRY_RUN == true ]] || mdpipe_install_packages "$(mktemp --tmpdir mdpipe-apt.XXXXXX.log)" "${lists[@]}"
  if step "unpack the libraries for arm64 in build-arm64/sysroot"; then scripts/sysroot.sh arm64 build-arm64/sysroot; fi
  make_package amd64 release
  make_package arm64 arm64
  step "write release/$VERSION/SHA256SUMS" || return 0
  (cd "release/$VERSION" && sha256sum -- *.deb >SHA256SUMS)
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --dry-run) DRY_RUN=true ;;
    --skip-packages) PACKAGES=false ;;
    --no-install) INSTALL=false ;;
    -h | --help) usage && exit 0 ;;
    -*) mdpipe_error "unknown option '$1'; see scripts/release.sh --help" && exit 64 ;;
    *)
      [[ -z $VERSION ]] || { mdpipe_error "one version is expected, not '$VERSION' and '$1'" && exit 64; }
      VERSION=$1
      ;;
  esac
  shift
done
if [[ ! $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  mdpipe_error "version '$VERSION': expected three numbers, such as 0.2.0; see scripts/release.sh --help"
  exit 64
fi
if [[ $PACKAGES == true && $(dpkg --print-architecture) != amd64 ]]; then die "the packages are built on amd64; this is $(dpkg --print-architecture)"; fi
trap mdpipe_quiet_stop EXIT

check_sources
write_changelog
make_tag
if [[ $PACKAGES == true ]]; then make_packages; fi
mdpipe_line "To publish it:"
mdpipe_line "  git push origin HEAD v$VERSION"
[[ $PACKAGES == false ]] || mdpipe_line "  and attach release/$VERSION/*.deb and SHA256SUMS to the release"
