"""A way between a client and flow-manager that can be cut."""

import socket
import threading


class Relay:
    """Passes on to an address, until it is cut."""

    def __init__(self, url):
        host, port = url.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._open, self._way = [], threading.Event()
        self._way.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inside, _ = self._server.accept()
            except OSError:
                return
            self._way.wait()
            try:
                outside = socket.create_connection(self._target)
            except OSError:
                inside.close()
                continue
            self._open += [inside, outside]
            for source, target in ((inside, outside), (outside, inside)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source, target):
        try:
            while part := source.recv(65_536):
                target.sendall(part)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends all connections; new ones wait until `mend`."""
        self._way.clear()
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self._way.set()

    def close(self):
        self.cut()
        self.mend()
        self._server.close()
