"""Measures docker-client beside the `docker` command and docker-py, prints the tables of BENCHMARKS.md, and fails where
docker-client breaks its budget.

    cargo build --release -p docker-client --bins --examples
    python3 crates/docker-client/bench/benchmarks.py

It needs docker-py, a static busybox, and an engine (`DOCKER_HOST`, else the local socket), on which it makes the image
`docker-client-bench:1`. `--megabytes`, `--lines` and `--containers` make it smaller. What it makes it removes.
"""

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import docker as docker_py

ROOT = Path(__file__).resolve().parents[3]
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
OURS = RELEASE / "docker-client"
IMAGE = "docker-client-bench:1"
LABEL = f"docker-client-bench={os.getpid()}"
BUSYBOX = "/usr/bin/busybox"
# Each call is made so often in a row, and the rows of all take turns, for other work comes and goes.
ROUNDS = 10
TURNS = 4
LOGS_OF_PY = """
import docker, sys
client = docker.from_env()
for part in client.containers.get(sys.argv[1]).logs(stream=True):
    sys.stdout.buffer.write(part)
"""
# The budgets: MiB while a log is read, how much of docker-py's CPU, MiB that following may grow by,
# milliseconds that a command may take over the bare calls.
MEMORY = 16
OF_PY = 1 / 3
GROWTH = 1
OVER_BARE = 5
broken = []


def budget(held, what):
    if not held:
        broken.append(what)


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def make_image():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/bin")
        shutil.copy(BUSYBOX, f"{folder}/bin/busybox")
        for applet in ("sh", "yes", "head", "sleep", "true"):
            os.symlink("busybox", f"{folder}/bin/{applet}")
        archive = subprocess.run(["tar", "-C", folder, "-c", "."], check=True, capture_output=True).stdout
        subprocess.run(["docker", "import", "-", IMAGE], check=True, input=archive, capture_output=True)


class Watch(threading.Thread):
    """Reads a process's memory as long as it runs: the kernel's own maximum counts what the process was forked from."""

    def __init__(self, pid):
        super().__init__()
        self.path = Path(f"/proc/{pid}/status")
        self.resident = []
        self.peak = 0.0
        self.start()

    def run(self):
        while True:
            try:
                rows = dict(row.split(":", 1) for row in self.path.read_text().splitlines())
            except OSError:
                return
            if "VmRSS" not in rows:
                return
            self.resident.append(int(rows["VmRSS"].split()[0]) / 1024)
            self.peak = int(rows["VmHWM"].split()[0]) / 1024
            time.sleep(0.05)


def measure(*words):
    """Wall-clock seconds, CPU seconds and peak MiB of a command whose output is thrown away."""
    before = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.join()
    assert process.returncode == 0, words
    return time.monotonic() - before, usage.ru_utime + usage.ru_stime, watch.peak


def reading(megabytes):
    count = megabytes * 10_000
    docker("run", "--detach", "--label", LABEL, "--name", "bench-log", IMAGE, "sh", "-c", f"yes {'x' * 99} | head -n {count}")
    docker("wait", "bench-log")
    found = subprocess.Popen([OURS, "logs", "bench-log"], stdout=subprocess.PIPE)
    bytes_read = sum(len(part) for part in iter(lambda: found.stdout.read(1 << 20), b""))
    assert found.wait() == 0 and bytes_read == count * 100, bytes_read
    print(f"\n## Reading a log of {megabytes} MB, lines of 100 bytes\n")
    print("| | MB/s | CPU | peak memory |\n|---|---|---|---|")
    cpu_of, peak_of = {}, {}
    for name, words in (
        ("docker-client", (OURS, "logs", "bench-log")),
        ("docker", ("docker", "logs", "bench-log")),
        ("docker-py", (sys.executable, "-c", LOGS_OF_PY, "bench-log")),
    ):
        wall, cpu_of[name], peak_of[name] = measure(*words)
        print(f"| {name} | {megabytes / wall:.0f} | {cpu_of[name]:.2f} s | {peak_of[name]:.1f} MiB |", flush=True)
    ours = cpu_of["docker-client"]
    budget(ours <= cpu_of["docker"], "reading: more CPU than the docker command")
    budget(ours <= cpu_of["docker-py"] * OF_PY, "reading: more than a third of docker-py's CPU")
    budget(peak_of["docker-client"] <= MEMORY, f"reading: more than {MEMORY} MiB")


def median(call):
    times = []
    for _ in range(ROUNDS):
        before = time.monotonic()
        call()
        times.append((time.monotonic() - before) * 1000)
    return statistics.median(times)


