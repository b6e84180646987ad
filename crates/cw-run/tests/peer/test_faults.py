"""CloudWatch that is away, refuses or cuts, an engine that restarts, and a cw-run that is killed: every line arrives,
and twice only what was accepted in an answer that never came."""

import random
import socket
import threading
import time
from collections import Counter

import pytest

from cases import FULL
from endpoint import CUT, CUT_IN_MID_ANSWER, PAGE, Proxy, refuse
from engine import IMAGE, until

AWAY = 60 if FULL else 10
KILLS = 100 if FULL else 10
# Of so many requests one is let through.
THROTTLED = 10 if FULL else 4
QUICK = ("--flush-interval", "500ms")
# A container's lines may wait for an answer longer than they are printed.
PATIENT = ("--drain-timeout", "10m")


def printing(seconds, a_second=1000):
    """So many lines a second, less what a shell takes for itself."""
    tenth = a_second // 10
    return f"for t in $(seq 0 {seconds * 10 - 1}); do seq $((t*{tenth}+1)) $(((t+1)*{tenth})); sleep 0.1; done"


def lines(count):
    return [str(number) for number in range(1, count + 1)]


@pytest.fixture
def proxy(endpoint):
    with Proxy(endpoint) as proxy:
        yield proxy


def check_arrival(endpoint, proxy, name, expected):
    """Every line arrived, in order but for repeats, and twice only after an answer that did not come. Gives the number
    of those that came once more."""
    arrived = endpoint.messages(name, name)
    counted = Counter(arrived)
    missing = [line for line in expected if line not in counted]
    assert not missing, f"{len(missing)} of {len(expected)} lines are lost, the first {missing[:3]}"
    assert set(counted) <= set(expected)
    assert list(dict.fromkeys(arrived)) == expected
    answered = Counter()
    for put in proxy.puts:
        if put.accepted:
            again = [message for message in put.messages if answered[message]]
            assert not again, f"sent again although an answer came: {again[:3]}"
            answered.update(put.messages if put.answered else ())
    repeated = len(arrived) - len(expected)
    unanswered = sum(len(put.messages) for put in proxy.puts if put.accepted and not put.answered)
    assert repeated <= unanswered
    print(f"{len(expected)} lines, {repeated} of them once more, {len(proxy.puts)} batches, {proxy.faults} faults")
    return repeated


def test_lines_wait_while_cloudwatch_is_away(endpoint, proxy, ship, engine, name):
    seconds = AWAY + 5
    job = ship(proxy.url, printing(seconds), *PATIENT)
    until("the first lines", proxy.accepted)
    before = proxy.accepted()
    proxy.stop()
    time.sleep(AWAY)
    assert proxy.accepted() == before
    # Nobody held the container up.
    printed = engine.printed(name).count("\n")
    assert printed >= AWAY * 600, f"{printed} lines in {AWAY} s"
    proxy.start()
    assert job.wait(AWAY + 90) == 0, job.log()[-3000:]
    check_arrival(endpoint, proxy, name, lines(seconds * 1000))
    assert job.summary["retries"] > 0


def test_throttled_lines_arrive(endpoint, proxy, ship, name):
    def throttle(operation, number, body):
        if operation == "PutLogEvents" and number % THROTTLED != THROTTLED - 1:
            return refuse(400, "ThrottlingException", "Rate exceeded")

    proxy.script = throttle
    job = ship(proxy.url, printing(3), *QUICK, *PATIENT)
    assert job.wait(900) == 0, job.log()[-3000:]
    assert check_arrival(endpoint, proxy, name, lines(3000)) == 0
    assert job.summary["retries"] == proxy.faults > 0


@pytest.mark.parametrize(
    "fault",
    [refuse(500, "InternalFailure"), refuse(503, "ServiceUnavailableException"), PAGE, CUT],
    ids=["500", "503", "page", "cut before an answer"],
)
def test_lines_survive_failures_of_the_service(endpoint, proxy, ship, name, fault):
    # The first of each kind fails as well, before there is a group.
    proxy.script = lambda operation, number, body: fault if number % 2 == 0 else None
    job = ship(proxy.url, printing(2), *QUICK, *PATIENT)
    assert job.wait(120) == 0, job.log()[-3000:]
    assert check_arrival(endpoint, proxy, name, lines(2000)) == 0
    assert proxy.faults > 0


