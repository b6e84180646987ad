"""moto takes what cw-run sends, and gives it back."""

import pytest
from moto.server import ThreadedMotoServer

from endpoint import logs_client, read_events


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_group_stream_and_events_come_back(moto, ship, name):
    job = ship(moto, "seq 12000; echo é€😀", "--retention-days", "7", "--tag", "owner=ops")
    assert job.wait() == 0, job.log()
    client = logs_client(moto)
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [(name, 7)]
    assert client.list_tags_for_resource(resourceArn=groups[0]["arn"].removesuffix(":*"))["tags"] == {"owner": "ops"}
    streams = client.describe_log_streams(logGroupName=name)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [name]
    lines = [str(number) for number in range(1, 12001)] + ["é€😀"]
    events = read_events(client, name, name)
    assert [message for _, message in events] == lines
    assert events == sorted(events, key=lambda event: event[0])


def test_group_and_stream_that_are_there_are_used(moto, ship, name):
    client = logs_client(moto)
    client.create_log_group(logGroupName=name)
    client.create_log_stream(logGroupName=name, logStreamName=name)
    job = ship(moto, "echo hello")
    assert job.wait() == 0, job.log()
    assert [message for _, message in read_events(client, name, name)] == ["hello"]


def test_standard_error_has_a_stream_of_its_own(moto, ship, name):
    job = ship(moto, "echo out; echo err >&2", "--stderr-stream", "{name}-err")
    assert job.wait() == 0, job.log()
    client = logs_client(moto)
    for stream, message in ((name, "out"), (f"{name}-err", "err")):
        assert [message for _, message in read_events(client, name, stream)] == [message]
