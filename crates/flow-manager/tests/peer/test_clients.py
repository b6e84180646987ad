"""Every event, driven by the clients that people use, over both transports, on a real engine."""

import re
import uuid

import clients
import pytest
import scripted
from engine import COMMANDS, IMAGE
from manager import TOKENS

KINDS = [(language, transport) for language in ("python", "javascript") for transport in ("websocket", "polling")]
KINDS.append(("javascript", "upgrade"))
USAGE = {"cpu_percent", "memory_bytes", "memory_limit_bytes", "network_rx_bytes", "network_tx_bytes",
         "block_read_bytes", "block_write_bytes", "pids"}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


@pytest.fixture(params=KINDS, ids="-".join)
def kind(request):
    return request.param


@pytest.fixture
def connect(kind, manager):
    """Makes clients of this kind, one for a role."""
    made = []

    def connect(role="admin"):
        client = clients.make(*kind)
        made.append(client)
        assert client.connect(manager.url, TOKENS[role]) is None
        return client
    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def flow(client, name):
    """A running flow in Python that is connected; gives its id."""
    yield run(client, name)
    client.answer("delete_container", container_id=name, force=True)


def create(client, name, command=COMMANDS["python"], **more):
    return client.ask("create_container", image=IMAGE, name=name, command=command, **more)["container"]


def run(client, name, command=COMMANDS["python"], **more):
    id = create(client, name, command, **more)["id"]
    client.ask("start_container", container_id=id)
    until_connected(client, id)
    return id


def until_connected(client, id):
    scripted.until("the flow's connection", lambda: client.ask("get_status", container_id=id)["status"]["socket_connected"])


def send(client, id, command, data=None, **more):
    return client.ask("send_message", container_id=id, message={"command": command, "data": data}, **more)


def test_token_is_asked_for(kind, manager):
    for token, code in ((None, "missing_token"), ("x" * 40, "invalid_token")):
        client = clients.make(*kind)
        try:
            assert client.connect(manager.url, token) == code
        finally:
            client.close()


def test_life_of_a_container(client, name):
    created = client.ask("create_container", request_id="r1", image=IMAGE, name=name, command=COMMANDS["python"],
                         environment={"K": "v"})
    try:
        assert created["request_id"] == "r1"
        container = created["container"]
        id = container["id"]
        assert re.fullmatch("[0-9a-f]{64}", id) and re.fullmatch(TIME, container["created"])
        assert container["socket_path"].endswith(f"/{id}.sock")
        told = {key: container[key] for key in ("name", "status", "image", "environment", "ports")}
        assert told == {"name": name, "status": "created", "image": IMAGE, "environment": {"K": "v"}, "ports": {}}
        assert client.expect_event("container_created", request_id="r1") == created
        status = client.ask("get_status", container_id=id)["status"]
        assert (status["state"], status["uptime"], status["resource_usage"]) == ("created", None, None)

        for event, answer, state in (
            ("start_container", "container_started", "running"),
            ("pause_container", "container_paused", "paused"),
            ("unpause_container", "container_unpaused", "running"),
            ("restart_container", "container_restarted", "running"),
            ("stop_container", "container_stopped", "stopped"),
        ):
            done = client.ask(event, container_id=name, request_id=event)
            assert done["container_id"] == id and done["status"]["state"] == state, (event, done)
            assert client.expect_event(answer, request_id=event) == done
        assert client.ask("delete_container", container_id=id[:12], request_id="d")["container_id"] == id
        client.expect_event("container_deleted", request_id="d")
    finally:
        client.answer("delete_container", container_id=name, force=True)
    client.expect_event("status_update", container_id=id, status=None)
    states = [(data["old_state"], data["status"] and data["status"]["state"]) for data in client.of("status_update")
              if data["container_id"] == id]
    assert states[-1][1] is None and ("created", "running") in states, states
    assert all(earlier[1] == later[0] for earlier, later in zip(states, states[1:])), states
    assert client.refused("get_status", container_id=id) == "container_not_found"


def test_status_tells_uptime_health_and_usage(client, flow):
    status = scripted.until("the usage", lambda: (lambda status: status["resource_usage"] and status)(
        client.ask("get_status", container_id=flow)["status"]))
    assert status["id"] == flow and status["state"] == "running" and status["health"] == "none"
    assert 0 < status["uptime"] < 600 and status["socket_connected"] is True
    assert set(status["resource_usage"]) == USAGE and status["resource_usage"]["memory_bytes"] > 100_000
    assert re.fullmatch(TIME, status["last_communication"])


def test_list_has_it_and_no_argument_means_all(client, flow):
    assert flow in [container["id"] for container in client.request("list_containers")["containers"]]
    assert client.expect_event("container_list")["containers"]


