"""A receiver of webhooks for one test: real HTTP or HTTPS, answers by script, keeps what it was sent."""

import http.server
import json
import ssl
import threading


class WebhookReceiver:
    """Answers with each of `script` once, (status, headers), then 200. While `held` is set it does not answer."""

    def __init__(self, script=(), certificate=None, port=0):
        self.bodies = []  # of every request, in order
        self.requests = []  # (path, headers)
        self.script = list(script)
        self.released = threading.Event()
        self.released.set()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.make_handler())
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.port = self.server.server_address[1]
        self.url = f"{scheme}://localhost:{self.port}/services/very-secret-path"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def make_handler(receiver):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers)))
                receiver.bodies.append(json.loads(body))  # every body must be JSON
                receiver.released.wait(20)
                status, headers = receiver.script.pop(0) if receiver.script else (200, {})
                answer = f"{status} for {self.path}".encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def alerts(self):
        """[(alert, status)] of all requests in our own form"""
        return [(alert["alert"], alert["status"]) for body in list(self.bodies) for alert in body["alerts"]]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.thread.join(20)
        self.server.server_close()
