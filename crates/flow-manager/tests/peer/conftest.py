"""An engine, flow-manager on it, and the flows' image. `FLOW_MANAGER_URL` names one that runs already instead."""

import os
import pathlib
import tempfile
import uuid

import pytest
from engine import Engine
from manager import TOKENS, Manager, program


@pytest.fixture(scope="session")
def folder():
    # Short: the engine's socket stands below it.
    with tempfile.TemporaryDirectory(prefix="fm", ignore_cleanup_errors=True) as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="session")
def engine(folder):
    (folder / "engine").mkdir()
    engine = Engine(folder / "engine")
    try:
        with engine:
            engine.make_image()
            yield engine
    finally:
        engine.end()


@pytest.fixture(scope="session")
def roots(folder):
    """Folders that flow-manager may mount, and take code from."""
    for name in ("mounts", "code"):
        (folder / name).mkdir()
    return {"MOUNT_ROOTS": str(folder / "mounts"), "CODE_ROOTS": str(folder / "code")}


@pytest.fixture(scope="session")
def manager(folder, engine, roots):
    (folder / "manager").mkdir()
    manager = Manager(folder / "manager", engine.url, program(), **roots)
    manager.start()
    yield manager
    manager.stop()


@pytest.fixture
def name():
    return f"peer-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def page_of(request):
    """The address of a page, and a token of the role `admin`."""
    if url := os.environ.get("FLOW_MANAGER_URL"):
        return url, os.environ["FLOW_MANAGER_TOKEN"]
    return request.getfixturevalue("manager").url, TOKENS["admin"]