def test_lines_come_twice_only_after_a_cut_answer(endpoint, proxy, ship, name):
    def cut(operation, number, body):
        return CUT_IN_MID_ANSWER if operation == "PutLogEvents" and number % 3 == 1 else None

    proxy.script = cut
    job = ship(proxy.url, printing(4), *QUICK, *PATIENT)
    assert job.wait(120) == 0, job.log()[-3000:]
    repeated = check_arrival(endpoint, proxy, name, lines(4000))
    # The endpoint accepted what was cut, so there are some, and cw-run knows how many there may be.
    assert 0 < repeated <= job.summary["duplicates_possible"]


def test_lines_wait_until_access_is_allowed(endpoint, proxy, ship, name):
    denied = refuse(400, "AccessDeniedException", "User is not authorized to perform: logs:PutLogEvents")

    def deny(operation, number, body):
        return denied if operation == "PutLogEvents" and number < 4 else None

    proxy.script = deny
    job = ship(proxy.url, printing(2), *QUICK, *PATIENT)
    assert job.wait(120) == 0, job.log()[-3000:]
    assert check_arrival(endpoint, proxy, name, lines(2000)) == 0
    assert proxy.faults == 4


def test_poison_event_is_dropped_alone(endpoint, proxy, ship, name):
    def refuse_poison(operation, number, body):
        return refuse(400, "InvalidParameterException", "Bad.") if b"poison" in body else None

    proxy.script = refuse_poison
    job = ship(proxy.url, "seq 1 4321; echo poison; seq 4322 9999", *PATIENT)
    assert job.wait(120) == 0, job.log()[-3000:]
    assert check_arrival(endpoint, proxy, name, lines(9999)) == 0
    assert job.summary["lines_refused"] == 1
    # Halves of halves: 10,000 events are 14 steps from one.
    assert proxy.faults <= 2 * 14 + 1


def test_lines_arrive_over_a_restart_of_the_engine(endpoint, proxy, ship, engine, name):
    seconds = 12
    job = ship(proxy.url, printing(seconds, 500), *QUICK, *PATIENT)
    until("the first lines", proxy.accepted)
    engine.stop()
    engine.start()
    assert job.wait(120) == 0, job.log()[-3000:]
    assert check_arrival(endpoint, proxy, name, lines(seconds * 500)) == 0


def test_killed_runs_go_on_at_their_checkpoint(endpoint, proxy, ship, engine, folder, name):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    script = 'i=0; while [ ! -e /tmp/stop ]; do seq $((i*50+1)) $((i*50+50)); i=$((i+1)); sleep 0.05; done'
    options = ("--checkpoint", str(folder / name), "--flush-interval", "100ms", *PATIENT)
    # So most kills come while a batch is under way: before it was accepted, or before that is known.
    proxy.distance = 0.1
    for _ in range(KILLS):
        job = ship(proxy.url, script, *options)
        # Any moment will do, the start included: this is what is tested.
        time.sleep(chance.uniform(0.02, 1.5))
        job.kill()
    job = ship(proxy.url, script, *options)
    until("the container", lambda: engine.containers("--filter", f"name={name}", "--filter", "status=running"))
    engine.docker("exec", name, "touch", "/tmp/stop")
    assert job.wait(120) == 0, job.log()[-3000:]
    assert engine.containers("--filter", f"name={name}") == [name]
    expected = engine.printed(name).split()
    assert expected == lines(len(expected)) and expected
    arrived = endpoint.messages(name, name)
    assert list(dict.fromkeys(arrived)) == expected
    # A kill repeats at most the batch that was accepted and is not in the checkpoint yet.
    seen, batches = set(), 0
    for put in proxy.puts:
        if put.accepted:
            batches += not seen.isdisjoint(put.messages)
            seen.update(put.messages)
    repeated = len(arrived) - len(expected)
    print(f"{len(expected)} lines, {KILLS} kills; once more: {batches} batches of {len(proxy.puts)}, {repeated} lines")
    assert batches <= KILLS


