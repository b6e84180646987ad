"""A Socket.IO client on a bare socket: what is measured is the server, not a client's library."""

import base64
import json
import os
import socket
import struct
from urllib.parse import urlsplit


class Wire:
    def __init__(self, url, token=None):
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname, place.port), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self._rest = bytearray()
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, rest = bytes(self._rest).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self._rest = bytearray(rest)
        self.events = []
        assert self._receive().startswith(b"0")
        self._send(b"40" + (json.dumps({"token": token}).encode() if token else b""))
        answer = self._receive()
        assert answer.startswith(b"40"), answer
        self._last = 0

    def fileno(self):
        return self._socket.fileno()

    def emit(self, event, data):
        """Gives the number of the acknowledgement to come."""
        self._last += 1
        self._send(b"42%d%s" % (self._last, json.dumps([event, data], separators=(",", ":")).encode()))
        return self._last

    def acknowledgement(self):
        """The next one, as its number and its text. Events that come before it are kept as text."""
        while True:
            packet = self._receive()
            if packet.startswith(b"43"):
                at = packet.index(b"[")
                return int(packet[2:at]), packet[at:]
            if packet.startswith(b"42"):
                self.events.append(packet[2:])

    def ask(self, event, data):
        number = self.emit(event, data)
        found, text = self.acknowledgement()
        assert found == number
        return text

    def answer(self, event, **data):
        [answer] = json.loads(self.ask(event, data))
        assert answer.get("error") is not True, answer
        return answer

    def event(self):
        """The next event that is not yet taken, as its text."""
        while not self.events:
            packet = self._receive()
            if packet.startswith(b"42"):
                self.events.append(packet[2:])
        return self.events.pop(0)

    def pump(self):
        """Reads what there is, answers pings and forgets events: for a client that waits for nothing."""
        self._socket.setblocking(False)
        try:
            while part := self._socket.recv(262_144):
                self._rest += part
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(30)
        while self._has_frame():
            if self._frame() == b"2":
                self._send(b"3")

    def _has_frame(self):
        if len(self._rest) < 2:
            return False
        size, at = self._rest[1], 2
        if size == 126 and len(self._rest) >= 4:
            size, at = struct.unpack_from("!H", self._rest, 2)[0], 4
        elif size == 127 and len(self._rest) >= 10:
            size, at = struct.unpack_from("!Q", self._rest, 2)[0], 10
        # With a size that is not whole yet, more than there can be is asked for.
        return len(self._rest) >= at + size

    def close(self):
        self._socket.close()

    def _send(self, text):
        size = len(text)
        if size < 126:
            head = struct.pack("!BB", 0x81, 0x80 | size)
        else:
            head = struct.pack("!BBH", 0x81, 0xFE, size)
        # A mask of nothing: it needs to be there, and costs nothing.
        self._socket.sendall(head + b"\0\0\0\0" + text)

    def _receive(self):
        """The next packet that is no ping."""
        while True:
            packet = self._frame()
            if packet != b"2":
                return packet
            self._send(b"3")

    def _frame(self):
        message = b""
        while True:
            self._need(2)
            first, size = self._rest[0], self._rest[1]
            at = 2
            if size == 126:
                self._need(4)
                size, at = struct.unpack_from("!H", self._rest, 2)[0], 4
            elif size == 127:
                self._need(10)
                size, at = struct.unpack_from("!Q", self._rest, 2)[0], 10
            self._need(at + size)
            text = bytes(self._rest[at:at + size])
            del self._rest[:at + size]
            assert first & 0x0F in (0, 1, 9), "the server ended the connection"
            if first & 0x0F == 9:
                continue
            message += text
            if first & 0x80:
                return message

    def _need(self, size):
        while len(self._rest) < size:
            self._more()

    def _more(self):
        part = self._socket.recv(262_144)
        assert part, "the server closed the connection"
        self._rest += part
