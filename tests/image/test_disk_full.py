"""SPOOL_DIR on a small disk that others fill, and clear again while the outage goes on."""

import errno
import pathlib
import shutil

from support import CREDENTIALS, EVERY_SECOND, QUICK_RETRIES, Container, docker, until

FOLDER = "/var/spool/cw-publisher"
SETTINGS = CREDENTIALS | EVERY_SECOND | QUICK_RETRIES | {"SPOOL_DIR": FOLDER, "REQUEST_TIMEOUT": "200ms"}
# So many that the pages that the spool has already are full within seconds.
METRICS = [f"Metric{number}" for number in range(20)]


def test_space_that_returns_takes_what_was_held_in_memory(endpoint, tmp_path):
    crontab, spool = tmp_path / "crontab", tmp_path / "spool"
    crontab.write_text("".join(f"* * * * * *  name={name}  value=timestamp\n" for name in METRICS))
    options = ["--read-only", "--cap-drop", "ALL", "--volume", f"{crontab}:/etc/cw-publisher/crontab:ro"]
    disk = ["--tmpfs", f"{FOLDER}:size=256k,uid=65532,gid=65532"]
    with Container(SETTINGS, [*options, *disk, "--network", "none"]) as container:
        container.wait_for("publish failed", 2)
        inside = pathlib.Path("/proc", container.inspect("{{.State.Pid}}"), "root", FOLDER.lstrip("/"))
        filler = inside / "filler"
        fill(filler)
        (failed,) = container.wait_for("spool failed")
        assert failed["level"] == "ERROR" and "No space left" in failed["error"]
        # Some ticks more, so that it would be said again.
        failures = len(container.log("publish failed"))
        last = container.wait_for("publish failed", failures + 3)[-1]
        assert last["points_held"] > failed["points_held"], "it goes on in memory"
        filler.unlink()
        (healed,) = container.wait_for("spool recovered")
        assert healed["points_held"] > last["points_held"]
        assert len(container.log("spool failed")) == 1, "said once"
        # As a kill at this moment would leave it; the disk goes with the container.
        docker("pause", container.name)
        shutil.copytree(inside, spool)

    for path in (spool, *spool.iterdir()):
        path.chmod(0o777)
    settings = SETTINGS | {"AWS_ENDPOINT_URL": endpoint.url, "PUBLISH_ON_START": "false"}
    with Container(settings, [*options, "--volume", f"{spool}:{FOLDER}", "--network", "host"]) as container:
        (read,) = container.wait_for("spool read")
        assert read["points"] >= healed["points_held"]
        assert not container.log("spool was damaged")
        until("the points of the first container", lambda: points(endpoint) > read["points"])
        container.stop()
    for name in METRICS:
        seconds = sorted(second for second, _ in endpoint.points(name))[: read["points"] // len(METRICS)]
        assert seconds == list(range(seconds[0], seconds[0] + len(seconds))), f"{name} misses no second"


def fill(path):
    """Takes all the space that is left."""
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC


def points(endpoint):
    return sum(len(endpoint.points(name)) for name in METRICS)
