"""The cases of the official test suites of Engine.IO 4 (`socketio/engine.io-protocol`) and Socket.IO 5
(`socketio/socket.io-protocol`), each under its name there. Those of the second suite for Engine.IO are those of the
first. The suites' server echoes; here the packets are requests, and the answers are theirs.

Where flow-manager or its library does otherwise, the test asks for what it does, and begins with `deviation`.
"""

import json
import threading
import time

import pytest
from manager import TOKENS
from raw import SEPARATOR, Closed, Polling, WebSocket, request

INTERVAL, TIMEOUT = 25, 20
CONNECT = "40" + json.dumps({"token": TOKENS["admin"]})
LIST = '42%d["list_containers",{}]'
KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


@pytest.fixture
def url(manager):
    return manager.url


@pytest.fixture
def websocket(url):
    made = []

    def connect(*arguments, **options):
        made.append(WebSocket(url, *arguments, **options))
        return made[-1]
    yield connect
    for one in made:
        one.close()


@pytest.fixture
def client(websocket):
    """Connected to the main namespace."""
    client = websocket()
    assert client.connected(TOKENS["admin"]).startswith("40{")
    return client


@pytest.fixture(scope="module", autouse=True)
def clocks(manager):
    """What takes as long as a heartbeat, begun before all other cases and asked for by the last ones."""
    class Clocks:
        polling = Polling(manager.url)
        websocket = WebSocket(manager.url, pongs=False)
        nobody = WebSocket(manager.url)
        answering = WebSocket(manager.url)
        begin = time.monotonic()
        polls, ends = [], {}
    clocks = Clocks()
    # Who does not, is not waited for as long as a heartbeat takes.
    for one in (clocks.answering, clocks.websocket):
        assert one.connected(TOKENS["read"]).startswith("40{")
    clocks.polling.post(CONNECT)

    def poll():
        session = Polling(manager.url)
        session.post(CONNECT)
        while len(clocks.polls) < 2:
            status, text = session.poll(patience=INTERVAL + TIMEOUT)
            clocks.polls += [(status, packet) for packet in text.split(SEPARATOR) if packet == "2"]
            session.post("3")

    def end(name):
        getattr(clocks, name).until_closed(90)
        clocks.ends[name] = time.monotonic() - clocks.begin
    clocks.threads = [threading.Thread(target=poll, daemon=True)]
    clocks.threads += [threading.Thread(target=end, args=[name], daemon=True) for name in ("websocket", "nobody")]
    for thread in clocks.threads:
        thread.start()
    yield clocks
    for one in (clocks.websocket, clocks.nobody, clocks.answering):
        one.close()


def check_open(value, upgrades):
    assert set(value) == KEYS and isinstance(value["sid"], str) and value["upgrades"] == upgrades
    assert (value["pingInterval"], value["pingTimeout"]) == (INTERVAL * 1000, TIMEOUT * 1000)
    assert value["maxPayload"] == 2 * 1024 * 1024


# Engine.IO: handshake


def test_polling_successfully_opens_a_session(url):
    check_open(Polling(url).open, ["websocket"])


@pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling"])
def test_polling_fails_with_an_invalid_EIO_query_parameter(url, query):
    assert request(url, "GET", query)[0] == 400


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
def test_polling_fails_with_an_invalid_transport_query_parameter(url, query):
    assert request(url, "GET", query)[0] == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_polling_fails_with_an_invalid_request_method(url, method):
    assert request(url, method, "EIO=4&transport=polling", "")[0] == 400


def test_websocket_successfully_opens_a_session(websocket):
    check_open(websocket().opened(), [])


@pytest.mark.parametrize("query", ["transport=websocket", "EIO=abc&transport=websocket"])
def test_websocket_fails_with_an_invalid_EIO_query_parameter(websocket, query):
    assert websocket(query).status == 400


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
def test_websocket_fails_with_an_invalid_transport_query_parameter(websocket, query):
    assert websocket(query).status == 400


# Engine.IO: message


def test_polling_sends_and_receives_a_payload_containing_one_plain_text_packet(url):
    session = Polling(url)
    assert session.post(CONNECT) == (200, "ok")
    assert session.until("40")[-1].startswith('40{"sid":')


def test_polling_sends_and_receives_a_payload_containing_several_plain_text_packets(url):
    session = Polling(url)
    session.post(CONNECT)
    session.until("40")
    assert session.post(LIST % 1, LIST % 2, LIST % 3) == (200, "ok")
    session.until("431[", "432[", "433[")


