"""Each container twice: through Docker's `awslogs` driver and through cw-run. The events are the same, but for the
differences that `cases.py` lists with their reasons."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cases import CASES, DIFFERENCES
from engine import IMAGE, REGION, until

GROUP = "oracle"
# The machine has two processors, and containers wait most of their time.
AT_A_TIME = 4


def slug(title):
    return title.lower().replace(" ", "-")


def finish(engine, container, case):
    """Sees a container to its end; gives its exit code."""
    if case.killed:
        until("the last line", lambda: "100\n" in engine.printed(container))
        engine.docker("kill", container)
    return int(engine.docker("wait", container))


@pytest.fixture(scope="module")
def by_driver(engine, endpoint):
    """What the driver's containers came to: exit code, and the seconds between which they ran."""
    endpoint.client.create_log_group(logGroupName=GROUP)

    def through_driver(title):
        case, container = CASES[title], f"driver-{slug(title)}"
        options = {"endpoint": endpoint.url, "region": REGION, "group": GROUP, "stream": container}
        options |= {case.multiline[0]: case.multiline[1]} if case.multiline else {}
        words = [word for option in options.items() for word in ("--log-opt", "awslogs-{}={}".format(*option))]
        words += ["--tty"] if case.tty else []
        begin = time.time()
        engine.docker("run", "--detach", "--name", container, "--log-driver", "awslogs", *words, IMAGE,
                      "sh", "-c", case.script)
        return finish(engine, container, case), begin, time.time()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return dict(zip(CASES, pool.map(through_driver, CASES)))


@pytest.mark.parametrize("title", CASES)
def test_events_are_those_of_the_driver(engine, endpoint, cw_run, by_driver, title):
    case, container = CASES[title], f"ours-{slug(title)}"
    options = ["--group", GROUP, "--stream", container]
    options += [f"--{case.multiline[0]}", case.multiline[1]] if case.multiline else []
    begin = time.time()
    if case.tty:
        # cw-run makes no terminal, it attaches to one.
        engine.docker("run", "--detach", "--tty", "--name", container, IMAGE, "sh", "-c", case.script)
        job = cw_run(endpoint.url, "attach", container, *options)
    else:
        job = cw_run(endpoint.url, *options, "--name", container, "--", IMAGE, "sh", "-c", case.script)
        if case.killed:
            until("the container", lambda: engine.containers("--filter", f"name={container}"))
            finish(engine, container, case)
    code = job.wait(120)
    assert (code, by_driver[title][0]) == (0 if case.tty else case.code, case.code), job.log()[-2000:]
    end = time.time()
    ours = endpoint.events(GROUP, container)

    def theirs():
        messages = endpoint.messages(GROUP, f"driver-{slug(title)}")
        for name in case.differences:
            messages = DIFFERENCES[name].mend(messages)
        return messages

    messages = [message for _, message in ours]
    for name in case.differences:
        messages = DIFFERENCES[name].ours(messages)
    # The driver goes on sending when its container has ended.
    deadline = time.monotonic() + 15
    while theirs() != messages and time.monotonic() < deadline:
        time.sleep(0.2)
    assert shown(messages) == shown(theirs()), job.log()[-1000:]
    # Both take the time at which a line was printed.
    driver = endpoint.events(GROUP, f"driver-{slug(title)}")
    for events, (first, last) in ((ours, (begin, end)), (driver, by_driver[title][1:])):
        assert all(first - 1 <= at / 1000 <= last + 1 for at, _ in events)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference_is_one(endpoint, by_driver, name):
    """What stands in the table and is none any more goes out of it."""
    with_it = [title for title, case in CASES.items() if name in case.differences]
    streams = [endpoint.messages(GROUP, f"driver-{slug(title)}") for title in with_it]
    assert any(DIFFERENCES[name].mend(messages) != messages for messages in streams)


def shown(messages):
    """Short enough for a reader: the begin of each, and its length."""
    return [text if len(text) < 60 else f"{text[:40]}… {len(text)} {hash(text)}" for text in messages]
