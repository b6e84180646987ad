#!/usr/bin/env python3
"""One publisher under all attacks at once, or under those that are named, for some minutes.

    cargo build --release --no-default-features --target x86_64-unknown-linux-musl
    cargo build --package cloudwatch-local
    tests/attack/attack.py --minutes 2
    tests/attack/attack.py --only labels selector

What must hold: of a healthy metric the point of every minute arrives; the process answers the
question for its health at any time, stays within its memory and ends within SHUTDOWN_GRACE
after SIGTERM. It runs in a network namespace of its own, with a resolver that says nothing, so
it needs root. It ends with numbers of what passed and what failed.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import attacks  # noqa: E402
import hostile  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
MEMORY_MAX = 40 * MIB
# So that a program which does not hold takes nothing else of the machine down.
ADDRESSES_MAX = 2048 * MIB
GRACE = 8
# The watchdog's second, and one for a busy machine.
STOP_MAX = GRACE + 2
# No step may hold the thread longer than 50 ms; the rest is for a busy machine.
HEALTH_MAX = 2
# A tick's retries may take so long.
DELIVERY_MAX = 45
RELOAD_PAUSE = 7
PATIENCE = 30


def isolate():
    """Starts anew in namespaces of its own, where only loopback is and no name is resolved."""
    words = ["unshare", "--net", "--mount", "--propagation", "private"]
    os.execvp(words[0], [*words, sys.executable, *sys.argv, "--isolated"])


def raise_loopback():
    import fcntl

    up, running = 0x1, 0x40
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", up | running))


class Endpoint:
    """cloudwatch-local as a process."""

    def __init__(self, program):
        words = [program, "--listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.url = self._process.stdout.readline().strip().removeprefix("listening on ")

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.url)
        return parts.hostname, parts.port

    def points(self):
        """Each metric's name with the moment of each of its points."""
        with urllib.request.urlopen(f"{self.url}/series", timeout=PATIENCE) as answer:
            return {(series["name"], at) for series in json.load(answer) for at, _ in series["points"]}

    def stop(self):
        self._process.terminate()
        self._process.wait(PATIENCE)


class Publisher:
    """The program under attack."""

    def __init__(self, program, scene, environment):
        self._scene = scene
        self.output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            ["prlimit", f"--as={ADDRESSES_MAX}", program, "run"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if scene.reads_output:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while data := os.read(self._process.stdout.fileno(), 65536):
            self.output.write(data)

    def is_running(self):
        return self._process.poll() is None

    def peak(self):
        """The most memory that was resident, in bytes."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    def reload(self):
        self._process.send_signal(signal.SIGHUP)

    def stop(self):
        """How many seconds it took to end; none if it had to be killed."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        return time.monotonic() - begin


class Watch(threading.Thread):
    """Asks for the health twice a second, and keeps the longest wait and the highest memory."""

    def __init__(self, publisher, url):
        super().__init__(daemon=True)
        self._publisher, self._url = publisher, url
        self._ended = threading.Event()
        self.longest, self.asked, self.peak = 0.0, 0, 0

    def run(self):
        while not self._ended.wait(0.5) and self._publisher.is_running():
            begin = time.monotonic()
            try:
                with urllib.request.urlopen(f"{self._url}/metrics", timeout=PATIENCE) as answer:
                    answer.read()
                self.asked += 1
            except OSError:
                # Only at the start and the end is that no defect; a wait is noted anyhow.
                pass
            self.longest = max(self.longest, time.monotonic() - begin)
            self.peak = max(self.peak, self._publisher.peak() if self._publisher.is_running() else 0)

    def end(self):
        self._ended.set()
        self.join(PATIENCE + 5)


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, holds, seen):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok    ' if holds else 'FAILED'} {what}: {seen}", flush=True)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def sleep_until(moment, each_second, publisher):
    while (left := moment - time.time()) > 0 and publisher.is_running():
        each_second()
        time.sleep(min(1, left))


def reloader(scene, publisher):
    """Does what comes before a reload, in turns, then asks for one, every few seconds."""
    turns, next_at = 0, time.monotonic() + RELOAD_PAUSE

    def each_second():
        nonlocal turns, next_at
        if scene.before_reloads and time.monotonic() >= next_at:
            scene.before_reloads[turns % len(scene.before_reloads)]()
            publisher.reload()
            turns, next_at = turns + 1, time.monotonic() + RELOAD_PAUSE

    return each_second


