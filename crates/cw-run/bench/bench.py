"""Measures cw-run beside Docker's `awslogs` driver, prints the tables of BENCHMARKS.md, and fails where cw-run breaks
its budget.

    cargo build --release -p cw-run -p cloudwatch-local
    python3 crates/cw-run/bench/bench.py

It needs boto3, a static busybox and dockerd, which it starts for itself. `--size 0.05` is what CI runs; `--only` names
parts. `CW_RUN_PROGRAMS` names the folder of other builds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "crates/cw-run/tests/peer"))

from endpoint import Endpoint, Proxy  # noqa: E402
from engine import CREDENTIALS, IMAGE, PATIENCE, REGION, Engine, until  # noqa: E402

BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PROGRAMS = Path(os.environ.get("CW_RUN_PROGRAMS", BUILT))
LINE = 100
# MiB while a slow endpoint takes its time, and how much longer a container may take than beside `docker logs -f`.
MEMORY = 32
SLOWER = 1.05
# Of small sizes the beginning is a large part, and a busy machine moves it.
JITTER = 0.3
checked, broken = [], []


def budget(held, what):
    checked.append(what)
    if not held:
        broken.append(what)


def table(title, *rows):
    print(f"\n## {title}\n")
    for number, row in enumerate(rows):
        print("| " + " | ".join(row) + " |", flush=True)
        if number == 0:
            print("|" + "---|" * len(row))


class Watch(threading.Thread):
    """Reads a process's memory as long as it runs, or until it is stopped."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self._path = Path(f"/proc/{pid}/status")
        self._stopped = threading.Event()
        self.resident = []
        # What is not the program's file, in whose pages a debug build is large.
        self.anonymous = []
        self.start()

    def run(self):
        while not self._stopped.wait(0.05):
            try:
                rows = dict(row.split(":", 1) for row in self._path.read_text().splitlines())
            except OSError:
                return
            if "VmRSS" not in rows:
                return
            self.resident.append(int(rows["VmRSS"].split()[0]) / 1024)
            self.anonymous.append(int(rows["RssAnon"].split()[0]) / 1024)

    def peak(self):
        self._stopped.set()
        self.join()
        return max(self.resident, default=0.0)


