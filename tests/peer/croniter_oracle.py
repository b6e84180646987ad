#!/usr/bin/env python3
"""Compares when schedules fire with croniter, a cron implementation of its own.

    pip install croniter==7.0.0 tzdata
    cargo build --example next_firings
    python tests/peer/croniter_oracle.py [--seed N] [--cases N] [--record]

Makes random expressions, zones and moments (half of them at a change of the clocks) and
compares the next five firings. Every difference must have one of the REASONS below, each
decided by cron(8) and crontab(5) of Debian's cron, else the run fails. With --record, the
telling cases go to crates/cron-schedule/src/tests/croniter.tsv, which `cargo test` reads without Python.
"""

import argparse
import collections
import importlib.metadata
import pathlib
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import croniter

CRONITER = "7.0.0"
ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "crates/cron-schedule/src/tests/croniter.tsv"
FIRINGS = 5
CASES_MIN = 500
RECORDED = 60
UTC = timezone.utc
SECOND = timedelta(seconds=1)
SEASON_MAX = timedelta(hours=3)

# A zone and the years from which its moments are taken: seasons in both hemispheres,
# half and double hours, gaps at midnight, a month of Ramadan, a day that never was.
ZONES = [
    ("UTC", 2024, 2027),
    ("Europe/Berlin", 2024, 2027),
    ("Europe/London", 2024, 2027),
    ("America/New_York", 2024, 2027),
    ("America/St_Johns", 2009, 2012),
    ("America/Sao_Paulo", 2015, 2019),
    ("America/Santiago", 2023, 2025),
    ("Africa/Cairo", 2023, 2025),
    ("Africa/Casablanca", 2023, 2025),
    ("Asia/Beirut", 2020, 2022),
    ("Asia/Kathmandu", 2024, 2027),
    ("Australia/Lord_Howe", 2024, 2026),
    ("Australia/Sydney", 2024, 2026),
    ("Antarctica/Troll", 2024, 2026),
    ("Pacific/Apia", 2010, 2012),
]


class Case:
    """An expression in a zone, and the firings behind a start."""

    def __init__(self, expression, zone, start):
        self.expression, self.zone, self.start = expression, zone, start
        fields = expression.split()
        self.with_seconds = len(fields) == 6
        self.minute, self.hour = fields[-5], fields[-4]
        self.ours = self.theirs = ()

    @property
    def wildcard(self):
        """cron(8): not affected are jobs with '*' in the hour or minute specifier."""
        return self.minute.startswith("*") or self.hour.startswith("*")

    def local(self, at):
        return at.astimezone(ZoneInfo(self.zone))

    @property
    def every_hour(self):
        """Whether croniter takes the hours for a `*`, however they are written."""
        expanded, _ = croniter.croniter.expand(self.expression, second_at_beginning=self.with_seconds)
        return expanded[1] == ["*"]

    def gap_before(self, at):
        """The length of the gap that ended with the beginning of the minute of `at`."""
        minute = at.replace(second=0)
        return self.local(minute).utcoffset() - self.local(minute - SECOND).utcoffset()

    def ask_croniter(self, until):
        """croniter's firings up to `until`, in the mode that combines days as cron does."""
        firings = croniter.croniter(
            self.expression,
            self.local(self.start),
            second_at_beginning=self.with_seconds,
            implement_cron_bug=True,
        )
        found = []
        while True:
            at = firings.get_next(datetime).astimezone(UTC)
            if at > until or len(found) > 5000:
                self.theirs = tuple(found)
                return
            found.append(at)


def repeated_fixed_time(case, at, ours):
    return not ours and not case.wildcard and case.local(at).fold == 1


def repeated_wildcard(case, at, ours):
    return ours and case.wildcard and case.local(at).fold == 1


def wildcard_in_gap(case, at, ours):
    return not ours and case.wildcard and timedelta(0) < case.gap_before(at) <= SEASON_MAX


def correction_of_the_clock(case, at, ours):
    return not ours and case.gap_before(at) > SEASON_MAX


def second_behind_gap(case, at, ours):
    in_gap = timedelta(0) < case.gap_before(at) <= SEASON_MAX
    # Ours is the first second, theirs the first that the expression names.
    return in_gap and case.with_seconds and not case.wildcard and ours == (at.second == 0)


def every_hour_in_gap(case, at, ours):
    in_gap = timedelta(0) < case.gap_before(at) <= SEASON_MAX
    return in_gap and ours and not case.wildcard and case.every_hour


