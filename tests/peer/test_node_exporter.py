"""Debian's node_exporter is scraped and published by the real image. What must arrive is
computed from the very pages that the publisher was given, by prometheus_client's parser."""

import os
import pathlib
import shutil
import socket
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import prometheus_oracle
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from support import CREDENTIALS, PATIENCE, ROOT, Container, until

# Debian package prometheus-node-exporter.
NODE_EXPORTER = os.environ.get("NODE_EXPORTER") or shutil.which("prometheus-node-exporter")
EXPOSITION = pathlib.Path(os.environ.get("EXPOSITION", ROOT / "target/debug/examples/exposition"))

TICKS = 6

CRONTAB = """\
METRIC_UNIT=None
* * * * * *  name=Load     value=prometheus:URL#node_load1
* * * * * *  name=Memory   value=prometheus:URL#node_memory_MemTotal_bytes  unit=Bytes
* * * * * *  name=Boot     value=prometheus:URL#node_boot_time_seconds      unit=Seconds
* * * * * *  name=Cpu      value='prometheus:URL#node_cpu_seconds_total{mode="user"}'  unit=Seconds
* * * * * *  name=Busy     value='prometheus:URL#node_cpu_seconds_total{mode!~"idle|iowait",cpu="0"}'
* * * * * *  name=Scrapes  value='prometheus:URL#promhttp_metric_handler_requests_total{code=~"2.."}'
* * * * * *  name=Files    value=prometheus:URL#process_open_fds
* * * * * *  name=Success  value=prometheus:URL#node_scrape_collector_success
* * * * * *  name=Gc       value=prometheus:URL#go_gc_duration_seconds
"""


def any_labels(_):
    return True


# Each metric: the samples that it is made of, and whether it is their increase.
SELECTED = {
    "Load": ("node_load1", any_labels, False),
    "Memory": ("node_memory_MemTotal_bytes", any_labels, False),
    "Boot": ("node_boot_time_seconds", any_labels, False),
    "Cpu": ("node_cpu_seconds_total", lambda labels: labels["mode"] == "user", True),
    "Busy": (
        "node_cpu_seconds_total",
        lambda labels: labels["cpu"] == "0" and labels["mode"] not in ("idle", "iowait"),
        True,
    ),
    "Scrapes": ("promhttp_metric_handler_requests_total", lambda labels: labels["code"] == "200", True),
    "Files": ("process_open_fds", any_labels, False),
    "Success": ("node_scrape_collector_success", any_labels, False),
    "Gc_sum": ("go_gc_duration_seconds_sum", any_labels, True),
    "Gc_count": ("go_gc_duration_seconds_count", any_labels, True),
}


def families(page, content_type):
    read = read_openmetrics if content_type.startswith("application/openmetrics-text") else read_text
    return list(read(page))


@pytest.fixture(scope="module")
def exporter():
    """The URL of its metrics."""
    assert NODE_EXPORTER, "install the Debian package prometheus-node-exporter, or name it in NODE_EXPORTER"
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
    words = [NODE_EXPORTER, f"--web.listen-address={place}"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        assert process.poll() is None, "it ended"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", int(place.rpartition(":")[2]))) == 0

    try:
        until("node_exporter", listens)
        yield f"http://{place}/metrics"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def get(url, accept):
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


@pytest.fixture
def recorder(exporter):
    """A URL that passes the exporter's pages on, and the pages."""
    pages = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page, content_type = get(exporter, self.headers["Accept"])
            pages.append((page, content_type))
            self.send_response_only(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(page.encode())))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/metrics", pages
        serving.shutdown()
        thread.join()


def test_every_sample_is_read_as_by_the_peer(exporter):
    page, content_type = get(exporter, prometheus_oracle.TEXT)
    difference, refused = prometheus_oracle.difference(EXPOSITION, page, prometheus_oracle.TEXT)
    samples = sum(len(family.samples) for family in families(page, content_type))
    print(f"{samples} samples")
    assert samples > 100
    assert refused is None and difference is None


def test_what_is_published_is_what_the_peer_reads(recorder, endpoint, tmp_path):
    url, pages = recorder
    (tmp_path / "crontab").write_text(CRONTAB.replace("URL", url))
    options = ["--network", "host", "--volume", f"{tmp_path / 'crontab'}:/etc/cw-publisher/crontab:ro"]
    with Container(CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint.url}, options) as container:
        until("points", lambda: len(endpoint.points("Load")) > TICKS)
        container.stop()
        assert [event for event in container.log() if event["level"] != "INFO"] == []

    ticks = sorted(at for at, _ in endpoint.points("Load"))
    assert len(ticks) <= len(pages) <= len(ticks) + 1, "one scrape a tick; the last may be under way"
    published = {
        (series["name"], *sorted(map(tuple, dict(series["dimensions"]).items()))): dict(map(tuple, series["points"]))
        for series in endpoint.series()
    }
    wanted = expected(ticks, pages)
    assert published.keys() == wanted.keys()
    for key, points in wanted.items():
        assert published[key] == pytest.approx(points, rel=1e-9), key


def expected(ticks, pages):
    """{(name, *dimensions): {tick: value}} by the peer's parser."""
    values = {}
    for tick, (page, content_type) in zip(ticks, pages):
        samples = [sample for family in families(page, content_type) for sample in family.samples]
        for name, (wanted, has, _) in SELECTED.items():
            for sample in samples:
                if sample.name == wanted and has(sample.labels):
                    key = (name, *sorted(sample.labels.items()))
                    values.setdefault(key, {})[tick] = sample.value
    for key, points in values.items():
        if SELECTED[key[0]][2]:
            values[key] = {tick: points[tick] - points[last] for last, tick in pairwise(ticks)}
    return values
