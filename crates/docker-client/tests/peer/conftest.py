"""An engine of its own, the same calls through docker-py and through the command."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[4]
BUSYBOX = "/usr/bin/busybox"
IMAGE = "fixture:1"
LABEL = f"docker-client-peer={os.getpid()}"


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, **options)


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture(scope="session")
def engine(folder):
    """The URL of an engine that is started for these tests, and ends with them."""
    pid = os.getpid()
    bridge = f"dp{pid}"
    url = f"unix://{folder}/docker.sock"
    run("ip", "link", "add", "name", bridge, "type", "bridge")
    daemon = None
    try:
        run("ip", "addr", "add", f"10.{pid // 250 % 250}.{pid % 250}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        with open(folder / "log", "wb") as log:
            daemon = subprocess.Popen(
                ["dockerd", "--host", url, "--bridge", bridge, "--iptables=false",
                 "--ip-masq=false", "--data-root", f"{folder}/data",
                 "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "-H", url, "version"], capture_output=True).returncode:
            assert daemon.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        image = folder / "image"
        for name in ("bin", "etc", "tmp"):
            (image / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, image / "bin/busybox")
        for applet in run(BUSYBOX, "--list", text=True).stdout.split():
            if applet != "busybox":
                (image / "bin" / applet).symlink_to("busybox")
        (image / "etc/passwd").write_text(
            "root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n"
        )
        run("tar", "-C", image, "-cf", folder / "image.tar", ".")
        run("docker", "-H", url, "import", folder / "image.tar", IMAGE)
        yield url
    finally:
        if daemon is not None and daemon.poll() is None:
            ids = run("docker", "-H", url, "ps", "-aq", "--filter", f"label={LABEL}", text=True)
            if ids.stdout.split():
                run("docker", "-H", url, "rm", "-f", *ids.stdout.split())
            daemon.terminate()
            daemon.wait(60)
        subprocess.run(["ip", "link", "del", bridge], check=False)


@pytest.fixture(scope="session")
def theirs(engine):
    """docker-py."""
    client = docker.DockerClient(base_url=engine)
    yield client
    client.close()


@pytest.fixture(scope="session")
def ours(engine):
    """Runs `docker-client`; gives its code, output and error output."""
    run("cargo", "build", "--locked", "--quiet", "-p", "docker-client", cwd=ROOT)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    program = Path(target) / "debug/docker-client"

    def command(*words, input=None):
        # None of the caller's settings, the proxies among them.
        environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine}
        done = subprocess.run([program, *words], capture_output=True, env=environment, input=input or b"")
        return done.returncode, done.stdout, done.stderr

    def as_json(*words):
        code, out, err = command(*words)
        assert code == 0, err
        return json.loads(out)

    def lines(count, *words):
        """So many lines of a command that does not end."""
        environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine}
        with subprocess.Popen([program, *words], stdout=subprocess.PIPE, env=environment) as process:
            # A line that never comes fails the test, for then the output ends early.
            timer = threading.Timer(30, process.kill)
            timer.start()
            found = [process.stdout.readline() for _ in range(count)]
            timer.cancel()
            process.kill()
        return [json.loads(line) for line in found]

    command.json = as_json
    command.lines = lines
    return command