def end(job, within):
    """Sends SIGTERM; gives the exit code, which comes in time."""
    begin = time.monotonic()
    job.stop()
    code = job.wait(within + 10)
    assert time.monotonic() - begin < within, job.log()[-3000:]
    return code


def test_sigterm_while_pulling_leaves_nothing(endpoint, cw_run, engine, name):
    with socket.create_server(("127.0.0.1", 0)) as registry:
        image = f"127.0.0.1:{registry.getsockname()[1]}/slow:1"
        job = cw_run(endpoint.url, "--group", name, "--name", name, "--", image, "true")
        # The engine asks, and is never answered.
        registry.settimeout(30)
        registry.accept()
        assert end(job, 5) == 143, job.log()
    assert engine.containers("--filter", f"name={name}") == []


def test_sigterm_before_the_start_leaves_nothing(endpoint, proxy, ship, engine, name):
    asked, release = threading.Event(), threading.Event()

    def wait(operation, number, body):
        asked.set()
        fault = refuse(500, "Never")
        fault.wait = release
        return fault

    proxy.script = wait
    # So it asks for the stream before the container starts.
    job = ship(proxy.url, "echo hello", "--no-create")
    assert asked.wait(30), job.log()
    code = end(job, 5)
    release.set()
    assert code == 143, job.log()
    assert engine.containers("--filter", f"name={name}") == []


def test_sigterm_while_running_ships_the_last_words(endpoint, proxy, ship, engine, name):
    script = "trap 'seq 11 20; exit 5' TERM; seq 10; while true; do sleep 0.1; done"
    job = ship(proxy.url, script, "--rm")
    until("the lines", lambda: "10\n" in engine.printed(name))
    assert end(job, 15) == 5, job.log()
    check_arrival(endpoint, proxy, name, lines(20))
    assert engine.containers("--filter", f"name={name}") == []


def test_sigterm_leaves_a_container_that_is_to_stay(endpoint, proxy, ship, engine, name):
    job = ship(proxy.url, "seq 10; sleep 1000", "--detach-on-exit")
    until("the lines", lambda: "10\n" in engine.printed(name))
    assert end(job, 15) == 0, job.log()
    check_arrival(endpoint, proxy, name, lines(10))
    assert engine.state(name) == "running"
    engine.docker("rm", "--force", name)


def test_sigterm_while_draining_ships_all(endpoint, proxy, ship, engine, name):
    def away(operation, number, body):
        return PAGE if operation == "PutLogEvents" else None

    proxy.script = away
    job = ship(proxy.url, "seq 1000", "--rm", *QUICK)
    until("the container's end", lambda: engine.containers("--filter", f"name={name}", "--filter", "status=exited"))
    until("a failure", lambda: proxy.faults > 1)
    job.stop()
    job.wait_for("stopping, a second signal ends at once")
    proxy.script = lambda *_: None
    assert job.wait(30) == 0, job.log()
    check_arrival(endpoint, proxy, name, lines(1000))
    assert engine.containers("--filter", f"name={name}") == []


def test_what_cannot_be_shipped_in_time_is_told_and_stays(endpoint, proxy, ship, engine, name):
    proxy.script = lambda operation, number, body: PAGE if operation == "PutLogEvents" else None
    job = ship(proxy.url, "seq 1000; sleep 1000", "--rm", "--drain-timeout", "2s", "--stop-timeout", "1", *QUICK)
    until("a failure", lambda: proxy.faults > 1)
    assert end(job, 15) == 124, job.log()
    told = [event for event in job.events() if event["level"] == "ERROR"]
    assert told and told[-1]["lines"] == 1000, job.log()
    # Its log is all there is of them.
    assert engine.printed(name).split() == lines(1000)
    assert engine.state(name) == "exited"
