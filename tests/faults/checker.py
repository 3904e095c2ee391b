"""The independent checker: what the simulator sent against what Redis holds, as both grow.

It shares no code with mdpipe and keeps only what is still open, so that it can watch for hours. Everything here is
plain bookkeeping on values that come in: frames sent (Sent), entries read (Entry), samples of /metrics. The caller
must read Redis first and the simulator's record after it: a frame is recorded before it is sent, so that an entry
whose frame is unknown was never sent.

It checks, for each channel and symbol:
- entries are the frames sent, in their order, each once; all frames of a connection up to its end, none left
  out in the middle, and the last connection to its end;
- trade numbers rise by one, and whatever is missing between two entries (the end of a connection that broke, or
  trades made while no client was connected) lies around a feed event `gap` or `down` of that channel and symbol;
- `seq` has no hole and no repeat over all streams of an epoch, and there are no more epochs than reader starts.
"""

import calendar
import collections
import dataclasses
import hashlib
import json
import re
import time

MARKET = ("trade", "ticker", "orderbook")
STREAMS = (*MARKET, "feed")
RECENT = 20_000  # matched frames of each channel and symbol that a repeat is recognised by
FINDINGS_MAX = 6  # sentences kept of a kind; all are counted
BREAKS = ("gap", "down")  # feed states that report missing events
GMO_CHANNELS = {"trades": "trade", "ticker": "ticker", "orderbooks": "orderbook"}


@dataclasses.dataclass(frozen=True)
class Sent:
    """A frame the exchange sent."""
    channel: str
    symbol: str
    content: str  # everything in it that reaches a consumer
    connection: tuple  # (start of the simulator, connection), rising
    number: int = 0  # of a trade; 0 for others
    time: int = dataclasses.field(default=0, compare=False)  # ns, by the exchange's clock


@dataclasses.dataclass(frozen=True)
class Entry:
    """An event in Redis."""
    channel: str  # which stream
    symbol: str
    content: str
    seq: int


@dataclasses.dataclass(frozen=True)
class Feed:
    """An entry of md:feed."""
    channel: str
    symbol: str
    state: str
    seq: int
    lost: object = None  # number, None if unknown


# Reading both sides.


def nanoseconds(text):
    """"2024-03-01T09:08:07.123Z" as ns since the epoch."""
    head, _, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000_000 + int((fraction + "0" * 9)[:9])


def digest(levels):
    return hashlib.blake2b(json.dumps(levels).encode(), digest_size=12).hexdigest()


def number_of(size):
    """The simulator numbers gmo's trades by the digits after the point of their size."""
    _, _, digits = size.partition(".")
    return int(digits) if len(digits) == 9 else 0


def sent_from_line(line, start):
    """A line of the simulator's --log-sent (exchange gmo) as Sent; None for answers and notes."""
    if line.startswith("#"):
        return None
    connection, sent_at, frame = line.rstrip("\n").split("\t", 2)
    frame = json.loads(frame)
    channel = GMO_CHANNELS.get(frame.get("channel"))
    if channel is None:
        return None
    ts = nanoseconds(frame["timestamp"])
    number = 0
    if channel == "trade":
        number = number_of(frame["size"])
        content = f"{frame['price']} {frame['size']} {frame['side'].lower()} {ts}"
    elif channel == "ticker":
        content = " ".join(frame[key] for key in ("bid", "ask", "last", "high", "low", "volume")) + f" {ts}"
    else:
        sides = [[[level["price"], level["size"]] for level in frame[side]] for side in ("bids", "asks")]
        content = f"{digest(sides)} {ts}"
    return Sent(channel, frame["symbol"], content, (start, int(connection)), number, int(sent_at))


