"""Each way to give credentials (design, section 3), from the image, with the service
behind it as a stand-in. The endpoint checks key, secret and session token of each request."""

import contextlib
import dataclasses
import subprocess

import pytest
from standins import (
    CONTAINER_TOKEN,
    REGION,
    ROLE,
    SOURCE_KEYS,
    WEB_IDENTITY_TOKEN,
    Issuer,
    Keys,
)
from support import EVERY_SECOND, QUICK_RETRIES, Container, LocalEndpoint, docker, until

HOST = ["--network", "host"]

# The SDK renews credentials five to ten seconds before they end, so that these are in use
# for a few seconds each.
LIFETIME_SECONDS = 16
OVERLAP_SECONDS = 10
ROTATIONS = 3

# Where an ECS agent answers, which is not on loopback.
ECS_AGENT = "169.254.170.2"


@dataclasses.dataclass
class Way:
    """A way to give credentials: what the container is told, and what is asked for then."""

    question: str
    environment: dict
    files: dict = dataclasses.field(default_factory=dict)


def web_identity(issuer):
    return Way(
        "AssumeRoleWithWebIdentity",
        {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/aws/token",
            "AWS_ENDPOINT_URL_STS": issuer.url,
        },
        {"token": WEB_IDENTITY_TOKEN},
    )


def container_full_uri(issuer):
    return Way(
        "container",
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{issuer.url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/aws/token",
        },
        {"token": CONTAINER_TOKEN},
    )


def instance_metadata(issuer):
    return Way("metadata", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": issuer.url})


def assumed_role(issuer):
    key, secret = SOURCE_KEYS
    return Way(
        "AssumeRole",
        {
            "AWS_CONFIG_FILE": "/aws/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/aws/credentials",
            "AWS_PROFILE": "publisher",
            "AWS_ENDPOINT_URL_STS": issuer.url,
        },
        {
            "config": f"[profile publisher]\nrole_arn = {ROLE}\nsource_profile = source\n",
            "credentials": (
                f"[source]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
            ),
        },
    )


WAYS = [web_identity, container_full_uri, instance_metadata, assumed_role]


@pytest.fixture
def issuer():
    with Issuer() as issuer:
        yield issuer


def mounted(directory, files, at="/aws"):
    """Options that show these files to the image's user."""
    if not files:
        return []
    directory = directory / at.strip("/.")
    directory.mkdir()
    directory.chmod(0o755)
    for name, content in files.items():
        directory.joinpath(name).write_text(content)
        directory.joinpath(name).chmod(0o644)
    return ["--volume", f"{directory}:{at}:ro"]


def settings(endpoint, *more):
    together = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL_CLOUDWATCH": endpoint.url}
    together["LOG_LEVEL"] = "debug"
    for one in more:
        together |= one
    return together


def publish_once(endpoint, environment, options):
    with Container(environment, options, ["once"]) as container:
        assert container.exit_code() == 0, container.log()
        assert len(endpoint.points("TestMetric")) == 1
        assert_tells_no_secret(container)


def assert_tells_no_secret(container):
    log = docker("logs", container.name)
    assert "the-secret" not in log and "the-session-token" not in log, log
    assert WEB_IDENTITY_TOKEN not in log and CONTAINER_TOKEN not in log, log


def test_static_keys(tmp_path):
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "the-secret",
        "AWS_SESSION_TOKEN": "the-session-token",
    }
    known = ["key:the-secret:the-session-token"]
    with LocalEndpoint(tmp_path, credentials=known) as endpoint:
        publish_once(endpoint, settings(endpoint, keys), HOST)


def test_profile_files_in_the_home_directory(tmp_path):
    files = {
        "config": "[profile shop]\nregion = eu-west-1\n",
        "credentials": "[shop]\naws_access_key_id = key\naws_secret_access_key = the-secret\n",
    }
    with LocalEndpoint(tmp_path, credentials=["key:the-secret"]) as endpoint:
        environment = settings(endpoint, {"AWS_PROFILE": "shop"})
        del environment["AWS_REGION"]
        options = HOST + mounted(tmp_path, files, "/.aws")
        publish_once(endpoint, environment, options)


