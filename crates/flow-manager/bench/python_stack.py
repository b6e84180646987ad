#!/usr/bin/env python3
"""The original's own stack, for comparison: python-socketio, aiohttp and docker-py.

    DOCKER_HOST=unix:///… STATE_DIR=… PORT=… python3 python_stack.py

It does what flow-manager does for the same events and no more: list_containers, create_container, start_container,
delete_container, get_status, send_message; the flow socket with hello, welcome, message, reply and ack. No tokens, no
rooms, no history, no bounds. docker-py waits in threads, so that the event loop does not.
"""

import asyncio
import json
import os
import pathlib
import uuid

import docker
import socketio
from aiohttp import web

LABEL = "io.flow-manager.bench"
server = socketio.AsyncServer(async_mode="aiohttp")
engine = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], max_pool_size=64)
state_dir = pathlib.Path(os.environ["STATE_DIR"])
flows = {}


class Flow:
    """The listening end of one container's socket."""

    def __init__(self):
        self.folder = state_dir / uuid.uuid4().hex[:16]
        self.folder.mkdir(mode=0o755)
        self.writer, self.waiting, self.last = None, {}, 0

    async def listen(self):
        path = self.folder / "flow.sock"
        self.listener = await asyncio.start_unix_server(self.converse, path, limit=1_048_576)
        path.chmod(0o666)

    async def converse(self, reader, writer):
        try:
            json.loads(await reader.readline())
            self.write(writer, {"type": "welcome", "version": 1, "container_id": "", "received": 0, "ping_seconds": 20})
            self.writer = writer
            while line := await reader.readline():
                message = json.loads(line)
                if message["type"] == "reply" and message["id"] in self.waiting:
                    self.waiting.pop(message["id"]).set_result(message)
                elif message["type"] in ("event", "actor"):
                    await server.emit("container_message", message)
                    self.write(writer, {"type": "ack", "seq": message["seq"]})
        except OSError:
            pass
        finally:
            self.writer = None
            writer.close()

    def write(self, writer, message):
        writer.write(json.dumps(message).encode() + b"\n")

    async def send(self, message, awaits, seconds):
        self.last += 1
        id = f"m{self.last}"
        self.write(self.writer, {"type": "message", "id": id, "reply": awaits, **message})
        if not awaits:
            return id, None
        reply = self.waiting[id] = asyncio.get_running_loop().create_future()
        return id, await asyncio.wait_for(reply, seconds)

    def close(self):
        self.listener.close()
        (self.folder / "flow.sock").unlink()
        self.folder.rmdir()


def told(container):
    environment = dict(one.split("=", 1) for one in container.attrs["Config"].get("Env") or ())
    return {"id": container.id, "name": container.name, "status": container.status,
            "image": container.attrs["Config"]["Image"], "created": container.attrs["Created"],
            "socket_path": str(flows[container.id].folder / "flow.sock") if container.id in flows else None,
            "ports": {}, "environment": environment}


@server.event
async def list_containers(sid, data):
    found = await asyncio.to_thread(engine.containers.list, all=True, filters={"label": LABEL})
    return {"containers": [told(one) for one in found]}


@server.event
async def create_container(sid, data):
    flow = Flow()
    await flow.listen()
    container = await asyncio.to_thread(
        engine.containers.create, data["image"], data.get("command"), name=data.get("name"), labels={LABEL: "1"},
        environment={**data.get("environment", {}), "FLOW_SOCKET": "/run/flow/flow.sock"}, cap_drop=["ALL"],
        security_opt=["no-new-privileges"], volumes={str(flow.folder): {"bind": "/run/flow", "mode": "ro"}})
    flows[container.id] = flow
    return {"container": told(container)}


@server.event
async def start_container(sid, data):
    container = await asyncio.to_thread(engine.containers.get, data["container_id"])
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.reload)
    return {"container_id": container.id, "status": {"id": container.id, "state": container.status}}


@server.event
async def delete_container(sid, data):
    container = await asyncio.to_thread(engine.containers.get, data["container_id"])
    await asyncio.to_thread(container.remove, force=data.get("force", False), v=True)
    flows.pop(container.id).close()
    return {"container_id": container.id}


@server.event
async def get_status(sid, data):
    container = await asyncio.to_thread(engine.containers.get, data["container_id"])
    return {"status": {"id": container.id, "state": container.status,
                       "socket_connected": flows[container.id].writer is not None}}


@server.event
async def send_message(sid, data):
    flow = flows[data["container_id"]]
    id, reply = await flow.send(data["message"], data.get("await_reply", False), data.get("timeout_seconds", 30))
    return {"container_id": data["container_id"], "message_id": id, "reply": reply}


async def ready(request):
    return web.Response(text="ok")


if __name__ == "__main__":
    app = web.Application()
    server.attach(app)
    app.router.add_get("/readyz", ready)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
