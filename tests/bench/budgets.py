#!/usr/bin/env python3
"""Measures what design and README promise of size, memory and speed, each against its budget.

    cargo build --release --no-default-features --target x86_64-unknown-linux-musl
    cargo build --release --package cloudwatch-local
    pip install awscli==1.46.2
    tests/bench/budgets.py --aws "$(command -v aws)"

It takes three minutes and wants a quiet machine: the memory is the same on a busy one, the
times are not. The table is Markdown; the exit code is 1 if a budget was exceeded.
"""

import argparse
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where Debian keeps what the image takes with it.
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")

MIB = 1024 * 1024
PATIENCE = 120
# Two weeks of a point a minute: the default of BUFFER_LIMIT.
HELD = 20_160
# The points of ten ticks fill the buffer.
MANY_METRICS = 2_016
MOST_METRICS = 10_000
TICKS_MEASURED = 5
STARTS = 15
CLI_CALLS = 5

CREDENTIALS = {
    "AWS_REGION": "us-east-1",
    # The AWS CLI reads only this one.
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
EVERY_SECOND = "* * * * * *"
NEVER_AGAIN = "@yearly"


def until(what, condition):
    """Asks again and again; gives the first answer that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.05)
    return answer


class Program:
    """A process with a log, ended at the end of the `with` block."""

    def __init__(self, words, environment=()):
        self._words, self._environment = words, {**CREDENTIALS, **dict(environment)}

    def __enter__(self):
        self._log = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            self._words, env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        return self

    def __exit__(self, *_):
        # Asked to end, a publisher would send what it holds.
        self._process.kill()
        self._process.wait()
        self._log.close()

    def reload(self):
        self._process.send_signal(signal.SIGHUP)

    def lines(self):
        # By position: the process has the same file open and writes on.
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode().splitlines()

    def log(self, message):
        """The events with this message."""
        events = [json.loads(line) for line in self.lines()]
        return [event for event in events if event["message"] == message]

    def wait_for(self, message, count=1, **fields):
        """The first `count` events with this message and these fields."""

        def found():
            assert self._process.poll() is None, self.lines()
            events = [event for event in self.log(message) if fields.items() <= event.items()]
            return len(events) >= count and events[:count]

        return until(f"{count} x {message!r}", found)

    def memory(self, field):
        """`VmRSS`, what is resident, or `VmHWM`, the most that ever was, in bytes."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields[field].split()[0]) * 1024

    def cpu_seconds(self):
        """What its threads have used, to the nanosecond."""
        threads = pathlib.Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


class Bench:
    def __init__(self, arguments, directory):
        self.arguments, self.directory = arguments, directory
        self.rows, self.exceeded = [], []

    def row(self, what, value, budget, unit):
        share = value / budget
        self.rows.append((what, f"{value:.4g} {unit}", f"{budget:.4g} {unit}", f"{share:.0%}"))
        if share > 1:
            self.exceeded.append(what)
        print(f"{what}: {value:.4g} {unit} of {budget:.4g} {unit}", file=sys.stderr, flush=True)

    def note(self, what, value, unit):
        self.rows.append((what, f"{value:.4g} {unit}", "", ""))

    def table(self):
        rows = [("measure", "measured", "budget", "share of it"), ("---",) * 4, *self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def publisher(self, url, **environment):
        return Program([self.arguments.publisher, "run"], {"AWS_ENDPOINT_URL": url, **environment})

    def crontab(self, name, count, schedule=EVERY_SECOND):
        """A file of so many metrics."""
        path = self.directory / name
        path.write_text("".join(f"{schedule} name=Metric{number} value=random:1-100\n" for number in range(count)))
        return path

    @contextlib.contextmanager
    def endpoint(self, address="127.0.0.1:0"):
        """The URL of a running crates/cloudwatch-local."""
        with Program([self.arguments.endpoint, "--listen", address]) as program:
            lines = until("the endpoint", program.lines)
            yield lines[0].removeprefix("listening on ")


def summary(url):
    """How much the endpoint got."""
    with urllib.request.urlopen(f"{url}/summary") as answer:
        return json.load(answer)


def moment(event):
    return datetime.datetime.fromisoformat(event["timestamp"]).timestamp()


def size(bench):
    sizes = [pathlib.Path(path).stat().st_size for path in (bench.arguments.publisher, bench.arguments.certificates)]
    bench.row("program and certificates, uncompressed", sum(sizes) / 1e6, 7.0, "MB")


def start(bench):
    """From the start of the process to the first bytes of a request."""
    seconds = []
    for _ in range(STARTS):
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            bench.publisher(f"http://127.0.0.1:{server.getsockname()[1]}") as program,
        ):
            connection, _ = server.accept()
            with connection:
                assert connection.recv(1)
            seconds.append(time.monotonic() - program.started)
    bench.row("start to first request, median", statistics.median(seconds) * 1000, 50, "ms")


def one_metric(bench):
    """A minute of one metric, each second and each minute, and what the AWS CLI takes."""
    with bench.endpoint() as url, bench.endpoint() as other_url:
        every_second = bench.publisher(url, SCHEDULE=EVERY_SECOND, METRIC_RESOLUTION="1")
        with every_second as program, bench.publisher(other_url) as by_the_minute:
            program.wait_for("published", 3)
            by_the_minute.wait_for("published", 2)
            before = program.cpu_seconds(), len(program.log("published")), by_the_minute.cpu_seconds()
            by_the_minute.wait_for("published", 3)
            after = program.cpu_seconds(), len(program.log("published")), by_the_minute.cpu_seconds()
            peak, resident = program.memory("VmHWM"), program.memory("VmRSS")
            requests, published = summary(url)["requests"], len(program.log("published"))
    bench.row("resident memory, one metric, at most", peak / MIB, 7, "MiB")
    bench.note("resident memory, one metric, after a minute", resident / MIB, "MiB")
    bench.row("requests a tick, one metric", requests / published, 1, "")
    cli = command_line(bench)
    bench.note("CPU of one `aws cloudwatch put-metric-data`", cli * 1000, "ms")
    tick = (after[0] - before[0]) / (after[1] - before[1])
    bench.row("CPU of a tick with one metric", tick * 1000, cli * 10, "ms")
    # Most of it is the scheduler, which looks at the clock twice a second.
    bench.note("CPU of a minute, one metric a minute", (after[2] - before[2]) * 1000, "ms")


def command_line(bench):
    """The CPU seconds of a call with the AWS CLI, to a server that takes anything."""
    words = [bench.arguments.aws, "cloudwatch", "put-metric-data", "--namespace", "CustomMetrics"]
    words += ["--metric-name", "TestMetric", "--value", "42", "--unit", "Count"]
    with http.server.HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        environment = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
        # Not counted: it compiles the CLI's modules.
        subprocess.run(words, env=environment, check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(CLI_CALLS):
            subprocess.run(words, env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        server.shutdown()
        thread.join()
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / CLI_CALLS


class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        assert "PutMetricData" in self.headers["X-Amz-Target"] and b"TestMetric" in asked
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing: the table is the output."""


def full_buffer(bench):
    """An outage until the buffer is full, then the backfill."""
    crontab = bench.crontab("outage", MANY_METRICS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    # Without retries each request that the log counts is one that the endpoint saw.
    with bench.publisher(f"http://{address}", CRONTAB=str(crontab), RETRY_MAX="0") as program:
        program.wait_for("publish failed", points_held=HELD)
        # Nothing new but one metric, whose tick goes first.
        bench.crontab("outage", 1)
        program.reload()
        program.wait_for("crontab reloaded")
        failures = len(program.log("publish failed"))
        program.wait_for("publish failed", failures + 1)
        bench.row(f"resident memory, {HELD} points held, at most", program.memory("VmHWM") / MIB, 16, "MiB")
        bench.note(f"resident memory, {HELD} points held", program.memory("VmRSS") / MIB, "MiB")
        with bench.endpoint(address) as url:
            (recovered,) = program.wait_for("recovered")
            ticks = [event for event in program.log("published") if moment(event) <= moment(recovered)]
            requests = summary(url)["requests"]
        own = sum(event["requests"] for event in ticks if moment(event) <= moment(recovered))
        bench.row(f"requests to backfill {recovered['points_replayed']} points", requests - own, 21, "")
        bench.row("time to backfill them", moment(recovered) - moment(ticks[0]), 3, "s")
        bench.row("resident memory, backfill included, at most", program.memory("VmHWM") / MIB, 16, "MiB")
        bench.note("resident memory, after the backfill", program.memory("VmRSS") / MIB, "MiB")


def many_metrics(bench):
    """Each tick has more points than ten requests may hold."""
    crontab = bench.crontab("many", MOST_METRICS, "*/5 * * * * *")
    with bench.endpoint() as url, bench.publisher(url, CRONTAB=str(crontab), PUBLISH_ON_START="false") as program:
        ticks = program.wait_for("published", TICKS_MEASURED, points=MOST_METRICS)
        peak = program.memory("VmHWM")
    assert all(tick["requests"] == MOST_METRICS / 1000 for tick in ticks)
    bench.row(f"resident memory, {MOST_METRICS} metrics a tick, at most", peak / MIB, 40, "MiB")
    # The tick's moment is a multiple of five seconds.
    seconds = statistics.median(moment(tick) % 5 for tick in ticks)
    bench.row(f"{MOST_METRICS} metrics, from the tick to the last accepted, median", seconds, 1, "s")
    sending = statistics.median(tick["duration_ms"] for tick in ticks) / 1000
    bench.note(f"{MOST_METRICS} metrics, from the first request to the last accepted, median", sending, "s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    musl = ROOT / "target" / f"{os.uname().machine}-unknown-linux-musl" / "release"
    parser.add_argument("--publisher", default=musl / "cw-publisher", help="default: %(default)s")
    parser.add_argument(
        "--endpoint", default=ROOT / "target/release/cloudwatch-local", help="cloudwatch-local, default: %(default)s"
    )
    parser.add_argument("--certificates", default=CERTIFICATES, help="default: %(default)s")
    parser.add_argument("--aws", default="aws", help="the AWS CLI, default: %(default)s")
    measures = [size, start, full_buffer, many_metrics, one_metric]
    names = [measure.__name__ for measure in measures]
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(arguments, pathlib.Path(directory))
        for measure in measures:
            if measure.__name__ in arguments.only:
                measure(bench)
    print(bench.table())
    if bench.exceeded:
        sys.exit(f"exceeded: {', '.join(bench.exceeded)}")


if __name__ == "__main__":
    main()