def entry_from_fields(channel, fields):
    """An entry of stream md:CHANNEL as Entry or Feed."""
    seq = int(fields["seq"])
    if channel == "feed":
        lost = fields.get("lost")
        return Feed(fields["channel"], fields["symbol"], fields["state"], seq, None if lost is None else int(lost))
    ts = fields["ts"]
    if channel == "trade":
        content = f"{fields['price']} {fields['size']} {fields['side']} {ts}"
    elif channel == "ticker":
        content = " ".join(fields[key] for key in ("bid", "ask", "last", "high", "low", "volume")) + f" {ts}"
    else:
        content = f"{digest([json.loads(fields[side]) for side in ('bids', 'asks')])} {ts}"
    return Entry(channel, fields["symbol"], content, seq)


# The bookkeeping.


class Findings:
    """What is wrong, by kind; bounded."""

    def __init__(self):
        self.counts = collections.Counter()
        self.sentences = []

    def add(self, kind, sentence, count=1):
        self.counts[kind] += count
        if sum(kept.startswith(f"{kind}: ") for kept in self.sentences) < FINDINGS_MAX:
            self.sentences.append(f"{kind}: {sentence}")

    def __bool__(self):
        return bool(self.counts)

    def __repr__(self):
        return f"{dict(self.counts)}"


class Numbering:
    """`seq` over all streams: it rises in each stream, and if it falls, a new epoch of the reader begins."""

    def __init__(self, findings):
        self.findings = findings
        self.last = {}  # stream -> (epoch, seq)
        self.epochs = []  # of each: [next seq without a hole before it, seqs beyond it]

    def place(self, stream, seq):
        """(epoch, seq) of an entry: its place in the order of everything the reader numbered."""
        epoch, before = self.last.get(stream, (0, 0))
        if seq < before:
            epoch += 1
        self.last[stream] = (epoch, seq)
        while len(self.epochs) <= epoch:
            self.epochs.append([1, set()])
        book = self.epochs[epoch]
        if seq < book[0] or seq in book[1]:
            self.findings.add("seq twice", f"{seq} of epoch {epoch}, again in md:{stream}")
        else:
            book[1].add(seq)
            while book[0] in book[1]:
                book[1].discard(book[0])
                book[0] += 1
        return epoch, seq

    def finish(self, reader_starts):
        for epoch, (expected, beyond) in enumerate(self.epochs):
            if beyond:
                self.findings.add("seq missing", f"epoch {epoch}: nothing at {expected}, but {len(beyond)} entries beyond it, "
                                  f"first {min(beyond)}")
        if len(self.epochs) > reader_starts:
            self.findings.add("seq fell back", f"{len(self.epochs)} epochs of a reader that was started {reader_starts} times")


@dataclasses.dataclass
class Hole:
    """Events between two entries of one channel and symbol that are not in Redis."""
    after: tuple  # position of the entry before; (-1, 0) if there is none
    before: tuple  # place of the entry after
    connection: tuple  # the newest one, of all lines, before that of the entry after: what was being read when it ended
    lost: dict  # content -> Sent, of frames that were sent and not read
    unwatched: int  # trades that the exchange made while no client was connected

    def unread(self):
        """Frames lost on the connection that was being read. On one that was left earlier an exchange that hung goes on sending."""
        return [frame for frame in self.lost.values() if frame.connection == self.connection]


