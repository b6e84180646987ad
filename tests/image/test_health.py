"""The health check of the image, as Docker shows it."""

import subprocess

from support import CREDENTIALS, EVERY_SECOND, QUICK_RETRIES, Container, docker, until

FAILURES = 3
# Without a file system to write to and without rights: the check needs neither.
LOCKED = ["--read-only", "--cap-drop", "ALL", "--health-interval", "1s"]


def settings(url):
    own = {"AWS_ENDPOINT_URL": url, "HEALTH_FAILURES": FAILURES}
    return CREDENTIALS | EVERY_SECOND | QUICK_RETRIES | own


def wait_for_health(container, status):
    shown = lambda: container.inspect("{{.State.Health.Status}}") == status
    until(f"an {status} container", shown)


def ask(container):
    """The exit code of the check in a container, and what it said."""
    command = ["docker", "exec", container.name, "/cw-publisher", "healthcheck"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def test_unhealthy_after_failed_ticks_and_healthy_after_recovery(endpoint):
    with Container(settings(endpoint.url), ["--network", "host", *LOCKED]) as container:
        wait_for_health(container, "healthy")
        endpoint.stop()
        container.wait_for("publish failed", FAILURES)
        wait_for_health(container, "unhealthy")
        code, said = ask(container)
        assert code == 1 and "CustomMetrics" in said and "did not answer" in said
        said_to_docker = container.inspect("{{json .State.Health.Log}}")
        assert "did not answer" in said_to_docker
        endpoint.start()
        container.wait_for("recovered")
        wait_for_health(container, "healthy")
        assert ask(container)[0] == 0


def test_check_needs_no_network():
    with Container(settings("http://127.0.0.1:1"), ["--network", "none", *LOCKED]) as container:
        container.wait_for("publish failed", FAILURES)
        wait_for_health(container, "unhealthy")


def test_two_publishers_in_one_network_do_not_disturb_each_other(endpoint):
    good, bad = settings(endpoint.url), settings("http://127.0.0.1:1")
    with Container(good, ["--network", "host", *LOCKED]) as healthy:
        with Container(bad, ["--network", "host", "--user", "1234", *LOCKED]) as unhealthy:
            unhealthy.wait_for("publish failed", FAILURES)
            wait_for_health(unhealthy, "unhealthy")
            wait_for_health(healthy, "healthy")
            assert (ask(healthy)[0], ask(unhealthy)[0]) == (0, 1)
            docker("stop", unhealthy.name)
            assert ask(healthy)[0] == 0


def test_health_is_told_over_http_on_request(endpoint):
    address = {"HEALTH_ADDR": "127.0.0.1:9464"}
    with Container(settings(endpoint.url) | address, LOCKED) as container:
        # In a network of its own: the endpoint cannot be reached, and the port is free.
        container.wait_for("publish failed", FAILURES)
        wait_for_health(container, "unhealthy")
        code, said = ask(container)
        assert code == 1 and "unhealthy" in said
