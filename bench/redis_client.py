"""A Redis client with what the benchmark needs."""

import socket


class Redis:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def call(self, *words):
        parts = [f"*{len(words)}\r\n".encode()]
        for word in words:
            data = str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ValueError(rest.decode())
        if kind in b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        size = int(rest)
        if size < 0:
            return None
        if kind == b"$":
            return self.file.read(size + 2)[:-2].decode()
        return [self._reply() for _ in range(size)]

    def entries_added(self, stream):
        """How many entries were ever added to the stream, including those that were trimmed."""
        try:
            reply = self.call("XINFO", "STREAM", stream)
        except ValueError:
            return 0  # no such stream yet
        return dict(zip(reply[::2], reply[1::2]))["entries-added"]

    def xadd_calls(self):
        """Entries added to all streams, without reading any of them."""
        for line in self.call("INFO", "commandstats").splitlines():
            if line.startswith("cmdstat_xadd:"):
                fields = dict(pair.split("=") for pair in line.partition(":")[2].split(","))
                return int(fields["calls"]) - int(fields["failed_calls"])
        return 0