# Name: (predicate on a moment that only one of the two names, most cases in a hundred,
# explanation). The words are those of cron(8), "Notes", of Debian's cron.
REASONS = {
    "repeated-fixed-time": (
        repeated_fixed_time,
        5,
        "croniter runs a fixed time twice in a repeated hour. 'If the time has moved backwards by"
        " less than 3 hours, those jobs that fall into the repeated time will not be re-run': we"
        " are right.",
    ),
    "repeated-wildcard": (
        repeated_wildcard,
        1,
        "croniter skips times of a wildcard that repeat within less than an hour (Lord Howe)."
        " 'Jobs which are specified with wildcards are run based on the new time immediately':"
        " we are right.",
    ),
    "wildcard-in-gap": (
        wildcard_in_gap,
        3,
        "croniter moves a skipped time behind the gap though minute or hour has a '*' (*/2, say)."
        " 'Only jobs that run at a particular time (not specified as @hourly, nor with '*' in the"
        " hour or minute specifier) are affected': we are right.",
    ),
    "every-hour-in-gap": (
        every_hour_in_gap,
        1,
        "croniter takes hours such as 0-23 for a '*' and makes up for nothing. They have no '*' in"
        " the specifier: we are right.",
    ),
    "correction-of-the-clock": (
        correction_of_the_clock,
        2,
        "croniter makes up for the day that Samoa left out. 'Clock changes of more than 3 hours"
        " are considered to be corrections to the clock, and the new time is used immediately':"
        " we are right.",
    ),
    "second-behind-gap": (
        second_behind_gap,
        2,
        "In place of a skipped time with seconds, croniter runs at the first second that the"
        " expression names, we at the first there is. cron has no seconds; a skipped job 'will be"
        " run soon after the change': both are right.",
    ),
}


def field(rng, low, high, names=()):
    """One field: mostly plain, at times a list of items."""

    def item():
        first = rng.randint(low, high)
        last = rng.randint(first, high)
        kind = rng.random()
        if kind < 0.45:
            return rng.choice(names) if names and rng.random() < 0.3 else str(first)
        if kind < 0.65 and last > first:
            return f"{first}-{last}"
        if kind < 0.80 and last > first:
            return f"{first}-{last}/{rng.randint(1, max(1, last - first))}"
        return f"*/{rng.randint(2, max(2, (high - low) // 2))}"

    return ",".join(item() for _ in range(rng.choice([1, 1, 1, 1, 2, 3])))


def expression(rng):
    months = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
    weekdays = "SUN MON TUE WED THU FRI SAT".split()
    minute = rng.choice(["*", "0", "30", "*/5", "*/15", "0,30", field(rng, 0, 59), field(rng, 0, 59)])
    # Clocks change in the first hours of a day.
    hour = rng.choice(["*", "*", "*/2", "0", "1", "2", "3", "0-3", "1,2", field(rng, 0, 23)])
    day = rng.choice(["*"] * 6 + ["?", "L", "15W", "*/2", field(rng, 1, 28), field(rng, 1, 31)])
    month = rng.choice(["*"] * 8 + ["3,10", field(rng, 1, 12, months)])
    weekday = rng.choice(["*"] * 6 + ["?", "1-5", "SUN", "7", "0,6", field(rng, 0, 6, weekdays)])
    if day in ("*", "?") and rng.random() < 0.08:
        weekday = f"{rng.randint(0, 6)}#{rng.randint(1, 4)}"
    if day in ("L", "15W") and weekday not in ("*", "?"):
        # croniter refuses or intersects these; they are Quartz's, no cron has a rule for them.
        weekday = "*"
    fields = [minute, hour, day, month, weekday]
    if rng.random() < 0.15:
        fields.insert(0, rng.choice(["0", "30", "*/20", field(rng, 0, 59)]))
    return " ".join(fields)


def changes(zone, first, last):
    """The moments at which the zone's clocks are put forward or back."""
    info, found = ZoneInfo(zone), []
    at, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
    offset = lambda at: at.astimezone(info).utcoffset()
    while at < end:
        low, high = at, at + timedelta(days=1)
        if offset(low) != offset(high):
            while high - low > SECOND:
                middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(high)
        at += timedelta(days=1)
    return found


