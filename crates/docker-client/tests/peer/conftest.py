"""An engine of its own, the same calls through docker-py and through the command."""

import json
import os
import shutil
import socket
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
KEY, VALUE = "docker-client-peer", str(os.getpid())
LABEL = f"{KEY}={VALUE}"


def run(*words, **options):
    return subprocess.run(words, check=True, capture_output=True, **options)


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def make_certificate(folder, name, authority, *extensions):
    """`folder/cert.pem` with its key, signed by an authority, or by itself."""
    folder.mkdir()
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    for extension in extensions:
        words += ["-addext", extension]
    if authority:
        words += ["-CA", authority / "cert.pem", "-CAkey", authority / "key.pem"]
        shutil.copy(authority / "cert.pem", folder / "ca.pem")
    run(*words)
    return folder


@pytest.fixture(scope="session")
def certificates(folder):
    """Folders of an authority's, an engine's and a client's certificate, and of a stranger's."""
    authority = make_certificate(folder / "authority", "authority", None)
    stranger = make_certificate(folder / "stranger", "stranger", None)
    is_leaf = "basicConstraints=critical,CA:FALSE"
    return {
        "engine": make_certificate(folder / "server", "engine", authority, is_leaf, "subjectAltName=IP:127.0.0.1"),
        "client": make_certificate(folder / "client", "client", authority, is_leaf),
        "stranger": make_certificate(folder / "other", "other", stranger, is_leaf),
    }


@pytest.fixture(scope="session")
def tls_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(scope="session")
def engine(folder, certificates, tls_address):
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
                 "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid",
                 "--host", tls_address, "--tlsverify", "--tlscacert", certificates["engine"] / "ca.pem",
                 "--tlscert", certificates["engine"] / "cert.pem", "--tlskey", certificates["engine"] / "key.pem"],
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
    run("cargo", "build", "--locked", "--quiet", "-p", "docker-client", "--features", "tls", cwd=ROOT)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    program = Path(target) / "debug/docker-client"

    # None of the caller's settings, the proxies among them.
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine}

    def command(*words, **settings):
        done = subprocess.run(
            [program, *words], capture_output=True, env=environment | settings, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout, done.stderr

    def as_json(*words):
        code, out, err = command(*words)
        assert code == 0, err
        return json.loads(out)

    def lines(count, *words):
        """So many lines of a command that does not end."""
        with subprocess.Popen([program, *words], stdout=subprocess.PIPE, env=environment) as process:
            # A line that never comes fails the test, for then the output ends early.
            timer = threading.Timer(30, process.kill)
            timer.start()
            found = [process.stdout.readline() for _ in range(count)]
            timer.cancel()
            process.kill()
        return [json.loads(line) for line in found]

    def on_a_terminal(*words, **settings):
        """What a command prints on a terminal."""
        controller, terminal = os.openpty()
        with subprocess.Popen([program, *words], stdin=terminal, stdout=terminal, stderr=terminal,
                              env=environment | settings):
            os.close(terminal)
            text = b""
            try:
                while part := os.read(controller, 4096):
                    text += part
            except OSError:
                # So ends a terminal that nobody has open.
                pass
        os.close(controller)
        return text.decode()

    command.on_a_terminal = on_a_terminal
    command.json = as_json
    command.lines = lines
    return command


@pytest.fixture(scope="session")
def containers(theirs):
    """Containers of many kinds, by what they are."""
    common = {"labels": {KEY: VALUE, "app": "shop"}, "detach": True}
    specs = {
        "plain": ("sleep 1000", {}),
        "ended": ("sh -c 'exit 3'", {}),
        "ok": ("true", {}),
        "env": ("sleep 1000", {"environment": {"A": "b=c", "EMPTY": ""}, "user": "guest", "working_dir": "/tmp"}),
        "ports": ("sleep 1000", {"ports": {"8080/tcp": ("127.0.0.1", 0), "9/udp": None}}),
        "mount": ("sleep 1000", {"volumes": {"/tmp": {"bind": "/host", "mode": "ro"}}}),
        "tty": ("sh -c 'echo a; echo b >&2; sleep 1000'", {"tty": True}),
        "paused": ("sleep 1000", {}),
        "health": ("sleep 1000", {"healthcheck": {"test": ["CMD", "true"], "interval": 1_000_000_000}}),
        "both": ("sh -c 'echo out; echo err >&2; printf end'", {}),
        "binary": (["sh", "-c", "printf '\\377\\376\\n\\r\\n\\n'"], {}),
        "long": ("sh -c 'head -c 40000 /dev/zero | tr \"\\0\" x; echo; echo after'", {}),
        "local": ("sh -c 'seq 50'", {"log_config": {"type": "local"}}),
        "none": ("echo a", {"log_config": {"type": "none"}}),
    }
    made = {
        name: theirs.containers.run(IMAGE, command, name=name, **common, **options)
        for name, (command, options) in specs.items()
    }
    made["paused"].pause()
    for name in ("ended", "ok", "both", "binary", "long", "local", "none"):
        made[name].wait()
    deadline = time.monotonic() + 60
    while made["health"].attrs["State"].get("Health", {}).get("Status") != "healthy":
        assert time.monotonic() < deadline, made["health"].attrs["State"]
        time.sleep(0.2)
        made["health"].reload()
    for container in made.values():
        container.reload()
    return made