def stage(arguments, folder):
    """The scene with the attacks that are wanted, and the environment of the publisher."""
    pages, front = hostile.Server(hostile.Pages), hostile.Server(hostile.Front)
    scene = attacks.Scene(folder, pages.url, hostile.Front)
    scene.add_healthy("Healthy", "1")
    for attack in attacks.ALL:
        if attack.__name__ in arguments.only:
            attack(scene)
    scene.crontab.write_text(scene.good_crontab())
    scene.credentials.write_text("[default]\naws_access_key_id=test\naws_secret_access_key=test\n")
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": str(scene.credentials),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": front.url,
        "CRONTAB": str(scene.crontab),
        "HEALTH_ADDR": f"127.0.0.1:{free_port()}",
        "SHUTDOWN_GRACE": f"{GRACE}s",
        # The answers that are no answers take it several times.
        "RETRY_MAX": "4",
        "RETRY_BASE": "200ms",
        **scene.environment,
    }
    return scene, environment


def run(arguments, folder, report):
    hostile.silent_resolver()
    resolv = folder / "resolv.conf"
    resolv.write_text(f"nameserver {hostile.NAME_SERVER[0]}\n")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    scene, environment = stage(arguments, folder)
    endpoint = Endpoint(arguments.endpoint)
    hostile.Front.endpoint = endpoint.address
    publisher = Publisher(arguments.publisher, scene, environment)
    watch = Watch(publisher, f"http://{environment['HEALTH_ADDR']}")
    watch.start()
    try:
        # A tick that comes before it has read its credentials is none of its own.
        first = int(time.time() + 10) // 60 * 60 + 60
        last = first + 60 * (arguments.minutes - 1)
        expected = {(name, at) for name in scene.healthy for at in range(first, last + 1, 60)}
        each_second = reloader(scene, publisher)
        sleep_until(last + 5, each_second, publisher)
        deadline = last + DELIVERY_MAX
        while not expected <= endpoint.points() and time.time() < deadline and publisher.is_running():
            time.sleep(0.5)
        points = endpoint.points()
        report.check("it runs", publisher.is_running(), "to the end" if publisher.is_running() else "it ended by itself")
        watch.end()
        took = publisher.stop() if publisher.is_running() else None
        for name in scene.healthy:
            wanted = {point for point in expected if point[0] == name}
            seen = f"{len(wanted & points)} of {len(wanted)}"
            report.check(f"{name}: the point of every minute arrives", wanted <= points, seen)
        report.check(
            f"resident memory stays within {MEMORY_MAX // MIB} MiB",
            watch.peak <= MEMORY_MAX, f"{watch.peak / MIB:.1f} MiB",
        )
        report.check(
            f"health answered within {HEALTH_MAX} s",
            watch.asked and watch.longest <= HEALTH_MAX, f"{watch.longest:.2f} s at most, {watch.asked} answers",
        )
        report.check(
            "SIGTERM ends it within the grace",
            took is not None, "killed" if took is None else f"{took:.1f} s",
        )
        print(f"the front: {dict(hostile.Front.counts)}")
    finally:
        publisher.stop()
        endpoint.stop()
        if arguments.log:
            publisher.output.seek(0)
            arguments.log.write_bytes(publisher.output.read())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    musl = ROOT / "target" / f"{os.uname().machine}-unknown-linux-musl" / "release"
    parser.add_argument("--publisher", type=pathlib.Path, default=musl / "cw-publisher", help="default: %(default)s")
    local = ROOT / "target/debug/cloudwatch-local"
    parser.add_argument("--endpoint", type=pathlib.Path, default=local, help="default: %(default)s")
    parser.add_argument("--minutes", type=int, default=2, help="points of the healthy metric, default: %(default)s")
    names = attacks.NAMES
    parser.add_argument("--only", choices=names, nargs="*", default=names, metavar="ATTACK", help=", ".join(names))
    parser.add_argument("--log", type=pathlib.Path, help="a file for what the publisher says")
    parser.add_argument("--isolated", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.isolated:
        isolate()
    raise_loopback()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        run(arguments, pathlib.Path(folder), report)
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
