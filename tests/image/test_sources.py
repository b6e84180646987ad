"""The host and ECS sources in the real image agree with `docker stats`.

What `docker stats` makes of given figures, its own program tells: it is pointed at a
stand-in of the engine that serves them. A static busybox is mounted into the containers to
keep them busy: the image holds nothing but the publisher."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import CREDENTIALS, IMAGE, PATIENCE, Container, docker, until

# Debian package busybox-static.
BUSYBOX = os.environ.get("BUSYBOX") or shutil.which("busybox")

CPUS = 0.5
LIMITS = ["--memory", "64m", "--cpus", str(CPUS)]
LOCKED_DOWN = ["--network", "host", "--read-only", "--cap-drop", "ALL"]

# One process that takes all the CPU time it gets and holds a steady 20 MiB.
BURN = ["/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=20M"]
HELD_PERCENT_MIN = 25

# The mean over so many ticks is compared.
TICKS = 12
HOST_POINTS_OFF_MAX = 2.0
ECS_POINTS_OFF_MAX = 0.1

CRONTAB = """\
METRIC_UNIT=Percent
* * * * * *  name=Cpu     value=host:cpu
* * * * * *  name=Memory  value=host:memory
* * * * * *  name=Tmpfs   value=host:disk:/data
* * * * * *  name=Volume  value=host:disk:/volume
"""

ECS_CRONTAB = """\
* * * * * *  name=Cpu     value=ecs:cpu             unit=Percent
* * * * * *  name=Used    value=ecs:memory_percent  unit=Percent
* * * * * *  name=Memory  value=ecs:memory          unit=Bytes
"""


class Engine(http.client.HTTPConnection):
    """The Docker Engine's API, for what its client does not tell."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")

    @classmethod
    def stats(cls, container, one_shot=False):
        """The body that `docker stats` reads; it takes a second or two unless it is to
        have one moment's figures only."""
        query = "stream=false&one-shot=true" if one_shot else "stream=false"
        connection = cls("docker", timeout=PATIENCE)
        connection.request("GET", f"/v1.41/containers/{container}/stats?{query}")
        return json.load(connection.getresponse())


@contextmanager
def server(answers, headers=()):
    """Serves {path: JSON} on this machine; gives HOST:PORT."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            body = json.dumps(answers[path]).encode() if path in answers else b""
            self.send_response_only(200 if body else 404)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def shown_by_docker_stats(body):
    """(percent of one CPU, percent of the memory limit), with two decimals."""
    version = {"ApiVersion": "1.41", "Version": "20.10.24", "Os": "linux"}
    answers = {"/_ping": "OK", "/v1.41/version": version, "/v1.41/containers/it/stats": body}
    headers = {"Api-Version": "1.41", "OSType": "linux", "Server": "Docker/20.10 (linux)"}
    with server(answers, headers) as place:
        words = ["docker", "stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemPerc}}", "it"]
        environment = os.environ | {"DOCKER_HOST": f"tcp://{place}"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    cpu, memory = done.stdout.split()
    return float(cpu.rstrip("%")), float(memory.rstrip("%"))


@pytest.fixture
def busybox():
    """The option that brings it into a container."""
    assert BUSYBOX, "install the Debian package busybox-static, or name a static busybox in BUSYBOX"
    return ["--volume", f"{BUSYBOX}:/busybox:ro"]


@pytest.fixture
def volume():
    name = docker("volume", "create")
    yield name
    docker("volume", "rm", name)


def crontab(folder, text):
    """The option that brings it into a container."""
    (folder / "crontab").write_text(text)
    return ["--volume", f"{folder / 'crontab'}:/etc/cw-publisher/crontab:ro"]


def burn(container):
    docker("exec", "--detach", container.name, *BURN)
    shown = lambda: shown_by_docker_stats(Engine.stats(container.name))
    until("the burner to hold its memory", lambda: shown()[1] > HELD_PERCENT_MIN)


def mean(values):
    return sum(values) / len(values)


def test_host_is_measured_against_the_limits_of_the_container(busybox, endpoint, tmp_path):
    options = LOCKED_DOWN + LIMITS + busybox + crontab(tmp_path, CRONTAB)
    with Container(CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint.url}, options) as container:
        burn(container)

        def after_tick(count):
            """The engine's figures right after so many ticks."""
            until("a tick", lambda: len(endpoint.points("Cpu")) >= count)
            return len(endpoint.points("Cpu")), Engine.stats(container.name, one_shot=True)

        begin, first = after_tick(len(endpoint.points("Cpu")) + 1)
        end, last = after_tick(begin + TICKS)

    cpu, memory = (
        mean([value for _, value in endpoint.points(name)[begin:end]]) for name in ("Cpu", "Memory")
    )
    shown_cpu, shown_memory = shown_by_docker_stats(last | {"precpu_stats": first["cpu_stats"]})
    print(f"cpu {cpu:.2f}, in docker stats {shown_cpu}; memory {memory:.2f}, in docker stats {shown_memory}")
    # A machine that has other things to do gives it less than it may have.
    assert shown_cpu / CPUS > 5
    assert cpu == pytest.approx(shown_cpu / CPUS, abs=HOST_POINTS_OFF_MAX), "100 is what it may have"
    assert memory == pytest.approx(shown_memory, abs=HOST_POINTS_OFF_MAX)


