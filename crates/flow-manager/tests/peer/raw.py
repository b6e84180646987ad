"""Engine.IO 4 with nothing between: HTTP, and a websocket whose frames are all queued, so that none that comes between
two looks is missed."""

import base64
import http.client
import json
import os
import queue
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

import scripted

SEPARATOR = "\x1e"


def request(url, method, query, body=None, patience=scripted.PATIENCE):
    """Status and text of one HTTP request."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=patience)
    try:
        headers = {} if body is None else {"content-type": "text/plain;charset=UTF-8"}
        connection.request(method, f"/socket.io/?{query}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Polling:
    """A session over HTTP."""

    def __init__(self, url):
        self.url = url
        status, text = request(url, "GET", "EIO=4&transport=polling")
        assert status == 200 and text[0] == "0", text
        self.open = json.loads(text[1:])
        self.query = f"EIO=4&transport=polling&sid={self.open['sid']}"

    def poll(self, more="", patience=scripted.PATIENCE):
        return request(self.url, "GET", self.query + more, patience=patience)

    def post(self, *packets):
        return request(self.url, "POST", self.query, SEPARATOR.join(packets))

    def until(self, *wanted):
        """Polls until there is a packet that begins so for each; gives all that came, without pings."""
        found = []
        while not all(any(packet.startswith(one) for packet in found) for one in wanted):
            status, text = self.poll()
            assert status == 200, (status, text, found)
            for packet in text.split(SEPARATOR):
                if packet == "2":
                    self.post("3")
                else:
                    found.append(packet)
        return found


class Closed(Exception):
    """The server ended the connection, or did not open it."""


class WebSocket:
    """`receive` gives what comes in its order: text, bytes, or `Closed`."""

    def __init__(self, url, query="EIO=4&transport=websocket", pongs=True):
        place = urlsplit(url)
        self._pongs, self._frames = pongs, queue.Queue()
        self.pings = []
        self._socket = socket.create_connection((place.hostname, place.port), scripted.PATIENCE)
        self._socket.sendall((
            f"GET /socket.io/?{query} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self._stream = self._socket.makefile("rb")
        self.status = int(self._stream.readline().split()[1])
        while self._stream.readline() not in (b"\r\n", b""):
            pass
        # From here on only `receive` has a deadline.
        self._socket.settimeout(None)
        if self.status == 101:
            threading.Thread(target=self._read, daemon=True).start()
        else:
            self._frames.put(None)

    def opened(self):
        """The server's first packet."""
        packet = self.receive()
        assert packet[0] == "0", packet
        return json.loads(packet[1:])

    def connected(self, token):
        """Takes the server's first packet, and sends CONNECT for `/`; gives the answer."""
        self.opened()
        self.send("40" + json.dumps({"token": token}))
        return self.receive()

    def send(self, message):
        data = message.encode() if isinstance(message, str) else message
        first = 0x81 if isinstance(message, str) else 0x82
        size = len(data)
        head = struct.pack("!BB", first, 0x80 | size) if size < 126 else struct.pack("!BBH", first, 0xFE, size)
        try:
            # A mask of nothing: it needs to be there.
            self._socket.sendall(head + b"\0\0\0\0" + data)
        except OSError:
            pass

    def receive(self, patience=scripted.PATIENCE):
        frame = self._frames.get(timeout=patience)
        if frame is None:
            self._frames.put(None)
            raise Closed
        return frame

    def find(self, head, patience=scripted.PATIENCE):
        """The next packet that begins so; others are passed over."""
        while not (packet := self.receive(patience)).startswith(head):
            pass
        return packet

    def until_closed(self, patience=scripted.PATIENCE):
        """What comes before the server ends the connection."""
        found = []
        try:
            while True:
                found.append(self.receive(patience))
        except Closed:
            return found

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _read(self):
        try:
            while True:
                first, size = self._stream.read(2)
                if size == 126:
                    [size] = struct.unpack("!H", self._stream.read(2))
                elif size == 127:
                    [size] = struct.unpack("!Q", self._stream.read(8))
                data = self._stream.read(size)
                kind = first & 0x0F
                if kind == 8 or len(data) < size:
                    break
                message = data.decode() if kind == 1 else data
                if message == "2":
                    self.pings.append(time.monotonic())
                    if self._pongs:
                        self.send("3")
                elif kind in (1, 2):
                    self._frames.put(message)
        except (OSError, ValueError):
            pass
        self._frames.put(None)