def test_polling_sends_and_receives_a_payload_containing_plain_text_and_binary_packets(url):
    session = Polling(url)
    session.post(CONNECT)
    session.until("40")
    # What is binary is refused, by an answer: no request has any.
    wish = '451-7["list_containers",{"_placeholder":true,"num":0}]'
    assert session.post(LIST % 6, wish, "bAQIDBA==", LIST % 8) == (200, "ok")
    found = session.until("436[", "437[", "438[")
    [answer] = json.loads(next(packet for packet in found if packet.startswith("437"))[3:])
    assert answer["details"]["code"] == "invalid_request"


def test_polling_closes_the_session_upon_invalid_packet_format(url):
    session = Polling(url)
    assert session.post("abc")[0] == 400
    assert session.poll()[0] == 400


def test_polling_closes_the_session_upon_duplicate_poll_requests(url):
    session = Polling(url)
    # The library's first ping, which would answer the poll.
    session.poll()
    answers = []
    first = threading.Thread(target=lambda: answers.append(session.poll()))
    first.start()
    time.sleep(0.2)
    assert session.poll("&t=burst")[0] in (400, 500)
    first.join(10)
    assert answers == [(200, "1")]
    assert session.poll()[0] == 400


def test_websocket_sends_and_receives_a_plain_text_packet(client):
    client.send(LIST % 1)
    assert client.find("43").startswith('431[{"')


def test_websocket_sends_and_receives_a_binary_packet(client):
    client.send('451-7["list_containers",{"_placeholder":true,"num":0}]')
    client.send(b"\1\2\3\4")
    [answer] = json.loads(client.find("437")[3:])
    assert answer["details"]["code"] == "invalid_request"


def test_websocket_closes_the_session_upon_invalid_packet_format(websocket):
    socket = websocket()
    socket.opened()
    socket.send("abc")
    assert socket.until_closed() == []


# Engine.IO: close


def test_polling_forcefully_closes_the_session(url):
    session, answers = Polling(url), []
    session.poll()
    poll = threading.Thread(target=lambda: answers.append(session.poll()))
    poll.start()
    time.sleep(0.2)
    assert session.post("1") == (200, "ok")
    poll.join(10)
    assert answers == [(200, "6")]
    assert session.poll()[0] == 400


def test_websocket_forcefully_closes_the_session(websocket):
    socket = websocket()
    socket.opened()
    socket.send("1")
    assert socket.until_closed() == []


# Engine.IO: upgrade


@pytest.fixture
def upgraded(url, websocket):
    session = Polling(url)
    # The library's first ping.
    session.poll()
    socket = websocket(session.query.replace("polling", "websocket"))
    socket.send("2probe")
    assert socket.receive() == "3probe"
    return session, socket


def test_successfully_upgrades_from_polling_to_websocket(upgraded):
    session, socket = upgraded
    # It ends the poll.
    assert session.poll() == (200, "6")
    socket.send("5")
    socket.send(CONNECT)
    assert socket.receive().startswith('40{"sid":')


def test_ignores_http_requests_with_same_sid_after_upgrade(upgraded):
    session, socket = upgraded
    socket.send("5")
    socket.send(CONNECT)
    assert socket.receive().startswith('40{"sid":')
    assert session.poll()[0] == 400
    socket.send(LIST % 1)
    assert socket.find("43").startswith("431[")


def test_ignores_websocket_connection_with_same_sid_after_upgrade(upgraded, websocket):
    session, socket = upgraded
    socket.send("5")
    socket.send(CONNECT)
    assert socket.receive().startswith('40{"sid":')
    other = websocket(session.query.replace("polling", "websocket"))
    assert other.until_closed() == []
    socket.send(LIST % 1)
    assert socket.find("43").startswith("431[")


# Socket.IO: connect


def test_deviation_connection_to_the_main_namespace_needs_a_token(websocket):
    socket = websocket()
    socket.opened()
    socket.send("40")
    assert json.loads(socket.receive()[2:])["message"] == "missing_token"


def test_should_allow_connection_to_the_main_namespace_with_a_payload(websocket):
    answer = websocket().connected(TOKENS["read"])
    assert answer[:2] == "40" and set(json.loads(answer[2:])) == {"sid"}


