#!/usr/bin/env python3
"""A flow in Python, with the whole flow socket protocol, version 1, and nothing but the standard library.

    FLOW_SOCKET=/run/flow/flow.sock python3 flow.py

Take `Flow` along and write a `handle` of your own. What `event` and `actor` were given is kept until flow-manager
has acknowledged it, and sent again after each reconnect: at least once, in order, also over restarts of flow-manager.
"""

import collections
import contextlib
import json
import os
import queue
import random
import signal
import socket
import sys
import threading
import time
import uuid

VERSION = 1
MAX_LINE = 1_048_576        # bytes of a line with its newline
MAX_NAME = 256              # bytes of a name, an actor, an event
MAX_DEPTH = 64              # nested objects and arrays of a line
KEPT_EVENTS = 10_000        # what may wait for its acknowledgement: so many,
KEPT_BYTES = 16 * 1_048_576  # and so many bytes
COMMANDS = 64               # that wait for `handle`; then nothing more is read
FIRST_DELAY, LAST_DELAY = 0.1, 5.0  # seconds before connecting again
PONG = b'{"type":"pong"}\n'
PATIENCE = 10               # seconds that connecting, and the welcome, may take


class BufferFull(Exception):
    """Nothing more is kept until flow-manager has acknowledged some of it."""


class NotALine(ValueError):
    """What flow-manager would refuse: too long, too deep, or no JSON of this protocol."""


class CommandFailed(Exception):
    """Raised by `handle`: the reply says `ok: false` with this code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Lost(Exception):
    """The connection is over, with flow-manager's code if it gave one."""

    def __init__(self, reason, code=None):
        super().__init__(reason)
        self.code = code


