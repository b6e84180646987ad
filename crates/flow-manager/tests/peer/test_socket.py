"""The flow socket as flow-manager serves it, spoken line by line: each rule, and each way to break one."""

import contextlib
import json
import os
import pathlib
import socket
import time
import uuid

import clients
import pytest
import scripted
from engine import IMAGE
from manager import TOKENS

# Ping after 20 s of silence, `idle` after 45 s.
PING, IDLE = 20, 45


class Flow:
    """A flow's end of a connection."""

    def __init__(self, path, session=None):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(scripted.PATIENCE)
        path = pathlib.Path(path)
        folder = os.open(path.parent, os.O_PATH)
        # The path itself is longer than an address may be.
        self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        self._lines = self._socket.makefile("rb")
        self.session = session or uuid.uuid4().hex

    def send(self, *messages):
        self.send_bytes(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_bytes(self, data):
        self._socket.sendall(data)

    def receive(self):
        line = self._lines.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def until(self, kind):
        while (message := self.receive()) is not None:
            if message["type"] == kind:
                return message
        raise AssertionError(f"the connection ended without {kind}")

    def hello(self):
        """Gives the welcome."""
        self.send({"type": "hello", "version": 1, "session": self.session})
        return self.receive()

    def event(self, seq, name="step"):
        self.send({"type": "event", "seq": seq, "name": name, "data": {"seq": seq}})

    def refusal(self):
        """The code, and then the end."""
        code = self.until("error")["code"]
        assert self.receive() is None, "closed after the error"
        return code

    def wait(self, seconds):
        self._socket.settimeout(seconds)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._socket.close()


@pytest.fixture(scope="module")
def client(manager):
    client = clients.make("python", "websocket")
    assert client.connect(manager.url, TOKENS["admin"]) is None
    yield client
    client.close()


@pytest.fixture(scope="module")
def container(client):
    """One that does not run: the tests are its flow."""
    container = client.ask("create_container", image=IMAGE, name=f"socket-{uuid.uuid4().hex[:8]}")["container"]
    yield container
    client.ask("delete_container", container_id=container["id"], force=True)


@pytest.fixture
def connect(container):
    made = []

    def connect(session=None):
        made.append(Flow(container["socket_path"], session))
        return made[-1]
    yield connect
    for flow in made:
        flow.close()


@pytest.fixture
def flow(connect):
    flow = connect()
    flow.welcome = flow.hello()
    return flow


def test_welcome_names_the_container(flow, container):
    assert flow.welcome == {"type": "welcome", "version": 1, "container_id": container["id"], "received": 0,
                            "ping_seconds": PING}


@pytest.mark.parametrize("line, code", [
    (b"nonsense\n", "bad_hello"),
    (b'{"type":"event","seq":1,"name":"a"}\n', "bad_hello"),
    (b'{"type":"hello","version":1}\n', "bad_hello"),
    (b'{"type":"hello","version":2,"session":"s"}\n', "version"),
    (b"x" * 1_048_577 + b"\n", "too_long"),
    (b"x" * 3_000_000, "too_long"),
], ids=["nonsense", "event", "no session", "version", "long", "endless"])
def test_bad_hello_is_told_and_ends_it(connect, line, code):
    flow = connect()
    with contextlib.suppress(OSError):
        flow.send_bytes(line)
    assert flow.refusal() == code


def test_no_hello_ends_it_after_five_seconds(connect):
    flow, begin = connect(), time.monotonic()
    assert flow.refusal() == "bad_hello" and 4 < time.monotonic() - begin < 8


@pytest.mark.parametrize("line, code", [
    (b"{\n", "bad_json"),
    (b"\xff\n", "bad_json"),
    (b'{"type":"event","seq":1,"name":"a","data":' + b"[" * 64 + b"]" * 64 + b"}\n", "bad_json"),
    (b'{"type":"event","name":"a"}\n', "bad_field"),
    (b'{"type":"event","seq":"1","name":"a"}\n', "bad_field"),
    (b'{"type":"event","seq":1}\n', "bad_field"),
    (b'{"seq":1}\n', "bad_field"),
    (b'"text"\n', "bad_field"),
    (b'{"type":"reply","id":"m1"}\n', "bad_field"),
    (b'{"type":"event","seq":1,"name":"a","data":"' + b"x" * 1_048_576 + b'"}\n', "too_long"),
    (b"x" * 4_000_000, "too_long"),
], ids=["cut", "no UTF-8", "deep", "no seq", "text as seq", "no name", "no type", "no object", "no ok", "long", "endless"])
def test_bad_line_is_told_and_ends_it(flow, line, code):
    with contextlib.suppress(OSError):
        flow.send_bytes(line)
    assert flow.refusal() == code


def test_longest_and_deepest_line_is_taken(flow):
    frame = b'{"type":"event","seq":1,"name":"a","data":"%s"}\n'
    flow.send_bytes(frame % (b"x" * (1_048_576 - len(frame) + 2)))
    assert flow.until("ack")["seq"] == 1
    flow.send_bytes(b'{"type":"event","seq":2,"name":"a","data":' + b"[" * 63 + b"]" * 63 + b"}\n")
    assert flow.until("ack")["seq"] == 2


def test_unknown_types_and_fields_are_passed_over(flow):
    flow.send({"type": "news"}, {"type": "event", "seq": 1, "name": "a", "new": [1]})
    assert flow.until("ack")["seq"] == 1


def test_events_reach_clients_in_order_and_are_acknowledged(flow, client, container):
    since = len(client.events)
    for seq in range(1, 501):
        flow.event(seq)
    while flow.until("ack")["seq"] < 500:
        pass
    client.expect("the last", lambda event, data: event == "container_message" and data["data"] == {"seq": 500}, since)
    found = [data["data"]["seq"] for data in client.of("container_message")
             if data["container_id"] == container["id"] and data["name"] == "step"]
    assert found[-500:] == list(range(1, 501))


def test_repeats_are_dropped_and_the_welcome_tells_what_was_received(flow, connect, client):
    since = len(client.events)
    for seq in (1, 2, 2, 1, 3):
        flow.event(seq, "repeated")
    while flow.until("ack")["seq"] < 3:
        pass
    flow.close()
    again = connect(flow.session)
    assert again.hello()["received"] == 3
    for seq in (2, 3, 4):
        again.event(seq, "repeated")
    while again.until("ack")["seq"] < 4:
        pass
    client.expect("the last", lambda event, data: event == "container_message" and data["data"] == {"seq": 4}, since)
    told = [data["data"]["seq"] for event, data in client.events[since:]
            if event == "container_message" and data["name"] == "repeated"]
    assert told == [1, 2, 3, 4]


def test_unknown_session_begins_at_its_first_seq(connect):
    flow = connect()
    assert flow.hello()["received"] == 0
    flow.event(17)
    assert flow.until("ack")["seq"] == 17


def test_newest_connection_wins(flow, connect, client, container):
    newer = connect()
    newer.hello()
    assert flow.refusal() == "replaced"
    client.emit("send_message", {"container_id": container["id"], "message": {"command": "x"}})
    assert newer.until("message")["command"] == "x"


def test_replaced_is_told_also_to_a_flow_that_sends_on(flow, connect):
    for seq in range(1, 2000):
        flow.event(seq)
    connect().hello()
    with contextlib.suppress(OSError):
        for seq in range(2000, 4000):
            flow.event(seq)
    assert flow.refusal() == "replaced"


def test_silence_is_answered_with_a_ping_and_then_with_the_end(flow):
    flow.wait(IDLE + 15)
    begin = time.monotonic()
    flow.until("ping")
    assert PING - 1 < time.monotonic() - begin < PING + 5
    assert flow.refusal() == "idle" and IDLE - 2 < time.monotonic() - begin < IDLE + 8


def test_message_of_a_lost_connection_is_not_sent_again(flow, connect, client, container):
    client.emit("send_message", {"container_id": container["id"], "message": {"command": "once"}, "await_reply": True,
                                 "request_id": "once"})
    flow.until("message")
    flow.close()
    assert client.expect_event("error", request_id="once")["details"]["code"] == "flow_disconnected"
    again = connect(flow.session)
    again.hello()
    client.emit("send_message", {"container_id": container["id"], "message": {"command": "other"}})
    assert again.until("message")["command"] == "other"


def test_reply_that_does_not_come_is_waited_for_as_long_as_asked(flow, client, container):
    begin = time.monotonic()
    assert client.refused("send_message", container_id=container["id"], message={"command": "x"}, await_reply=True,
                          timeout_seconds=1) == "flow_timeout"
    assert 0.9 < time.monotonic() - begin < 5


def test_flow_that_does_not_read_is_busy_and_others_are_not(flow, client, container):
    message = {"command": "x", "data": "x" * 100_000}
    codes = []
    for number in range(400):
        client.emit("send_message", {"container_id": container["id"], "message": message, "request_id": f"busy{number}"})
    busy = client.expect("flow_busy", lambda event, data: event == "error" and data["request_id"]
                         and data["request_id"].startswith("busy"))
    codes.append(busy["details"]["code"])
    assert codes == ["flow_busy"]
    assert client.ask("list_containers")["containers"]


def test_socket_of_a_deleted_container_is_gone(client):
    made = client.ask("create_container", image=IMAGE)["container"]
    path = pathlib.Path(made["socket_path"])
    flow = Flow(str(path))
    flow.hello()
    client.ask("delete_container", container_id=made["id"])
    assert flow.receive() is None
    flow.close()
    scripted.until("the folder's end", lambda: not path.exists() and not path.parent.exists())
