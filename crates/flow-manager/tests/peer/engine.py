"""An engine of its own for these tests, and the image of the flows."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import scripted

IMAGE = "flow:1"
BUSYBOX = "/usr/bin/busybox"
# What the image takes from this machine to run the flows in Python and JavaScript.
PYTHON = pathlib.Path("/usr/bin/python3")
COMMANDS = {
    "python": ["python3", "-u", "/app/flow.py"],
    "javascript": ["node", "/app/flow.js"],
    "rust": ["/app/flow"],
}


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{words}: {done.stderr!r}"
    return done.stdout


class Engine:
    """dockerd with its own socket, data, pidfile and bridge, ended with the `with` block."""

    def __init__(self, folder):
        self._folder = folder
        self.url = f"unix://{folder}/docker.sock"
        self._bridge = f"fm{os.getpid()}"
        self._daemon = None

    def __enter__(self):
        pid = os.getpid()
        run("ip", "link", "add", "name", self._bridge, "type", "bridge")
        try:
            run("ip", "addr", "add", f"10.{pid // 250 % 250}.{pid % 250}.1/24", "dev", self._bridge)
            run("ip", "link", "set", self._bridge, "up")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._daemon and self._daemon.poll() is None:
            ids = self.docker("ps", "--all", "--quiet").split()
            if ids:
                self.docker("rm", "--force", "--volumes", *ids)
        self.stop()
        subprocess.run(["ip", "link", "del", self._bridge], check=False)

    def start(self):
        """Also again, after `stop`. Containers go on without it."""
        folder = self._folder
        with open(f"{folder}/dockerd.log", "ab") as log:
            self._daemon = subprocess.Popen(
                ["dockerd", "--host", self.url, "--bridge", self._bridge, "--iptables=false", "--ip-masq=false",
                 "--live-restore", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
                 "--pidfile", f"{folder}/docker.pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        scripted.until("the engine", self._answers, 60)

    def _answers(self):
        assert self._daemon.poll() is None, pathlib.Path(self._folder, "dockerd.log").read_text()[-2000:]
        return subprocess.run(["docker", "--host", self.url, "version"], capture_output=True).returncode == 0

    def stop(self):
        if self._daemon is None:
            return
        self._daemon.terminate()
        self._daemon.wait(60)
        self._daemon = None

    def end(self):
        """With `--live-restore` it leaves the containerd that it started."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(pathlib.Path(self._folder, "exec/containerd/containerd.pid").read_text())
            os.kill(pid, 15)
            deadline = time.monotonic() + 10
            while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
        for mount in mounts:
            if mount.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)

    def docker(self, *words):
        return run("docker", "--host", self.url, *words).decode().strip()

    def make_image(self, flow=None):
        """busybox, Python, Node and the three flows, that in Rust as it was built for the tests or for a benchmark."""
        root = pathlib.Path(self._folder, "image")
        for name in ("bin", "etc", "tmp", "app", "usr/bin"):
            (root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        for applet in run(BUSYBOX, "--list").decode().split():
            with contextlib.suppress(FileExistsError):
                (root / "bin" / applet).symlink_to("busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n")
        flow = flow or pathlib.Path(scripted.words_of("rust")[0])
        node = pathlib.Path(shutil.which("node") or "node")
        python = PYTHON.resolve()
        take_program(root, flow, "app/flow")
        take_program(root, node, "usr/bin/node")
        take_program(root, python, "usr/bin/python3")
        for library in pathlib.Path("/usr/lib").glob(f"{python.name}/lib-dynload/*.so"):
            take_libraries(root, library)
        shutil.copytree(f"/usr/lib/{python.name}", root / f"usr/lib/{python.name}", symlinks=True, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__", "test", "config-*", "lib2to3", "ensurepip"))
        for name in ("flow.py", "flow.js"):
            shutil.copy(scripted.CRATE / "examples/flows" / name, root / "app" / name)
        archive = pathlib.Path(self._folder, "image.tar")
        run("tar", "-C", root, "-cf", archive, ".")
        shutil.rmtree(root)
        self.docker("import", "--change", 'CMD ["python3", "-u", "/app/flow.py"]', "--change", "WORKDIR /app",
                    "--change", "LABEL io.flow-manager.code-dir=/app", archive, IMAGE)
        archive.unlink()


def take_program(root, program, place):
    target = root / place
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)
    take_libraries(root, program)


def take_libraries(root, program):
    """What the dynamic linker would load, where it looks for it."""
    for library in re.findall(r"(/\S+) \(0x", run("ldd", program).decode()):
        target = root / library.lstrip("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
