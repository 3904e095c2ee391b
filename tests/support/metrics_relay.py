"""A relay between the components' metric messages and metrics-agent that loses some of them and remembers the totals that
the components sent, even if the agent did not receive them."""

import random
import threading

import msgpack
import zmq


class MetricsRelay:
    def __init__(self, folder, loss, seed):
        self.endpoint = f"ipc://{folder}/relay"  # the components' --metrics-endpoint
        self.loss, self.random = loss, random.Random(seed)
        self.lock = threading.Lock()
        self.names = {}  # (component, source, epoch), id -> series
        self.totals = {}  # (component, source, origin, series) -> total
        self.passed = {}  # (component, source, epoch) -> numbers of the messages that went on
        self.dropped = 0
        self.stopping = threading.Event()
        context = zmq.Context.instance()
        self.components, self.agent = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
        for socket in (self.components, self.agent):
            socket.setsockopt(zmq.LINGER, 0)
        self.agent.setsockopt(zmq.XPUB_VERBOSE, 1)  # the subscription of a restarted agent goes on to the components
        self.agent.setsockopt(zmq.RECONNECT_IVL, 20)
        self.components.bind(self.endpoint)
        self.agent.connect(f"ipc://{folder}/metrics")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        self.stopping.set()
        self.thread.join(10)
        self.components.close()
        self.agent.close()

    def _run(self):
        poller = zmq.Poller()
        poller.register(self.components, zmq.POLLIN)
        poller.register(self.agent, zmq.POLLIN)
        while not self.stopping.is_set():
            ready = dict(poller.poll(50))
            if self.agent in ready:
                self.components.send(self.agent.recv())
            if self.components in ready:
                self._message(self.components.recv())

    def _message(self, body):
        message = msgpack.unpackb(body, strict_map_key=False)
        life = (message["component"], message["source"], message["epoch"])
        with self.lock:
            for number, name, labels in message["series"]:
                self.names[life, number] = (name, tuple(sorted(labels)))
            for number, total in message["counters"]:
                key = (*life[:2], message["origin"], self.names[life, number])
                self.totals[key] = max(total, self.totals.get(key, 0))
            for number, count, *_ in message["histograms"]:
                name, labels = self.names[life, number]
                key = (*life[:2], message["origin"], (f"{name}_count", labels))
                self.totals[key] = max(count, self.totals.get(key, 0))
            if self.random.random() < self.loss:
                self.dropped += 1
                return
            self.passed.setdefault(life, []).append(message["n"])
        self.agent.send(body)

    def counters(self):
        """{(metric, label values in sorted order): total}, over all components; of a histogram its count."""
        out = {}
        with self.lock:
            for (_, _, _, series), total in self.totals.items():
                out[series] = out.get(series, 0) + total
        return out

    def holes(self):
        """Messages lost between the first and the last forwarded message of each run, by component."""
        out = {}
        with self.lock:
            for (component, _, _), numbers in self.passed.items():
                out[component] = out.get(component, 0) + numbers[-1] - numbers[0] + 1 - len(numbers)
        return out
