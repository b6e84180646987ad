"""The service goes away and comes back while a container publishes every second."""

from support import CREDENTIALS, EVERY_SECOND, Container, until

OUTAGES = 3
# Seconds, counted in points: by the container's own schedule, in place of a clock here.
SECONDS_UP = 11
SECONDS_DOWN = 9
# Short, so that a tick's retries do not outlast the second.
RETRIES = {"RETRY_MAX": "1", "RETRY_BASE": "10ms", "RETRY_CAP": "50ms"}


def test_no_second_is_missing_after_outages_within_a_minute(endpoint):
    settings = CREDENTIALS | EVERY_SECOND | RETRIES
    settings |= {"AWS_ENDPOINT_URL": endpoint.url, "METRIC_VALUE": "timestamp"}
    stopped_at = []
    with Container(settings, ["--network", "host"]) as container:
        for outage in range(OUTAGES):
            wait_for_points(endpoint, (outage + 1) * SECONDS_UP)
            endpoint.stop()
            stopped_at.append(max(endpoint.points("TestMetric")))
            failures = (outage + 1) * (SECONDS_DOWN - 1)
            container.wait_for("publish failed", failures)
            endpoint.start()
            container.wait_for("recovered", outage + 1)
        wait_for_points(endpoint, 60)
        container.stop()
        assert container.exit_code() == 0
        closing = container.log("stopped")[0]
        recoveries = container.log("recovered")
        missed = sum(event["ticks"] for event in container.log("ticks missed"))

    points = endpoint.points("TestMetric")
    seconds = sorted({second for second, _ in points})
    gaps = [after for before, after in zip(seconds, seconds[1:]) if after - before > 1]
    duplicates = sorted(points)
    for second in seconds:
        duplicates.remove((second, second))

    print(f"{len(seconds)} seconds, {len(points)} points, duplicates: {duplicates}")
    assert len(seconds) >= 60
    assert missed == 0 and gaps == []
    assert closing["points_dropped"] == closing["points_unsent"] == 0
    assert all(event["points_lost"] == 0 and event["points_replayed"] > 0 for event in recoveries)
    # A request that the endpoint took while it was stopped may not have been answered; the
    # point is then sent again, as PutMetricData knows no idempotency.
    assert all(second in (stop, stop + 1) for (second, _), (stop, _) in zip(duplicates, stopped_at))


def wait_for_points(endpoint, count):
    until(f"{count} points", lambda: len(endpoint.points("TestMetric")) >= count, patience=90)