class Line:
    """One channel of one symbol: its frames by connection, and how far Redis holds them."""

    def __init__(self, name, findings, known):
        self.name = name
        self.findings = findings
        self.connections = collections.OrderedDict()  # connection -> deque of Sent that are open
        self.known = known  # connections, rising; of all lines, as a line may not yet flow on one when it ends
        self.place = (-1, 0)
        self.number = (0, 0)  # (start of the simulator, trade number) of the last entry
        self.recent = collections.OrderedDict()
        self.holes = []
        self.sent = 0
        self.matched = 0

    def on_sent(self, frame):
        self.sent += 1
        self.connections.setdefault(frame.connection, collections.deque()).append(frame)
        if not self.known or frame.connection > self.known[-1]:
            self.known.append(frame.connection)

    def on_entry(self, entry, place):
        for connection, frames in self.connections.items():
            for index, frame in enumerate(frames):
                if frame.content == entry.content:
                    self._accept(connection, index, place)
                    return
        self._refuse(entry)

    def _refuse(self, entry):
        if entry.content in self.recent:
            kind = "duplicate"
        elif any(entry.content in hole.lost for hole in self.holes):
            kind = "out of order"
        else:
            kind = "never sent"
        self.findings.add(kind, f"{self.name} seq {entry.seq}: {entry.content}")

    def _accept(self, connection, index, place):
        lost = {}
        while next(iter(self.connections)) != connection:  # it and those before it ended somewhere
            _, ended = self.connections.popitem(last=False)
            lost.update((frame.content, frame) for frame in ended if frame.content not in self.recent)
        frames = self.connections[connection]
        skipped = [frames.popleft() for _ in range(index)]
        skipped = [frame for frame in skipped if frame.content not in self.recent]  # read on the connection before
        frame = frames.popleft()
        if skipped:
            self.findings.add("lost", f"{self.name}: {len(skipped)} frames left out on connection {connection}, "
                              f"first {skipped[0].content}", len(skipped))
        unwatched = self._unwatched(frame, len(skipped), len(lost))
        for hole in self.holes[-2:]:  # a frame sent on two connections, lost on the first and read on the second
            hole.lost.pop(frame.content, None)
        if lost or unwatched:
            before = max((other for other in self.known if other < connection), default=None)
            self.holes.append(Hole(self.place, place, before, lost, unwatched))
        self.place = place
        self.matched += 1
        self.recent[frame.content] = None
        if len(self.recent) > RECENT:
            self.recent.popitem(last=False)

    def _unwatched(self, frame, skipped, lost):
        """Trades between the entry before and this one that were on no connection."""
        if frame.number == 0:
            return 0
        start, number = self.number
        self.number = (frame.connection[0], frame.number)
        if start != frame.connection[0]:
            return 0  # a new simulator starts its numbers again
        missing = frame.number - number - 1
        if missing < 0:
            self.findings.add("out of order", f"{self.name}: trade {frame.number} after {number}")
        return max(0, missing - skipped - lost)

    def open(self):
        return sum(len(frames) for frames in self.connections.values())

    def lost(self):
        return sum(len(hole.lost) for hole in self.holes)

    def reached(self):
        """How many of the frames sent come no later than the last one that Redis holds."""
        return self.sent - self.open()

    def finish(self):
        left = self.open()
        if left:
            first = next(frame for frames in self.connections.values() for frame in frames)
            self.findings.add("lost", f"{self.name}: {left} frames at the end are not in Redis, first {first.content} on "
                              f"connection {first.connection}", left)


