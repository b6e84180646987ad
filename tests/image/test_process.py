"""The program as PID 1 in the real image: exit codes, logs and signals (design, section 9)."""

import time

from support import CREDENTIALS, EVERY_SECOND, PATIENCE, QUICK_RETRIES, Container, until

HOST = ["--network", "host"]
ALONE = ["--network", "none"]

# Docker kills after 10 s; the issue wants an idle container gone in 2.
IDLE_STOP_SECONDS = 2
BUSY_STOP_SECONDS = 10

# So long a pause between two attempts that any signal falls into it.
LONG_RETRIES = {"RETRY_MAX": "3", "RETRY_BASE": "600s", "RETRY_CAP": "600s"}


def to(url, *more):
    settings = CREDENTIALS | {"AWS_ENDPOINT_URL": url}
    for one in more:
        settings |= one
    return settings


def closing_line(container):
    """The last event, whose facts every stop must tell."""
    last = container.log()[-1]
    assert last["message"] == "stopped" and last["level"] == "INFO", last
    return last


def test_idle_container_stops_at_once(endpoint):
    with Container(to(endpoint.url), HOST) as container:
        container.wait_for("published")
        seconds = container.stop()
        assert container.exit_code() == 0
        line = closing_line(container)
        assert line["points_sent"] >= 1 and line["points_unsent"] == line["points_dropped"] == 0
        assert seconds < IDLE_STOP_SECONDS


def test_container_between_two_attempts_stops_in_time(refusing_url):
    with Container(to(refusing_url, LONG_RETRIES), HOST) as container:
        container.wait_for("publish attempt failed, retrying")
        seconds = container.stop()
        assert container.exit_code() == 0
        line = closing_line(container)
        assert line["points_sent"] == 0 and line["points_unsent"] >= 1
        assert line["unsent_from"] <= line["unsent_to"]
        assert seconds < BUSY_STOP_SECONDS


def test_container_that_waits_for_an_answer_stops_in_time(silent):
    url, asked = silent
    with Container(to(url, {"REQUEST_TIMEOUT": "60s"}), HOST) as container:
        assert asked.wait(PATIENCE)
        seconds = container.stop()
        assert container.exit_code() == 0
        assert closing_line(container)["points_unsent"] >= 1
        assert seconds < BUSY_STOP_SECONDS


def test_second_signal_ends_at_once(silent):
    url, asked = silent
    with Container(to(url, {"REQUEST_TIMEOUT": "60s", "SHUTDOWN_GRACE": "60s"}), HOST) as container:
        assert asked.wait(PATIENCE)
        container.signal("TERM")
        container.wait_for("stopping")
        # Signals within 100 ms of the first are the same request.
        time.sleep(0.2)
        container.signal("TERM")
        begin = time.monotonic()
        assert container.exit_code() == 1
        assert time.monotonic() - begin < IDLE_STOP_SECONDS
        assert container.log()[-1]["message"] == "second signal, ended at once"


def test_interrupt_stops_too(endpoint):
    with Container(to(endpoint.url), HOST) as container:
        container.wait_for("published")
        container.signal("INT")
        assert container.exit_code() == 0
        closing_line(container)


def test_without_credentials_the_log_says_what_to_do():
    settings = {"AWS_REGION": "us-east-1"} | QUICK_RETRIES
    with Container(settings, ALONE) as container:
        assert container.exit_code() == 78
        last = container.log()[-1]
        assert last["level"] == "ERROR" and last["message"] == "no credentials"
        for way in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "task role", "instance profile"):
            assert way in last["hint"]
        assert len([event for event in container.log() if event["level"] == "ERROR"]) == 1


def test_invalid_region_is_refused_with_an_example():
    with Container(CREDENTIALS | {"AWS_REGION": "invalid-region"}, ALONE) as container:
        assert container.exit_code() == 78
        (error,) = [event for event in container.log() if event["level"] == "ERROR"]
        assert error["setting"] == "AWS_REGION"
        assert "invalid-region" in str(error) and "us-east-1" in str(error)


def test_missing_region_is_refused():
    with Container(options=ALONE) as container:
        assert container.exit_code() == 78
        (error,) = [event for event in container.log() if event["level"] == "ERROR"]
        assert error["setting"] == "AWS_REGION"


def test_wrong_argument_is_refused():
    with Container(CREDENTIALS, ALONE, ["publihs"]) as container:
        assert container.exit_code() == 2


def test_without_network_it_retries_holds_and_goes_on():
    # musl's resolver goes on asking for ten seconds when no name server can be reached.
    settings = CREDENTIALS | EVERY_SECOND | QUICK_RETRIES | {"REQUEST_TIMEOUT": "500ms"}
    with Container(settings, ALONE) as container:
        container.wait_for("publish attempt failed, retrying", 2)
        failures = container.wait_for("publish failed", 3)
        for failure in failures:
            assert failure["level"] == "ERROR"
            assert failure["attempts"] == 3
            assert "did not answer" in failure["error"]
            # On a machine that is busy the attempt as a whole may run out of time first.
            assert "(Connect)" in failure["error"] or "timed out" in failure["error"]
            assert "network" in failure["hint"]
        held = [failure["points_held"] for failure in failures]
        assert held == sorted(held) and held[0] < held[-1], "every tick adds a point"
        assert container.is_running()
        seconds = container.stop()
        assert container.exit_code() == 0
        assert closing_line(container)["points_unsent"] >= held[-1]
        assert seconds < BUSY_STOP_SECONDS


def test_once_publishes_and_ends(endpoint):
    with Container(to(endpoint.url, {"METRIC_VALUE": "7"}), HOST, ["once"]) as container:
        assert container.exit_code() == 0
        ((_, value),) = endpoint.points("TestMetric")
        assert value == 7


def test_every_line_of_the_log_is_json_with_its_time(endpoint):
    with Container(to(endpoint.url), HOST) as container:
        container.wait_for("published")
        container.stop()
        for event in container.log():
            assert event["timestamp"].endswith("Z") and event["level"] in ("INFO", "WARN", "ERROR")
            assert event["message"]
