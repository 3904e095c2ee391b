"""Byte proxies that disturb a real connection: cut it inside a command, freeze it, pass one byte at a time.

A Proxy stands between two programs on one address and knows nothing of their protocol. All proxies of a process run in
one thread with an event loop of its own (Hub); the methods of Proxy may be called from any other thread.
"""

import asyncio
import contextlib
import socket
import struct
import threading

CHUNK = 65536
TICK = 0.005  # seconds between two portions of a slowed connection
CALL_MAX = 10  # seconds a call into the loop may take
FORWARD, BACKWARD = "forward", "backward"  # from the client to the server, and back


class Address:
    """"tcp:HOST:PORT" or "unix:PATH"."""

    def __init__(self, text):
        self.text = text
        self.kind, _, rest = text.partition(":")
        if self.kind == "unix":
            self.path = rest
        else:
            self.host, _, port = rest.rpartition(":")
            self.port = int(port)

    async def connect(self):
        if self.kind == "unix":
            return await asyncio.open_unix_connection(self.path, limit=CHUNK)
        return await asyncio.open_connection(self.host, self.port, limit=CHUNK)

    async def listen(self, handler):
        if self.kind == "unix":
            return await asyncio.start_unix_server(handler, self.path, limit=CHUNK)
        return await asyncio.start_server(handler, self.host, self.port, limit=CHUNK, backlog=100)


class Hub:
    """The loop all proxies run in. Close it to end them all."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True)
        self.thread.start()
        self.proxies = []

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(CALL_MAX)

    def proxy(self, name, listen, target):
        proxy = Proxy(self, name, Address(listen), Address(target))
        self.call(proxy.open())
        self.proxies.append(proxy)
        return proxy

    def close(self):
        if not self.thread.is_alive():
            return
        for proxy in self.proxies:
            with contextlib.suppress(Exception):
                self.call(proxy.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(CALL_MAX)


class Proxy:
    def __init__(self, hub, name, listen, target):
        self.hub = hub
        self.name = name
        self.listen = listen
        self.target = target
        self.server = None
        self.links = set()
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.rate = 0  # bytes/s of each direction of each connection; 0 is no limit
        self.cut = None  # [direction, bytes that still pass, reset]
        self.cuts = 0  # connections cut so far
        self.passed = {FORWARD: 0, BACKWARD: 0}

    # From any thread.

    def cut_after(self, count, direction, reset=True):
        """The first connection that carried `count` more bytes in that direction ends there: with RST, or with FIN."""
        self.hub.call(self._set_cut([direction, count, reset]))

    def cut_now(self, reset=True):
        """Ends all connections; returns how many there were."""
        return self.hub.call(self._cut_all(reset))

    def freeze(self):
        """Connections stay up and carry nothing; new ones are accepted and carry nothing either."""
        self.hub.call(self._set_frozen(True))

    def thaw(self):
        self.hub.call(self._set_frozen(False))

    def slow(self, bytes_per_second):
        """One byte at a time, each in a separate segment; 0 restores full speed."""
        self.hub.call(self._set_rate(bytes_per_second))

    def refuse(self, refusing):
        """Refuses new connections, as a host whose program is gone does; those that stand are not touched."""
        self.hub.call(self._shut() if refusing else self.open())

    def heal(self):
        self.hub.call(self._heal())

    # In the loop.

    async def open(self):
        if self.server is None:
            self.server = await self.listen.listen(self._serve)

    async def close(self):
        await self._shut()
        await self._cut_all(False)

    async def _shut(self):
        if self.server is not None:
            self.server.close()
            self.server = None

    async def _set_cut(self, cut):
        self.cut = cut

    async def _set_rate(self, rate):
        self.rate = rate

    async def _set_frozen(self, frozen):
        self.thawed.clear() if frozen else self.thawed.set()

    async def _heal(self):
        self.cut = None
        self.rate = 0
        self.thawed.set()
        await self.open()

    async def _cut_all(self, reset):
        links = list(self.links)
        for link in links:
            self._end(link, reset)
        self.cuts += len(links)
        return len(links)

    def _end(self, link, reset):
        self.links.discard(link)
        for writer in link:
            end_connection(writer, reset)

    async def _serve(self, reader, client):
        await self.thawed.wait()
        try:
            upstream, server = await self.target.connect()
        except OSError:
            end_connection(client, True)
            return
        for writer in (client, server):
            no_delay(writer)
            writer.transport.set_write_buffer_limits(high=CHUNK)
        link = (client, server)
        self.links.add(link)
        try:
            await asyncio.gather(self._pump(reader, server, FORWARD, link), self._pump(upstream, client, BACKWARD, link))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._end(link, False)

    async def _pump(self, reader, writer, direction, link):
        while True:
            data = await reader.read(CHUNK)
            await self.thawed.wait()
            if not data:
                break
            if not await self._pass_on(data, writer, direction, link):
                return
        # One side closed: the other side gets the same end after all data, and the pair ends.
        self._end(link, False)

    async def _pass_on(self, data, writer, direction, link):
        """False once the connection was cut here."""
        while data:
            count = self._allowed(len(data), direction)
            if writer.transport.is_closing():
                return False
            for part in [data[i:i + 1] for i in range(count)] if self.rate else [data[:count]]:
                writer.write(part)  # TCP_NODELAY: each write is a segment
                await writer.drain()
            self.passed[direction] += count
            data = data[count:]
            if self.cut and self.cut[0] == direction:
                self.cut[1] -= count
                if self.cut[1] <= 0:
                    reset = self.cut[2]
                    self.cut = None
                    self.cuts += 1
                    await asyncio.sleep(0)  # the last bytes leave before the cut
                    self._end(link, reset)
                    return False
            if self.rate:
                await asyncio.sleep(TICK)
            await self.thawed.wait()
        return True

    def _allowed(self, count, direction):
        if self.rate:
            count = min(count, max(1, int(self.rate * TICK)))
        if self.cut and self.cut[0] == direction:
            count = min(count, max(1, self.cut[1]))
        return count


def no_delay(writer):
    handle = writer.get_extra_info("socket")
    if handle.family == socket.AF_INET:
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def end_connection(writer, reset):
    """RST if requested and the connection is TCP, else an orderly end."""
    handle = writer.get_extra_info("socket")
    if reset and handle.family == socket.AF_INET:
        with contextlib.suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
