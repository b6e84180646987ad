"""The main job as a new user types it, and the AWS CLI that reads every line back."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from engine import CREDENTIALS, IMAGE, REGION, run

# More than `get-log-events` gives at once.
LINES = 10_500
LOOP = f'i=0; while [ "$i" -lt {LINES} ]; do i=$((i+1)); echo "line $i"; done'

# As it is typed, with the shell's quotes. There is a bash in the image, called python, of the long form.
LONG = f"""
cargo run --locked --quiet -p cw-run -- --docker-image python --bash-command {shlex.quote(LOOP)}
    --aws-cloudwatch-group long --aws-cloudwatch-stream today --aws-region {REGION}
"""
SHORT = f"cargo run --locked --quiet -p cw-run -- --group short --stream today -- {IMAGE} sh -c {shlex.quote(LOOP)}"


def aws(endpoint, *words):
    """The answer of the AWS CLI that is installed beside this Python."""
    environment = CREDENTIALS | {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": ""}
    program = Path(sys.executable).parent / "aws"
    done = run(program, "logs", *words, "--endpoint-url", endpoint.url, "--output", "json", env=environment)
    return json.loads(done.stdout)


def read_back(endpoint, group, stream):
    messages, token = [], []
    while True:
        words = ("--log-group-name", group, "--log-stream-name", stream, "--start-from-head")
        page = aws(endpoint, "get-log-events", *words, *token)
        messages += [event["message"] for event in page["events"]]
        if token[1:] == [page["nextForwardToken"]]:
            return messages
        token = ["--next-token", page["nextForwardToken"]]


@pytest.mark.parametrize("group, typed", [("long", LONG), ("short", SHORT)])
def test_lines_of_the_main_job_are_read_back_in_order(engine, endpoint, programs, folder, group, typed):
    words = shlex.split(typed)
    if os.environ.get("CW_RUN_PROGRAMS"):
        words = [programs / "cw-run", *words[words.index("--") + 1 :]]
    environment = os.environ | CREDENTIALS | {
        "DOCKER_HOST": engine.url,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint.url,
    }
    done = subprocess.run(words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert read_back(endpoint, group, "today") == [f"line {number}" for number in range(1, LINES + 1)]


def test_secrets_in_the_arguments_are_warned_of_and_serve(endpoint, cw_run, name):
    keys = ("--aws-access-key-id", "test", "--aws-secret-access-key", "test")
    without = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    job = cw_run(endpoint.url, *keys, "--group", name, "--stream", name, "--", IMAGE, "echo", "hello", **without)
    assert job.wait() == 0, job.log()
    assert any("ps" in event["message"] and event["level"] == "WARN" for event in job.events()), job.log()
    assert endpoint.messages(name, name) == ["hello"]


def test_bash_command_replaces_an_entrypoint(engine, endpoint, cw_run, folder, name):
    engine.docker("import", "--change", 'ENTRYPOINT ["/bin/false"]', str(folder / "image.tar"), "with-entrypoint:1")
    job = cw_run(endpoint.url, "--docker-image", "with-entrypoint:1", "--bash-command", "echo hello; exit 3",
                 "--aws-cloudwatch-group", name, "--aws-cloudwatch-stream", name)
    assert job.wait() == 3, job.log()
    assert endpoint.messages(name, name) == ["hello"]


def test_image_without_the_shell_says_what_to_write(endpoint, cw_run, name):
    job = cw_run(endpoint.url, "--docker-image", IMAGE, "--shell", "zsh", "--bash-command", "echo hello", "--rm",
                 "--group", name, "--stream", name)
    assert job.wait() == 127, job.log()
    told = [row for row in job.log().splitlines() if row.startswith("cw-run: ")]
    assert len(told) == 1 and "--shell sh" in told[0], job.log()
