"""`cloudwatch-local` as a process, and a proxy before it that misbehaves by script and keeps account of what it
passed."""

import json
import re
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field

import boto3
from botocore.config import Config

from engine import PATIENCE, REGION


def logs_client(url):
    """boto3, signed with the key that the endpoint knows."""
    return boto3.client(
        "logs", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def read_events(client, group, stream):
    """All events of a stream in the order of the service, as (milliseconds, message)."""
    events, token = [], {}
    while True:
        page = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        events += [(event["timestamp"], event["message"]) for event in page["events"]]
        # At the end the service gives the token that it was asked with.
        if token.get("nextToken") == page["nextForwardToken"]:
            return events
        token = {"nextToken": page["nextForwardToken"]}


class Endpoint:
    """Ends at the end of the `with` block."""

    def __init__(self, program, *options):
        self._words = [program, "--listen", "127.0.0.1:0", "--keep-logs", str(1 << 30), *options]

    def __enter__(self):
        self._process = subprocess.Popen(self._words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self._process.stdout.readline()
        match = re.fullmatch(r"listening on (http://\S+)\n", line)
        assert match, f"the endpoint said {line!r}"
        self.url = match[1]
        self.client = logs_client(self.url)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def events(self, group, stream):
        return read_events(self.client, group, stream)

    def messages(self, group, stream):
        return [message for _, message in self.events(group, stream)]

    def streams(self, group):
        pages = self.client.get_paginator("describe_log_streams").paginate(logGroupName=group)
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]


@dataclass
class Fault:
    """What is done in the place of a good answer."""

    # Sent without asking the endpoint; with neither this nor `pass_on` the connection is cut before an answer.
    answer: bytes = b""
    # The endpoint is asked, and this part of its answer is sent before the connection is cut.
    pass_on: bool = False
    part: float = 0.0
    # Set to let the request go on, as if it had come only now.
    wait: threading.Event = field(default=None)


def refuse(status, code, message="No."):
    body = json.dumps({"__type": code, "message": message}).encode()
    return Fault(answer=http(status, body, "application/x-amz-json-1.1"))


def http(status, body, content_type):
    head = f"HTTP/1.1 {status} No\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}x-amzn-requestid: 00000000-0000-0000-0000-000000000000\r\n\r\n".encode() + body


CUT = Fault()
CUT_IN_MID_ANSWER = Fault(pass_on=True, part=0.5)
PAGE = Fault(answer=http(503, b"<html>Service Unavailable</html>", "text/html"))


@dataclass
class Put:
    """A `PutLogEvents` that came by."""

    stream: str
    messages: list
    accepted: bool = False
    # The whole answer was handed to the system for the client.
    answered: bool = False


class Proxy:
    """Passes requests on to an endpoint, bytes as they are, so that signatures hold. `script` is asked about each,
    with its operation, the number of those before it, and its body; it gives a `Fault` or nothing."""

    def __init__(self, endpoint, script=None):
        self._upstream = endpoint.url.removeprefix("http://").rsplit(":", 1)
        self.script = script or (lambda operation, number, body: None)
        # Seconds that a `PutLogEvents` is under way to the endpoint, and its answer back.
        self.distance = 0.0
        self.puts = []
        self.faults = 0
        self._counts = {}
        self._lock = threading.Lock()
        self._address = ("127.0.0.1", 0)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._address[1]}"

    def start(self):
        """Listens, on the same port as before."""
        self._listener = socket.create_server(self._address, backlog=64)
        self._address = self._listener.getsockname()
        self._connections = set()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        """Cuts all connections and refuses new ones."""
        # It wakes who waits in accept; closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accepted(self):
        """How many events the endpoint took."""
        with self._lock:
            return sum(len(put.messages) for put in self.puts if put.accepted)

    def requests(self, operation="PutLogEvents"):
        with self._lock:
            return self._counts.get(operation, 0)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection((self._upstream[0], int(self._upstream[1])))
        with client, server, client.makefile("rb") as asked, server.makefile("rb") as answered:
            try:
                while (request := read_message(asked)) and self._exchange(client, server, answered, *request):
                    pass
            except OSError:
                # So ends a connection that was cut.
                pass
        with self._lock:
            self._connections.discard(client)

    def _exchange(self, client, server, answered, head, body):
        """Deals with one request; whether another may follow."""
        operation = re.search(rb"(?i)x-amz-target: \w+\.(\w+)", head)[1].decode()
        with self._lock:
            number = self._counts.get(operation, 0)
            self._counts[operation] = number + 1
        put = None
        if operation == "PutLogEvents":
            sent = json.loads(body)
            put = Put(sent["logStreamName"], [event["message"] for event in sent["logEvents"]])
        fault = self.script(operation, number, body)
        self.faults += fault is not None
        if fault and fault.wait:
            fault.wait.wait(PATIENCE)
            fault = None
        if fault and not fault.pass_on:
            client.sendall(fault.answer)
            return bool(fault.answer)
        if put:
            time.sleep(self.distance)
            if is_gone(client):
                return False
        server.sendall(head + body)
        answer = b"".join(read_message(answered))
        if put:
            put.accepted = answer.startswith(b"HTTP/1.1 200")
            with self._lock:
                self.puts.append(put)
        if fault:
            client.sendall(answer[: int(len(answer) * fault.part)])
            return False
        if put:
            time.sleep(self.distance)
            put.answered = not is_gone(client)
        client.sendall(answer)
        return True


def is_gone(client):
    """Whether the other side has ended. It sends nothing while it waits for an answer."""
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def read_message(stream):
    """The head and the body of a request or an answer; nothing at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    body = stream.read(int(length[1])) if length else b""
    return head, body
