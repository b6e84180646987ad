"""What the containers of the oracle print, and where Docker's `awslogs` driver is known to differ from cw-run."""

import os
import re
from dataclasses import dataclass

# Everything at its full size takes minutes; CI has less of it.
FULL = os.environ.get("CW_RUN_FULL") == "1"
SILENCE = 60 if FULL else 8
LINES = 100_000 if FULL else 20_000
# The driver's largest event: 256 KiB less the 26 bytes that count with each.
DRIVER_MAX = 262_118


@dataclass(frozen=True)
class Difference:
    reason: str
    # From the driver's messages to those that cw-run sends for the same lines.
    mend: callable
    # What is done to those of cw-run before they are compared.
    ours: callable = lambda messages: messages


def join_pieces(messages):
    joined, goes_on = [], False
    for message in messages:
        if goes_on:
            joined[-1] += message
        else:
            joined.append(message)
        goes_on = len(message.encode()) == DRIVER_MAX
    return joined


def one_replacement(messages):
    return [re.sub("\ufffd+", "\ufffd", message) for message in messages]


DIFFERENCES = {
    "split at 256 KiB": Difference(
        "The driver cuts a line at 262,118 bytes. The service takes 1,048,550 since April 2025, and so does cw-run.",
        join_pieces,
    ),
    "newline at the end": Difference(
        "The driver ends each line of a multi-line event with a newline, the last too; cw-run joins lines with it.",
        lambda messages: [message.removesuffix("\n") for message in messages],
    ),
    "number of replacements": Difference(
        "The driver sends bytes that are no UTF-8 as they are, and the service puts one U+FFFD for the begin of a character"
        " that is cut off. cw-run reads the engine's log, whose driver `json-file` has put one for each byte.",
        one_replacement,
        one_replacement,
    ),
}


@dataclass(frozen=True)
class Case:
    script: str
    differences: tuple = ()
    tty: bool = False
    # The option of both, without its dashes: `awslogs-` goes before it with the driver.
    multiline: tuple = ()
    # Killed as soon as it printed its last line.
    killed: bool = False
    code: int = 0


def case(script, *differences, **settings):
    return Case(script, differences, **settings)


def letters(*counts):
    """Lines of so many letters."""
    return "; ".join(f"head -c {count} /dev/zero | tr '\\0' x; echo" for count in counts)


DATE = ("datetime-format", "%Y-%m-%d %H:%M:%S")
LEVEL = ("multiline-pattern", "^(INFO|ERROR)")
TRACE = r"printf 'INFO begin\nERROR bad\n  at a.py:1\n  at b.py:2\n\nINFO end\n'"
BIT = 'i=0; while [ "$i" -lt 10 ]; do i=$((i+1)); echo "out $i"; sleep 0.1; echo "err $i" >&2; sleep 0.1; done'

CASES = {
    "hello": case("echo hello"),
    "exits at once": case("exit 0"),
    "exits with a code": case("echo before; exit 7", code=7),
    "no newline at the end": case(r"printf 'a\nb'"),
    "empty lines": case(r"printf '\n\na\n\n\nb\n\n'"),
    "nothing but empty lines": case(r"printf '\n\n\n'"),
    "blanks": case(r"printf ' \n\t\n  a  \n'"),
    "both streams": case(BIT),
    "standard error alone": case("seq 50 >&2"),
    "terminal": case("echo a; sleep 0.1; echo b >&2", tty=True),
    "terminal with empty lines": case(r"printf 'a\n\n\nb\n'", tty=True),
    "terminal with a bar": case(r"printf '1%%\r2%%\r3%%\ndone'", tty=True),
    "terminal with many lines": case("seq 3000", tty=True),
    "carriage returns": case(r"printf 'a\r\nb\r\n\r\nc\rd\n'"),
    "lines about 16 KiB": case(letters(16_383, 16_384, 16_385, 32_768)),
    "line of 64 KiB": case(letters(65_536) + "; echo after"),
    # A piece of the driver's is told by its length, so a line of that length is the last.
    "lines about 256 KiB": case(letters(DRIVER_MAX - 1, DRIVER_MAX + 1, 262_144, DRIVER_MAX), "split at 256 KiB"),
    "line of 300 KiB": case(letters(307_200) + "; echo after", "split at 256 KiB"),
    "line of 300 KiB of wide characters": case(
        "head -c 102400 /dev/zero | sed 's/\\x00/€/g'; echo; echo after", "split at 256 KiB"
    ),
    "long line without a newline": case("head -c 40000 /dev/zero | tr '\\0' x"),
    "many long lines": case(f"for i in $(seq 20); do echo $i; {letters(40_000)}; done"),
    "invalid UTF-8": case(r"printf 'a\377b\n\360\237\n\303(\n\355\240\200\nend\n'", "number of replacements"),
    "control characters": case(r"printf 'a\000b\n\033[31mred\033[0m\n\001\177\n'"),
    "many alphabets": case(r"printf 'żółć 日本語 😀 e\314\201 \331\205\n'"),
    "what JSON escapes": case(r"""printf '{"a":"b\\\\c"} <&> \342\200\250 \342\200\251\n'"""),
    "multi-line by a pattern": case(TRACE, "newline at the end", multiline=LEVEL),
    "multi-line by a date": case(
        r"printf '2026-11-21 10:00:00 a\n  b\n2026-11-21 10:00:01 c\nd\ne\n'", "newline at the end", multiline=DATE
    ),
    "multi-line without a beginning": case(
        r"printf 'x\ny\nINFO a\nz\n'", "newline at the end", multiline=LEVEL
    ),
    "multi-line of one line": case("echo 'INFO alone'", "newline at the end", multiline=LEVEL),
    "multi-line with many events": case(
        'for i in $(seq 2000); do echo "INFO $i"; echo "  more $i"; done', "newline at the end", multiline=LEVEL
    ),
    "many lines": case(f"seq {LINES}"),
    "one batch and one event more": case("seq 10001"),
    "silence": case(f"echo before; sleep {SILENCE}; echo after"),
    "killed": case("trap '' TERM; seq 100; sleep 1000", killed=True, code=137),
}