@pytest.mark.parametrize("packet", ["40/custom,", '40/custom,{"token":"abc"}'], ids=["plain", "with a payload"])
def test_deviation_there_is_no_custom_namespace(websocket, packet):
    socket = websocket()
    socket.opened()
    socket.send(packet)
    assert socket.receive() == '44/custom,{"message":"Invalid namespace"}'


def test_should_disallow_connection_to_an_unknown_namespace(websocket):
    socket = websocket()
    socket.opened()
    socket.send("40/random")
    assert socket.receive() == '44/random,{"message":"Invalid namespace"}'


def test_should_disallow_connection_with_an_invalid_handshake(websocket):
    socket = websocket()
    socket.opened()
    socket.send("4abc")
    # It says so before, in Engine.IO's words.
    assert socket.until_closed() == ["1"]


# Socket.IO: disconnect


def test_should_disconnect_from_the_main_namespace(client):
    client.send("41")
    client.send(LIST % 1)
    # The connection stays, and nothing but a ping comes on it.
    client.send("40/random")
    assert client.find("44/random") and client.status == 101


def test_deviation_a_refused_namespace_leaves_the_main_one_connected(client):
    client.send("40/custom")
    assert client.find("44/custom")
    client.send("41/custom")
    client.send(LIST % 1)
    assert client.find("43").startswith("431[")


# Socket.IO: message


def test_should_send_a_plain_text_packet(client):
    client.send('42["list_containers",{"request_id":"plain"}]')
    event, data = json.loads(client.find("42")[2:])
    while event != "container_list":
        event, data = json.loads(client.find("42")[2:])
    assert data["request_id"] == "plain"


BINARY = '452-%s["list_containers",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


def test_deviation_a_packet_with_binary_attachments_is_refused_by_an_event(client):
    client.send(BINARY % "")
    client.send(b"\1\2\3")
    client.send(b"\4\5\6")
    event, data = "", {}
    while event != "error":
        event, data = json.loads(client.find("42")[2:])
    assert data["details"]["code"] == "invalid_request"


def test_should_send_a_plain_text_packet_with_an_ack(client):
    client.send(LIST % 456)
    assert client.find("43").startswith("43456[")


def test_deviation_a_packet_with_binary_attachments_and_an_ack_is_refused_by_it(client):
    client.send(BINARY % "789")
    client.send(b"\1\2\3")
    client.send(b"\4\5\6")
    packet = client.find("43")
    assert packet.startswith("43789[") and json.loads(packet[5:])[0]["details"]["code"] == "invalid_request"


@pytest.mark.parametrize("packet", ["4abc", "42{}", '42abc["list_containers",{}]'],
                         ids=["unknown packet type", "invalid payload format", "invalid ack id"])
def test_should_close_the_connection_upon_invalid_format(client, packet):
    client.send(packet)
    assert not [one for one in client.until_closed() if one.startswith("43")]


# Engine.IO: heartbeat, and Socket.IO: connect. Last, for they take as long as a heartbeat.


def test_polling_sends_ping_pong_packets(clocks):
    clocks.threads[0].join(INTERVAL + TIMEOUT)
    assert clocks.polls == [(200, "2")] * 2


def test_websocket_sends_ping_pong_packets(clocks):
    time.sleep(max(0, clocks.begin + INTERVAL + TIMEOUT - time.monotonic()))
    assert len(clocks.answering.pings) >= 2
    clocks.answering.send('421["list_containers",{}]')
    assert clocks.answering.find("43").startswith("431[")


def test_websocket_closes_the_session_upon_ping_timeout(clocks):
    clocks.threads[1].join(INTERVAL + TIMEOUT + 10)
    assert TIMEOUT - 1 < clocks.ends["websocket"] < INTERVAL + TIMEOUT + 10


def test_should_close_the_connection_if_no_handshake_is_received(clocks):
    clocks.threads[2].join(INTERVAL + TIMEOUT + 10)
    assert clocks.ends["nobody"] < TIMEOUT, "it is not waited for as long as for an answer to a ping"


def test_polling_closes_the_session_upon_ping_timeout(clocks):
    time.sleep(max(0, clocks.begin + INTERVAL + TIMEOUT + 1 - time.monotonic()))
    assert clocks.polling.post("3")[0] == 400


def test_closed_is_told_once_and_again(websocket):
    """Of the reader itself: the end is not lost, however often it is asked for."""
    socket = websocket("EIO=4&transport=abc")
    for _ in range(2):
        with pytest.raises(Closed):
            socket.receive()
