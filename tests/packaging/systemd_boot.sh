#!/usr/bin/env bash
# Boots systemd as PID 1 of a container over this host's own root (an overlay: nothing on the host changes), installs mdpipe
# there and shows the units at work: an outage is no failure, READY means subscribed and Redis reached, each restarts alone,
# the watchdog bites, bad configuration is not tried again. Needs root, systemd-nspawn and overlayfs; else it skips (77).
#   tests/packaging/systemd_boot.sh BUILD
set -euo pipefail
build=$(realpath "${1:?usage: systemd_boot.sh BUILD}")

skip() { echo "SKIPPED: $*" && exit 77; }
[[ $EUID -eq 0 ]] || skip "this is not root"
for tool in systemd-nspawn nsenter redis-server redis-cli; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
[[ -x /lib/systemd/systemd && -e /lib/systemd/system/dbus.service ]] || skip "systemd or dbus is not installed"

name=mdpipe-boot-$$
base=/run/$name
root=$base/root
nspawn=
init=

clean_up() {
  local rc=$?
  if [[ $rc -ne 0 && $rc -ne 77 && -n $init ]]; then
    echo "--- units"
    inside systemctl --no-pager --lines=5 status 'ws-reader@*' md-publisher metrics-agent || true
  fi
  [[ -z $init ]] || kill -RTMIN+4 "$init" 2>/dev/null || true  # poweroff.target
  if [[ -n $nspawn ]]; then
    for _ in {1..150}; do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$nspawn" 2>/dev/null || true
  fi
  umount "$root" 2>/dev/null || true
  umount "$base" 2>/dev/null || true
  rmdir "$base" 2>/dev/null || true
  # What the container's init leaves in control groups.
  find /sys/fs/cgroup/*/payload /sys/fs/cgroup/*/supervisor -depth -type d -exec rmdir {} \; 2>/dev/null || true
  exit "$rc"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

inside() { nsenter -t "$init" -a -- "$@"; }
property() { inside systemctl show -P "$2" "$1"; }
passed() { echo "ok    $*"; }
failed() { echo "FAILED $*" && exit 1; }

# wait_for WHAT COMMAND...: for at most 40 s.
wait_for() {
  local what=$1
  shift
  for _ in {1..400}; do
    if "$@"; then return; fi
    sleep 0.1
  done
  failed "$what"
}
is() { [[ $(property "$1" "$2") == "$3" ]]; }
state_is() { is "$1" ActiveState "$2"; }

mkdir -p "$base"
mount -t tmpfs -o mode=0755 tmpfs "$base"
mkdir "$base/up" "$base/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/up,workdir=$base/work" "$root" 2>/dev/null || skip "no overlayfs over /"

# The host's enabled services are not to start, so the boot ends at a target of our own.
cat >"$root/etc/systemd/system/mdpipe-test.target" <<'UNIT'
[Unit]
Requires=basic.target dbus.service
After=basic.target dbus.service
AllowIsolate=yes
UNIT
rm -f "$root/etc/machine-id"
: >"$root/etc/machine-id"
DESTDIR=$root cmake --install "$build" --prefix /usr/local >/dev/null
mkdir -p "$root/etc/mdpipe"
examples=$root/usr/local/share/doc/mdpipe/examples
cp "$examples/md-publisher.toml" "$examples/metrics-agent.toml" "$root/etc/mdpipe/"
cat "$examples/gmo.toml" - <<<'url = "ws://127.0.0.1:9000/"' >"$root/etc/mdpipe/gmo.toml"
echo 'exchange = "nonsense"' >"$root/etc/mdpipe/bad.toml"
mkdir -p "$root/etc/systemd/system/md-publisher.service.d"
printf '[Service]\nWatchdogSec=3s\nTimeoutStopSec=2s\nTimeoutAbortSec=2s\n' >"$root/etc/systemd/system/md-publisher.service.d/faster.conf"

setsid systemd-nspawn -q --register=no --keep-unit -D "$root" --machine="$name" --private-network --link-journal=no \
  --console=pipe -b -- --unit=mdpipe-test.target </dev/null >"$base/console.log" 2>&1 &
nspawn=$!
for _ in {1..200}; do
  init=$(pgrep -P "$nspawn" | head -n 1 || true)
  if [[ -n $init ]] && inside systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; then break; fi
  if ! kill -0 "$nspawn" 2>/dev/null; then nspawn='' && skip "systemd-nspawn does not run here: $(tail -n 1 "$base/console.log")"; fi
  sleep 0.1
done
[[ -n $init ]] || skip "systemd did not boot"

inside systemd-sysusers
inside systemd-tmpfiles --create mdpipe.conf
inside systemctl daemon-reload
inside systemctl -q enable ws-reader@gmo md-publisher metrics-agent mdpipe.target
inside timeout 5 systemctl start mdpipe.target || failed "starting the target waits for something"
passed "the target starts at once, exchange and Redis being away"

wait_for "metrics-agent is active" state_is metrics-agent active
sleep 4  # longer than RestartSec: a restart loop would show
for unit in ws-reader@gmo md-publisher; do
  state_is "$unit" activating || failed "$unit is $(property "$unit" ActiveState) while what it needs is away"
  is "$unit" NRestarts 0 || failed "$unit was restarted during an outage"
done
passed "an outage is waiting: activating, no restart"

inside systemd-run -q --unit=redis-test redis-server --port 6379 --save ''
wait_for "md-publisher is active once Redis is there" state_is md-publisher active
inside systemd-run -q --unit=exchange-test /usr/local/bin/exchange-sim --exchange=gmo --symbols=BTC_JPY,ETH_JPY --listen=127.0.0.1:9000 --run-unwatched
wait_for "ws-reader@gmo is active once it has subscribed" state_is ws-reader@gmo active
passed "READY: $(property md-publisher StatusText); $(property ws-reader@gmo StatusText)"

entries() { inside redis-cli XLEN md:ticker; }
has_more_entries_than() { (($(entries) > $1)); }
wait_for "entries in Redis" has_more_entries_than 0
passed "$(entries) entries in md:ticker"
inside curl -fsS http://127.0.0.1:9100/metrics | grep -q 'collector_component_up{component="ws-reader",source="gmo"} 1' ||
  failed "/metrics does not know the reader"

units=(ws-reader@gmo md-publisher metrics-agent)
for victim in "${units[@]}"; do
  declare -A before=()
  for unit in "${units[@]}"; do before[$unit]=$(property "$unit" MainPID); done
  inside systemctl kill -s KILL "$victim"
  wait_for "$victim restarts" is "$victim" NRestarts 1
  wait_for "$victim is active again" state_is "$victim" active
  for unit in "${units[@]}"; do
    if [[ $unit != "$victim" && $(property "$unit" MainPID) != "${before[$unit]}" ]]; then failed "$unit restarted with $victim"; fi
  done
  wait_for "data after the restart of $victim" has_more_entries_than "$(entries)"
  passed "$victim was killed and restarted alone; data goes on"
done

inside systemctl kill -s STOP md-publisher
wait_for "the watchdog restarts a stopped md-publisher" is md-publisher NRestarts 2
inside journalctl -u md-publisher -o cat | grep -q 'Watchdog timeout' || failed "no word of the watchdog in the journal"
wait_for "md-publisher is active after the watchdog" state_is md-publisher active
wait_for "data after the watchdog" has_more_entries_than "$(entries)"
passed "the watchdog restarted a hanging md-publisher"

inside systemctl start ws-reader@bad 2>/dev/null && failed "ws-reader@bad started"
is ws-reader@bad ExecMainStatus 78 || failed "ws-reader@bad ended with $(property ws-reader@bad ExecMainStatus)"
sleep 3  # longer than RestartSec
is ws-reader@bad NRestarts 0 || failed "bad configuration was tried again"
passed "bad configuration: failed with 78, not tried again"

for unit in "${units[@]}"; do passed "$unit: exposure $(inside systemd-analyze security --no-pager "$unit.service" | tail -n 1 | grep -oE '[0-9.]+ [A-Z]+')"; done

inside systemctl stop mdpipe.target
for unit in "${units[@]}"; do
  wait_for "$unit stops with the target" state_is "$unit" inactive
  is "$unit" Result success || failed "$unit ended with $(property "$unit" Result)"
done
passed "stopping the target stops all of them, cleanly"
