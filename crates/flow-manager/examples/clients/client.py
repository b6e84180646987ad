#!/usr/bin/env python3
"""A client of flow-manager in Python.

    pip install "python-socketio[asyncio_client]==5.18.1"
    client.py list
    client.py create flow:1 --name a --env K=v -- python3 -u /app/flow.py
    client.py start a
    client.py send a dump '{"deep": true}'
    client.py watch

The token is read from the file that `--token-file` names, or from `FLOW_MANAGER_TOKEN`: a token among the arguments
would show in `ps`. Take `FlowManager` along: it has requests with their answers, and the events of the rooms, none
twice and none left out over a reconnect.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import sys

import socketio

ROOM_OF = {"status_update": "all", "activity_log": "all", "container_message": "operate"}
PATIENCE = 150  # seconds: an engine may pull an image


class Refused(Exception):
    """An answer that says `error: true`."""

    def __init__(self, answer):
        super().__init__(answer["message"])
        self.code = answer["details"]["code"]
        self.answer = answer


class FlowManager:
    """A connection. `on_event(name, data)` is given the events of the rooms, `on_gap()` is called where some may be
    missing, so that all must be listed again: after the first connection, and where flow-manager was started anew."""

    def __init__(self, token, on_event=None, on_gap=None):
        self._token = token
        self._on_event, self._on_gap = on_event, on_gap
        self._epoch, self._last = None, {}
        self._held = None  # events that wait until the ones before them are known
        self._client = socketio.AsyncClient(reconnection_delay=0.5, reconnection_delay_max=5)
        self._refusal = None
        self._client.on("connect", self._connected)
        self._client.on("connect_error", self._refused)
        self._client.on("disconnect", self._disconnected)
        for name in ROOM_OF:
            self._client.on(name, lambda data, name=name: self._take(name, data))

    async def connect(self, url, transports=None):
        """A refusal's text is the code."""
        self._place = (url, transports)
        try:
            await self._client.connect(url, auth={"token": self._token}, transports=transports)
        except socketio.exceptions.ConnectionError as error:
            raise ConnectionRefusedError(self._refusal or str(error)) from error

    def _disconnected(self, reason):
        # The library connects again by itself, but not where the server ended it.
        if reason == self._client.reason.SERVER_DISCONNECT:
            self._client.start_background_task(self._again)

    async def _again(self):
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(ConnectionRefusedError):
                return await self.connect(*self._place)

    def _refused(self, error=None):
        self._refusal = error.get("message") if isinstance(error, dict) else error

    async def disconnect(self):
        await self._client.disconnect()

    async def request(self, event, **data):
        """Gives the answer, or raises `Refused`."""
        answer = await self._client.call(event, data, timeout=PATIENCE)
        if answer.get("error") is True:
            raise Refused(answer)
        return answer

    def _connected(self):
        # The library reads on when this returns, and an answer is to be read.
        self._held = held = []
        self._client.start_background_task(self._catch_up, held)

    async def _catch_up(self, held):
        missed = None
        if "all" in self._last:
            try:
                answer = await self.request("resume", epoch=self._epoch, last_seq=self._last)
                missed = answer["events"] if answer["complete"] else None
            except Refused:
                pass  # then all is listed
            except socketio.exceptions.SocketIOError:
                return  # the next connection asks again
        if self._held is not held:
            return  # a later connection has events of its own
        self._held = None
        if missed is None:
            self._epoch, self._last = None, {}
            if self._on_gap:
                self._on_gap()
        for name, data in [(one["event"], one["data"]) for one in missed or ()] + held:
            self._take(name, data)

    def _take(self, name, data):
        if self._held is not None:
            self._held.append((name, data))
            return
        if data["epoch"] != self._epoch:
            self._epoch, self._last = data["epoch"], {}
        room = ROOM_OF[name]
        if data["seq"] <= self._last.get(room, 0):
            return
        self._last[room] = data["seq"]
        if self._on_event:
            self._on_event(name, data)


def parse():
    parser = argparse.ArgumentParser(description="Manages the containers of a flow-manager.")
    parser.add_argument("--url", default="http://127.0.0.1:7070")
    parser.add_argument("--token-file", type=pathlib.Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all containers")
    create = commands.add_parser("create", help="create a container; its command stands behind `--`")
    create.add_argument("image")
    create.add_argument("--name")
    create.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    for name in ("start", "stop", "restart", "pause", "unpause", "status"):
        commands.add_parser(name).add_argument("container")
    delete = commands.add_parser("delete", help="delete a container")
    delete.add_argument("container")
    delete.add_argument("--force", action="store_true", help="kill it if it runs")
    update = commands.add_parser("update", help="replace its code, or put the old back")
    update.add_argument("container")
    update.add_argument("code_path")
    logs = commands.add_parser("logs", help="the newest lines")
    logs.add_argument("container")
    logs.add_argument("--tail", type=int, default=100)
    send = commands.add_parser("send", help="send a message, and print the reply")
    send.add_argument("container")
    send.add_argument("message")
    send.add_argument("data", nargs="?", type=json.loads, default={})
    commands.add_parser("watch", help="print what happens, until it is interrupted")
    words = sys.argv[1:]
    behind = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:behind])
    arguments.words = words[behind + 1:]
    return arguments


async def ask(manager, arguments):
    command = arguments.command
    if command == "list":
        return (await manager.request("list_containers"))["containers"]
    if command == "create":
        wish = {"image": arguments.image, "environment": dict(one.split("=", 1) for one in arguments.env)}
        if arguments.name:
            wish["name"] = arguments.name
        if arguments.words:
            wish["command"] = arguments.words
        return (await manager.request("create_container", **wish))["container"]
    container = {"container_id": arguments.container}
    if command == "status":
        return (await manager.request("get_status", **container))["status"]
    if command == "delete":
        return await manager.request("delete_container", **container, force=arguments.force)
    if command == "update":
        return await manager.request("update_container", **container, code_path=arguments.code_path)
    if command == "logs":
        return (await manager.request("get_logs", **container, tail=arguments.tail))["lines"]
    if command == "send":
        message = {"command": arguments.message, "data": arguments.data}
        return (await manager.request("send_message", **container, message=message, await_reply=True))["reply"]
    return await manager.request(f"{command}_container", **container)


async def main():
    arguments = parse()
    token = arguments.token_file.read_text().strip() if arguments.token_file else os.environ.get("FLOW_MANAGER_TOKEN")
    shown = lambda name, data: print(json.dumps({"event": name, **data}, ensure_ascii=False), flush=True)
    watch = arguments.command == "watch"
    manager = FlowManager(token, shown if watch else None)
    try:
        await manager.connect(arguments.url)
        if watch:
            await asyncio.Event().wait()
        else:
            print(json.dumps(await ask(manager, arguments), indent=2, ensure_ascii=False))
    except Refused as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    except (socketio.exceptions.SocketIOError, OSError) as error:
        print(f"not connected: {error}", file=sys.stderr)
        return 1
    finally:
        await manager.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
