"""On a terminal the log is text, with a line that tells how far shipping is."""

import os
import pty
import subprocess

from engine import CREDENTIALS, IMAGE, PATIENCE, REGION


def test_terminal_shows_text_and_how_far_shipping_is(endpoint, programs, engine, folder, name):
    ours, theirs = pty.openpty()
    environment = CREDENTIALS | {
        "PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_HOST": engine.url, "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint.url,
    }
    words = ["--group", name, "--flush-interval", "100ms", "--", IMAGE, "sh", "-c", "seq 10; sleep 3"]
    job = subprocess.Popen(
        [programs / "cw-run", *words], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:
        # Nobody has the other end any more.
        pass
    os.close(ours)
    output, _ = job.communicate(timeout=PATIENCE)
    assert (job.returncode, output) == (0, b""), shown
    text = shown.decode()
    assert "10 lines, 0.0 MB shipped, 0.0 s behind" in text, text
    assert "summary" in text and '{"timestamp"' not in text, text
