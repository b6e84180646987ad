"""Passes on what goes to the engine, and notes each call: so it is seen how many there are and how long they take."""

import os
import re
import socket
import threading
import time

CALL = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1.1\r\n")


class Watched:
    def __init__(self, path, engine):
        self._engine = engine
        self.calls = []  # [name, begin, end], the end of the newest bytes of its answer
        self._server = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        self._server.bind(str(path))
        self._server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            inside, _ = self._server.accept()
            outside = socket.socket(socket.AF_UNIX)
            outside.connect(self._engine)
            held = [None]
            threading.Thread(target=self._pass, args=(inside, outside, held, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(outside, inside, held, False), daemon=True).start()

    def _pass(self, source, target, held, asks):
        try:
            while part := source.recv(65_536):
                now = time.perf_counter()
                if asks and (match := CALL.match(part)):
                    held[0] = [f"{match[1].decode()} {match[2].decode().split('?')[0]}", now, now]
                    self.calls.append(held[0])
                target.sendall(part)
                if not asks and held[0]:
                    held[0][2] = time.perf_counter()
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, target):
                one.close()

    def between(self, begin, end):
        """The calls that began then and were about containers, and the seconds in which one of them was under way."""
        found = [call for call in self.calls
                 if begin <= call[1] <= end and "/containers/" in call[0] and not call[0].endswith(("/stats", "/logs"))]
        busy, last = 0.0, begin
        for _, start, stop in sorted(found, key=lambda call: call[1]):
            busy += max(0.0, min(stop, end) - max(start, last))
            last = max(last, stop)
        return found, busy