def check(value, depth):
    """Refuses what would end the connection, for it would be sent again after each reconnect, for ever."""
    if depth > MAX_DEPTH:
        raise NotALine(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise NotALine("a key that is no text")
            check(one, depth + 1)
    elif isinstance(value, (list, tuple)):
        for one in value:
            check(one, depth + 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise NotALine("an integer of more than 64 bits")


def line_of(message):
    check(message, 0)
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        line = text.encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise NotALine(f"no JSON in UTF-8: {error}") from error
    if len(line) > MAX_LINE:
        raise NotALine(f"{len(line)} bytes, more than {MAX_LINE}")
    return line


class Flow:
    """The connection to flow-manager. `run` keeps it; `event` and `actor` may be called from any thread."""

    def __init__(self, path, handle):
        self._path, self._handle = path, handle
        self._session = uuid.uuid4().hex
        self._changed = threading.Condition()
        self._last_seq = 0
        self._sent = collections.deque()     # (seq, line): sent on this connection, not yet acknowledged
        self._waiting = collections.deque()  # (seq, line): not yet sent on this connection
        self._kept_bytes = 0
        self._answers = collections.deque()  # replies and pongs of this connection
        self._connection = None              # after the welcome
        self._commands = queue.Queue(COMMANDS)

    def event(self, name, data=None):
        self._keep({"type": "event", "name": name}, data)

    def actor(self, actor, event, data=None):
        self._keep({"type": "actor", "actor": actor, "event": event}, data)

    def wait_for_room(self):
        """Waits until something more is kept. Not for `handle`: acknowledgements come behind the commands."""
        with self._changed:
            self._changed.wait_for(self._has_room)

    def _has_room(self, more=1):
        kept = len(self._sent) + len(self._waiting)
        return kept < KEPT_EVENTS and self._kept_bytes + more <= KEPT_BYTES

    def _keep(self, names, data):
        for name in names.values():
            if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= MAX_NAME:
                raise NotALine(f"a name is a text of 1 to {MAX_NAME} bytes")
        with self._changed:
            seq = self._last_seq + 1
            line = line_of({"seq": seq, **names, "data": {} if data is None else data})
            if not self._has_room(len(line)):
                raise BufferFull
            self._last_seq = seq
            self._kept_bytes += len(line)
            self._waiting.append((seq, line))
            self._changed.notify_all()

    def run(self):
        """Connects, again and again. Does not return."""
        threading.Thread(target=self._work, daemon=True).start()
        delay = FIRST_DELAY
        while True:
            self._welcomed, code = False, None
            try:
                self._converse()
            except Lost as error:
                reason, code = error, error.code
            except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
                reason = error
            if self._welcomed and code is None:
                delay = FIRST_DELAY
            elif code == "replaced":
                # Another process has this socket now: do not take turns with it ten times a second.
                delay = LAST_DELAY
            print(f"not connected: {reason}", file=sys.stderr, flush=True)
            time.sleep(delay * random.uniform(0.5, 1))
            delay = min(2 * delay, LAST_DELAY)

    def _converse(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self._path)
            connection.sendall(line_of({"type": "hello", "version": VERSION, "session": self._session}))
            sender = None
            try:
                for message in self._lines(connection):
                    if message.get("type") == "welcome" and not self._welcomed:
                        sender = self._begin(connection, message["received"], message["ping_seconds"])
                    else:
                        self._take(connection, message)
            finally:
                with self._changed:
                    self._connection = None
                    self._changed.notify_all()
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                if sender:
                    sender.join()

    def _lines(self, connection):
        rest = bytearray()
        while part := connection.recv(65_536):
            begin = 0
            rest += part
            # What stood there before has no newline.
            end = rest.find(b"\n", len(rest) - len(part))
            while end >= 0:
                if end - begin >= MAX_LINE:
                    raise Lost("a line is too long")
                message = json.loads(rest[begin:end])
                if isinstance(message, dict):
                    yield message
                begin = end + 1
                end = rest.find(b"\n", begin)
            del rest[:begin]
            if len(rest) >= MAX_LINE:
                raise Lost("a line is too long")
        raise Lost("flow-manager closed the connection")

    def _take(self, connection, message):
        match message.get("type"):
            case "error":
                raise Lost(f"{message.get('code')}: {message.get('message')}", message.get("code"))
            case "ack":
                self._release(message["seq"])
            case "ping":
                self._pong()
            case "message":
                self._commands.put((connection, message))

    def _begin(self, connection, received, ping):
        # It pings when it has been idle for that long, so twice that time without a word is an end.
        connection.settimeout(2 * min(ping, 3600) + 5)
        with self._changed:
            self._sent.extend(self._waiting)
            self._waiting, self._sent = self._sent, collections.deque()
            self._drop(self._waiting, received)
            self._answers.clear()
            self._connection, self._welcomed = connection, True
        sender = threading.Thread(target=self._send, args=[connection, ping], daemon=True)
        sender.start()
        return sender

    def _release(self, seq):
        with self._changed:
            self._drop(self._sent, seq)

    def _drop(self, lines, seq):
        while lines and lines[0][0] <= seq:
            self._kept_bytes -= len(lines.popleft()[1])
        self._changed.notify_all()

    def _reply(self, connection, line):
        with self._changed:
            self._changed.wait_for(
                lambda: self._connection is not connection or len(self._answers) < COMMANDS)
            # A reply to a connection that is gone would reach nobody.
            if self._connection is connection:
                self._answers.append(line)
                self._changed.notify_all()

    def _pong(self):
        with self._changed:
            # One says as much as many.
            if not self._answers or self._answers[-1] != PONG:
                self._answers.append(PONG)
                self._changed.notify_all()

    def _send(self, connection, ping):
        """Writes what is to be sent on one connection, on a thread of its own: reading never waits for writing."""
        while True:
            with self._changed:
                idle = not self._changed.wait_for(
                    lambda: self._connection is not connection or self._answers or self._waiting, ping)
                if self._connection is not connection:
                    return
                # Unasked: while too many commands wait, no ping is read.
                lines, size = [PONG] if idle else list(self._answers), 0
                self._answers.clear()
                self._changed.notify_all()
                while self._waiting and size < 65_536:
                    self._sent.append(self._waiting.popleft())
                    lines.append(self._sent[-1][1])
                    size += len(lines[-1])
            try:
                connection.sendall(b"".join(lines))
            except OSError:
                # It may have timed out in the middle of a line. The reader sees the end and connects anew.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                return

    def _work(self):
        """Does one command after the other, on a thread of its own."""
        while True:
            connection, message = self._commands.get()
            reply = {"type": "reply", "id": message.get("id"), "ok": True}
            try:
                reply["data"] = self._handle(self, message.get("command"), message.get("data"))
                line = line_of(reply)
            except CommandFailed as error:
                line = refusal(message, error.code, str(error))
            except BufferFull:
                line = refusal(message, "buffer_full", "too much is not yet acknowledged")
            except NotALine as error:
                line = refusal(message, "not_sendable", str(error))
            except Exception as error:
                line = refusal(message, "failed", f"{type(error).__name__}: {error}")
            if message.get("reply"):
                self._reply(connection, line)


def refusal(message, code, text):
    # Short, and without half characters, so that it can always be sent.
    text = text[:1000].encode(errors="replace").decode()
    return line_of({"type": "reply", "id": message.get("id"), "ok": False, "error": {"code": code, "message": text}})


def handle(flow, command, data):
    """The commands of this example. What it returns is the reply's data."""
    if command != "echo":
        print(f"command {command}", flush=True)
    match command:
        case "echo":
            return data
        case "dump":
            return {"language": "python", "pid": os.getpid(), "not_acknowledged": len(flow._sent) + len(flow._waiting)}
        case "emit":
            time.sleep(data.get("delay_seconds", 0))
            for number in range(data["count"]):
                flow.event(data.get("name", "progress"), {"done": number + 1, "filling": data.get("filling", "")})
            return {"emitted": data["count"]}
        case "load":
            flow.actor("loader", "finished", data)
            return {}
        case "nest":
            nested = {}
            for _ in range(data["depth"]):
                nested = {"in": nested}
            flow.event("nested", nested)
            return {}
        case "exit":
            os._exit(data.get("code", 0))
        case _:
            raise CommandFailed("unknown_command", f"no command {command}")


def main():
    # Process 1 of a container has no signal handlers unless it sets them.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    flow = Flow(os.environ.get("FLOW_SOCKET", "/run/flow/flow.sock"), handle)
    print("started", flush=True)
    flow.actor("flow", "started")
    flow.run()


if __name__ == "__main__":
    main()
