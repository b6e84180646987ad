"""flow-manager's end of the flow socket, played line by line, and a flow as a process."""

import contextlib
import json
import os
import pathlib
import selectors
import shutil
import socket
import subprocess
import time

CRATE = pathlib.Path(__file__).resolve().parents[2]
ROOT = CRATE.parents[1]
PATIENCE = 30
MAX_LINE = 1_048_576


def until(what, condition, patience=PATIENCE):
    """Asks again and again; gives the first answer that is true."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        time.sleep(0.02)
    return answer


class Connection:
    """One connection of a flow, after its hello."""

    def __init__(self, accepted):
        self._socket = accepted
        self._socket.settimeout(PATIENCE)
        self._lines = self._socket.makefile("rb")
        self.at = time.monotonic()
        self.hello = self.receive()

    def receive(self):
        """The next message; none at the end."""
        line = self._lines.readline(MAX_LINE + 1)
        if not line.endswith(b"\n"):
            return None
        assert len(line) <= MAX_LINE
        return json.loads(line)

    def receive_all(self, count):
        return [self.receive() for _ in range(count)]

    def send(self, *messages):
        self.send_bytes(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_bytes(self, data):
        self._socket.sendall(data)

    def welcome(self, received=0, ping_seconds=20):
        self.send({"type": "welcome", "version": 1, "container_id": "c" * 64, "received": received,
                   "ping_seconds": ping_seconds})
        return self

    def command(self, command, data=None, id="m1", reply=True):
        """Sends a message and, if it asks for a reply, gives that."""
        self.send({"type": "message", "id": id, "command": command, "data": data, "reply": reply})
        return self.until_reply(id)[-1] if reply else None

    def until_reply(self, id):
        """All that comes, up to the reply."""
        found = []
        while not found or found[-1].get("id") != id:
            found.append(self.receive())
            assert found[-1] is not None, "the flow closed the connection"
        return found

    def is_silent(self, seconds):
        """Nothing comes, in a time in which it would have come."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return not selector.select(seconds)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._socket.close()


class Listener:
    """The listening end."""

    def __init__(self, path):
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.bind(str(path))
        self._socket.listen()
        self._accepted = []

    def accept(self):
        self._accepted.append(Connection(self._socket.accept()[0]))
        return self._accepted[-1]

    def refuse(self):
        """Takes a connection and ends it, at this moment."""
        self._socket.accept()[0].close()
        return time.monotonic()

    def close(self):
        for connection in self._accepted:
            connection.close()
        self._socket.close()


class Process:
    """A flow."""

    def __init__(self, words, path, log):
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                words, env={"PATH": os.environ["PATH"], "FLOW_SOCKET": str(path)}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out)
        self.log = log

    def resident(self):
        """Bytes of memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(dict(row.split(":", 1) for row in status.splitlines())["VmRSS"].split()[0]) * 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def words_of(language):
    """What starts the example in this language."""
    flows = CRATE / "examples/flows"
    if language == "python":
        return [shutil.which("python3"), "-u", flows / "flow.py"]
    if language == "javascript":
        node = shutil.which("node")
        assert node, "install the package nodejs"
        return [node, flows / "flow.js"]
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "flow-manager", "--example", "flow"],
                   cwd=ROOT, check=True)
    return [pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/examples/flow"]
