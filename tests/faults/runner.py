"""Runs faults one after the other, or two at a time, in a World under load, while a Checker follows along."""

import dataclasses
import os
import time

import redis

from checker import STREAMS, Checker, CounterWatch, balance, samples_of, sent_from_line
from faults import CRASH, EXACT, Injection, skipped_here

POLL = 0.03  # seconds
METRICS_EVERY = 0.5  # seconds
READ_MAX = 2000  # entries a read
SETTLE_MAX = 20.0  # seconds until every channel of every symbol flows again: subscriptions are paced
QUIET_MAX = 30.0  # seconds until everything sent is in Redis once the exchange is silent
BALANCE_MAX = 15.0  # seconds until the counts agree then; an interval is one second
UNREAD_SECONDS = 1.0  # of the load that may be on its way from the exchange when a reader ends


class SentTail:
    """Follows the simulator's record, over its restarts."""

    def __init__(self, world):
        self.world = world
        self.start = 0
        self.file = None
        self.rest = b""

    def read(self):
        while True:
            newer = self.start + 1 < self.world.programs["exchange-sim"].starts  # this record has its end
            if self.file is None:
                path = self.world.sent_path(self.start)
                if os.path.exists(path):
                    self.file = open(path, "rb")  # pylint: disable=consider-using-with
            if self.file is not None:
                yield from self._lines()
            if not newer:
                return
            if self.file is not None:
                self.file.close()
            self.start, self.file, self.rest = self.start + 1, None, b""

    def close(self):
        if self.file is not None:
            self.file.close()

    def _lines(self):
        while data := self.file.read(1 << 20):
            lines = (self.rest + data).split(b"\n")
            self.rest = lines.pop()
            for line in lines:
                frame = sent_from_line(line.decode(), self.start)
                if frame is not None:
                    yield frame


class RedisTail:
    """Reads what is new in the streams."""

    def __init__(self, client):
        self.client = client
        self.last = {f"md:{channel}": "0-0" for channel in STREAMS}
        self.read_count = dict.fromkeys(self.last, 0)

    def read(self):
        """Yields (channel, fields); nothing while Redis does not answer."""
        while True:
            try:
                answer = self.client.xread(self.last, count=READ_MAX)
            except redis.exceptions.RedisError:
                return
            for stream, entries in answer:
                self.last[stream] = entries[-1][0]
                self.read_count[stream] += len(entries)
                for _, fields in entries:
                    yield stream.removeprefix("md:"), fields
            if all(len(entries) < READ_MAX for _, entries in answer):
                return


@dataclasses.dataclass
class Result:
    faults: int = 0
    skipped: int = 0
    recovery_worst: float = 0.0
    recovery_fault: str = ""


