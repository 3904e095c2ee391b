"""The two ends of the link, spoken in Python without any of our code: a reader for md-publisher, and a listener for the
metric messages of a component."""

import time

import msgpack
import zmq

WIRE_VERSION = 2


def event(seq, symbol="BTC_JPY", kind="trade", **more):
    out = {"type": kind, "exchange": "gmo", "symbol": symbol, "ts": 1, "recv": time.time_ns(), "seq": seq}
    if kind == "trade":
        out.update(price="100.5", size="0.01", side="buy")
    out.update(more)
    return out


class LinkReader:
    """Sends numbered events and sends again what the publisher asks for, as ws-reader does."""

    def __init__(self, folder, source="gmo", epoch=None, endpoints=None):
        self.context = zmq.Context.instance()
        self.source, self.epoch = source, epoch or time.time_ns()
        events, positions = endpoints or (f"ipc://{folder}/events", f"ipc://{folder}/positions")
        self.push = self.context.socket(zmq.PUSH)
        self.push.setsockopt(zmq.IMMEDIATE, 1)
        self.push.setsockopt(zmq.LINGER, 0)
        self.push.setsockopt(zmq.RECONNECT_IVL, 20)
        self.push.connect(events)
        self.sub = self.context.socket(zmq.SUB)
        self.sub.setsockopt(zmq.LINGER, 0)
        self.sub.setsockopt(zmq.RECONNECT_IVL, 20)
        self.sub.setsockopt(zmq.SUBSCRIBE, source.encode())
        self.sub.setsockopt(zmq.SUBSCRIBE, b"*")
        self.sub.connect(positions)
        self.kept = {}  # seq -> event, until it is confirmed
        self.next_seq = 1
        self.next_to_send = 1
        self.instance = 0
        self.confirmed = self.accepted = 0
        self.redis_up = self.refused = False
        self.lost = (0, 0)  # what Redis had confirmed and lost: after, to
        self.progress_at = time.monotonic()
        self.resends = 0

    def wait_connected(self, deadline_ms=30_000):
        if not self.push.poll(deadline_ms, zmq.POLLOUT):
            raise AssertionError("no publisher took the connection")

    def close(self):
        self.push.close()
        self.sub.close()

    def append(self, count=1, **more):
        for _ in range(count):
            self.kept[self.next_seq] = event(self.next_seq, **more)
            self.next_seq += 1

    @property
    def last_seq(self):
        return self.next_seq - 1

    def header(self, first, count, oldest=None, version=WIRE_VERSION):
        oldest = oldest if oldest is not None else min(self.kept, default=self.next_seq)
        return msgpack.packb([version, self.source, self.epoch, first, count, oldest, first - 1, self.confirmed, time.time_ns(), False])

    def send_raw(self, *parts):
        """Waits for a connection with room; the publisher may be starting."""
        if not self.push.poll(10_000, zmq.POLLOUT):
            raise AssertionError("the publisher takes nothing")
        self.push.send_multipart(parts)

    def send_batch(self, first, count, **header):
        events = [self.kept.get(seq) or event(seq) for seq in range(first, first + count)]
        self.send_raw(self.header(first, count, **header), msgpack.packb(events))

    def send_new(self, batch=10):
        """Sends the events that were not sent yet, until the socket accepts no more."""
        self.next_to_send = max(self.next_to_send, min(self.kept, default=self.next_seq))
        while self.next_to_send < self.next_seq and self.push.poll(0, zmq.POLLOUT):
            count = min(batch, self.next_seq - self.next_to_send)
            self.send_batch(self.next_to_send, count)
            self.next_to_send += count

    def hear(self, timeout_ms=0):
        """Reads positions; asks itself whether to send again."""
        while self.sub.poll(timeout_ms):
            timeout_ms = 0
            _, body = self.sub.recv_multipart()
            version, instance, epoch, confirmed, accepted, redis_up, lost_after, lost_to, refused, closed = msgpack.unpackb(body)
            assert version == WIRE_VERSION
            assert not closed
            self.redis_up = redis_up
            replaced = self.instance not in (0, instance)
            self.instance = instance
            if epoch != self.epoch:
                if replaced:
                    self.go_back(self.confirmed)
                continue
            before, self.accepted = self.accepted, accepted
            self.lost, self.refused = (lost_after, lost_to), refused
            if accepted > before:
                self.progress_at = time.monotonic()
            for seq in [seq for seq in self.kept if seq <= confirmed]:
                del self.kept[seq]
            self.confirmed = max(self.confirmed, confirmed)
            if replaced or accepted < before:
                self.go_back(accepted)
        stalled = self.redis_up and self.accepted < self.next_to_send - 1
        if stalled and time.monotonic() - self.progress_at > 1:
            self.go_back(self.accepted)

    def go_back(self, accepted):
        self.resends += 1
        self.next_to_send = accepted + 1
        self.progress_at = time.monotonic()

    def turn(self):
        self.send_new()
        self.hear(10)

    def deliver(self, deadline=30):
        """Works until everything is confirmed."""
        end = time.monotonic() + deadline
        while self.kept:
            if time.monotonic() > end:
                raise AssertionError(f"not confirmed: {len(self.kept)}, accepted {self.accepted} of {self.last_seq}")
            self.turn()


class MetricsListener:
    """metrics-agent's end of the metric messages: the latest value of every series."""

    def __init__(self, folder):
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.bind(f"ipc://{folder}/metrics")
        self.names = {}
        self.values = {}
        self.last = False

    def close(self):
        self.socket.close()

    def read(self, timeout_ms=0):
        while self.socket.poll(timeout_ms):
            timeout_ms = 0
            message = msgpack.unpackb(self.socket.recv(), strict_map_key=False)
            self.last = self.last or message["last"]
            for number, name, labels in message["series"]:
                self.names[message["component"], number] = (name, *labels)
            for part in ("counters", "gauges", "histograms"):
                for number, value, *_ in message[part]:
                    self.values[self.names.get((message["component"], number))] = value
        return self.values

    def value(self, name, *labels):
        return self.read().get((name, *labels))

    def sum(self, name):
        return sum(value for key, value in self.read().items() if key and key[0] == name)