def make_cases(rng, count):
    all_changes = {zone: changes(zone, first, last) for zone, first, last in ZONES}
    cases = []
    while len(cases) < count:
        zone, first, last = rng.choice(ZONES)
        if all_changes[zone] and rng.random() < 0.6:
            around = rng.choice(all_changes[zone])
            start = around + timedelta(seconds=rng.randint(-6 * 3600, 2 * 3600))
        else:
            start = datetime(first, 1, 1, tzinfo=UTC)
            start += timedelta(seconds=rng.randint(0, (last - first) * 365 * 86400))
        case = Case(expression(rng), zone, start)
        try:
            croniter.croniter(case.expression, start, second_at_beginning=case.with_seconds)
        except croniter.CroniterError as error:
            sys.exit(f"croniter refuses {case.expression!r}: {error}")
        cases.append(case)
    return cases


def ask_ours(program, cases):
    lines = [f"{c.expression}\t{c.zone}\t{int(c.start.timestamp())}" for c in cases]
    answer = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    answers = answer.stdout.splitlines()
    assert len(answers) == len(cases), "one answer to each case"
    for case, line in zip(cases, answers):
        case.refusal = line if line.startswith("error") else None
        if not case.refusal:
            case.ours = tuple(datetime.fromtimestamp(int(at), UTC) for at in line.split())


def never_fires(case):
    try:
        case.ask_croniter(case.start + timedelta(days=366 * 30))
    except croniter.CroniterBadDateError:
        return True
    return not case.theirs


def judge(case):
    """The reasons for every difference; None stands for a difference without one."""
    if case.refusal:
        return set() if "never fires" in case.refusal and never_fires(case) else {None}
    if len(case.ours) != FIRINGS:
        return {None}
    case.ask_croniter(case.ours[-1])
    reasons = set()
    for at in set(case.ours) ^ set(case.theirs):
        names = [name for name, (fits, _, _) in REASONS.items() if fits(case, at, at in case.ours)]
        reasons.add(names[0] if names else None)
    return reasons


def show(case):
    text = lambda moments: " ".join(case.local(at).isoformat() for at in moments[:8]) or "none"
    print(f"  {case.expression!r} in {case.zone} after {case.local(case.start).isoformat()}")
    print(f"    ours   {case.refusal or text(case.ours)}\n    theirs {text(case.theirs)}")


def record(cases, verdicts):
    """Cases in which clocks change between start and fifth firing come first."""

    def telling(case):
        return case.local(case.start).utcoffset() != case.local(case.ours[-1]).utcoffset()

    fired = [case for case in cases if case.ours]
    chosen = sorted(fired, key=lambda case: (not verdicts[case], not telling(case)))[:RECORDED]
    stamp = lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")
    with FIXTURE.open("w") as file:
        file.write(f"# Made by tests/peer/croniter_oracle.py --record with croniter {CRONITER}.\n")
        file.write("# expression, zone, start, next five firings, why croniter differs (if it does)\n")
        for case in chosen:
            firings = " ".join(stamp(at) for at in case.ours)
            reasons = " ".join(sorted(verdicts[case])) or "-"
            file.write("\t".join([case.expression, case.zone, stamp(case.start), firings, reasons]) + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=20261120)
    arguments.add_argument("--cases", type=int, default=CASES_MIN)
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("--program", default=ROOT / "target/debug/examples/next_firings")
    options = arguments.parse_args()
    installed = importlib.metadata.version("croniter")
    if installed != CRONITER:
        sys.exit(f"croniter {CRONITER} is needed, {installed} is installed")

    print(f"seed {options.seed}, {options.cases} cases, croniter {CRONITER}")
    cases = make_cases(random.Random(options.seed), options.cases)
    ask_ours(options.program, cases)
    verdicts = {case: judge(case) for case in cases}

    counts = collections.Counter(reason for reasons in verdicts.values() for reason in reasons)
    failed = sum(None in reasons for reasons in verdicts.values())
    for case, reasons in verdicts.items():
        if None in reasons:
            print("difference without a reason:")
            show(case)
    excess = 0
    for name, (_, percent, explanation) in REASONS.items():
        print(f"{counts[name]} cases differ by {name}: {explanation}")
        if counts[name] > percent * len(cases) / 100:
            excess += 1
            print(f"FAIL {name} covers more than {percent} in 100 cases")
    if len(cases) < CASES_MIN:
        excess += 1
        print(f"FAIL fewer than {CASES_MIN} cases ran")
    if options.record and not failed:
        record(cases, verdicts)
    print(f"{len(cases) - failed} passed, {failed + excess} failed")
    sys.exit(1 if failed + excess else 0)


if __name__ == "__main__":
    main()
