"""The AWS CLI and botocore against the logs of the local endpoint: neither knows anything of
this project."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support import CREDENTIALS, PATIENCE, LocalEndpoint

AWS = pathlib.Path(sys.executable).parent / "aws"
# Version 2 of the CLI is no package of PyPI; Debian has it.
AWS_CLI_2 = os.environ.get("AWS_CLI_2")
GROUP, STREAM = "/app/web", "web/1"
DAY_MS = 24 * 3600 * 1000

# None of the caller's settings, the proxies and profiles among them.
ENVIRONMENT = CREDENTIALS | {
    "PATH": os.environ["PATH"],
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture
def local(tmp_path):
    with LocalEndpoint(tmp_path) as endpoint:
        yield endpoint


def aws(local, *words, check=True):
    """What `aws logs …` prints, as JSON where it is some."""
    done = subprocess.run(
        [AWS, "--endpoint-url", local.url, "--output", "json", "logs", *words],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )
    if check:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None
    return done


def client(local):
    session = botocore.session.Session()
    return session.create_client(
        "logs", region_name="eu-west-1", endpoint_url=local.url, aws_access_key_id="test",
        aws_secret_access_key="test", config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def now_ms():
    return int(time.time() * 1000)


def prepare(logs):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)


def code(call, **members):
    with pytest.raises(ClientError) as raised:
        call(**members)
    response = raised.value.response
    assert response["ResponseMetadata"]["RequestId"], response
    return response["Error"]["Code"]


def arrived(local, **query):
    url = f"{local.url}/logs/events?{urlencode(query)}"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


def test_cli_ships_a_log_and_reads_it_back(local):
    aws(local, "create-log-group", "--log-group-name", GROUP, "--tags", "team=shop")
    aws(local, "create-log-stream", "--log-group-name", GROUP, "--log-stream-name", STREAM)
    at = now_ms()
    lines = [{"timestamp": at + i, "message": f"line {i} é\t✓"} for i in range(5)]
    where = ["--log-group-name", GROUP, "--log-stream-name", STREAM]
    put = aws(local, "put-log-events", *where, "--log-events", json.dumps(lines))
    assert put["nextSequenceToken"] and "rejectedLogEventsInfo" not in put

    read = aws(local, "get-log-events", *where, "--start-from-head")
    assert [(e["timestamp"], e["message"]) for e in read["events"]] == [
        (e["timestamp"], e["message"]) for e in lines
    ]
    again = aws(local, "get-log-events", *where, "--start-from-head", "--next-token", read["nextForwardToken"])
    assert again["events"] == [] and again["nextForwardToken"] == read["nextForwardToken"]

    found = aws(local, "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", '"line 3"')
    assert [e["message"] for e in found["events"]] == ["line 3 é\t✓"]
    assert found["events"][0]["logStreamName"] == STREAM

    groups = aws(local, "describe-log-groups", "--log-group-name-prefix", "/app")["logGroups"]
    assert [g["logGroupName"] for g in groups] == [GROUP]
    [stream] = aws(local, "describe-log-streams", "--log-group-name", GROUP)["logStreams"]
    assert stream["lastEventTimestamp"] == at + 4 and stream["firstEventTimestamp"] == at
    tags = aws(local, "list-tags-for-resource", "--resource-arn", groups[0]["logGroupArn"])
    assert tags["tags"] == {"team": "shop"}

    aws(local, "put-retention-policy", "--log-group-name", GROUP, "--retention-in-days", "7")
    assert aws(local, "describe-log-groups")["logGroups"][0]["retentionInDays"] == 7
    aws(local, "delete-retention-policy", "--log-group-name", GROUP)
    assert "retentionInDays" not in aws(local, "describe-log-groups")["logGroups"][0]
    aws(local, "delete-log-group", "--log-group-name", GROUP)
    assert aws(local, "describe-log-groups")["logGroups"] == []


def test_cli_tells_the_code_and_the_message_of_an_error(local):
    done = aws(local, "create-log-stream", "--log-group-name", "none", "--log-stream-name", "s", check=False)
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr, done.stderr
    assert "The specified log group does not exist." in done.stderr
    done = aws(local, "describe-queries", check=False)
    assert "(UnknownOperationException)" in done.stderr, done.stderr


def test_cli_tails_a_group(local):
    logs = client(local)
    prepare(logs)
    logs.put_log_events(
        logGroupName=GROUP, logStreamName=STREAM,
        logEvents=[{"timestamp": now_ms(), "message": f"tailed {i}"} for i in range(3)],
    )
    expected = ["tailed 0", "tailed 1", "tailed 2"]
    if not AWS_CLI_2:
        # Version 1 has no such command. Version 2 asks for this, over and over.
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP, startTime=now_ms() - 300_000, interleaved=True
        )
        assert [event["message"] for page in pages for event in page["events"]] == expected
        return
    words = [AWS_CLI_2, "--endpoint-url", local.url, "logs", "tail", GROUP, "--since", "5m"]
    with subprocess.Popen(
        [*words, "--follow"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
    ) as tail:
        # A line that never comes fails the test, for then the output ends early.
        timer = threading.Timer(PATIENCE, tail.kill)
        timer.start()
        read = [tail.stdout.readline() for _ in expected]
        later = [{"timestamp": now_ms(), "message": "followed"}]
        logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=later)
        read.append(tail.stdout.readline())
        timer.cancel()
        tail.terminate()
    assert [line.rstrip("\n").split(" ", 2)[1:] for line in read] == [
        [STREAM, text] for text in [*expected, "followed"]
    ]


def test_botocore_reads_what_it_sent_page_by_page_in_both_directions(local):
    logs = client(local)
    prepare(logs)
    at = now_ms()
    for batch in range(3):
        events = [{"timestamp": at + batch, "message": f"{batch}-{i}"} for i in range(5_000)]
        logs.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=events)
    expected = [f"{batch}-{i}" for batch in range(3) for i in range(5_000)]

    read, token = [], None
    while True:
        members = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, **members)
        read += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert read == expected

    read, token = [], None
    while True:
        members = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, limit=4_000, **members)
        read = [event["message"] for event in page["events"]] + read
        if page["nextBackwardToken"] == token:
            break
        token = page["nextBackwardToken"]
    assert read == expected

    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, filterPattern='"1-" -"1-1"')
    found = [event["message"] for page in pages for event in page["events"]]
    assert found == [text for text in expected if "1-" in text and "1-1" not in text]

    events = arrived(local, group=GROUP, stream=STREAM)["events"]
    assert [event["batch"] for event in events] == [1] * 5_000 + [2] * 5_000
    assert [event["number"] for event in events] == list(range(1, 10_001))


def test_botocore_lists_all_groups_and_streams(local):
    logs = client(local)
    names = sorted(f"/g/{i}" for i in range(120))
    for name in names:
        logs.create_log_group(logGroupName=name)
    pages = logs.get_paginator("describe_log_groups").paginate()
    assert [g["logGroupName"] for page in pages for g in page["logGroups"]] == names
    for i in range(60):
        logs.create_log_stream(logGroupName="/g/0", logStreamName=f"s{i:02}")
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName="/g/0")
    found = [s["logStreamName"] for page in pages for s in page["logStreams"]]
    assert found == [f"s{i:02}" for i in range(60)]


def test_botocore_knows_the_errors_by_their_class(local):
    logs = client(local)
    prepare(logs)
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=GROUP)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_stream(logGroupName=GROUP, logStreamName="none")
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.put_retention_policy(logGroupName=GROUP, retentionInDays=2)
    arn = logs.describe_log_groups()["logGroups"][0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={str(i): "" for i in range(50)})
    with pytest.raises(logs.exceptions.TooManyTagsException):
        logs.tag_resource(resourceArn=arn, tags={"more": ""})


def test_botocore_is_told_what_was_rejected(local):
    logs = client(local)
    prepare(logs)
    at = now_ms()
    times = [at - 15 * DAY_MS, at, at + DAY_MS // 2]
    answer = logs.put_log_events(
        logGroupName=GROUP, logStreamName=STREAM,
        logEvents=[{"timestamp": at, "message": str(at)} for at in times],
    )
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    assert [event["message"] for event in arrived(local, group=GROUP)["events"]] == [str(at)]


def test_signature_of_a_stranger_is_refused(local):
    session = botocore.session.Session()
    stranger = session.create_client(
        "logs", region_name="eu-west-1", endpoint_url=local.url, aws_access_key_id="test",
        aws_secret_access_key="wrong", config=Config(retries={"total_max_attempts": 1}),
    )
    assert code(stranger.describe_log_groups) == "InvalidSignatureException"
