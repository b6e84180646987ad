"""Fixtures for the tests of the image; `.ci/run` runs them, `cargo test` does without."""

import socket
import threading

import pytest
import support


@pytest.fixture
def endpoint(tmp_path):
    with support.LocalEndpoint(tmp_path) as endpoint:
        yield endpoint


@pytest.fixture
def refusing_url():
    """The URL of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def silent():
    """The URL of a server that takes connections and never answers, and the event that
    says that a request has come in."""
    asked, open_connections = threading.Event(), []

    def accept(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            open_connections.append(connection)
            asked.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=[server])
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in open_connections:
        connection.close()
