"""Events of the same time through docker-py and through docker-client are the same."""

import time

import pytest
from conftest import IMAGE, LABEL


@pytest.fixture(scope="module")
def period(theirs):
    """The seconds in which something happened to an object of each kind."""
    key, value = LABEL.split("=")
    begin = int(time.time())
    container = theirs.containers.create(
        IMAGE, "sleep 1000", name="eventful", labels={key: value, "app": "shop"}, network_mode="none"
    )
    container.start()
    container.exec_run(["true"])
    container.rename("eventful-too")
    container.pause()
    container.unpause()
    container.kill()
    container.wait()
    network = theirs.networks.create("eventful")
    volume = theirs.volumes.create("eventful")
    image = theirs.images.get(IMAGE)
    image.tag("eventful:1")
    theirs.images.remove("eventful:1")
    volume.remove()
    network.remove()
    container.remove()
    # The engine takes whole seconds.
    time.sleep(1.1)
    return begin, int(time.time())


FILTERS = [
    {},
    {"type": "container"},
    {"type": ["network", "volume"]},
    {"type": "image"},
    {"event": "die"},
    {"container": "eventful-too"},
    {"label": "app=shop"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_events_are_the_same(filters, period, ours, theirs):
    begin, end = period
    raw = list(theirs.events(since=begin, until=end, filters=filters, decode=True))
    assert raw, "nothing to compare"
    pairs = [(name, value) for name, values in filters.items() for value in ([values] if isinstance(values, str) else values)]
    words = [word for name, value in pairs for word in ("--filter", f"{name}={value}")]
    found = ours.lines(len(raw), "events", "--json", "--since", str(begin), *words)
    for mine, other in zip(found, raw, strict=True):
        assert mine["kind"] == other["Type"]
        assert mine["action"] == other["Action"]
        assert mine["id"] == other["Actor"]["ID"]
        assert mine["attributes"] == other["Actor"]["Attributes"]
        seconds, nanos = divmod(other["timeNano"], 10**9)
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        assert mine["time"] == f"{when}.{nanos:09}Z"


def test_every_action_was_compared(period, theirs):
    begin, end = period
    raw = theirs.events(since=begin, until=end, filters={"label": "app=shop"}, decode=True)
    actions = {event["Action"].split(":")[0] for event in raw}
    expected = {"create", "start", "exec_create", "exec_start", "exec_die", "rename", "pause", "unpause", "kill", "die", "destroy"}
    assert expected <= actions
