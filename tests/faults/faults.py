"""The catalogue: every target, everything that is done to it, and what must hold while that happens.

A target is one of the programs or one of the connections between two of them (world.LINKS). Guarantees:

EXACT   every frame of the exchange is in Redis, and the connection to the exchange does not even notice.
BREAK   the connection to the exchange may end. Everything that was read from it is in Redis. Everything else, and everything
        that the exchange did while no client was connected, lies in a reported gap.
CRASH   as BREAK, but the newest events that were read may be missing too, if they were neither confirmed nor on disk.
"""

import dataclasses

from world import LINKS, PROGRAMS

EXACT, BREAK, CRASH = "exact", "break", "crash"
KINDS = ("kill", "term", "stop", "cut", "slow", "disk", "clock")
RECOVERY_MAX = 15.0  # seconds from the end of the fault until a trade sent after it is in Redis
CUT_WAIT_MAX = 3.0  # seconds a connection has to carry the bytes after which it is cut; then it is cut anyway
CUT_BYTES_MAX = 3000
SLOW_RATE = 2000  # bytes/s, one byte a segment
CLOCK_STEP = 3600  # seconds
DISKS = {"redis-server": "redis", "ws-reader": "reader", "metrics-agent": "agent"}
# The direction that carries the load; the other one is cut too, at random.
HEAVY = {"exchange": "backward", "events": "forward", "positions": "backward", "redis": "forward",
         "reader-metrics": "forward", "publisher-metrics": "forward"}
FEWER_BYTES = {"positions": 10, "reader-metrics": 2, "publisher-metrics": 2}  # divides CUT_BYTES_MAX

# Pairs that make no sense, and why.
NOT_APPLICABLE = {
    ("md-publisher", "disk"): "it keeps nothing on disk",
    ("exchange-sim", "disk"): "the exchange's disk is not ours; the simulator's record on it is what we compare with",
    **{(link, "disk"): "a connection has no disk" for link in LINKS},
    **{(link, "clock"): "a connection has no clock" for link in LINKS},
}


@dataclasses.dataclass(frozen=True)
class Fault:
    target: str
    kind: str
    guarantee: str
    recovery_max: float = RECOVERY_MAX
    ends_reader: bool = False  # a new reader process, possibly a new epoch

    def __str__(self):
        return f"{self.target} {self.kind}"


def guarantee_of(target, kind):
    if (target, kind) == ("ws-reader", "kill"):
        return CRASH
    if target in ("exchange", "exchange-sim", "ws-reader") and kind not in ("disk", "clock"):
        return BREAK
    return EXACT


def catalogue():
    """Every pair that makes sense, in a fixed order."""
    return [Fault(target, kind, guarantee_of(target, kind), ends_reader=target == "ws-reader" and kind in ("kill", "term"))
            for target in (*PROGRAMS, *LINKS) for kind in KINDS if (target, kind) not in NOT_APPLICABLE]


def links_of(target):
    return [target] if target in LINKS else [name for name, ends in LINKS.items() if target in ends]


class Injection:
    """One fault while it is done. begin(), step() from time to time until `seconds` are over, end()."""

    def __init__(self, fault, world, rng, seconds):
        self.fault = fault
        self.world = world
        self.seconds = seconds
        self.process = world.programs.get(fault.target)
        self.links = [world.links[name] for name in links_of(fault.target)]
        self.pause = rng.uniform(0, seconds / 2)  # until what was ended is started again
        self.reset = rng.random() < 0.5
        self.cuts = [(link, *self._cut_place(link, rng)) for link in self.links]
        self.cuts_before = [link.cuts for link in self.links]
        self.clock_first = rng.choice((1, -1)) * CLOCK_STEP

    @staticmethod
    def _cut_place(link, rng):
        heavy = HEAVY[link.name]
        if rng.random() < 0.25:
            return rng.randint(1, 20), "backward" if heavy == "forward" else "forward"
        return rng.randint(1, CUT_BYTES_MAX // FEWER_BYTES.get(link.name, 1)), heavy

    def begin(self):
        getattr(self, f"_begin_{self.fault.kind}")()

    def done(self, elapsed):
        """Whether it may end now."""
        if self.fault.kind == "cut":
            return elapsed > CUT_WAIT_MAX or all(link.cuts > before for link, before in zip(self.links, self.cuts_before))
        if self.fault.kind in ("kill", "term"):
            return elapsed >= self.pause
        if self.fault.kind == "clock" and elapsed >= self.seconds / 2:
            self.world.step_clock(self.fault.target, -self.clock_first)
        return elapsed >= self.seconds

    def end(self):
        getattr(self, f"_end_{self.fault.kind}")()

    def _begin_kill(self):
        if self.process:
            self.process.kill()
            return
        self.links[0].refuse(True)
        self.links[0].cut_now(reset=True)

    def _begin_term(self):
        if self.process:
            self.process.term()
            return
        self.links[0].refuse(True)
        self.links[0].cut_now(reset=False)

    def _end_kill(self):
        if self.process:
            self.process.start()
        else:
            self.links[0].refuse(False)

    _end_term = _end_kill

    def _begin_stop(self):
        if self.process:
            self.process.pause()
        else:
            self.links[0].freeze()

    def _end_stop(self):
        if self.process:
            self.process.resume()
        else:
            self.links[0].thaw()

    def _begin_cut(self):
        for link, count, direction in self.cuts:
            link.cut_after(count, direction, self.reset)

    def _end_cut(self):
        for link, before in zip(self.links, self.cuts_before):
            if link.cuts == before:
                link.cut_now(self.reset)

    def _begin_slow(self):
        for link in self.links:
            link.slow(SLOW_RATE)

    def _end_slow(self):
        for link in self.links:
            link.slow(0)

    def _begin_disk(self):
        self.world.fill_disk(DISKS[self.fault.target])

    def _end_disk(self):
        self.world.free_disk(DISKS[self.fault.target])

    def _begin_clock(self):
        self.world.step_clock(self.fault.target, self.clock_first)

    def _end_clock(self):
        self.world.step_clock(self.fault.target, 0)


def skipped_here(fault, world):
    """Why this machine cannot do that fault, or ""."""
    if fault.kind == "disk" and not world.disks:
        return "no file systems of its own: not root, or mounting is not allowed"
    if fault.kind == "clock" and not world.clocks:
        return "the library that steps a clock was not built"
    return ""
