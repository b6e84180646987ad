"""An engine and a CloudWatch Logs of its own, and the program between them."""

import json
import os
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from endpoint import Endpoint
from engine import CREDENTIALS, IMAGE, PATIENCE, REGION, Engine, run, until

ROOT = Path(__file__).resolve().parents[4]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory(prefix="cw-run-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def programs():
    """The folder of `cw-run` and `cloudwatch-local`. `CW_RUN_PROGRAMS` names one where they are built already."""
    if built := os.environ.get("CW_RUN_PROGRAMS"):
        return Path(built)
    run("cargo", "build", "--locked", "--quiet", "-p", "cw-run", "-p", "cloudwatch-local", cwd=ROOT)
    return TARGET / "debug"


@pytest.fixture(scope="session")
def engine(folder):
    with Engine(folder) as engine:
        yield engine


@pytest.fixture(scope="session")
def endpoint(programs):
    with Endpoint(programs / "cloudwatch-local") as endpoint:
        yield endpoint


class Job:
    """A `cw-run` that was started. What it logs is read from a file."""

    def __init__(self, words, environment, log):
        self._log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file
            )

    def wait(self, patience=PATIENCE):
        """The exit code."""
        try:
            self.output, _ = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.output, _ = self.process.communicate()
            raise AssertionError(f"cw-run did not end in {patience} s: {self.log()[-3000:]}") from None
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        self.process.terminate()

    def log(self):
        return self._log.read_text(errors="replace")

    def events(self, message=None):
        """What it logged, or the events with this message."""
        rows = [json.loads(row) for row in self.log().splitlines() if row.startswith("{")]
        return [row for row in rows if message in (None, row.get("message"))]

    def wait_for(self, message):
        def found():
            events = self.events(message)
            assert events or self.process.poll() is None, self.log()[-3000:]
            return events

        return until(f"{message!r} in the log", found)[0]

    @property
    def summary(self):
        events = self.events("summary")
        assert events, self.log()[-3000:]
        return events[0]


@pytest.fixture
def cw_run(programs, engine, folder):
    """Starts `cw-run` with these words; the endpoint is named by its URL. What is left of it at the end is killed."""
    jobs = []

    def start(url, *words, **settings):
        environment = CREDENTIALS | {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": engine.url,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        }
        log = folder / f"cw-run-{uuid.uuid4().hex}.log"
        jobs.append(Job([programs / "cw-run", *words], environment | settings, log))
        return jobs[-1]

    yield start
    for job in jobs:
        if job.process.poll() is None:
            job.kill()


@pytest.fixture
def name():
    """A name that nothing else has, for a container, its group and its stream."""
    return f"job-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def ship(cw_run, name):
    """Starts `cw-run` with a shell script in a container of that name, its lines to the group and the stream of the
    same name."""

    def start(url, script, *options, image=IMAGE):
        words = ["--group", name, "--stream", name, "--name", name, *options, "--", image, "sh", "-c", script]
        return cw_run(url, *words)

    return start
