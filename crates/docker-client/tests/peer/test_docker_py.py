"""The same calls through docker-py and through docker-client give the same."""

import re
import time
from datetime import datetime

import docker
import pytest


def moment(text):
    """A time of the API; none is the year 1."""
    return None if text.startswith("0001-") else text


def same_time(ours, theirs):
    if theirs is None:
        return ours is None
    # The engine leaves zeros at the end out.
    return re.sub(r"\.?0*Z$", "Z", ours) == re.sub(r"\.?0*Z$", "Z", theirs)


def ports_of(attrs):
    found = set()
    for inner, outers in (attrs["NetworkSettings"]["Ports"] or {}).items():
        port, protocol = inner.split("/")
        for outer in outers or [None]:
            host = (outer["HostIp"], int(outer["HostPort"])) if outer else (None, None)
            found.add((int(port), protocol, *host))
    return found


INSPECTED = ["plain", "ended", "ok", "env", "ports", "mount", "tty", "paused", "health", "none"]


@pytest.mark.parametrize("name", INSPECTED)
def test_info_is_the_same(name, containers, ours):
    attrs = containers[name].attrs
    [info] = ours.json("inspect", name)
    state, config, host = attrs["State"], attrs["Config"], attrs["HostConfig"]
    assert info["id"] == attrs["Id"]
    assert info["name"] == attrs["Name"].lstrip("/")
    assert info["image"] == config["Image"]
    assert info["image_id"] == attrs["Image"]
    assert info["state"] == state["Status"]
    assert info["health"] == state.get("Health", {"Status": "none"})["Status"]
    assert info["pid"] == state["Pid"]
    assert info["restarts"] == attrs["RestartCount"]
    assert info["oom_killed"] == state["OOMKilled"]
    if state["Status"] == "exited":
        assert info["exit_code"] == state["ExitCode"]
    for field, text in (("created", attrs["Created"]), ("started", state["StartedAt"]), ("finished", state["FinishedAt"])):
        assert same_time(info[field], moment(text)), (field, info[field], text)
    assert info["environment"] == dict(pair.split("=", 1) for pair in config["Env"] or [])
    assert info["labels"] == config["Labels"]
    assert info["tty"] == config["Tty"]
    assert info["user"] == config["User"]
    assert info["working_dir"] == config["WorkingDir"]
    assert info["log_driver"] == host["LogConfig"]["Type"]
    assert info["auto_remove"] == host["AutoRemove"]
    mounts = [(m["Type"], m["Source"], m["Destination"], m["RW"]) for m in attrs["Mounts"]]
    assert [(m["kind"], m["source"], m["destination"], m["writable"]) for m in info["mounts"]] == mounts
    networks = {(name, n["NetworkID"], n["IPAddress"]) for name, n in attrs["NetworkSettings"]["Networks"].items()}
    assert {(n["name"], n["network_id"], n["ip_address"]) for n in info["networks"]} == networks
    published = {(p["container_port"], p["protocol"], p["host_ip"], p["host_port"]) for p in info["ports"]}
    assert published == ports_of(attrs)


LISTS = [
    ((), {}),
    (("--all",), {"all": True}),
    (("--filter", "status=exited"), {"filters": {"status": "exited"}}),
    (("--all", "--filter", "label=app=shop"), {"all": True, "filters": {"label": "app=shop"}}),
    (("--all", "--filter", "name=ok"), {"all": True, "filters": {"name": "ok"}}),
    (("--filter", "label=nothing"), {"filters": {"label": "nothing"}}),
]


@pytest.mark.parametrize("words, options", LISTS)
def test_list_is_the_same(words, options, containers, ours, theirs):
    found = ours.json("ps", "--json", *words)
    raw = theirs.api.containers(
        all=options.get("all", False) or "status" in options.get("filters", {}),
        filters=options.get("filters"),
    )
    assert [c["id"] for c in found] == [c["Id"] for c in raw]
    for mine, other in zip(found, raw):
        assert mine["names"] == [name.lstrip("/") for name in other["Names"]]
        assert mine["image"] == other["Image"]
        assert mine["image_id"] == other["ImageID"]
        assert mine["command"] == other["Command"]
        assert mine["state"] == other["State"]
        assert mine["labels"] == other["Labels"]
        seconds = datetime.fromisoformat(mine["created"][:19] + "+00:00").timestamp()
        assert seconds == other["Created"]
        ports = {(p["PrivatePort"], p["Type"], p.get("IP"), p.get("PublicPort")) for p in other["Ports"]}
        assert {(p["container_port"], p["protocol"], p["host_ip"], p["host_port"]) for p in mine["ports"]} == ports


