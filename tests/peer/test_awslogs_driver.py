"""Docker's own awslogs driver against the logs of the local endpoint: what a container prints
through a real engine is there, as whoever compares another shipper with the driver needs it.

The engine is one of its own, with its own socket, folders and bridge; the driver takes its
credentials from the engine's environment."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support import CREDENTIALS, PATIENCE, LocalEndpoint, until

BUSYBOX = "/usr/bin/busybox"
IMAGE = "fixture:1"
GROUP = "docker"
LABEL = f"awslogs-driver-test={os.getpid()}"


def run(*words):
    return subprocess.run(
        words, check=True, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with LocalEndpoint(tmp_path_factory.mktemp("endpoint")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def engine():
    """The URL of an engine that is started for these tests, and ends with them."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield from started(Path(folder))


def started(folder):
    pid, url = os.getpid(), f"unix://{folder}/docker.sock"
    bridge = f"al{pid}"
    run("ip", "link", "add", "name", bridge, "type", "bridge")
    daemon = None
    try:
        run("ip", "addr", "add", f"10.{pid // 250 % 250}.{pid % 250}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        with open(folder / "log", "wb") as log:
            daemon = subprocess.Popen(
                ["dockerd", "--host", url, "--bridge", bridge, "--iptables=false", "--ip-masq=false",
                 "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # None of the caller's settings, the proxies among them.
                env=CREDENTIALS | {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"},
            )
        deadline = time.monotonic() + 2 * PATIENCE
        while subprocess.run(["docker", "-H", url, "version"], capture_output=True).returncode:
            assert daemon.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        image = folder / "image"
        (image / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, image / "bin/busybox")
        for applet in run(BUSYBOX, "--list").stdout.split():
            if applet != "busybox":
                (image / "bin" / applet).symlink_to("busybox")
        run("tar", "-C", image, "-cf", folder / "image.tar", ".")
        run("docker", "-H", url, "import", folder / "image.tar", IMAGE)
        yield url
    finally:
        if daemon is not None and daemon.poll() is None:
            listed = run("docker", "-H", url, "ps", "-aq", "--filter", f"label={LABEL}").stdout.split()
            if listed:
                run("docker", "-H", url, "rm", "-f", *listed)
            daemon.terminate()
            daemon.wait(2 * PATIENCE)
        subprocess.run(["ip", "link", "del", bridge], check=False)


@pytest.fixture
def shipped(engine, local):
    """Runs a script in a container to its end, whose log goes through the driver, and gives the
    events that arrive, at least so many: the driver may send the last of them after the end."""

    def ship(script, count, **settings):
        stream = f"s-{uuid.uuid4().hex[:12]}"
        settings = {
            "awslogs-endpoint": local.url,
            "awslogs-region": "us-east-1",
            "awslogs-group": GROUP,
            "awslogs-stream": stream,
            "awslogs-create-group": "true",
        } | settings
        words = [word for name, value in settings.items() for word in ("--log-opt", f"{name}={value}")]
        run("docker", "-H", engine, "run", "--rm", "--network=none", f"--label={LABEL}", "--log-driver=awslogs",
            *words, IMAGE, "sh", "-c", script)

        def arrived():
            found = events(local, stream)
            return len(found) >= count and found

        return until(f"{count} events of {stream}", arrived)

    return ship


def events(local, stream):
    found, after = [], 0
    while True:
        query = urlencode({"group": GROUP, "stream": stream, "after": after})
        with urllib.request.urlopen(f"{local.url}/logs/events?{query}", timeout=PATIENCE) as answer:
            page = json.load(answer)
        found += page["events"]
        after = page["next"]
        if page["complete"]:
            return found


def messages(events):
    return [event["message"] for event in events]


def test_lines_of_a_container_arrive_in_order_with_their_time(shipped, local):
    begin = int(time.time() * 1000)
    found = shipped("for i in 1 2 3; do echo line $i; sleep 0.1; done; printf 'no newline'", 4)
    assert messages(found) == ["line 1", "line 2", "line 3", "no newline"]
    times = [event["timestamp_ms"] for event in found]
    assert times == sorted(times) and times[2] - times[0] >= 190
    assert begin <= times[0] <= times[-1] <= int(time.time() * 1000)
    with urllib.request.urlopen(f"{local.url}/logs", timeout=PATIENCE) as answer:
        assert GROUP in [group["name"] for group in json.load(answer)["groups"]]


def test_both_streams_arrive(shipped):
    found = shipped("echo out; echo err >&2", 2)
    assert sorted(messages(found)) == ["err", "out"]


def test_many_lines_arrive_in_batches_within_the_limits(shipped):
    found = shipped("i=0; while [ $i -lt 25000 ]; do echo line $i; i=$((i + 1)); done", 25_000)
    assert messages(found) == [f"line {i}" for i in range(25_000)]
    assert len({event["batch"] for event in found}) >= 3


def test_empty_lines_and_what_is_no_text(shipped):
    found = shipped(r"printf 'a\n\nb\n\377\376x\ny\tz\303\274\n'", 4)
    # The driver leaves out empty lines, for the service takes none, and repairs text.
    assert messages(found) == ["a", "b", "��x", "y\tzü"]


def test_long_lines_are_split_by_the_driver_and_nothing_is_missing(shipped):
    length = 600_000
    found = shipped(f"head -c {length} /dev/zero | tr '\\0' x; echo; echo after", 4)
    assert messages(found)[-1] == "after"
    pieces = messages(found)[:-1]
    assert "".join(pieces) == "x" * length
    # It still splits at the 256 KB that an event could have until 2025.
    assert max(map(len, pieces)) == 262_144 - 26


def test_multi_line_events_arrive_whole(shipped):
    found = shipped(
        "echo 'BEGIN 1'; echo ' more'; echo 'BEGIN 2'", 2, **{"awslogs-multiline-pattern": "^BEGIN"}
    )
    assert [text.splitlines() for text in messages(found)] == [["BEGIN 1", " more"], ["BEGIN 2"]]


def test_refusal_of_the_endpoint_is_told_by_the_engine(engine, shipped):
    with pytest.raises(subprocess.CalledProcessError) as raised:
        shipped("echo never", 1, **{"awslogs-group": "none", "awslogs-create-group": "false"})
    assert "ResourceNotFoundException: The specified log group does not exist." in raised.value.stderr