class Bare:
    """The calls themselves, on a socket, with nothing that is typed or checked."""

    def __init__(self):
        url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        assert url.startswith("unix://"), "a Unix socket, please"
        self.path = url.removeprefix("unix://")
        self.kept = self.connect()

    def connect(self):
        connection = http.client.HTTPConnection("docker")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        return connection

    def ask(self, method, path, body=None):
        text = None if body is None else json.dumps(body)
        self.kept.request(method, path, text, {"Content-Type": "application/json"})
        return self.kept.getresponse().read()

    def list(self):
        self.ask("GET", "/v1.41/containers/json?all=1")

    def execute(self):
        wish = {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
        made = json.loads(self.ask("POST", "/v1.41/containers/bench-exec/exec", wish))["Id"]
        started = self.connect()
        started.request("POST", f"/v1.41/exec/{made}/start", '{"Detach":false}', {"Content-Type": "application/json"})
        started.getresponse().read()
        started.close()
        self.ask("GET", f"/v1.41/exec/{made}/json")


def calls(containers):
    docker("run", "--detach", "--label", LABEL, "--name", "bench-exec", IMAGE, "sleep", "100000")
    for number in range(containers - 1):
        docker("create", "--label", LABEL, "--name", f"bench-{number}", IMAGE, "true")
    client = docker_py.from_env()
    there = client.containers.get("bench-exec")
    bare = Bare()
    quiet = {"stdout": subprocess.DEVNULL, "check": True}

    def command(*words):
        return lambda: subprocess.run(words, **quiet)

    def of_library():
        words = [RELEASE / "examples/latency", "bench-exec", str(ROUNDS)]
        listing, execute = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        return float(execute), float(listing)

    rows = {
        "the bare calls": lambda: (median(bare.execute), median(bare.list)),
        "docker-client, the library": of_library,
        "docker-py": lambda: (median(lambda: there.exec_run(["true"])), median(lambda: client.api.containers(all=True))),
        "docker-client, the command": lambda: (
            median(command(OURS, "exec", "bench-exec", "true")), median(command(OURS, "ps", "-a"))
        ),
        "docker, the command": lambda: (
            median(command("docker", "exec", "bench-exec", "true")), median(command("docker", "ps", "-a"))
        ),
    }
    turns = [{name: measured() for name, measured in rows.items()} for _ in range(TURNS)]
    print(f"\n## Calls, the least of {TURNS} medians of {ROUNDS}\n")
    print(f"| | `exec true` | list of {containers} containers |\n|---|---|---|")
    least = {name: [min(turn[name][call] for turn in turns) for call in (0, 1)] for name in rows}
    for name, (execute, listing) in least.items():
        print(f"| {name} | {execute:.1f} ms | {listing:.1f} ms |", flush=True)
    bare_execute, bare_listing = least["the bare calls"]
    execute, listing = least["docker-client, the library"]
    budget(execute <= bare_execute + OVER_BARE, f"exec: more than {OVER_BARE} ms over the bare calls")
    budget(listing <= bare_listing + OVER_BARE, f"list: more than {OVER_BARE} ms over the bare call")


def following(lines):
    docker("run", "--detach", "--label", LABEL, "--name", "bench-follow", IMAGE, "sh", "-c", f"sleep 1; yes 0123456789 | head -n {lines}")
    process = subprocess.Popen([OURS, "logs", "--follow", "bench-follow"], stdout=subprocess.PIPE)
    watch = Watch(process.pid)
    before = time.monotonic()
    seen = sum(part.count(b"\n") for part in iter(lambda: process.stdout.read(1 << 20), b""))
    seconds = time.monotonic() - before
    assert process.wait() == 0
    watch.join()
    tenth = max(1, len(watch.resident) // 10)
    # The first tenth begins when the first lines have been read.
    early, late = max(watch.resident[tenth : 2 * tenth]), max(watch.resident[-tenth:])
    print(f"\n## Following {lines} lines\n")
    print("| lines seen | a second | memory in the second tenth of the time | in the last | peak |\n|---|---|---|---|---|")
    print(f"| {seen} | {seen / seconds:.0f} | {early:.1f} MiB | {late:.1f} MiB | {watch.peak:.1f} MiB |", flush=True)
    budget(seen == lines, f"following: {seen} lines of {lines}")
    budget(late <= early + GROWTH, f"following: memory grows from {early:.1f} to {late:.1f} MiB")
    budget(watch.peak <= MEMORY, f"following: more than {MEMORY} MiB")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--megabytes", type=int, default=500)
    arguments.add_argument("--containers", type=int, default=100)
    arguments.add_argument("--lines", type=int, default=10_000_000)
    chosen = arguments.parse_args()
    make_image()
    try:
        calls(chosen.containers)
        reading(chosen.megabytes)
        following(chosen.lines)
    finally:
        ids = docker("ps", "-aq", "--filter", f"label={LABEL}").split()
        if ids:
            docker("rm", "-f", *ids)
        docker("rmi", IMAGE)
    print()
    for what in broken:
        print(f"over budget: {what}")
    print(f"{8 - len(broken)} passed, {len(broken)} failed")
    return 1 if broken else 0


sys.exit(main())
