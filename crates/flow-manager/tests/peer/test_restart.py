"""flow-manager is killed and started again: clients and flows come back, and nothing that a flow told is lost."""

import json
import subprocess
import threading
import time

import clients
import pytest
import scripted
from engine import IMAGE
from manager import TOKENS, Manager, program
from test_clients import COMMANDS, run, send, until_connected
from test_examples import environment, words_of

COUNT = 300


@pytest.fixture
def manager(tmp_path, engine):
    """One of its own, for it is killed."""
    manager = Manager(tmp_path, engine.url, program())
    manager.start()
    yield manager
    manager.stop()


@pytest.mark.parametrize("language", COMMANDS)
@pytest.mark.parametrize("kind", [("python", "websocket"), ("javascript", "polling")], ids="-".join)
def test_flow_goes_on_after_kill_9(manager, kind, language, name):
    client = clients.make(*kind)
    try:
        assert client.connect(manager.url, TOKENS["admin"]) is None
        id = run(client, name, COMMANDS[language])
        first_epoch = client.expect_event("activity_log")["epoch"]
        # It makes them while flow-manager is away.
        send(client, id, "emit", {"count": COUNT, "name": "load", "delay_seconds": 1})
        since = len(client.events)
        manager.kill()
        time.sleep(1.5)
        manager.start()
        client.reconnected(since)
        until_connected(client, id)
        status = client.ask("get_status", container_id=id)["status"]
        assert status["state"] == "running", "the flow ran on"
        assert send(client, id, "dump", await_reply=True)["reply"]["ok"]
        # They may have come before the client was back.
        epoch = client.ask("resume", epoch=first_epoch, last_seq={"all": 1})["epoch"]
        assert epoch != first_epoch
        resumed = client.ask("resume", epoch=epoch, last_seq={"all": 0, "operate": 0})
        assert resumed["complete"] is True
        seen = [one["data"]["data"]["done"] for one in resumed["events"]
                if one["event"] == "container_message" and one["data"]["name"] == "load"]
        assert seen == list(range(1, COUNT + 1)), f"{COUNT - len(set(seen))} of {COUNT} lost"
        client.ask("delete_container", container_id=id, force=True)
    finally:
        client.close()


def test_containers_of_before_are_listed(manager, name):
    client = clients.make("python", "websocket")
    try:
        assert client.connect(manager.url, TOKENS["admin"]) is None
        id = run(client, name)
        manager.stop()
        manager.start()
        # The libraries do not connect again where the server ended it.
        client.close()
        client = clients.make("python", "websocket")
        assert client.connect(manager.url, TOKENS["admin"]) is None
        assert [one["id"] for one in client.ask("list_containers")["containers"]] == [id]
        client.ask("delete_container", container_id=id, force=True)
    finally:
        client.close()


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_example_watches_on_after_a_stop(manager, language, name):
    words = words_of(language, *(["--url", manager.url] if language == "python" else []), "watch")
    watch = subprocess.Popen(words, env=environment(manager.url), stdout=subprocess.PIPE, text=True)
    lines = []
    threading.Thread(target=lambda: lines.extend(json.loads(line) for line in watch.stdout), daemon=True).start()
    try:
        for round in range(2):
            other = clients.make("python", "websocket")
            assert other.connect(manager.url, TOKENS["admin"]) is None
            before = len(lines)

            def made(number=iter(range(1000))):
                id = other.ask("create_container", image=IMAGE, name=f"{name}-{round}-{next(number)}")["container"]["id"]
                other.ask("delete_container", container_id=id)
                return len(lines) > before
            scripted.until(f"an event in round {round}", made)
            other.close()
            if round == 0:
                manager.stop()
                manager.start()
    finally:
        watch.kill()
        watch.wait()
