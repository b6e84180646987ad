"""SPOOL_DIR in the real image: on a volume, across a kill, and on a disk that is full."""

import pytest
from support import CREDENTIALS, EVERY_SECOND, QUICK_RETRIES, Container, docker, until

FOLDER = "/var/spool/cw-publisher"
SETTINGS = CREDENTIALS | EVERY_SECOND | QUICK_RETRIES
SETTINGS |= {"SPOOL_DIR": FOLDER, "METRIC_VALUE": "timestamp", "REQUEST_TIMEOUT": "200ms"}
LOCKED_DOWN = ["--read-only", "--cap-drop", "ALL"]
# So many that a small disk is full within seconds.
METRICS = 20


@pytest.fixture
def volume():
    """A new volume, which takes the owner of the folder that it is mounted on."""
    name = docker("volume", "create")
    yield name
    docker("volume", "rm", name)


def test_points_outlive_a_killed_container(volume, endpoint):
    mount = ["--volume", f"{volume}:{FOLDER}"]
    with Container(SETTINGS, LOCKED_DOWN + mount + ["--network", "none"]) as container:
        held = container.wait_for("publish failed", 3)[-1]["points_held"]
        container.signal("KILL")
        assert container.exit_code() == 137
    settings = SETTINGS | {"AWS_ENDPOINT_URL": endpoint.url, "PUBLISH_ON_START": "false"}
    with Container(settings, LOCKED_DOWN + mount + ["--network", "host"]) as container:
        (read,) = container.wait_for("spool read")
        assert read["points"] >= held
        until(
            "the points of the first container",
            lambda: len(endpoint.points("TestMetric")) > read["points"],
        )
        container.stop()
    points = sorted(endpoint.points("TestMetric"))
    assert all(second == value for second, value in points), "each under its own time"
    assert len(points) == len(set(points)), "each once"
    first = [second for second, _ in points[: read["points"]]]
    assert first == list(range(first[0], first[0] + len(first))), "no second is missing"


def test_full_disk_costs_no_point_and_heals(endpoint, tmp_path):
    names = [f"Metric{number}" for number in range(METRICS)]
    crontab = tmp_path / "crontab"
    crontab.write_text("".join(f"* * * * * *  name={name}  value=timestamp\n" for name in names))
    options = ["--network", "host", "--volume", f"{crontab}:/etc/cw-publisher/crontab:ro"]
    options += ["--tmpfs", "/small:size=16k,mode=1777"]
    settings = CREDENTIALS | QUICK_RETRIES | {"SPOOL_DIR": "/small", "AWS_ENDPOINT_URL": endpoint.url}
    endpoint.stop()
    with Container(settings, LOCKED_DOWN + options) as container:
        (failed,) = container.wait_for("spool failed")
        assert failed["level"] == "ERROR" and "No space left" in failed["error"]
        # Some ticks more, so that it would be said again.
        failures = len(container.log("publish failed"))
        last = container.wait_for("publish failed", failures + 3)[-1]
        assert last["points_held"] > failed["points_held"], "it goes on in memory"
        assert len(container.log("spool failed")) == 1, "said once"
        endpoint.start()
        container.wait_for("recovered")
        container.wait_for("spool recovered")
        container.stop()
        assert container.exit_code() == 0
        (closing,) = container.log("stopped")
        assert closing["points_dropped"] == closing["points_unsent"] == 0
    for name in names:
        seconds = sorted(second for second, _ in endpoint.points(name))
        assert seconds == list(range(seconds[0], seconds[-1] + 1)), f"{name} misses no second"
