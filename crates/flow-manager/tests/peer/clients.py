"""The clients that people use, behind one face: python-socketio and the official JavaScript client."""

import json
import os
import queue
import shutil
import subprocess
import threading

import engineio
import scripted
import socketio
from relay import Relay

# More packets than that in the answer to a poll, and the library ends the connection. Its default is 16.
engineio.payload.Payload.max_decode_packets = 1000
MODULES = scripted.CRATE / "examples/clients/node_modules"
# What the library itself tells.
OWN = {"connect", "disconnect", "connect_error"}


class Client:
    """What both have. Events are kept in the order in which they came."""

    def __init__(self):
        self.events = []
        self._relay = None
        self._changed = threading.Condition()

    def _came(self, event, arguments):
        with self._changed:
            self.events.append((event, *arguments))
            self._changed.notify_all()

    def expect(self, what, found, since=0):
        """The first event from there on for which `found(name, data)` holds."""
        def first():
            return next((one for one in self.events[since:] if found(*one[:2], *[None] * (2 - len(one[:2])))), None)

        with self._changed:
            assert self._changed.wait_for(first, scripted.PATIENCE), f"no {what} among {self.events[since:]}"
            return first()[1] if len(first()) > 1 else None

    def expect_event(self, wanted, since=0, /, **fields):
        """The first event of this name with these fields."""
        return self.expect(f"{wanted} with {fields}", lambda event, data: event == wanted
                           and (not fields or isinstance(data, dict) and fields.items() <= data.items()), since)

    def of(self, *names):
        return [data for name, data in [(*one, None)[:2] for one in self.events] if name in names]

    def answer(self, event, **data):
        """The acknowledgement, whatever it says."""
        return self.request(event, data)

    def ask(self, event, **data):
        """The acknowledgement of what succeeds."""
        answer = self.request(event, data)
        assert answer.get("error") is not True, answer
        return answer

    def refused(self, event, **data):
        """The code of what is refused."""
        answer = self.request(event, data)
        assert answer.get("error") is True, answer
        return answer["details"]["code"]

    def connect(self, url, token):
        """Connects; gives the code of a refusal."""
        since = len(self.events)
        self._relay = Relay(url)
        self.open(self._relay.url, token)
        self.expect("connection", lambda event, _: event in ("connect", "connect_error"), since)
        return next((one[1] for one in self.events[since:] if one[0] == "connect_error"), None)

    def cut(self):
        """The connection is lost, and cannot be made again until `mend`; gives where the events of then begin."""
        since = len(self.events)
        self._relay.cut()
        self.expect_event("disconnect", since)
        return since

    def mend(self, since):
        self._relay.mend()
        self.reconnected(since)

    def reconnected(self, since):
        """Waits for it. The library does it by itself."""
        self.expect_event("connect", since)

    def close(self):
        if self._relay:
            self._relay.close()


class Python(Client):
    def __init__(self, transports):
        super().__init__()
        self._transports = transports
        self._socket = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=1, handle_sigint=False)
        self._socket.on("connect", lambda: self._came("connect", [self._socket.transport()]))
        self._socket.on("disconnect", lambda reason=None: self._came("disconnect", [reason]))
        self._socket.on("connect_error", self._connect_error)
        self._socket.on("*", lambda event, *arguments: self._came(event, arguments))

    def _connect_error(self, error=None):
        # Without a message it could not reach the server, and tries again.
        if isinstance(error, dict):
            self._came("connect_error", [error.get("message")])

    def open(self, url, token):
        auth = {} if token is None else {"token": token}

        def connect():
            try:
                self._socket.connect(url, auth=auth, transports=self._transports, wait_timeout=scripted.PATIENCE)
            except socketio.exceptions.ConnectionError:
                # The reason came as an event.
                pass
        # Beside: after a refusal it waits until its last poll has ended.
        threading.Thread(target=connect, daemon=True).start()

    def request(self, event, *arguments):
        return self._socket.call(event, *arguments, timeout=60)

    def emit(self, event, *arguments):
        self._socket.emit(event, *arguments)

    def close(self):
        ending = threading.Thread(target=self._socket.shutdown, daemon=True)
        ending.start()
        ending.join(1)
        # It waits for its last poll.
        super().close()


class JavaScript(Client):
    def __init__(self, transports):
        super().__init__()
        node = shutil.which("node")
        assert node, "install the package nodejs"
        if not MODULES.exists():
            subprocess.run(["npm", "ci", "--silent"], cwd=MODULES.parent, check=True)
        self._transports = transports
        self._process = subprocess.Popen(
            [node, scripted.CRATE / "tests/peer/bridge.js"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)})
        self._answers, self._last_id = {}, 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            told = json.loads(line)
            if "event" in told:
                self._came(told["event"], told["arguments"])
            else:
                self._answers.pop(told["id"]).put(told)

    def _do(self, what, **wish):
        self._last_id += 1
        answer = self._answers[self._last_id] = queue.Queue()
        self._process.stdin.write(json.dumps({"id": self._last_id, "do": what, **wish}) + "\n")
        self._process.stdin.flush()
        told = answer.get(timeout=60)
        assert "failed" not in told, told
        return told["answer"]

    def open(self, url, token):
        self._do("open", url=url, token=token, transports=self._transports)

    def request(self, event, *arguments):
        return self._do("request", event=event, arguments=arguments)

    def emit(self, event, *arguments):
        self._do("emit", event=event, arguments=arguments)

    def close(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait(scripted.PATIENCE)
        self._process.stdout.close()
        super().close()


def make(language, transport):
    transports = ["polling", "websocket"] if transport == "upgrade" else [transport]
    return {"python": Python, "javascript": JavaScript}[language](transports)