class Runner:
    def __init__(self, world, rng, out=print):
        self.world = world
        self.rng = rng
        self.out = out
        self.checker = Checker()
        self.counters = CounterWatch(self.checker.findings)
        self.sent = SentTail(world)
        self.redis = RedisTail(world.redis)
        self.result = Result()
        self.metrics_at = 0.0
        self.connection = None  # the newest one to the exchange

    # Following along.

    def poll(self):
        # Redis first: see checker.py.
        entries = list(self.redis.read())
        for frame in self.sent.read():
            self.checker.on_sent(frame)
            self.connection = frame.connection
        for channel, fields in entries:
            self.checker.on_entry(channel, fields)
        self.world.supervise()
        if time.monotonic() >= self.metrics_at:
            self.metrics_at = time.monotonic() + METRICS_EVERY
            self.counters.look(samples_of(self.world.metrics()))

    def until(self, condition, limit):
        """The seconds until the condition was true, None if it never was."""
        start = time.monotonic()
        while True:
            self.poll()
            if condition():
                return time.monotonic() - start
            if time.monotonic() - start > limit:
                return None
            time.sleep(POLL)

    def run_for(self, seconds):
        self.until(lambda: False, seconds)

    # Faults.

    def fault(self, *faults, seconds):
        """One fault, or several that overlap: the second begins while the first is going on."""
        for fault in faults:
            why = skipped_here(fault, self.world)
            if why:
                self.out(f"skipped {fault}: {why}")
                self.result.skipped += 1
                return
        self.run_for(self.rng.uniform(0.05, 0.6))
        found, lost, connection = sum(self.checker.findings.counts.values()), self.checker.lost(), self.connection
        injections = [Injection(fault, self.world, self.rng, seconds) for fault in faults]
        self._inject(injections)
        recovery = self._recover(faults)
        self._judge(faults, recovery, connection)
        self.result.faults += len(faults)
        name = " + ".join(map(str, faults))
        wrong = sum(self.checker.findings.counts.values()) - found
        self.out(f"{self.result.faults:4d}  {name:44s} recovered in {'never' if recovery is None else f'{recovery:5.2f} s'}"
                 f"  lost with connections {self.checker.lost() - lost}{f'  WRONG: {wrong}' if wrong else ''}")

    def _inject(self, injections):
        waiting = list(injections)
        going = []
        start = time.monotonic()
        while waiting or going:
            if waiting and (not going or time.monotonic() - start > self.rng.uniform(0.1, 0.9) * injections[0].seconds):
                injection = waiting.pop(0)
                injection.begin()
                going.append((injection, time.monotonic()))
            self.poll()
            for injection, began in list(going):
                if injection.done(time.monotonic() - began):
                    injection.end()
                    going.remove((injection, began))
            time.sleep(POLL)

    def _recover(self, faults):
        """Seconds from the end of the fault until a trade sent after it is in Redis."""
        self.poll()
        lines = [line for (channel, _), line in self.checker.lines.items() if channel == "trade"]
        every = {line: line.sent for line in self.checker.lines.values()}
        limit = sum(fault.recovery_max for fault in faults)
        recovery = self.until(lambda: any(line.reached() > every[line] for line in lines), limit)
        if recovery is None:
            self.checker.findings.add("no recovery", f"nothing sent after '{' + '.join(map(str, faults))}' was in Redis after "
                                      f"{limit} s; {self.world.said()}")
            self.until(lambda: any(line.reached() > every[line] for line in lines), 2 * limit)
        if any(fault.ends_reader for fault in faults):
            self._settle()  # an epoch in which a stream stays empty could not be distinguished from its neighbours
        if recovery is not None and recovery > self.result.recovery_worst:
            self.result.recovery_worst, self.result.recovery_fault = recovery, " + ".join(map(str, faults))
        return recovery

    def _settle(self):
        """Until every channel of every symbol flows: only then it is known how far the connection before was read."""
        self.poll()
        sent = {line: line.sent for line in self.checker.lines.values()}
        if self.until(lambda: all(line.reached() > count for line, count in sent.items()), SETTLE_MAX) is None:
            names = [line.name for line, count in sent.items() if line.reached() <= count]
            self.checker.findings.add("no recovery", f"{names} do not flow again within {SETTLE_MAX} s")

    def _judge(self, faults, recovery, connection):
        if recovery is not None and all(fault.guarantee == EXACT for fault in faults) and self.connection != connection:
            self.checker.findings.add("connection lost", f"'{faults[0]}' cost the connection to the exchange")
        if any(fault.ends_reader for fault in faults) and not any(fault.target.startswith("exchange") for fault in faults):
            self._judge_reader_end(faults)

    def _judge_reader_end(self, faults):
        """A reader that ends loses what it had not read, and if it was killed what was not yet on disk; no more."""
        crashed = any(fault.guarantee == CRASH for fault in faults)
        seconds = UNREAD_SECONDS + (self.world.spool_seconds() if crashed else 0)
        epoch = len(self.checker.numbering.epochs) - 1
        holes = [hole for _, hole in self.checker.holes() if hole.after[0] < hole.before[0] == epoch]
        times = [frame.time for hole in holes for frame in hole.unread()]
        lost = (max(times) - min(times)) / 1e9 if times else 0.0
        if lost > seconds:
            self.checker.findings.add("lost", f"{' + '.join(map(str, faults))}: {len(times)} frames that the exchange sent in the "
                                      f"{lost:.2f} s before, {seconds:g} may be lost", len(times))

    # The end.

    def quiet(self):
        """Silences the exchange, waits until all events are in Redis and the counts add up, and lets the exchange continue."""
        self._settle()
        self.world.tell_simulator("silence on")
        took = self.until(lambda: self.checker.open() == 0, QUIET_MAX)
        if took is None:
            self.checker.findings.add("lost", f"{self.checker.open()} frames sent are not in Redis after {QUIET_MAX} s")
        wrong = []

        def balanced():
            samples = samples_of(self.world.metrics())
            wrong[:] = balance(samples, self.checker.entries) if samples else ["/metrics does not answer"]
            return not wrong

        if self.until(balanced, BALANCE_MAX) is None:
            for sentence in wrong:
                self.checker.findings.add("books do not balance", sentence)
        self.out(f"      quiet: all in Redis {'never' if took is None else f'after {took:.1f} s'}; the books "
                 f"{'do not balance' if wrong else 'balance'}")
        self.world.tell_simulator("silence off")

    def finish(self):
        """The findings of the whole run."""
        self.quiet()
        self._whole_streams()
        starts = self.world.programs["ws-reader"].starts
        self.checker.finish(starts)
        for name, process in self.world.programs.items():
            unexplained = [code for code in process.own_ends if not (name == "redis-server" and code == 1)]  # its disk was full
            if unexplained:
                self.checker.findings.add("ended on its own", f"{name} with {unexplained}; {process.said()}")
        for sentence in self.world.complaints:
            self.checker.findings.add("complaint", sentence)
        self.sent.close()
        return self.checker.findings

    def _whole_streams(self):
        """All entries that were read are still there, and nothing was inserted before them."""
        if not self.world.keeps_all():
            return
        for stream, count in self.redis.read_count.items():
            if self.world.xlen(stream) != count:
                self.checker.findings.add("stream changed", f"{stream} has {self.world.xlen(stream)} entries, {count} were read")

    def report(self):
        checker = self.checker
        self.out(f"{self.result.faults} faults, {self.result.skipped} skipped; {checker.sent()} frames sent, {checker.matched()} "
                 f"in Redis, {checker.lost()} lost with connections, {checker.unwatched()} trades while not connected, "
                 f"{len(checker.holes())} holes of which {len(checker.uncovered())} not in md:feed "
                 f"({checker.feeds} feed events), {checker.findings.counts['duplicate']} duplicates; worst recovery "
                 f"{self.result.recovery_worst:.2f} s ({self.result.recovery_fault})")
        for kind, count in sorted(checker.findings.counts.items()):
            self.out(f"WRONG {kind}: {count}")
        for sentence in checker.findings.sentences:
            self.out(f"  {sentence}")
