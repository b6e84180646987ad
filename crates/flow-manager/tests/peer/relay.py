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
        self._open, self._whole, self._lock = [], True, threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                inside, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                try:
                    outside = socket.create_connection(self._target) if self._whole else None
                except OSError:
                    outside = None
                if outside is None:
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
        """Ends all connections, and new ones at once until `mend`."""
        with self._lock:
            self._whole = False
            for one in self._open:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self._open.clear()

    def mend(self):
        self._whole = True

    def close(self):
        self.cut()
        self._server.close()
