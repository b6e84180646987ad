"""What answers badly: the pages that sources ask for, the front of the endpoint, and a
resolver that says nothing. All of it on the loopback of a network namespace of its own."""

import collections
import contextlib
import gzip
import http.client
import http.server
import itertools
import socket
import string
import threading

MIB = 1024 * 1024
NAME_SERVER = ("127.0.0.1", 53)

LETTERS = string.ascii_letters + "_"
# The shortest come first, so that 150,000 of them fit into a page of 1 MiB.
NAMES = (
    "".join(name)
    for length in (1, 2, 3)
    for name in itertools.product(LETTERS, *[LETTERS + string.digits] * (length - 1))
)
LABELS = "m{" + ",".join(f'{name}=""' for name in itertools.islice(NAMES, 150_000)) + "} 1\n"
LONG_VALUE = 'm{l="' + "a" * (MIB - 100) + '"} 1\n'
OBJECTS = "[" + ",".join(['{"a":0}'] * (MIB // 8 - 10)) + "]"
PAGES = {"/labels": LABELS, "/long-value": LONG_VALUE, "/objects": OBJECTS}
assert all(len(page) <= MIB for page in PAGES.values()), "they would be refused for their size"
PORTAL = b"<html><title>Log in</title>Please pay for the network first.</html>"


def wide_points(page):
    """30 series of 30 kB, other ones on each page."""
    return "".join(
        "m{" + ",".join(f'l{label}="{page:06}-{series:02}{"x" * 1000}"' for label in range(30)) + "} 1\n"
        for series in range(30)
    )


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Nothing: the report is the output."""

    def respond(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def respond_without_end(self, headers=()):
        """Until the other side has had enough."""
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b"1" * 0x10000 + b"\r\n"
        for _ in itertools.count():
            self.wfile.write(chunk)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True


class Pages(Handler):
    numbers = itertools.count()

    def do_GET(self):
        if self.path == "/endless":
            return self.respond_without_end()
        page = wide_points(next(self.numbers)) if self.path == "/wide" else PAGES[self.path]
        return self.respond(200, page.encode())


class Front(Handler):
    """Stands before the endpoint. Some requests it answers itself: those with the namespace
    `Away`, those with the metric `Cursed`, and of all others each second, if it is `moody`."""

    endpoint = None
    moody = False
    counts = collections.Counter()
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        if b"Away" in plain:
            self.counts["away"] += 1
            return self.respond(503, b"")
        if b"Cursed" in plain:
            self.counts["cursed"] += 1
            return self.refuse("SomethingOdd", b"nobody knows")
        with self.lock:
            self.counts["asked"] += 1
            number = self.counts["asked"]
        if self.moody and number % 2:
            return self.misbehave(number // 2 % 3)
        return self.forward(body)

    def misbehave(self, kind):
        self.counts["misbehaved"] += 1
        if kind == 0:
            return self.respond(200, PORTAL, [("content-type", "text/html")])
        if kind == 1:
            return self.refuse("Throttling", b"m" * 20_000_000)
        return self.respond_without_end([("smithy-protocol", "rpc-v2-cbor")])

    def refuse(self, code, message):
        """An error in the form of the service (RFC 8949: a map of two texts)."""
        body = b"\xa2" + text(b"__type") + text(code.encode()) + text(b"message") + text(message)
        headers = [
            ("content-type", "application/cbor"),
            ("smithy-protocol", "rpc-v2-cbor"),
            ("x-amzn-requestid", "00000000-0000-4000-8000-000000000000"),
            ("x-amzn-query-error", f"{code};Sender"),
        ]
        self.respond(400, body, headers)

    def forward(self, body):
        self.counts["forwarded"] += 1
        connection = http.client.HTTPConnection(*self.endpoint, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", self.path, body, dict(self.headers))
            answer = connection.getresponse()
            held = ("content-length", "transfer-encoding", "date", "connection")
            headers = [pair for pair in answer.getheaders() if pair[0].lower() not in held]
            self.respond(answer.status, answer.read(), headers)


def text(content):
    """A CBOR text with a length of four bytes."""
    return b"\x7a" + len(content).to_bytes(4, "big") + content


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Nothing: clients that give up are what is wanted."""


def silent_resolver():
    """Takes questions and answers none."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(NAME_SERVER)

    def swallow():
        while True:
            server.recvfrom(4096)

    threading.Thread(target=swallow, daemon=True).start()
    return server
