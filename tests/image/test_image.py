"""The image itself: what is in it, how small it is, and as whom it runs."""

import json
import struct

import pytest
from support import CREDENTIALS, IMAGE, Container, docker

# Design, section 10.
IMAGE_BYTES_MAX = 7_000_000
RESIDENT_KIB_MAX = 7 * 1024

PT_INTERP = 3
HOST = ["--network", "host"]
LOCKED_DOWN = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


@pytest.fixture(scope="module")
def image():
    return json.loads(docker("image", "inspect", IMAGE))[0]


def test_image_keeps_its_budget(image):
    print(f"{image['Size']} bytes")
    assert image["Size"] <= IMAGE_BYTES_MAX


def test_process_has_a_numeric_user_without_rights(image, endpoint):
    assert image["Config"]["User"] == "65532:65532"
    settings = CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint.url}
    with Container(settings, HOST + LOCKED_DOWN) as container:
        container.wait_for("published")
        status = container.process_status()
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
        for rights in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[rights], 16) == 0, rights
        print(f"resident: {status['VmRSS']}, at most {status['VmHWM']}")
        assert int(status["VmHWM"].split()[0]) <= RESIDENT_KIB_MAX


def test_stop_signal_and_health_check_are_declared(image):
    config = image["Config"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["/cw-publisher"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/cw-publisher", "healthcheck"]


def test_labels_tell_version_and_licence(image):
    labels = image["Config"]["Labels"]
    version = docker("run", "--rm", "--network", "none", IMAGE, "--version")
    assert version == f"cw-publisher {labels['org.opencontainers.image.version']}"
    assert labels["org.opencontainers.image.title"] == "cw-publisher"
    assert labels["org.opencontainers.image.licenses"] == "MIT OR Apache-2.0"
    assert labels["org.opencontainers.image.description"]
    assert "org.opencontainers.image.revision" in labels
    assert "org.opencontainers.image.source" in labels


def test_program_needs_no_interpreter(tmp_path):
    with Container() as container:
        docker("cp", f"{container.name}:/cw-publisher", str(tmp_path))
    elf = (tmp_path / "cw-publisher").read_bytes()
    assert elf[:5] == b"\x7fELF\x02", "a 64-bit ELF file"
    (start,) = struct.unpack_from("<Q", elf, 0x20)
    size, count = struct.unpack_from("<HH", elf, 0x36)
    kinds = [struct.unpack_from("<I", elf, start + index * size)[0] for index in range(count)]
    assert kinds and PT_INTERP not in kinds


def test_certificates_are_there(tmp_path):
    with Container() as container:
        docker("cp", f"{container.name}:/etc/ssl/certs/ca-certificates.crt", str(tmp_path))
    assert b"BEGIN CERTIFICATE" in (tmp_path / "ca-certificates.crt").read_bytes()