def test_message_is_replied_to(client, flow):
    sent = send(client, flow, "echo", {"a": ["ü", None, 1.5]}, await_reply=True, timeout_seconds=10)
    assert sent["container_id"] == flow and sent["message_id"]
    assert sent["reply"] == {"ok": True, "data": {"a": ["ü", None, 1.5]}}
    assert send(client, flow, "echo", 1)["reply"] is None
    failed = send(client, flow, "fly", await_reply=True)["reply"]
    assert failed["ok"] is False and failed["error"]["code"] == "unknown_command"


def test_messages_stay_in_order(client, flow):
    for number in range(200):
        assert send(client, flow, "echo", number, await_reply=True)["reply"]["data"] == number


@pytest.mark.parametrize("language", COMMANDS)
def test_flows_of_all_languages_speak_the_protocol(client, name, language):
    try:
        id = run(client, name, COMMANDS[language])
        assert send(client, id, "dump", await_reply=True)["reply"]["data"]["language"] == language
        since = len(client.events)
        send(client, id, "emit", {"count": 20, "name": "step"}, await_reply=True)
        client.expect("the last event", lambda event, data: event == "container_message"
                      and data["container_id"] == id and data["data"].get("done") == 20, since)
        steps = [data["data"]["done"] for data in client.of("container_message")
                 if data["container_id"] == id and data["kind"] == "event" and data["name"] == "step"]
        assert steps == list(range(1, 21))
        # SIGTERM ends it at once.
        assert client.ask("stop_container", container_id=id, grace_seconds=20)["status"]["state"] == "stopped"
    finally:
        client.answer("delete_container", container_id=name, force=True)


def test_what_an_actor_did_is_an_activity(client, flow):
    since = len(client.events)
    send(client, flow, "load", {"rows": 3})
    client.expect("the actor's event", lambda event, data: event == "activity_log"
                  and data["container_id"] == flow and "loader" in str(data), since)


def test_send_without_a_flow_tells_so(client, name):
    try:
        id = create(client, name)["id"]
        assert client.refused("send_message", container_id=id, message={"command": "x"}) == "flow_not_connected"
    finally:
        client.answer("delete_container", container_id=name, force=True)


def test_flow_that_ends_while_a_reply_is_awaited_is_told(client, flow):
    assert client.refused("send_message", container_id=flow, message={"command": "exit", "data": {"code": 3}},
                          await_reply=True) == "flow_disconnected"
    client.expect("its end", lambda event, data: event == "status_update" and data["container_id"] == flow
                  and data["status"]["state"] == "exited")


def test_logs_are_read_and_followed(client, name):
    try:
        id = create(client, name, ["sh", "-c", "echo out; echo err >&2; sleep 1; while true; do echo more; sleep 0.2; done"])["id"]
        client.ask("start_container", container_id=id)
        scripted.until("two lines", lambda: len(client.ask("get_logs", container_id=id)["lines"]) >= 2)
        logs = client.ask("get_logs", container_id=id, tail=100)
        lines = {(line["stream"], line["text"]) for line in logs["lines"]}
        assert {("stdout", "out"), ("stderr", "err")} <= lines and logs["container_id"] == id
        assert all(re.fullmatch(TIME, line["timestamp"]) for line in logs["lines"])
        assert client.ask("subscribe_logs", container_id=name)["container_id"] == id
        told = client.expect_event("log_lines", container_id=id)
        assert told["lines"][0]["text"] == "more" and told["dropped"] == 0 and told["seq"] >= 1 and told["epoch"]
        assert client.ask("unsubscribe_logs", container_id=id)["container_id"] == id
    finally:
        client.answer("delete_container", container_id=name, force=True)


def test_log_of_many_lines_is_cut_to_the_newest(client, name):
    try:
        id = create(client, name, ["sh", "-c", "seq 1000"])["id"]
        client.ask("start_container", container_id=id)
        logs = scripted.until("all lines", lambda: (lambda logs: logs["lines"][-1:] and logs["lines"][-1]["text"] == "1000"
                                                    and logs)(client.ask("get_logs", container_id=id, tail=10)))
        assert [line["text"] for line in logs["lines"]] == [str(number) for number in range(991, 1001)]
    finally:
        client.answer("delete_container", container_id=name, force=True)


def test_update_replaces_the_code(client, flow, folder):
    code = folder / "code" / uuid.uuid4().hex
    code.mkdir()
    source = (scripted.CRATE / "examples/flows/flow.py").read_text()
    (code / "flow.py").write_text(source.replace('"language": "python"', '"language": "python 2"'))
    updated = client.ask("update_container", container_id=flow, code_path=str(code), request_id="u")
    assert updated["status"]["state"] == "running" and client.expect_event("container_updated", request_id="u") == updated
    assert send(client, flow, "dump", await_reply=True)["reply"]["data"]["language"] == "python 2"