def test_check_says_what_the_host_is_measured_against(tmp_path):
    options = ["--env", "AWS_REGION=us-east-1", "--network", "none", *LIMITS, *crontab(tmp_path, CRONTAB)]
    listing = docker("run", "--rm", *options, IMAGE, "check")
    assert f"CPU of the container, limit {CPUS} CPUs" in listing
    assert "memory of the container, limit 64 MiB" in listing


def test_disk_is_that_of_the_mounted_file_system(busybox, volume, endpoint, tmp_path):
    options = LOCKED_DOWN + busybox + crontab(tmp_path, CRONTAB) + ["--volume", f"{volume}:/volume"]
    options += ["--mount", "type=tmpfs,destination=/data,tmpfs-size=8m,tmpfs-mode=1777"]
    with Container(CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint.url}, options) as container:
        docker("exec", container.name, "/busybox", "dd", "if=/dev/zero", "of=/data/file", "bs=1M", "count=2")
        begin = len(endpoint.points("Tmpfs"))
        until("points", lambda: len(endpoint.points("Tmpfs")) >= begin + 3)
        disk = os.statvfs(docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume))
        assert container.log("source failed") == []
    assert endpoint.points("Tmpfs")[-1][1] == 25.0, "2 of 8 MiB"
    used = disk.f_blocks - disk.f_bfree
    shown_by_df = 100 * used / (used + disk.f_bavail)
    assert endpoint.points("Volume")[-1][1] == pytest.approx(shown_by_df, abs=0.5)


def test_ecs_figures_are_those_of_docker_stats(busybox, endpoint, tmp_path):
    options = ["--network", "none"] + LIMITS + busybox
    with Container(CREDENTIALS, options) as container:
        burn(container)
        bodies = [Engine.stats(container.name) for _ in range(3)]
    for body in bodies:
        cpu, memory = shown_by_docker_stats(body)
        print(f"docker stats shows cpu {cpu}, memory {memory}")
        assert cpu > 0
        published = published_in_ecs(endpoint, tmp_path, body)
        assert published["Cpu"] == pytest.approx(cpu, abs=ECS_POINTS_OFF_MAX)
        assert published["Used"] == pytest.approx(memory, abs=ECS_POINTS_OFF_MAX)
        limit = body["memory_stats"]["limit"]
        assert 100 * published["Memory"] / limit == pytest.approx(memory, abs=ECS_POINTS_OFF_MAX)


def published_in_ecs(endpoint, folder, body):
    """What `once` publishes in a task whose only container has these figures."""
    container = {"DockerId": body["id"], "Name": "web", "KnownStatus": "RUNNING", "Type": "NORMAL"}
    task = {"Cluster": "default", "Family": "shop", "Revision": "1", "Containers": [container]}
    answers = {"/v4/1/task": task, "/v4/1/task/stats": {body["id"]: body}}
    with server(answers) as place:
        settings = CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint.url}
        settings |= {"ECS_CONTAINER_METADATA_URI_V4": f"http://{place}/v4/1"}
        options = LOCKED_DOWN + crontab(folder, ECS_CRONTAB)
        with Container(settings, options, ["once"]) as publisher:
            assert publisher.exit_code() == 0, publisher.log()
    dimensions = {"ContainerName": "web", "TaskFamily": "shop", "ClusterName": "default"}
    series = [s for s in endpoint.series() if dict(s["dimensions"]) == dimensions]
    return {one["name"]: one["points"][-1][1] for one in series}
