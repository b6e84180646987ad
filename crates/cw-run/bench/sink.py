"""A CloudWatch Logs that takes everything and checks nothing, so that what is measured is who sends.

    python3 sink.py

prints its port. `GET /` tells how many events came, how many bytes of requests, and when the last one did."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = {"events": 0, "bytes": 0, "last": 0.0}


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = b"{}"
        if self.headers["x-amz-target"].endswith(".PutLogEvents"):
            # A quote within a message is escaped, so this is a member's name.
            seen["events"] += body.count(b'"timestamp":')
            seen["bytes"] += len(body)
            seen["last"] = time.time()
            answer = b'{"nextSequenceToken":"1"}'
        self.answer(answer)

    def do_GET(self):
        self.answer(json.dumps(seen).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A small answer must not wait for the other side's acknowledgement.
    disable_nagle_algorithm = True


server = Server(("127.0.0.1", 0), Sink)
print(server.server_address[1], flush=True)
server.serve_forever()
