"""The real image publishes to MiniStack, and the AWS CLI reads back what arrived: neither
knows anything of this project."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Callable, NamedTuple

import pytest
from support import CREDENTIALS, Container, until

PUT = b"POST /service/GraniteServiceVersion20100801/operation/PutMetricData "
OPTIONS = ["--read-only", "--cap-drop", "ALL", "--network", "host"]
PROGRAMS = pathlib.Path(sys.executable).parent

CRONTAB = """\
CRON_TZ=Australia/Sydney
* * * * * *        name=EverySecond  value=timestamp  resolution=1
1-59/10 * * * * *  name=EveryTen     value=1e-3  unit=Bytes/Second  dimensions=Stage=test
* * * * *          name=EveryMinute  value=file:/data/depth.json#/queues/0/depth
0 * * * * *        name=TopOfMinute  value=123456789.25  unit=None  namespace=Third/Space
METRIC_NAMESPACE="Second Space"
*/5 * * * * *      name=EveryFive    value=5  unit=Milliseconds  dimensions=Stage=prod,Queue=orders
*/15 * * * * *     name=EveryFifteen value=-2.5
"""


class Metric(NamedTuple):
    """What the crontab says of a metric: also whether it is due at a moment, and its value then."""

    namespace: str
    unit: str
    dimensions: dict
    is_due: Callable
    value: Callable


METRICS = {
    "EverySecond": Metric("CustomMetrics", "Count", {}, lambda at: True, float),
    "EveryFive": Metric(
        "Second Space",
        "Milliseconds",
        {"Stage": "prod", "Queue": "orders"},
        lambda at: at % 5 == 0,
        lambda at: 5.0,
    ),
    "EveryTen": Metric(
        "CustomMetrics", "Bytes/Second", {"Stage": "test"}, lambda at: at % 10 == 1, lambda at: 0.001
    ),
    "EveryFifteen": Metric("Second Space", "Count", {}, lambda at: at % 15 == 0, lambda at: -2.5),
    "EveryMinute": Metric("CustomMetrics", "Count", {}, lambda at: at % 60 == 0, lambda at: 17.0),
    "TopOfMinute": Metric("Third/Space", "None", {}, lambda at: at % 60 == 0, lambda at: 123456789.25),
}
# These tell when a crontab has run for long enough.
ENOUGH = ("EverySecond", "EveryMinute")
SECONDS_MIN = 20


class CountingProxy:
    """Passes connections on to a port of this machine and counts the requests in them."""

    def __init__(self, port):
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sent = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def requests(self):
        return sum(sent.count(PUT) for sent in self._sent)

    def _accept(self):
        while True:
            client, _ = self._server.accept()
            service = socket.create_connection(("127.0.0.1", self._port))
            sent = bytearray()
            self._sent.append(sent)
            threading.Thread(target=self._pass_on, args=[client, service, sent], daemon=True).start()
            threading.Thread(
                target=self._pass_on, args=[service, client, bytearray()], daemon=True
            ).start()

    @staticmethod
    def _pass_on(source, target, seen):
        try:
            while data := source.recv(65536):
                seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # One side hung up; the other learns it from its own end.
            target.close()


class MiniStack:
    def __init__(self, directory):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | CREDENTIALS
        self._environment |= {"AWS_DEFAULT_REGION": CREDENTIALS["AWS_REGION"]}
        self._environment |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port)}
        self._log = open(directory / "ministack.log", "w")
        self.process = subprocess.Popen(
            [PROGRAMS / "ministack"],
            cwd=directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        until("MiniStack", self._listens)

    def _listens(self):
        assert self.process.poll() is None, pathlib.Path(self._log.name).read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self._log.close()

    def aws(self, *words):
        """An answer to the AWS CLI's `cloudwatch`."""
        words = [PROGRAMS / "aws", "--endpoint-url", self.url, "cloudwatch", *words]
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def points(self, namespace, name, dimensions, period=1):
        """{unix seconds: (count, sum, unit)} of one metric."""
        now = datetime.now(timezone.utc)
        words = ["--namespace", namespace, "--metric-name", name, "--period", str(period)]
        words += ["--start-time", (now - timedelta(minutes=15)).isoformat()]
        words += ["--end-time", (now + timedelta(minutes=1)).isoformat()]
        words += ["--statistics", "SampleCount", "Sum"]
        if dimensions:
            words += [
                "--dimensions",
                *(f"Name={key},Value={value}" for key, value in dimensions.items()),
            ]
        answer = self.aws("get-metric-statistics", *words)
        # The CLI prints times as it got them, and in CBOR they are numbers.
        return {
            int(point["Timestamp"]): (point["SampleCount"], point["Sum"], point["Unit"])
            for point in answer["Datapoints"]
        }

    def metrics(self, namespace):
        """The (name, dimensions) that there are."""
        metrics = self.aws("list-metrics", "--namespace", namespace)["Metrics"]
        return sorted(
            (metric["MetricName"], sorted((d["Name"], d["Value"]) for d in metric["Dimensions"]))
            for metric in metrics
        )