LOGS = [
    ("both", (), {}),
    ("both", ("--tail", "1"), {"tail": 1}),
    ("both", ("--follow",), {"follow": True, "stream": True}),
    ("binary", (), {}),
    ("long", (), {}),
    ("long", ("--follow",), {"follow": True, "stream": True}),
    ("local", (), {}),
    ("local", ("--tail", "7"), {"tail": 7}),
    ("tty", (), {}),
    ("ok", (), {}),
]


@pytest.mark.parametrize("name, words, options", LOGS)
def test_log_is_the_same(name, words, options, containers, ours):
    code, out, err = ours("logs", *words, name)
    assert code == 0, err

    def read(**streams):
        log = containers[name].logs(**options, **streams)
        return log if isinstance(log, bytes) else b"".join(log)

    if name == "tty":
        # docker-py tells a terminal from the container's configuration, as we do.
        assert out == read()
    else:
        assert out == read(stderr=False)
        assert err == read(stdout=False)


EXECS = [
    (["echo", "a b"], (), {}),
    (["sh", "-c", "echo out; echo err >&2; exit 3"], (), {}),
    (["id", "-un"], ("--user", "guest"), {"user": "guest"}),
    (["pwd"], ("--workdir", "/etc"), {"workdir": "/etc"}),
    (["sh", "-c", "echo $A"], ("--env", "A=b c"), {"environment": {"A": "b c"}}),
    (["sh", "-c", "printf '\\001\\000\\377'"], (), {}),
    (["sh", "-c", "exit 126"], (), {}),
    (["head", "-c", "300000", "/dev/zero"], (), {}),
]


@pytest.mark.parametrize("command, words, options", EXECS)
def test_exec_is_the_same(command, words, options, containers, ours):
    expected = containers["plain"].exec_run(command, demux=True, **options)
    code, out, err = ours("exec", *words, "plain", *command)
    stdout, stderr = expected.output
    assert (code, out, err) == (expected.exit_code, stdout or b"", stderr or b"")


def test_terminal_of_an_exec_is_the_same(containers, ours):
    command = ["sh", "-c", "echo a; echo b >&2"]
    expected = containers["plain"].exec_run(command, tty=True)
    code, out, _ = ours("exec", "--tty", "plain", *command)
    assert (code, out) == (expected.exit_code, expected.output)


def test_missing_container_is_missing_for_both(containers, ours, theirs):
    with pytest.raises(docker.errors.NotFound):
        theirs.containers.get("nope")
    for words in (("logs", "nope"), ("inspect", "nope"), ("exec", "nope", "true")):
        code, _, err = ours(*words)
        assert code == 1 and b'no container "nope"' in err


def test_missing_program_is_told_with_its_code(containers, ours):
    expected = containers["plain"].exec_run(["nosuch"])
    code, _, err = ours("exec", "plain", "nosuch")
    assert code == expected.exit_code
    assert b"executable file not found" in err and b"executable file not found" in expected.output


def test_log_that_cannot_be_read_is_an_error_for_both(containers, ours):
    with pytest.raises(docker.errors.APIError):
        containers["none"].logs()
    code, _, err = ours("logs", "none")
    assert code == 1 and b"none" in err


def test_stats_are_of_the_same_container(containers, ours):
    raw = containers["plain"].stats(stream=False)
    [stats] = ours.json("stats", "--no-stream", "--json", "plain")
    memory = raw["memory_stats"]
    inactive = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
    assert stats["memory_limit_bytes"] == memory["limit"]
    assert abs(stats["memory_bytes"] - (memory["usage"] - inactive)) < 1 << 20
    assert stats["pids"] == raw["pids_stats"]["current"]
    assert stats["cpu_percent"] < 5