def cpu(pid):
    """Seconds, user and system, of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sink:
    """`sink.py` as a process. Ends at the end of the `with` block."""

    def __enter__(self):
        words = [sys.executable, Path(__file__).parent / "sink.py"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def seen(self):
        with urllib.request.urlopen(self.url) as answer:
            return json.load(answer)

    def holds(self, count):
        """What it has seen, once that is so many events."""
        seen = self.seen()
        return seen if seen["events"] >= count else None


class Bench:
    def __init__(self, engine, folder, size, turns):
        self.engine, self.folder, self.size, self.turns = engine, folder, size, turns
        self._names = 0

    def name(self):
        self._names += 1
        return f"bench-{self._names}"

    def ours(self, url, name, script, *options):
        environment = CREDENTIALS | {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "DOCKER_HOST": self.engine.url,
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        }
        words = ["--group", "bench", "--stream", name, "--name", name, *options, "--", IMAGE, "sh", "-c", script]
        program = PROGRAMS / "cw-run"
        with open(self.folder / f"{name}.log", "wb") as log:
            return subprocess.Popen([program, *words], env=environment, stdin=subprocess.DEVNULL, stderr=log)

    def driver(self, url, name, script, *options):
        settings = {"endpoint": url, "region": REGION, "group": "bench", "stream": name, "create-group": "true"}
        words = [word for setting in settings.items() for word in ("--log-opt", "awslogs-{}={}".format(*setting))]
        words += ["--log-driver", "awslogs", *options]
        self.engine.docker("run", "--detach", "--name", name, *words, IMAGE, "sh", "-c", script)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def printing(self, megabytes):
        """The script, and the number of its lines."""
        count = int(megabytes * 1_000_000 / LINE)
        return f"yes {'x' * (LINE - 1)} | head -n {count}", count

    def memory(self):
        """A slow endpoint makes cw-run hold what it may."""
        megabytes = 60 * self.size
        script, count = self.printing(megabytes)
        with Endpoint(PROGRAMS / "cloudwatch-local", "--read-rate", "1000000") as endpoint:
            name = self.name()
            begin = time.monotonic()
            job = self.ours(endpoint.url, name, script, "--drain-timeout", "10m")
            watch = Watch(job.pid)
            code = job.wait(1800)
            seconds = time.monotonic() - begin
            arrived = json.load(urllib.request.urlopen(f"{endpoint.url}/summary"))["log_events"]
        assert code == 0, self.log(name)
        peak = watch.peak()
        table(
            f"Memory while {megabytes:.0f} MB ship to an endpoint that reads 1 MB/s",
            ("peak memory", "of it not of the program's file", "budget", "lines arrived", "seconds"),
            (f"{peak:.1f} MiB", f"{max(watch.anonymous):.1f} MiB", f"{MEMORY} MiB", f"{arrived} of {count}",
             f"{seconds:.0f}"),
        )
        budget(peak <= MEMORY, f"memory: {peak:.1f} MiB")
        budget(arrived == count, f"memory: {arrived} lines of {count}")

    def throughput(self):
        """Both as fast as they can, in turns, into something that only counts."""
        megabytes = 50 * self.size
        script, count = self.printing(megabytes)
        found = {"cw-run": [], "awslogs": []}
        for _ in range(self.turns):
            for who in found:
                found[who].append(self.one_throughput(who, script, count))
        medians = {who: [statistics.median(column) for column in zip(*rows)] for who, rows in found.items()}
        rows = []
        for who, (seconds, engines, own, grown) in medians.items():
            rows.append((
                who, f"{count / seconds:,.0f}", f"{megabytes / seconds:.1f}", f"{engines / megabytes * 1000:.0f} ms",
                f"{own / megabytes * 1000:.0f} ms", f"{(engines + own) / megabytes * 1000:.0f} ms", f"{grown:.1f} MiB",
            ))
        ours, theirs = medians["cw-run"], medians["awslogs"]
        speed, together = theirs[0] / ours[0], (ours[1] + ours[2]) / theirs[1]
        rows.insert(0, (
            "cw-run to awslogs", f"{speed:.2f}", f"{speed:.2f}", f"{ours[1] / theirs[1]:.2f}", "", f"{together:.2f}",
            f"{ours[3] / max(theirs[3], 0.1):.2f}",
        ))
        table(
            f"Throughput, {megabytes:.0f} MB in lines of {LINE} bytes, medians of {self.turns} runs in turns",
            ("", "lines/s", "MB/s", "CPU of dockerd, a MB", "own CPU, a MB", "CPU together, a MB", "memory"), *rows,
        )

    def one_throughput(self, who, script, count):
        """Seconds until the last event was there, CPU of dockerd and of cw-run, and MiB that shipping takes."""
        with Sink() as sink:
            name, daemon = self.name(), self.engine.daemon.pid
            before, own, begin = cpu(daemon), 0.0, time.time()
            if who == "cw-run":
                job = self.ours(sink.url, name, script)
                watch = Watch(job.pid)
                _, status, usage = os.wait4(job.pid, 0)
                job.returncode = os.waitstatus_to_exitcode(status)
                assert job.returncode == 0, self.log(name)
                own = usage.ru_utime + usage.ru_stime
                memory = watch.peak()
            else:
                watch = Watch(daemon)
                self.driver(sink.url, name, script)
                self.engine.docker("wait", name)
            seen = until("all events", lambda: sink.holds(count), 120)
            engines = cpu(daemon) - before
            if who == "awslogs":
                memory = watch.peak() - watch.resident[0]
        self.engine.remove_containers()
        return seen["last"] - begin, engines, own, memory

    def outage(self):
        """CloudWatch is away in the middle; who loses lines, and who is held up?"""
        away = max(5, int(60 * self.size))
        seconds = 3 + away + 5
        script = f"for t in $(seq 0 {seconds * 10 - 1}); do seq $((t*100+1)) $(((t+1)*100)); sleep 0.1; done"
        count = seconds * 1000
        rows, lost_of = [], {}
        kinds = {"cw-run": None, "awslogs": (), "awslogs, non-blocking": ("--log-opt", "mode=non-blocking")}
        for who, options in kinds.items():
            with Endpoint(PROGRAMS / "cloudwatch-local") as endpoint, Proxy(endpoint) as proxy:
                name = self.name()
                if who == "cw-run":
                    job = self.ours(proxy.url, name, script, "--drain-timeout", "10m")
                else:
                    self.driver(proxy.url, name, script, *options)
                until("the first lines", proxy.accepted)
                proxy.stop()
                time.sleep(away)
                proxy.start()
                if who == "cw-run":
                    assert job.wait(600) == 0, self.log(name)
                self.engine.docker("wait", name)
                took = self.engine.seconds(name)
                arrived = self.settled(endpoint, name)
                lost_of[who] = count - len(set(arrived))
                twice = len(arrived) - len(set(arrived))
            rows.append((who, f"{lost_of[who]} of {count}", f"{twice}", f"{took:.1f} s"))
        table(
            f"CloudWatch away for {away} s under 1,000 lines a second",
            ("", "lines lost", "lines twice", "the container took"), *rows,
        )
        budget(lost_of["cw-run"] == 0, f"outage: {lost_of['cw-run']} lines lost")

    @staticmethod
    def settled(endpoint, name):
        """The lines, once no more come: the driver goes on when its container has ended."""
        arrived, since = [], time.monotonic()
        while time.monotonic() - since < 10:
            now = endpoint.messages("bench", name)
            if len(now) != len(arrived):
                arrived, since = now, time.monotonic()
            time.sleep(0.5)
        return arrived

    def container(self):
        """How long a container prints while somebody reads."""
        megabytes = 100 * self.size
        script, count = self.printing(megabytes)
        found = {"cw-run": [], "cw-run, CloudWatch away": [], "docker logs -f": []}
        for turn in range(self.turns):
            # Who goes first has the colder machine.
            for who in list(found) if turn % 2 == 0 else list(found)[::-1]:
                found[who].append(self.one_container(who, script))
        medians = {who: statistics.median(seconds) for who, seconds in found.items()}
        plain = medians["docker logs -f"]
        table(
            f"A container that prints {megabytes:.0f} MB, medians of {self.turns} runs in turns",
            ("beside", "the container took", "to docker logs -f", "each run"),
            *((who, f"{medians[who]:.2f} s", f"{medians[who] / plain:.3f}", ", ".join(f"{run:.2f}" for run in runs))
              for who, runs in found.items()),
        )
        allowed = plain * SLOWER + (JITTER if self.size < 1 else 0)
        for who, seconds in medians.items():
            budget(seconds <= allowed, f"container: {seconds:.2f} s beside {who}, {allowed:.2f} s are allowed")

    def one_container(self, who, script):
        # Whoever reads is there before the first line.
        script, name = f"sleep 1; {script}", self.name()
        with Sink() as sink:
            if who == "cw-run":
                job = self.ours(sink.url, name, script, "--drain-timeout", "10m")
            elif who == "cw-run, CloudWatch away":
                # Port 9 discards, and nobody listens there.
                job = self.ours("http://127.0.0.1:9", name, script)
                begun = ("--filter", f"name={name}", "--filter", "status=running", "--filter", "status=exited")
                until("the container", lambda: self.engine.containers(*begun))
                self.engine.docker("wait", name)
                job.kill()
            else:
                self.engine.docker("run", "--detach", "--name", name, IMAGE, "sh", "-c", script)
                words = ["docker", "-H", self.engine.url, "logs", "-f", name]
                job = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            assert job.wait(600) == 0 or who.endswith("away"), self.log(name)
            seconds = self.engine.seconds(name)
        self.engine.remove_containers()
        return seconds - 1


PARTS = ("container", "throughput", "memory", "outage")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--size", type=float, default=1.0)
    arguments.add_argument("--turns", type=int)
    arguments.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    chosen = arguments.parse_args()
    turns = chosen.turns or (5 if chosen.size >= 1 else 3)
    with tempfile.TemporaryDirectory(prefix="cw-run-bench-") as folder, Engine(Path(folder)) as engine:
        bench = Bench(engine, Path(folder), chosen.size, turns)
        for part in chosen.only:
            getattr(bench, part)()
            engine.remove_containers()
    print()
    for what in broken:
        print(f"over budget: {what}")
    print(f"{len(checked) - len(broken)} passed, {len(broken)} failed")
    return 1 if broken else 0


sys.exit(main())
