"""The networks that people have (issue 5): private certificates, proxies that want a
password, FIPS and dual-stack endpoints, IPv6 only."""

import contextlib
import subprocess

import pytest
from standins import REGION, Proxy, TlsFront, address_of
from support import CREDENTIALS, EVERY_SECOND, QUICK_RETRIES, ROOT, Container, LocalEndpoint, docker

HOST = ["--network", "host"]
CERTIFICATES = ROOT / "crates/test-support/tls"
CA_MOUNT = ["--volume", f"{CERTIFICATES / 'ca.pem'}:/private-ca.pem:ro"]
PRIVATE_CA = {"AWS_CA_BUNDLE": "/private-ca.pem"}

USER, PASSWORD = "someone", "the-proxy-password"

# An address of a network that exists nowhere else (RFC 4193).
UNIQUE_LOCAL = "fd00:5e1f::1"


@pytest.fixture
def tls(endpoint):
    with TlsFront(CERTIFICATES / "server.pem", CERTIFICATES / "server.key", endpoint.url) as front:
        yield front


@pytest.fixture
def proxy():
    with Proxy(USER, PASSWORD) as proxy:
        yield proxy


def publish_once(url, environment, options=(), exit_code=0):
    """What it logs, in all detail, which must never show the password."""
    settings = CREDENTIALS | {"RETRY_MAX": "0", "LOG_LEVEL": "debug"}
    if url:
        settings["AWS_ENDPOINT_URL"] = url
    with Container(settings | environment, [*HOST, *options], ["once"]) as container:
        assert container.exit_code() == exit_code, container.log()
        assert PASSWORD not in docker("logs", container.name)
        return container.log()


def error_of(log):
    return next(event["error"] for event in log if event["message"] == "publish failed")


def count(endpoint):
    return len(endpoint.points("TestMetric"))


def test_private_certificate_authority_of_the_bundle_is_trusted(tls, endpoint):
    publish_once(tls.url, PRIVATE_CA, CA_MOUNT)
    assert count(endpoint) == 1


def test_ssl_cert_file_is_honoured_too(tls, endpoint):
    publish_once(tls.url, {"SSL_CERT_FILE": "/private-ca.pem"}, CA_MOUNT)
    assert count(endpoint) == 1


def test_unknown_certificate_authority_is_refused_and_the_points_are_held(tls, endpoint):
    settings = CREDENTIALS | EVERY_SECOND | QUICK_RETRIES | {"AWS_ENDPOINT_URL": tls.url}
    with Container(settings, HOST) as container:
        failed = container.wait_for("publish failed", 2)[-1]
        assert "certificate" in failed["error"] and "UnknownIssuer" in failed["error"]
        assert failed["points_held"] >= 2
    assert count(endpoint) == 0


def test_tls_goes_through_a_proxy_that_wants_a_password(tls, endpoint, proxy):
    url = proxy.with_password(USER, PASSWORD)
    publish_once(tls.url, PRIVATE_CA | {"HTTPS_PROXY": url}, CA_MOUNT)
    assert count(endpoint) == 1
    assert proxy.asked == [f"CONNECT 127.0.0.1:{address_of(tls.url)[1]}"]


@pytest.mark.parametrize("user", [None, "someone-else"])
def test_proxy_turns_away_who_has_no_password(tls, endpoint, proxy, user):
    url = proxy.with_password(user, PASSWORD) if user else proxy.url
    log = publish_once(tls.url, PRIVATE_CA | {"HTTPS_PROXY": url}, CA_MOUNT, exit_code=1)
    assert "proxy" in error_of(log), error_of(log)
    assert proxy.turned_away == 1 and proxy.asked == [] and count(endpoint) == 0


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_plain_http_goes_through_a_proxy(endpoint, proxy, variable):
    publish_once(endpoint.url, {variable: proxy.with_password(USER, PASSWORD)})
    assert count(endpoint) == 1
    assert [words.split("/service")[0] for words in proxy.asked] == [f"POST {endpoint.url}"]


