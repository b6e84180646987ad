"""A Docker engine of its own: socket, data, bridge and credentials for the `awslogs` driver belong to it alone."""

import calendar
import os
import shutil
import subprocess
import time
from pathlib import Path

BUSYBOX = "/usr/bin/busybox"
IMAGE = "cw-run-peer:1"
# What the main job of the README runs.
PYTHON = "python:latest"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
PATIENCE = 60


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, (words, done.stderr[-2000:])
    return done


def until(what, condition, patience=PATIENCE):
    """Asks again and again; gives the first answer that is true."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}, last answer: {answer!r}"
        time.sleep(0.05)
    return answer


class Engine:
    """Ends, with all its containers, at the end of the `with` block. It can be stopped and started again while its
    containers run on."""

    def __init__(self, folder):
        self.folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self.daemon = None
        self._bridge = f"cw{os.getpid()}"

    def __enter__(self):
        pid = os.getpid()
        run("ip", "link", "add", "name", self._bridge, "type", "bridge")
        try:
            run("ip", "addr", "add", f"10.{pid // 250 % 250}.{pid % 250}.1/24", "dev", self._bridge)
            run("ip", "link", "set", self._bridge, "up")
            self.start()
            self._make_images()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.daemon and self.daemon.poll() is None:
            self.remove_containers()
        self.stop()
        # With live-restore the daemon leaves the containerd that it started.
        containerd = self.folder / "exec/containerd/containerd.pid"
        if containerd.exists():
            subprocess.run(["kill", containerd.read_text().strip()], check=False)
        subprocess.run(["ip", "link", "del", self._bridge], check=False)
        mounts = [row.split()[1] for row in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in mounts:
            if mount.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)

    def start(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | CREDENTIALS
        with open(self.folder / "dockerd.log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--host", self.url, "--bridge", self._bridge, "--iptables=false", "--ip-masq=false",
                 "--live-restore", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                 "--pidfile", self.folder / "pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(["docker", "-H", self.url, "version"], capture_output=True).returncode:
            assert self.daemon.poll() is None and time.monotonic() < deadline, self.log()[-2000:]
            time.sleep(0.1)

    def stop(self):
        """Ends the daemon; its containers run on."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(PATIENCE)

    def log(self):
        return (self.folder / "dockerd.log").read_text(errors="replace")

    def docker(self, *words):
        return run("docker", "-H", self.url, *words, text=True).stdout.strip()

    def containers(self, *options):
        """The names of all, or of those that the options of `docker ps` choose."""
        return self.docker("ps", "--all", "--format", "{{.Names}}", *options).split()

    def remove_containers(self):
        if ids := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *ids)

    def printed(self, container):
        """What a container has printed so far, both streams."""
        words = ["docker", "-H", self.url, "logs", container]
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode(errors="replace")

    def state(self, container):
        return self.docker("inspect", "--format", "{{.State.Status}}", container)

    def seconds(self, container):
        """How long a container ran, by the engine's clock."""
        template = "{{.State.StartedAt}} {{.State.FinishedAt}}"
        begin, end = self.docker("inspect", "--format", template, container).split()
        return moment(end) - moment(begin)

    def _make_images(self):
        image = self.folder / "image"
        for name in ("bin", "etc", "tmp"):
            (image / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, image / "bin/busybox")
        for applet in run(BUSYBOX, "--list", text=True).stdout.split():
            if applet != "busybox":
                (image / "bin" / applet).symlink_to("busybox")
        # Enough of a bash for `bash -c`.
        bash = image / "bin/bash"
        bash.unlink(missing_ok=True)
        bash.write_text('#!/bin/sh\nexec sh "$@"\n')
        bash.chmod(0o755)
        (image / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        run("tar", "-C", image, "-cf", self.folder / "image.tar", ".")
        self.docker("import", str(self.folder / "image.tar"), IMAGE)
        self.docker("tag", IMAGE, PYTHON)


def moment(text):
    """Unix seconds of a time as the engine writes it."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
    return calendar.timegm(seconds) + float(f"0.{fraction or 0}")