@pytest.fixture(scope="module")
def ministack(tmp_path_factory):
    ministack = MiniStack(tmp_path_factory.mktemp("ministack"))
    yield ministack
    ministack.stop()


@pytest.fixture(scope="module")
def containers(ministack, tmp_path_factory):
    """Both containers at once, for both wait for a new minute: that with one metric, that
    with the crontab, and the proxy that the latter's requests go through."""
    files = tmp_path_factory.mktemp("files")
    (files / "crontab").write_text(CRONTAB)
    (files / "depth.json").write_text('{"queues": [{"depth": 17}]}')
    mounts = [f"--volume={files / 'crontab'}:/etc/cw-publisher/crontab:ro"]
    mounts += [f"--volume={files / 'depth.json'}:/data/depth.json:ro"]
    proxy = CountingProxy(ministack.port)

    single = CREDENTIALS | {"AWS_ENDPOINT_URL": ministack.url}
    single |= {"METRIC_NAMESPACE": "Single", "METRIC_NAME": "Depth", "METRIC_VALUE": "42.125"}
    single |= {"METRIC_UNIT": "Megabytes", "METRIC_DIMENSIONS": "Queue=orders,Stage=prod"}
    many = CREDENTIALS | {"AWS_ENDPOINT_URL": proxy.url, "PUBLISH_ON_START": "false"}

    with ExitStack() as stack:
        of_single = stack.enter_context(Container(single, OPTIONS))
        of_many = stack.enter_context(Container(many, OPTIONS + mounts))
        of_single.wait_for("published", 2, patience=90)

        def has_seen_enough():
            seconds, minutes = (ministack.points("CustomMetrics", name, {}) for name in ENOUGH)
            return minutes and len(seconds) >= SECONDS_MIN

        until("a new minute and some seconds", has_seen_enough, patience=90)
        for container in (of_single, of_many):
            container.stop()
            assert container.exit_code() == 0
        yield of_single, of_many, proxy


def test_cli_reads_back_a_single_metric(ministack, containers):
    single, _, _ = containers
    dimensions = {"Queue": "orders", "Stage": "prod"}
    assert ministack.metrics("Single") == [("Depth", sorted(dimensions.items()))]

    points = ministack.points("Single", "Depth", dimensions)
    started = datetime.fromisoformat(single.log("started")[0]["timestamp"]).timestamp()
    first, minute = sorted(points)[:2]
    assert started - 1 <= first <= started + 2, "the first point comes at once"
    assert minute % 60 == 0, "the second on the minute"
    assert {point for point in points.values()} == {(1.0, 42.125, "Megabytes")}
    assert ministack.points("Single", "Depth", dimensions, period=60)[minute] == (
        1.0,
        42.125,
        "Megabytes",
    )


def test_cli_reads_back_each_point_of_a_crontab(ministack, containers):
    points = {
        name: ministack.points(metric.namespace, name, metric.dimensions)
        for name, metric in METRICS.items()
    }
    ticks = sorted(points["EverySecond"])
    assert ticks == list(range(ticks[0], ticks[-1] + 1)) and len(ticks) >= SECONDS_MIN
    for name, metric in METRICS.items():
        expected = {at: (1.0, metric.value(at), metric.unit) for at in ticks if metric.is_due(at)}
        assert expected, f"{name} was never due"
        assert points[name] == expected, name
    for namespace in {metric.namespace for metric in METRICS.values()}:
        expected = [
            (name, sorted(metric.dimensions.items()))
            for name, metric in METRICS.items()
            if metric.namespace == namespace
        ]
        assert ministack.metrics(namespace) == sorted(expected)


def test_points_due_together_share_a_request(ministack, containers):
    _, many, proxy = containers
    assert many.log("publish attempt failed, retrying") == []
    ticks = ministack.points("CustomMetrics", "EverySecond", {})
    pairs = {(at, metric.namespace) for at in ticks for metric in METRICS.values() if metric.is_due(at)}
    assert proxy.requests() == len(pairs)