@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_other_variables_name_the_proxy_of_tls_too(tls, endpoint, proxy, variable):
    url = proxy.with_password(USER, PASSWORD)
    publish_once(tls.url, PRIVATE_CA | {variable: url}, CA_MOUNT)
    assert count(endpoint) == 1 and len(proxy.asked) == 1


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.org,127.0.0.0/8"])
def test_no_proxy_goes_past_the_proxy(endpoint, proxy, variable, hosts):
    around = {"HTTP_PROXY": proxy.with_password(USER, PASSWORD), variable: hosts}
    publish_once(endpoint.url, around)
    assert count(endpoint) == 1 and proxy.asked == [] and proxy.turned_away == 0


def test_no_proxy_goes_past_the_proxy_by_name(endpoint, proxy):
    around = {"HTTP_PROXY": proxy.with_password(USER, PASSWORD), "NO_PROXY": ".org,localhost"}
    publish_once(endpoint.url.replace("127.0.0.1", "localhost"), around)
    assert count(endpoint) == 1 and proxy.asked == []


def test_variables_that_are_set_to_nothing_count_as_unset(endpoint):
    # As Compose files pass them on. The program starts anew without them, as PID 1.
    nothing = {"AWS_ENDPOINT_URL_CLOUDWATCH": "", "SSL_CERT_FILE": "", "AWS_PROFILE": ""}
    publish_once(endpoint.url, nothing, ["--read-only", "--cap-drop", "ALL"])
    assert count(endpoint) == 1


@pytest.mark.parametrize(
    "environment, host",
    [
        ({}, "monitoring.us-east-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "monitoring-fips.us-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "monitoring.us-east-1.api.aws"),
        (
            {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "monitoring-fips.us-east-1.api.aws",
        ),
        ({"AWS_REGION": "cn-north-1"}, "monitoring.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_endpoint_is_that_of_the_region(environment, host, proxy):
    # The proxy is asked for the name; nobody resolves it.
    through = {"HTTPS_PROXY": proxy.with_password(USER, PASSWORD)}
    publish_once(None, environment | through, exit_code=1)
    assert proxy.asked == [f"CONNECT {host}:443"]


@pytest.fixture
def ipv6_only():
    """A container whose network has no IPv4 address at all."""
    options = ["--network", "none", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]
    named = ["--add-host", f"cloudwatch.test:{UNIQUE_LOCAL}"]
    with Container({"AWS_REGION": REGION}, options + named, ["--dry-run"]) as neighbour:
        pid = neighbour.inspect("{{.State.Pid}}")
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip"]
        for words in (
            ["-4", "address", "flush", "dev", "lo"],
            ["-6", "address", "add", f"{UNIQUE_LOCAL}/128", "dev", "lo"],
        ):
            subprocess.run([*enter, *words], check=True)
        found = subprocess.run([*enter, "-4", "address"], check=True, capture_output=True)
        assert found.stdout == b""
        yield neighbour


@pytest.mark.parametrize("address", ["::1", UNIQUE_LOCAL])
def test_network_with_ipv6_only(ipv6_only, address, tmp_path):
    pid = ipv6_only.inspect("{{.State.Pid}}")
    options = ["--network", f"container:{ipv6_only.name}"]
    with contextlib.ExitStack() as stack:
        named = ["cloudwatch.test"]
        endpoint = LocalEndpoint(tmp_path, address=f"[{address}]:0", beside=pid, hosts=named)
        stack.enter_context(endpoint)
        urls = [endpoint.url]
        if address == UNIQUE_LOCAL:
            urls.append(endpoint.url.replace(f"[{address}]", "cloudwatch.test"))
        for url in urls:
            settings = CREDENTIALS | {"AWS_ENDPOINT_URL": url}
            with Container(settings, options, ["once"]) as container:
                assert container.exit_code() == 0, container.log()
        endpoint.stop()
        assert count(endpoint) == len(urls)
