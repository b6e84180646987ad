"""What the tests of the image share: containers, endpoints, and waiting with a deadline."""

import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
IMAGE = os.environ.get("IMAGE", "cw-publisher:local")
CLOUDWATCH_LOCAL = pathlib.Path(
    os.environ.get("CLOUDWATCH_LOCAL", ROOT / "target/debug/cloudwatch-local")
)

# A machine that builds something else at the same time is slow, but not slower than this.
PATIENCE = 30

CREDENTIALS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
EVERY_SECOND = {"SCHEDULE": "* * * * * *", "METRIC_RESOLUTION": "1"}
QUICK_RETRIES = {"RETRY_MAX": "2", "RETRY_BASE": "10ms", "RETRY_CAP": "50ms"}


def until(what, condition, patience=PATIENCE):
    """Asks again and again; gives the first answer that is true."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s for {what}, last answer: {answer!r}")
        time.sleep(0.05)


def docker(*arguments):
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


class Container:
    """A container of the image, removed at the end of the `with` block."""

    def __init__(self, environment=(), options=(), arguments=()):
        self.name = f"cw-publisher-test-{uuid.uuid4().hex[:12]}"
        variables = [
            word for name, value in dict(environment).items() for word in ("-e", f"{name}={value}")
        ]
        self._command = ["--name", self.name, *options, *variables, IMAGE, *arguments]

    def __enter__(self):
        docker("run", "--detach", *self._command)
        return self

    def __exit__(self, *_):
        docker("rm", "--force", "--volumes", self.name)

    def log(self, message=None):
        """The events of `docker logs`, or those with this message."""
        events = [json.loads(line) for line in docker("logs", self.name).splitlines()]
        return [event for event in events if message in (None, event["message"])]

    def wait_for(self, message, count=1, patience=PATIENCE):
        """The first `count` events with this message."""

        def found():
            events = self.log(message)
            if len(events) < count and not self.is_running():
                # It may have said it just before it ended.
                events = self.log(message)
                assert len(events) >= count, f"ended without {message!r}: {self.log()}"
            return len(events) >= count and events[:count]

        return until(f"{count} x {message!r} in the log", found, patience)

    def inspect(self, template):
        return docker("inspect", "--format", template, self.name)

    def is_running(self):
        return self.inspect("{{.State.Running}}") == "true"

    def process_status(self):
        """The fields of /proc/PID/status."""
        text = pathlib.Path("/proc", self.inspect("{{.State.Pid}}"), "status").read_text()
        return {
            name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())
        }

    def signal(self, name):
        docker("kill", "--signal", name, self.name)

    def stop(self):
        """What `docker stop` took, in seconds, with its own 10 s before it kills."""
        begin = time.monotonic()
        docker("stop", "--time", "10", self.name)
        return time.monotonic() - begin

    def exit_code(self, patience=PATIENCE):
        """Waits for the end."""
        until("the container's end", lambda: not self.is_running(), patience)
        return int(self.inspect("{{.State.ExitCode}}"))


class LocalEndpoint:
    """crates/cloudwatch-local as a process on this machine's loopback, stopped at the end
    of the `with` block. It can be started again on the same port. It knows the key "test"
    unless others are given, is in the network namespace of a process if one is named, and
    answers who calls it by one of the hosts."""

    def __init__(self, directory, address="127.0.0.1:0", credentials=(), beside=None, hosts=()):
        self._address = address
        self._options = [word for one in credentials for word in ("--credentials", one)]
        self._options += [word for one in hosts for word in ("--allow-host", one)]
        self._prefix = ["nsenter", f"--net=/proc/{beside}/ns/net"] if beside else []
        self._report = directory / f"series-{uuid.uuid4().hex}.json"
        self._process = None
        self._reported = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self._process:
            self.stop()

    @property
    def url(self):
        return f"http://{self._address}"

    def start(self):
        words = [CLOUDWATCH_LOCAL, "--listen", self._address, "--report", self._report]
        self._process = subprocess.Popen(
            [*self._prefix, *words, *self._options],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        line = self._process.stdout.readline()
        match = re.fullmatch(r"listening on http://(\S+)\n", line)
        assert match, f"cloudwatch-local said {line!r}"
        self._address = match[1]

    def stop(self):
        """Ends the process, and keeps in mind what it had accepted."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0
        self._process.stdout.close()
        self._process = None
        self._reported += json.loads(self._report.read_text())

    def series(self):
        """The series that the running process holds."""
        with urllib.request.urlopen(f"{self.url}/series", timeout=PATIENCE) as answer:
            return json.load(answer)

    def points(self, name):
        """All that any of its processes accepted for a metric, as (unix seconds, value)."""
        held = self._reported + (self.series() if self._process else [])
        return [tuple(point) for series in held if series["name"] == name for point in series["points"]]
