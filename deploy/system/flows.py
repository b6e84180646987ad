#!/usr/bin/env python3
"""Creates a few flows over Socket.IO, gives each something to do every second, and deletes them when it is stopped.

    FLOW_MANAGER_URL=http://127.0.0.1:7070 TOKENS_FILE=/var/lib/flow-manager/tokens FLOW_IMAGE=flow:1 python3 flows.py

It needs nothing but Python: Socket.IO over HTTP long polling is this little. Programs of yours take python-socketio
(../../crates/flow-manager/examples/clients).
"""

import json
import os
import pathlib
import signal
import sys
import time
import urllib.error
import urllib.request

NAMES = [f"flow-{letter}" for letter in "abc"]
# Seconds until flow-manager listens and its token is there.
PATIENCE = 60


class Refused(Exception):
    """A request's error object."""

    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["details"]["code"]


class Session:
    """A client of Socket.IO that does one thing after the other."""

    def __init__(self, url, token):
        self._url = f"{url}/socket.io/?EIO=4&transport=polling"
        opened = json.loads(self._http()[1:])
        self._url += f"&sid={opened['sid']}"
        self._last = 0
        self._http("40" + json.dumps({"token": token}))
        answer = self._until(lambda packet: packet.startswith(("40", "44")))
        if answer.startswith("44"):
            sys.exit(f"flow-manager refused: {answer[2:]}")

    def ask(self, event, **data):
        """Sends a request and waits for its acknowledgement."""
        self._last += 1
        self._http(f"42{self._last}{json.dumps([event, data])}")
        head = f"43{self._last}["
        [answer] = json.loads(self._until(lambda packet: packet.startswith(head))[len(head) - 1:])
        if answer.get("error") is True:
            raise Refused(answer)
        return answer

    def _until(self, wanted):
        while True:
            found = None
            for packet in self._http().split("\x1e"):
                if packet == "2":
                    self._http("3")
                elif wanted(packet):
                    found = packet
            if found:
                return found

    def _http(self, body=None):
        request = urllib.request.Request(self._url, data=body and body.encode())
        if body:
            request.add_header("content-type", "text/plain;charset=UTF-8")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()


def begin():
    """A session, as soon as there is a flow-manager with a token for us."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            lines = pathlib.Path(os.environ["TOKENS_FILE"]).read_text().splitlines()
            tokens = [line.split() for line in lines if line.strip() and not line.startswith("#")]
            token = next(token for role, _, token in tokens if role == "admin")
            return Session(os.environ["FLOW_MANAGER_URL"], token)
        except (OSError, StopIteration) as error:
            if time.monotonic() > deadline:
                sys.exit(f"no flow-manager after {PATIENCE} s: {error!r}")
            time.sleep(0.5)


def attempt(session, event, **data):
    try:
        session.ask(event, **data)
    except Refused as refused:
        if refused.code not in ("container_not_found", "invalid_state"):
            raise


def delete(session, name):
    attempt(session, "delete_container", container_id=name, force=True)


def main():
    # Raises where it waits.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    session = begin()
    try:
        for name in NAMES:
            # Left by one that could not delete it.
            delete(session, name)
            session.ask("create_container", image=os.environ["FLOW_IMAGE"], name=name)
            session.ask("start_container", container_id=name)
            print(f"{name} started", flush=True)
        rows = 0
        while True:
            time.sleep(1)
            rows += 1
            for name in NAMES:
                try:
                    session.ask("send_message", container_id=name, message={"command": "load", "data": {"rows": rows}})
                except Refused as refused:
                    print(f"{name}: {refused.code}: {refused}", flush=True)
    finally:
        # A session of its own: this one may be in the middle of an answer.
        session = begin()
        for name in NAMES:
            # Who follows its log sees the end of a container that stopped, not of one that is gone.
            attempt(session, "stop_container", container_id=name, grace_seconds=5)
        time.sleep(2)
        for name in NAMES:
            delete(session, name)


if __name__ == "__main__":
    main()