@pytest.mark.parametrize("way", WAYS)
def test_credentials_of_a_service(way, issuer, tmp_path):
    way = way(issuer)
    with LocalEndpoint(tmp_path, credentials=issuer.keys.for_endpoint()) as endpoint:
        options = HOST + mounted(tmp_path, way.files)
        publish_once(endpoint, settings(endpoint, way.environment), options)
    assert {question for question, _ in issuer.given} == {way.question}
    assert issuer.refused == []


def test_container_credentials_of_the_ecs_agent(tmp_path):
    # A container without a network, to which the agent's address is given.
    with Container({"AWS_REGION": REGION}, ["--network", "none"], ["--dry-run"]) as neighbour:
        pid = neighbour.inspect("{{.State.Pid}}")
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net"]
        add = [*enter, "ip", "address", "add", f"{ECS_AGENT}/32", "dev", "lo"]
        subprocess.run(add, check=True)
        with (
            Issuer(address=(ECS_AGENT, 80), beside=pid) as issuer,
            LocalEndpoint(tmp_path, credentials=issuer.keys.for_endpoint(), beside=pid) as endpoint,
        ):
            uri = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/task"}
            environment = settings(endpoint, uri)
            options = ["--network", f"container:{neighbour.name}"]
            with Container(environment, options, ["once"]) as container:
                assert container.exit_code() == 0, container.log()
                assert_tells_no_secret(container)
            endpoint.stop()
            assert len(endpoint.points("TestMetric")) == 1
            assert {question for question, _ in issuer.given} == {"task"}


def seconds(endpoint):
    return sorted(second for second, _ in endpoint.points("TestMetric"))


def assert_each_second_once(endpoint):
    all_seconds = seconds(endpoint)
    assert all_seconds == list(range(all_seconds[0], all_seconds[0] + len(all_seconds)))


def test_credentials_are_renewed_before_they_end(tmp_path):
    """All ways side by side: the waiting is the same."""
    with contextlib.ExitStack() as stack:
        running = []
        for way in WAYS:
            directory = tmp_path / way.__name__
            directory.mkdir()
            keys = Keys(LIFETIME_SECONDS, OVERLAP_SECONDS)
            issuer = stack.enter_context(Issuer(keys))
            known = LocalEndpoint(directory, credentials=keys.for_endpoint())
            endpoint = stack.enter_context(known)
            way = way(issuer)
            environment = settings(endpoint, EVERY_SECOND, QUICK_RETRIES, way.environment)
            environment |= {"LOG_LEVEL": "info", "HEALTH_ADDR": "off"}
            options = HOST + mounted(directory, way.files)
            container = stack.enter_context(Container(environment, options))
            running.append((way.question, issuer, endpoint, container))
        for question, issuer, endpoint, container in running:

            def renewed(issuer=issuer):
                return len({key for _, key in issuer.given}) > ROTATIONS

            until(f"{ROTATIONS} renewals of {question}", renewed, patience=90)
            # With the first keys ended, and the last ones in use.
            count = len(seconds(endpoint))
            until("more points", lambda: len(seconds(endpoint)) > count + 1)
            container.stop()
            assert container.exit_code() == 0
            for failure in ("publish attempt failed, retrying", "publish failed"):
                assert container.log(failure) == [], question
            assert_each_second_once(endpoint)


def test_no_point_is_lost_while_credentials_cannot_be_renewed(tmp_path):
    keys = Keys(LIFETIME_SECONDS, OVERLAP_SECONDS)
    with (
        Issuer(keys) as issuer,
        LocalEndpoint(tmp_path, credentials=keys.for_endpoint()) as endpoint,
    ):
        way = container_full_uri(issuer)
        environment = settings(endpoint, EVERY_SECOND, QUICK_RETRIES, way.environment)
        with Container(environment, HOST + mounted(tmp_path, way.files)) as container:
            container.wait_for("published", 2)
            issuer.away = True
            failed = container.wait_for("publish failed", 3)[-1]
            assert failed["points_held"] >= 3
            issuer.away = False
            recovered = container.wait_for("recovered")[0]
            assert recovered["points_lost"] == 0
            container.stop()
            closing = container.log("stopped")[0]
            assert closing["points_unsent"] == closing["points_dropped"] == 0
            assert_tells_no_secret(container)
        assert_each_second_once(endpoint)
