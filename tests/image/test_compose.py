"""deploy/docker-compose.yaml as a newcomer runs it, with images that are there already:
IMAGE names the publisher's, CLOUDWATCH_LOCAL_IMAGE the endpoint's, which is built with

    docker build -t cloudwatch-local:local -f deploy/cloudwatch-local.Dockerfile .
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.request
import uuid

import pytest
from support import IMAGE, PATIENCE, ROOT, docker, until

CLOUDWATCH_LOCAL_IMAGE = os.environ.get("CLOUDWATCH_LOCAL_IMAGE", "cloudwatch-local:local")

# Version 1, Debian's, is a program of its own; version 2 is a part of docker.
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]

# Port 0: one that is free on this machine.
ENVIRONMENT = {
    "CW_PUBLISHER_IMAGE": IMAGE,
    "CLOUDWATCH_LOCAL_IMAGE": CLOUDWATCH_LOCAL_IMAGE,
    "CLOUDWATCH_LOCAL_PORT": "0",
}


class Project:
    """The services of the file, removed with their volumes at the end of the `with` block."""

    def __init__(self):
        self._name = f"cwp-deploy-{uuid.uuid4().hex[:12]}"

    def __enter__(self):
        try:
            self.compose("up", "--detach", "--no-build")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.compose("down", "--volumes", "--remove-orphans")

    def compose(self, *arguments):
        done = subprocess.run(
            [*COMPOSE, "--project-name", self._name, *arguments],
            cwd=ROOT / "deploy", env=os.environ | ENVIRONMENT, stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def container(self, service):
        return self.compose("ps", "--quiet", service)

    def log(self, message):
        """The publisher's events with this message."""
        lines = docker("logs", self.container("cw-publisher")).splitlines()
        return [event for event in map(json.loads, lines) if event["message"] == message]

    def get(self, path):
        address = self.compose("port", "cloudwatch", "4580")
        with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()


@pytest.fixture(scope="module")
def project():
    with Project() as project:
        yield project


def values(project):
    """The values of each metric that the endpoint holds."""
    held = json.loads(project.get("/series"))
    return {series["name"]: [value for _, value in series["points"]] for series in held}


def test_chart_has_data_of_every_metric_of_the_crontab(project):
    crontab = (ROOT / "deploy/compose/crontab").read_text()
    names = {word.removeprefix("name=") for word in crontab.split() if word.startswith("name=")}
    assert len(names) > 3

    def complete():
        held = values(project)
        # Two points are a line.
        return names <= held.keys() and all(len(held[name]) >= 2 for name in names) and held

    held = until(f"points of {names}", complete)
    assert set(held["Heartbeat"]) == set(held["EndpointUp"]) == {1.0}
    assert all(0 <= percent <= 100 for name in ("Cpu", "Memory") for percent in held[name])
    assert json.loads(project.get("/refused")) == []
    page = project.get("/")
    assert page.lower().startswith("<!doctype html>") and "<title>" in page


def test_services_have_no_rights(project):
    for service in ("cw-publisher", "cloudwatch"):
        container = json.loads(docker("inspect", project.container(service)))[0]
        assert container["Config"]["User"] == "65532:65532"
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]


def test_spool_volume_belongs_to_the_user(project):
    until("a publish", lambda: project.log("published"))
    words = ["docker", "cp", f"{project.container('cw-publisher')}:/var/spool/cw-publisher", "-"]
    archive = subprocess.run(words, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as spool:
        members = spool.getmembers()
    assert any(member.isfile() for member in members), "the publisher has written there"
    assert {(member.uid, member.gid) for member in members} == {(65532, 65532)}


def test_crontab_is_read_again(project):
    until("a publish", lambda: project.log("published"))
    project.compose("kill", "-s", "HUP", "cw-publisher")
    until("the crontab", lambda: project.log("crontab reloaded"))


def test_stop_is_clean():
    with Project() as project:
        until("a publish", lambda: project.log("published"))
        project.compose("stop")
        until("the end", lambda: project.log("stopped"))
        for service in ("cw-publisher", "cloudwatch"):
            container = docker("ps", "--all", "--quiet", "--filter", f"name={service}",
                               "--filter", f"label=com.docker.compose.project={project._name}")
            assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