class Checker:
    """Feed it with on_sent and on_entry; finish() says what is wrong in `findings`."""

    def __init__(self):
        self.findings = Findings()
        self.numbering = Numbering(self.findings)
        self.connections = []  # that frames were sent on, rising
        self.lines = {}
        self.breaks = {}  # (channel, symbol) -> places of feed events that report missing events
        self.feeds = 0
        self.entries = collections.Counter()  # (channel, symbol) -> entries read

    def line(self, channel, symbol):
        if (channel, symbol) not in self.lines:
            self.lines[channel, symbol] = Line(f"{channel} {symbol}", self.findings, self.connections)
        return self.lines[channel, symbol]

    def on_sent(self, frame):
        self.line(frame.channel, frame.symbol).on_sent(frame)

    def on_entry(self, channel, fields):
        if "seq" not in fields:
            # md-publisher's own: Redis refused an event, or someone cut a stream. Neither happens here.
            self.findings.add("reported by md-publisher", str(fields))
            return
        entry = entry_from_fields(channel, fields)
        place = self.numbering.place(channel, entry.seq)
        if isinstance(entry, Feed):
            self.feeds += 1
            if entry.state in BREAKS:
                self.breaks.setdefault((entry.channel, entry.symbol), []).append(place)
            return
        self.entries[channel, entry.symbol] += 1
        self.line(channel, entry.symbol).on_entry(entry, place)

    def sent(self):
        return sum(line.sent for line in self.lines.values())

    def matched(self):
        return sum(line.matched for line in self.lines.values())

    def open(self):
        return sum(line.open() for line in self.lines.values())

    def lost(self):
        """Frames that were sent on a connection that broke and never read."""
        return sum(line.lost() for line in self.lines.values())

    def unwatched(self):
        return sum(hole.unwatched for line in self.lines.values() for hole in line.holes)

    def holes(self):
        return [(name, hole) for name, line in self.lines.items() for hole in line.holes if hole.lost or hole.unwatched]

    def uncovered(self):
        """Holes that no feed event of their channel and symbol reports."""
        return [(name, hole) for name, hole in self.holes()
                if not any(hole.after < place < hole.before for place in self.breaks.get(name, ()))]

    def finish(self, reader_starts):
        """Once everything is quiet."""
        for line in self.lines.values():
            line.finish()
        self.numbering.finish(reader_starts)
        for (channel, symbol), hole in self.uncovered():
            self.findings.add("not owned up to", f"{channel} {symbol}: {len(hole.lost)} lost and {hole.unwatched} made while "
                              f"not connected between seq {hole.after} and {hole.before}, and no gap in md:feed")
        return self.findings


# /metrics.


def samples_of(text):
    """The Prometheus text as {series: value}."""
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


GROWING = ("_total", "_bucket", "_count", "_sum")


class CounterWatch:
    """Counters and latency histograms never decrease, whichever program restarts. Only those of a process itself (process_*) may."""

    def __init__(self, findings):
        self.findings = findings
        self.highest = {}

    def look(self, samples):
        for name, value in samples.items():
            metric = name.partition("{")[0]
            if not metric.endswith(GROWING) or metric.startswith("process_"):
                continue
            before = self.highest.get(name, 0)
            if value < before:
                self.findings.add("counter went back", f"{name} from {before:g} to {value:g}")
            self.highest[name] = value


LABEL = re.compile(r'(\w+)="([^"]*)"')


def counts_by(samples, metric, key="channel"):
    """{(channel, symbol): sum over all other labels}; `key` is the label that holds the channel or stream."""
    out = collections.Counter()
    for name, value in samples.items():
        if name.partition("{")[0] == metric:
            labels = dict(LABEL.findall(name))
            out[labels.get(key, "").removeprefix("md:"), labels.get("symbol", "")] += value
    return out


def balance(samples, entries):
    """Sentences on what does not add up, once everything is quiet: received = published + held + dropped + conflated for
    each channel and symbol, and published = what Redis holds."""
    received = counts_by(samples, "collector_messages_received_total")
    published = counts_by(samples, "collector_messages_published_total", "stream")
    dropped = counts_by(samples, "collector_dropped_events_total")
    conflated = counts_by(samples, "collector_conflated_events_total")
    held = sum(value for name, value in samples.items() if name.startswith("collector_unconfirmed_events{"))
    wrong = []
    if held:
        wrong.append(f"{held:g} events are held although all is quiet")
    for key in sorted(set(received) | set(published) | set(entries)):
        if key[0] not in MARKET:
            continue
        done = published[key] + dropped[key] + conflated[key]
        if received[key] != done:
            wrong.append(f"{key}: received {received[key]:g}, published {published[key]:g} + dropped {dropped[key]:g} + "
                         f"conflated {conflated[key]:g}")
        if published[key] != entries.get(key, 0):
            wrong.append(f"{key}: published {published[key]:g}, in Redis {entries.get(key, 0)}")
    return wrong
