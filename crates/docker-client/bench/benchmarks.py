"""Measures docker-client beside the `docker` command and docker-py; prints BENCHMARKS.md's tables.

    cargo build --release -p docker-client
    DOCKER_HOST=unix:///… python3 crates/docker-client/bench/benchmarks.py

It needs docker-py and an engine that has the image `fixture:1` (busybox, as the engine tests make it). `--megabytes`,
`--lines` and `--containers` make it smaller. All containers it makes carry a label, and are removed at its end.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OURS = ROOT / "target/release/docker-client"
LABEL = f"docker-client-bench={os.getpid()}"
LOGS_OF_PY = """
import docker, sys
client = docker.from_env()
for part in client.containers.get(sys.argv[1]).logs(stream=True):
    sys.stdout.buffer.write(part)
"""


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def measure(*words):
    """Wall-clock seconds, CPU seconds and peak MiB of a command whose output is thrown away."""
    before = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return time.monotonic() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def reading(megabytes):
    line = "x" * 99
    count = megabytes * 10_000
    script = f"yes {line} | head -n {count}"
    docker("run", "--detach", "--label", LABEL, "--name", "bench-log", "fixture:1", "sh", "-c", script)
    docker("wait", "bench-log")
    print(f"\n## Reading a log of {megabytes} MB, lines of 100 bytes\n")
    print("| | MB/s | CPU | peak memory |\n|---|---|---|---|")
    for name, words in (
        ("docker-client", (OURS, "logs", "bench-log")),
        ("docker", ("docker", "logs", "bench-log")),
        ("docker-py", (sys.executable, "-c", LOGS_OF_PY, "bench-log")),
    ):
        wall, cpu, peak = measure(*words)
        print(f"| {name} | {megabytes / wall:.0f} | {cpu:.2f} s | {peak:.1f} MiB |", flush=True)


def milliseconds(rounds, call):
    times = []
    for _ in range(rounds):
        before = time.monotonic()
        call()
        times.append((time.monotonic() - before) * 1000)
    return statistics.median(times)


def calls(containers):
    import docker as docker_py

    client = docker_py.from_env()
    docker("run", "--detach", "--label", LABEL, "--name", "bench-exec", "fixture:1", "sleep", "100000")
    for number in range(containers - 1):
        docker("create", "--label", LABEL, "--name", f"bench-{number}", "fixture:1", "true")
    there = client.containers.get("bench-exec")
    print(f"\n## Calls, median of 20; the commands with their start\n")
    print("| | `exec true` | list of", containers, "containers |\n|---|---|---|")
    api = client.api

    def bare():
        made = api.exec_create("bench-exec", ["true"])
        api.exec_start(made["Id"])
        api.exec_inspect(made["Id"])

    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    rows = (
        ("docker-client", lambda: subprocess.run([OURS, "exec", "bench-exec", "true"], **quiet),
         lambda: subprocess.run([OURS, "ps", "-a"], **quiet)),
        ("docker", lambda: subprocess.run(["docker", "exec", "bench-exec", "true"], **quiet),
         lambda: subprocess.run(["docker", "ps", "-a"], **quiet)),
        ("docker-py, in its process", lambda: there.exec_run(["true"]), lambda: api.containers(all=True)),
        ("the bare calls", bare, lambda: api._get(api._url("/containers/json"), params={"all": 1}).content),
    )
    for name, execute, listing in rows:
        print(f"| {name} | {milliseconds(20, execute):.1f} ms | {milliseconds(20, listing):.1f} ms |", flush=True)


def following(lines):
    script = f"yes 0123456789 | head -n {lines}"
    docker("create", "--label", LABEL, "--log-opt", "max-size=10m", "--name", "bench-follow", "fixture:1", "sh", "-c", f"sleep 1; {script}")
    docker("start", "bench-follow")
    process = subprocess.Popen([OURS, "logs", "--follow", "bench-follow"], stdout=subprocess.PIPE)
    seen = 0
    resident = []

    def watch():
        while process.poll() is None:
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            rss = [row for row in text.splitlines() if row.startswith("VmRSS")]
            if rss:
                resident.append(int(rss[0].split()[1]) / 1024)
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    while part := process.stdout.read(1 << 20):
        seen += part.count(b"\n")
    process.wait()
    watcher.join()
    tenth = max(1, len(resident) // 10)
    early, late = max(resident[:tenth] or [0]), max(resident[-tenth:] or [0])
    print(f"\n## Memory while {lines} lines are followed\n")
    print(f"{seen} lines seen; {early:.1f} MiB in the first tenth of the time, {late:.1f} MiB in the last.")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--megabytes", type=int, default=500)
    arguments.add_argument("--containers", type=int, default=100)
    arguments.add_argument("--lines", type=int, default=10_000_000)
    chosen = arguments.parse_args()
    try:
        calls(chosen.containers)
        reading(chosen.megabytes)
        following(chosen.lines)
    finally:
        ids = docker("ps", "-aq", "--filter", f"label={LABEL}").split()
        if ids:
            docker("rm", "-f", *ids)


main()
