"""flow-manager as a process."""

import os
import pathlib
import socket
import subprocess
import urllib.error
import urllib.request

import scripted

TOKENS = {role: f"{role}-{'0123456789' * 4}" for role in ("read", "operate", "admin")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Manager:
    """One with a token for each role. It can be killed and started again, at the same address."""

    def __init__(self, folder, docker_host, program, **settings):
        self._folder, self._program = folder, program
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        tokens = folder / "tokens"
        tokens.write_text("".join(f"{role} {role} {token}\n" for role, token in TOKENS.items()))
        tokens.chmod(0o600)
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self._environment = {
            "PATH": os.environ["PATH"], "LISTEN": address, "STATE_DIR": str(self.state_dir), "TOKENS_FILE": str(tokens),
            "DOCKER_HOST": docker_host, "LOG_FORMAT": "json", "PULL": "never", **settings}
        self.process = None

    def start(self):
        with open(self._folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self._program, "run"], env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        scripted.until("flow-manager", self._is_ready)

    def _is_ready(self):
        assert self.process.poll() is None, self.log()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(scripted.PATIENCE)

    def get(self, path, headers=()):
        """Status, headers and body."""
        request = urllib.request.Request(self.url + path, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=scripted.PATIENCE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def log(self):
        return (self._folder / "log").read_text()[-4000:]

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(dict(row.split(":", 1) for row in status.splitlines())["VmRSS"].split()[0]) * 1024


def program():
    """The debug build, unless another is named."""
    if named := os.environ.get("FLOW_MANAGER"):
        return named
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "flow-manager", "--bin", "flow-manager"],
                   cwd=scripted.ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", scripted.ROOT / "target")) / "debug/flow-manager"
