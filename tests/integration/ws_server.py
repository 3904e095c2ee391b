"""A WebSocket server for one test, written by hand so that it can misbehave: plain or TLS, scripted byte by byte."""

import base64
import hashlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import zlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
TLS_HANDSHAKE = 0x16  # the first byte of a TLS greeting (RFC 8446, 5.1)


class Certificates:
    """A certificate authority in a folder, and what it signs; made by openssl."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.path("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                      self.path("ca.key"), "-out", self.ca, "-days", "2", "-subj", "/CN=Test CA")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def make(self, name, alternatives, expired=False):
        """(certificate file, key file) for the names, such as DNS:localhost,IP:127.0.0.1."""
        cert, key, request = (self.path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                      request, "-subj", f"/CN={name}")
        extensions = self.path(f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
        database = self.path(f"{name}.db")
        open(database, "w", encoding="ascii").close()
        config = self.path(f"{name}.cnf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={database}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
                       f"certificate={self.ca}\nprivate_key={self.path('ca.key')}\ndefault_md=sha256\npolicy=p\n"
                       "unique_subject=no\n[p]\ncommonName=supplied\n")
        dates = ("20200101000000Z", "20200201000000Z") if expired else ("20200101000000Z", "20991231000000Z")
        self._openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-out", cert, "-extfile", extensions,
                      "-startdate", dates[0], "-enddate", dates[1])
        return cert, key


class Connection:
    """The server's end of one WebSocket."""

    def __init__(self, sock, request):
        self.socket, self.request = sock, request
        self.deflate = "permessage-deflate" in request.get("sec-websocket-extensions", "")
        self.received = []  # text frames of the client
        self.inflater = zlib.decompressobj(-15)  # one for all, as the client may refer to earlier frames
        self.pings = self.pongs = 0
        self.answer_pings = True
        self.closed = threading.Event()
        self.close_code = None

    def frame(self, opcode, payload=b"", rsv1=False, fin=True):
        size = len(payload)
        length = bytes([size]) if size < 126 else (b"\x7e" + struct.pack(">H", size) if size < 65536
                                                   else b"\x7f" + struct.pack(">Q", size))
        self.socket.sendall(bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode]) + length + payload)

    def text(self, text):
        self.frame(TEXT, text if isinstance(text, bytes) else text.encode())

    def text_deflated(self, payload):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        self.frame(TEXT, data[:-4], rsv1=True)

    def ping(self):
        self.frame(PING, b"are you there")

    def close(self, code, reason=""):
        self.frame(CLOSE, struct.pack(">H", code) + reason.encode())

    def cut(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def read_frames(self):
        try:
            while True:
                head = self._exactly(2)
                size = head[1] & 0x7F
                if size == 126:
                    size, = struct.unpack(">H", self._exactly(2))
                elif size == 127:
                    size, = struct.unpack(">Q", self._exactly(8))
                mask = self._exactly(4)
                payload = bytes(b ^ mask[i % 4] for i, b in enumerate(self._exactly(size)))
                self._on_frame(head, payload)
        except OSError:
            pass
        finally:
            self.closed.set()

    def _on_frame(self, head, payload):
        opcode = head[0] & 0x0F
        if opcode == TEXT:
            if head[0] & 0x40:
                payload = self.inflater.decompress(payload + b"\x00\x00\xff\xff")
            self.received.append(payload.decode())
        elif opcode == PING:
            self.pings += 1
            if self.answer_pings:
                self.frame(PONG, payload)
        elif opcode == PONG:
            self.pongs += 1
        elif opcode == CLOSE:
            self.close_code = struct.unpack(">H", payload[:2])[0] if payload else None
            self.frame(CLOSE, payload)
            self.cut()


class Server:
    """Accepts connections on a free port; `refuse` holds raw HTTP answers for the next upgrades."""

    def __init__(self, certificate=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.tls = None
        self.server_names = []
        self.failed_handshakes = 0
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
            self.tls.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        self.connections = []
        self.refuse = []
        self.upgrade = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://localhost:{self.port}/ws"

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.cut()
            connection.socket.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = self._read_request(sock)
        except OSError:
            self.failed_handshakes += 1
            sock.close()
            return
        if self.refuse:
            sock.sendall(self.refuse.pop(0).encode())
            sock.close()
            return
        if not self.upgrade:
            return  # the client waits
        connection = Connection(sock, request)
        accept = base64.b64encode(hashlib.sha1(request["sec-websocket-key"].encode() + GUID).digest()).decode()
        extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n" if connection.deflate else ""
        sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n").encode())
        self.connections.append(connection)
        connection.read_frames()

    @staticmethod
    def _read_request(sock):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(4096)
            if not piece:
                raise ConnectionError
            data += piece
            if data[0] == TLS_HANDSHAKE:
                raise ConnectionError  # as servers do that speak HTTP only
        lines = data.decode().split("\r\n")
        request = {"": lines[0]}
        for line in lines[1:]:
            if ":" in line:
                name, value = line.split(":", 1)
                request[name.strip().lower()] = value.strip()
        return request
