"""The example clients as people run them, also over a cut connection."""

import json
import os
import shutil
import subprocess
import sys
import threading

import clients
import pytest
import scripted
from engine import COMMANDS, IMAGE
from manager import TOKENS
from relay import Relay

CLIENTS = scripted.CRATE / "examples/clients"


def words_of(language, *words):
    if language == "python":
        return [sys.executable, CLIENTS / "client.py", *words]
    return [shutil.which("node"), CLIENTS / "client.js", *words]


def environment(url, role="admin"):
    return {"PATH": os.environ["PATH"], "FLOW_MANAGER_TOKEN": TOKENS[role], "FLOW_MANAGER_URL": url}


def call(url, language, *words, role="admin"):
    if language == "python":
        words = ["--url", url, *words]
    return subprocess.run(words_of(language, *words), env=environment(url, role), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_python_client_has_a_command_for_each_request(manager, name):
    def ask(*words):
        return told(call(manager.url, "python", *words))

    id = ask("create", IMAGE, "--name", name, "--env", "K=v", "--", *COMMANDS["python"])["id"]
    try:
        assert ask("start", name)["status"]["state"] == "running"
        scripted.until("the flow", lambda: ask("status", name)["socket_connected"])
        assert ask("send", name, "echo", '{"a": 1}') == {"ok": True, "data": {"a": 1}}
        assert [one["environment"]["K"] for one in ask("list") if one["id"] == id] == ["v"]
        assert ask("logs", name)[0]["text"] == "started"
        for command, state in (("pause", "paused"), ("unpause", "running"), ("restart", "running"), ("stop", "stopped")):
            assert ask(command, name)["status"]["state"] == state
    finally:
        assert ask("delete", name, "--force")["container_id"] == id
    refused = call(manager.url, "python", "start", name)
    assert refused.returncode == 1 and refused.stderr.startswith("container_not_found: "), refused.stderr


def test_javascript_client_passes_any_request_on(manager, name):
    def ask(event, **data):
        return told(call(manager.url, "javascript", event, json.dumps(data)))

    ask("create_container", image=IMAGE, name=name, command=COMMANDS["javascript"])
    try:
        assert ask("start_container", container_id=name)["status"]["state"] == "running"
        assert name in [one["name"] for one in told(call(manager.url, "javascript", "list"))["containers"]]
    finally:
        ask("delete_container", container_id=name, force=True)
    refused = call(manager.url, "javascript", "start_container", json.dumps({"container_id": name}))
    assert refused.returncode == 1 and refused.stderr.startswith("container_not_found: "), refused.stderr


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_wrong_token_is_told(manager, language):
    done = subprocess.run(words_of(language, *(["--url", manager.url] if language == "python" else []), "list"),
                          env=environment(manager.url) | {"FLOW_MANAGER_TOKEN": "x" * 40},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "invalid_token" in done.stderr, done.stderr


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_watch_tells_each_event_once_over_a_cut(manager, language, name):
    relay = Relay(manager.url)
    other = clients.make("python", "websocket")
    words = words_of(language, *(["--url", relay.url] if language == "python" else []), "watch")
    watch = subprocess.Popen(words, env=environment(relay.url), stdout=subprocess.PIPE, text=True)
    lines = []
    threading.Thread(target=lambda: lines.extend(json.loads(line) for line in watch.stdout), daemon=True).start()
    try:
        assert other.connect(manager.url, TOKENS["admin"]) is None
        # It watches when it tells something.
        def made(number=iter(range(100))):
            other.ask("create_container", image=IMAGE, name=f"{name}-{next(number)}")
            return lines
        scripted.until("the first event", made)
        relay.cut()
        other.ask("create_container", image=IMAGE, name=f"{name}-away")
        relay.mend()
        other.ask("create_container", image=IMAGE, name=f"{name}-last")
        scripted.until("the last event", lambda: any(
            one["event"] == "activity_log" and f"{name}-last" in one["message"] for one in lines))
        seqs = [one["seq"] for one in lines if one["event"] in ("activity_log", "status_update")]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), seqs
    finally:
        watch.kill()
        watch.wait()
        relay.close()
        for container in other.ask("list_containers")["containers"]:
            if container["name"].startswith(name):
                other.ask("delete_container", container_id=container["id"], force=True)
        other.close()
