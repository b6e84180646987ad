"""Loopback stand-ins for what the image meets in the wild: the services that give
credentials, an endpoint with TLS, and a proxy that wants a password."""

import base64
import contextlib
import ctypes
import datetime
import http.server
import json
import os
import select
import socket
import ssl
import threading
import time
import urllib.parse

from support import PATIENCE

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/publisher"
WEB_IDENTITY_TOKEN = "the-token-of-the-service-account"
CONTAINER_TOKEN = "the-token-of-the-container"
SOURCE_KEYS = ("source", "the-secret-of-the-source")

CLONE_NEWNET = 0x40000000


class Keys:
    """Temporary credentials that follow each other: each is handed out until the next is due
    and ends some seconds later, as those of a role do. All are known from the start."""

    COUNT = 60

    def __init__(self, lifetime=3600, overlap=0):
        self._begin = int(time.time())
        self._step = lifetime - overlap
        self._lifetime = lifetime

    def _numbered(self, number):
        end = self._begin + number * self._step + self._lifetime
        return f"key{number}", f"the-secret-{number}", f"the-session-token-{number}", end

    def current(self):
        return self._numbered(int(time.time() - self._begin) // self._step)

    def for_endpoint(self):
        """What cloudwatch-local is to know."""
        return [":".join(map(str, self._numbered(number))) for number in range(self.COUNT)]


class Issuer:
    """STS, the endpoint beside a container, and the metadata of an instance. It refuses
    what the real ones refuse, and keeps which keys it gave for which question."""

    def __init__(self, keys=None, address=("127.0.0.1", 0), beside=None):
        self.keys = keys or Keys()
        self.given = []
        self.refused = []
        self.away = False
        self._server = Server(address, beside, self._handler())
        self.url = self._server.url

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop()

    def _handler(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length).decode()
                status, text = issuer.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("content-length", str(len(text.encode())))
                if self.command == "PUT":
                    self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, method, path, headers, body):
        if self.away:
            return 503, "away"
        form = dict(urllib.parse.parse_qsl(body))
        metadata = "/latest/meta-data/iam/security-credentials/"
        with_token = headers.get("x-aws-ec2-metadata-token") == "metadata-token"
        match method, path:
            case "PUT", "/latest/api/token":
                if headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
                    return 200, "metadata-token"
            case "GET", "/latest/meta-data/iam/security-credentials/" if with_token:
                return 200, "the-role"
            case "GET", str(found) if found == metadata + "the-role" and with_token:
                return self._give("metadata", Code="Success", Type="AWS-HMAC")
            case "GET", "/container":
                if headers.get("authorization") == CONTAINER_TOKEN:
                    return self._give("container")
            case "GET", "/v2/credentials/task":
                return self._give("task", RoleArn=ROLE)
            case "POST", "/" if form.get("RoleArn") == ROLE:
                if form["Action"] == "AssumeRole":
                    scope = f"Credential={SOURCE_KEYS[0]}/"
                    if scope in headers.get("authorization", ""):
                        return self._assume("AssumeRole")
                if form["Action"] == "AssumeRoleWithWebIdentity":
                    if form.get("WebIdentityToken") == WEB_IDENTITY_TOKEN:
                        return self._assume("AssumeRoleWithWebIdentity")
        self.refused.append(f"{method} {path}")
        return 403, "refused"

    def _give(self, question, **more):
        key, secret, token, end = self._next(question)
        named = {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token}
        return 200, json.dumps(named | {"Expiration": zulu(end)} | more)

    def _assume(self, action):
        key, secret, token, end = self._next(action)
        user = f"<Arn>{ROLE}/s</Arn><AssumedRoleId>A:s</AssumedRoleId>"
        credentials = (
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken><Expiration>{zulu(end)}</Expiration>"
        )
        return 200, (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<AssumedRoleUser>{user}</AssumedRoleUser><Credentials>{credentials}</Credentials>"
            f"</{action}Result></{action}Response>"
        )

    def _next(self, question):
        keys = self.keys.current()
        self.given.append((question, keys[0]))
        return keys


def zulu(unix):
    at = datetime.datetime.fromtimestamp(unix, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Server:
    """A threaded HTTP server, in the network namespace of a process if one is named."""

    def __init__(self, address, beside, handler):
        class Http(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

        self._http = in_namespace(beside, lambda: Http(address, handler))
        host, port = self._http.server_address[:2]
        self.url = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=[0.05], daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._http.shutdown()
        self._thread.join(PATIENCE)
        self._http.server_close()


def in_namespace(pid, make):
    """Makes something in the network namespace of a process, where its sockets then stay."""
    if pid is None:
        return make()
    made = []

    def there():
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(namespace)
        made.append(make())

    # Only this thread moves, and it ends here.
    thread = threading.Thread(target=there)
    thread.start()
    thread.join(PATIENCE)
    assert made, "it could not be made, see the thread's own words"
    return made[0]


class Relay:
    """Takes connections on loopback, one thread each, and passes bytes on."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near):
        # The other side may go away at any moment, and may not trust this one.
        with contextlib.suppress(OSError), near:
            self.serve(near)


def pump(near, far):
    with far:
        while True:
            # What TLS has decoded already is not seen by select.
            pending = getattr(near, "pending", lambda: 0)()
            ready = [near] if pending else select.select([near, far], [], [], PATIENCE)[0]
            if not ready:
                return
            for source, sink in ((near, far), (far, near)):
                if source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    sink.sendall(data)


class TlsFront(Relay):
    """Ends TLS before a plain endpoint."""

    def __init__(self, certificate, key, url):
        super().__init__()
        self._behind = address_of(url)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.url = f"https://127.0.0.1:{self.port}"

    def serve(self, near):
        with self._context.wrap_socket(near, server_side=True) as decoded:
            pump(decoded, socket.create_connection(self._behind))


class Proxy(Relay):
    """An HTTP proxy that keeps what it was asked for. It reaches this machine only."""

    def __init__(self, user=None, password=None):
        super().__init__()
        pair = f"{user}:{password}".encode()
        self._wanted = f"Basic {base64.b64encode(pair).decode()}" if user else None
        self.asked = []
        self.turned_away = 0
        self.url = f"http://127.0.0.1:{self.port}"

    def with_password(self, user, password):
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    def serve(self, near):
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(65536)
            if not data:
                return
            head += data
        lines = head.split(b"\r\n\r\n")[0].decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        given = headers.get("proxy-authorization")
        if self._wanted and given != self._wanted.lower():
            self.turned_away += 1
            near.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'proxy-authenticate: Basic realm="proxy"\r\ncontent-length: 0\r\n\r\n'
            )
            return
        self.asked.append(f"{method} {target}")
        host, port = address_of(target if "://" in target else f"//{target}")
        if host != "127.0.0.1":
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            return
        far = socket.create_connection((host, port))
        if method == "CONNECT":
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            # A server understands a whole URL in the place of a path.
            far.sendall(head)
        pump(near, far)


def address_of(url):
    parts = urllib.parse.urlsplit(url)
    return parts.hostname, parts.port
