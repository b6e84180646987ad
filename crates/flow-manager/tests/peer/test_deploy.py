"""The files of `deploy/`, read by the programs that they are for."""

import shutil
import subprocess

import scripted

DEPLOY = scripted.CRATE / "deploy"
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
STATE_DIR = "/var/lib/flow-manager"


def test_systemd_takes_the_unit(tmp_path):
    """With a program that is there, for systemd looks whether it is."""
    assert shutil.which("systemd-analyze"), "install the package systemd"
    unit = (DEPLOY / "flow-manager.service").read_text()
    assert "ExecStart=/usr/local/bin/flow-manager\n" in unit
    path = tmp_path / "flow-manager.service"
    path.write_text(unit.replace("/usr/local/bin/flow-manager", shutil.which("true")))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if path.name in line]
    assert done.returncode == 0 and complaints == [], done.stderr


def test_compose_takes_the_file_and_the_state_has_the_host_s_path():
    done = subprocess.run([*COMPOSE, "config"], cwd=DEPLOY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "WARN" not in done.stderr, done.stderr
    # Version 1 writes both in one line, version 2 each in its own.
    assert done.stdout.count(STATE_DIR) == 2, done.stdout
