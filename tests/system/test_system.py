"""All programs together, as the example starts them and as deploy/system/docker-compose.yaml does: the metrics and the
logs of the flows reach the endpoint. On the machine's own engine, with images that are there already:

    docker build -t flow-manager:local -f crates/flow-manager/Dockerfile .        # and those of the other programs
    cargo build -p flow-manager -p cw-run --bins && cargo build --example system
    python3 -m pytest tests/system

`PYTHON_IMAGE` names what the image of the flows is built on, if not the Dockerfile's own.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
import uuid

import pytest
from support import PATIENCE, ROOT, docker, until

COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
FLOWS = ["flow-a", "flow-b", "flow-c"]
# A machine that does something else at the same time starts five containers in that.
LONG = 4 * PATIENCE


def get(url, path):
    with urllib.request.urlopen(url + path, timeout=PATIENCE) as answer:
        return answer.read().decode()


def lines_of(url, flow):
    query = urllib.parse.urlencode({"group": "flows", "stream": flow})
    with contextlib.suppress(OSError):
        return [event["message"] for event in json.loads(get(url, f"/logs/events?{query}"))["events"]]
    return []


def newest(url, name, **dimensions):
    """The newest value of a metric; none if there is no such."""
    with contextlib.suppress(OSError):
        for series in json.loads(get(url, "/series")):
            if series["name"] == name and dimensions.items() <= dict(series["dimensions"]).items():
                return series["points"][-1][1]
    return None


def assert_arrives(url):
    """Metrics and logs of the flows, and that both go on."""
    until("all flows in the metrics", lambda: newest(url, "FlowsConnected") == len(FLOWS), LONG)
    until("their states", lambda: newest(url, "Containers", state="running") == len(FLOWS))
    assert newest(url, "EngineUp") == 1
    until("requests", lambda: (newest(url, "Requests", code="ok") or 0) > 0)
    for flow in FLOWS:
        until(f"the log of {flow}", lambda: "command load" in lines_of(url, flow), LONG)
        assert lines_of(url, flow)[0] == "started"
        known = len(lines_of(url, flow))
        until(f"more of {flow}", lambda: len(lines_of(url, flow)) > known)
    # How cw-run learns that the group is not there yet.
    assert [one for one in json.loads(get(url, "/refused")) if one["operation"] != "CreateLogStream"] == []
    assert get(url, "/").lower().startswith("<!doctype html>")


def left():
    names = docker("ps", "--all", "--format", "{{.Names}}").split()
    return [name for name in names if name in FLOWS or name.startswith("system-flows-")]


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    found = left()
    if found:
        docker("rm", "--force", *found)
    assert found == []


def test_example_shows_metrics_and_logs_of_flows_and_deletes_them():
    process = subprocess.Popen([ROOT / "target/debug/examples/system"], stdin=subprocess.DEVNULL, cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = []
    reader = threading.Thread(target=lambda: told.extend(process.stdout))
    reader.start()
    try:
        def place():
            assert process.poll() is None, told
            return next(filter(None, (re.match(r"── open (http://\S+)/ for the metrics", line) for line in told)), None)
        # The flows' image is built meanwhile, and what cargo finds to do.
        assert_arrives(until("the endpoint", place, 10 * PATIENCE)[1])
        process.terminate()
        assert process.wait(LONG) == 0, told[-30:]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(PATIENCE)


@pytest.fixture
def project(tmp_path):
    """The services of the compose file; its address of the endpoint."""
    with contextlib.ExitStack() as stack:
        # All at a time, or they might be the same.
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [probe.getsockname()[1] for probe in probes]
    folder = tmp_path / "crontab"
    folder.mkdir()
    crontab = (ROOT / "deploy/system/crontab").read_text()
    (folder / "crontab").write_text(crontab.replace("127.0.0.1:7071", f"127.0.0.1:{ports[2]}"))
    # Nothing else may look into pytest's own folders.
    for one in (tmp_path, *tmp_path.parents[:2]):
        one.chmod(0o755)
    environment = {
        "CLOUDWATCH_LOCAL_PORT": str(ports[0]), "FLOW_MANAGER_PORT": str(ports[1]),
        "FLOW_MANAGER_METRICS_PORT": str(ports[2]), "FLOW_MANAGER_STATE": str(tmp_path / "state"),
        "CRONTAB_FOLDER": str(folder), "CW_PUBLISHER_IMAGE": os.environ.get("IMAGE", "cw-publisher:local"),
    }
    (tmp_path / "state").mkdir(mode=0o700)
    name = f"system-{uuid.uuid4().hex[:12]}"

    def compose(*words):
        done = subprocess.run([*COMPOSE, "--project-name", name, *words], cwd=ROOT / "deploy/system",
                              env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout
    try:
        compose("build", "flows")
        compose("up", "--detach", "--no-build")
        yield f"http://127.0.0.1:{ports[0]}", compose
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "40")


def test_compose_file_shows_metrics_and_logs_of_flows_and_deletes_them(project):
    url, compose = project
    try:
        assert_arrives(url)
    except AssertionError:
        print(compose("logs", "--no-color"))
        raise
    compose("stop", "--timeout", "40")
    assert left() == []