def test_update_that_fails_brings_the_old_code_back(client, flow, folder):
    code = folder / "code" / uuid.uuid4().hex
    code.mkdir()
    (code / "flow.py").write_text("raise SystemExit(1)")
    failed = client.answer("update_container", container_id=flow, code_path=str(code))
    assert failed["details"]["code"] == "update_failed" and failed["details"]["rolled_back"] is True, failed
    until_connected(client, flow)
    assert send(client, flow, "dump", await_reply=True)["reply"]["data"]["language"] == "python"


def test_error_is_the_same_in_event_and_acknowledgement(client):
    answer = client.answer("start_container", container_id="nobody", request_id="e1")
    assert answer["request_id"] == "e1" and answer["error"] is True and answer["error_type"] == "docker_api_error"
    assert answer["message"] == "No container nobody" and re.fullmatch(TIME, answer["timestamp"])
    assert answer["details"] == {"container_id": "nobody", "operation": "start_container",
                                 "code": "container_not_found", "rolled_back": None}
    assert client.expect_event("error", request_id="e1") == answer


@pytest.mark.parametrize("arguments", [["text"], [7], [None], [[]], [{"unknown": 1}], [{}, {}]], ids=repr)
def test_bad_data_is_answered(client, arguments):
    answer = client.request("get_status", *(arguments if isinstance(client, clients.JavaScript) else [tuple(arguments)]))
    assert answer["error"] is True and answer["error_type"] == "validation_error", answer


def test_unknown_event_is_answered(client):
    assert client.refused("make_coffee") == "unknown_event"


def test_roles_are_kept_to(client, connect, flow):
    read, operate = connect("read"), connect("operate")
    assert read.ask("get_status", container_id=flow)["status"]["id"] == flow
    assert read.ask("list_containers")["containers"]
    for event in ("start_container", "stop_container", "restart_container", "pause_container", "get_logs",
                  "subscribe_logs", "delete_container"):
        assert read.refused(event, container_id=flow) == "forbidden", event
    assert read.refused("send_message", container_id=flow, message={"command": "x"}) == "forbidden"
    assert operate.ask("get_logs", container_id=flow)["lines"] is not None
    assert operate.refused("create_container", image=IMAGE) == "forbidden"
    assert operate.refused("delete_container", container_id=flow) == "forbidden"
    send(operate, flow, "emit", {"count": 1, "name": "secret"})
    operate.expect_event("container_message", name="secret")
    read.ask("list_containers")
    assert read.of("container_message") == []


def test_environment_is_shown_to_admins_alone(client, connect, name):
    try:
        create(client, name, environment={"PASSWORD": "hunter2"})
        for role, shown in (("admin", "hunter2"), ("operate", "***"), ("read", "***")):
            listed = connect(role).ask("list_containers")["containers"]
            assert [one["environment"]["PASSWORD"] for one in listed if one["name"] == name] == [shown]
    finally:
        client.answer("delete_container", container_id=name, force=True)


def test_room_events_have_an_epoch_and_count_on(client, name):
    create(client, name)
    client.ask("delete_container", container_id=name)
    client.expect("the deletion", lambda event, data: event == "status_update" and data["status"] is None)
    events = client.of("status_update", "activity_log")
    assert len({data["epoch"] for data in events}) == 1
    assert [data["seq"] for data in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events)))


def test_what_was_missed_is_resumed_after_a_reconnect(client, connect, name):
    other = connect()
    try:
        create(client, name)
        last = client.expect("the creation", lambda event, data: event == "activity_log" and name in data["message"])
        rooms = [data for data in client.of("status_update", "activity_log")]
        epoch, seq = last["epoch"], max(data["seq"] for data in rooms)
        since = client.cut()
        other.ask("start_container", container_id=name)
        client.mend(since)
        other.ask("stop_container", container_id=name)
        resumed = client.ask("resume", epoch=epoch, last_seq={"all": seq})
        assert resumed["complete"] is True and resumed["epoch"] == epoch
        seqs = [one["data"]["seq"] for one in resumed["events"]]
        assert seqs == list(range(seq + 1, seq + 1 + len(seqs))) and seqs
        assert {one["event"] for one in resumed["events"]} == {"status_update", "activity_log"}
        states = [one["data"]["status"]["state"] for one in resumed["events"] if one["event"] == "status_update"]
        assert "running" in states, resumed
        assert client.expect_event("resumed") == resumed
    finally:
        other.answer("delete_container", container_id=name, force=True)


def test_resume_of_another_epoch_is_not_complete(client):
    assert client.ask("resume", epoch="other", last_seq={"all": 3})["complete"] is False
