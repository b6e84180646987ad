#!/usr/bin/env python3
"""Compares the exposition parser with the one of prometheus_client (PyPI).

    cargo build --example exposition
    prometheus_oracle.py [--count N] [--seed N] [DOCUMENT...]

Expositions are generated from a fixed seed, half in the text format 0.0.4 and half in
OpenMetrics 1.0, and each DOCUMENT is added (else those of tests/fixtures): a file of metrics
(`*.prom`, `*.om`) or a Markdown text whose code blocks are expositions, such as Prometheus'
"Exposition formats" and the specification of OpenMetrics (`open*.md`). What the peer accepts
must be read here with the same names, labels, values, times and types. What the peer
refuses may be read here: it also checks what only a producer has to mind.
"""

import argparse
import json
import math
import pathlib
import random
import re
import subprocess
import sys

from prometheus_client import openmetrics, parser
import prometheus_client.openmetrics.parser  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = sorted((ROOT / "crates/metric-source/tests/fixtures/prometheus").glob("*.[po]*m"))
TEXT = "text/plain; version=0.0.4"
OPEN = "application/openmetrics-text; version=1.0.0"
SUFFIXES = {
    "counter": ["_total", "_created"],
    "histogram": ["_bucket", "_sum", "_count", "_created"],
    "gaugehistogram": ["_bucket", "_gsum", "_gcount"],
    "summary": ["_sum", "_count", "_created"],
    "info": ["_info"],
}


def ours(program, text, kind):
    """The samples as (name, labels, value, time, type), or None and the reason."""
    run = subprocess.run([program, kind], input=text.encode(), capture_output=True)
    if run.returncode not in (0, 1) or b"panicked" in run.stderr:
        raise SystemExit(f"{program} broke: {run.stderr.decode()}")
    if run.returncode:
        return None, run.stderr.decode().strip()
    rows = map(json.loads, run.stdout.decode().splitlines())
    return [
        (r["name"], r["labels"], float(r["value"]), r["timestamp"], r["kind"]) for r in rows
    ], None


def theirs(text, kind):
    """The same from the peer, in the words used here."""
    read = parser if kind == TEXT else openmetrics.parser
    try:
        families = list(read.text_string_to_metric_families(text))
    except Exception as error:  # The peer raises whatever went wrong.
        return None, repr(error)
    rows = []
    for family in families:
        kind_of_family = {"untyped": "unknown"}.get(family.type, family.type)
        for sample in family.samples:
            name = sample.name
            # The peer's model puts a suffix behind a counter of the text format.
            if kind == TEXT and family.type == "counter" and name not in text:
                name = name.removesuffix("_total")
            time = None if sample.timestamp is None else float(sample.timestamp)
            rows.append((name, sample.labels, float(sample.value), time, kind_of_family))
    return rows, None


def same_number(a, b):
    if a is None or b is None:
        return a is b
    return a == b or math.isnan(a) and math.isnan(b) or math.isclose(a, b, rel_tol=1e-15)


def same(a, b):
    return (
        a[:2] == b[:2]
        and same_number(a[2], b[2])
        and same_number(a[3], b[3])
        and a[4] == b[4]
    )


def first_points(rows):
    """The first point of each series: of further ones the peer keeps not all."""
    points = {}
    for row in rows:
        points.setdefault((row[0], *sorted(row[1].items())), row)
    return list(points.values())


def difference(program, text, kind):
    """None where both agree; what differs, or why nothing could be compared."""
    expected, refused = theirs(text, kind)
    found, reason = ours(program, text, kind)
    if expected is None:
        return None, refused
    if found is None:
        return f"the peer accepts it, here: {reason}", None
    expected, found = first_points(expected), first_points(found)
    if len(expected) != len(found):
        return f"{len(expected)} samples at the peer, {len(found)} here", None
    for a, b in zip(expected, found):
        if not same(a, b):
            return f"peer {a}, here {b}", None
    return None, None


class Generator:
    """Random expositions that keep to the formats' rules."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def exposition(self, kind):
        self.kind = kind
        self.names = set()
        families = [self.family() for _ in range(self.random.randint(0, 6))]
        lines = [line for family in families for line in family]
        if kind == OPEN:
            return "".join(f"{line}\n" for line in lines) + "# EOF\n"
        for _ in range(self.random.randint(0, 3)):
            at = self.random.randint(0, len(lines))
            lines.insert(at, self.random.choice(["", "  ", "# a comment", "#", "# EOF"]))
        end = self.random.choice(["\n", "\r\n"])
        return "".join(self.blanks() + line + self.blanks() + end for line in lines)

    def blanks(self):
        if self.kind == OPEN:
            return ""
        return self.random.choice(["", "", "", " ", "\t", "  \t"])

    def space(self):
        return " " if self.kind == OPEN else self.random.choice([" ", " ", "  ", "\t"])

    def name(self):
        while True:
            first = self.random.choice("abcxyz_:ABC")
            rest = self.random.choices("abcxyz_:09AB", k=self.random.randint(1, 12))
            name = first + "".join(rest) + self.random.choice("klmn")
            # Families whose samples could be taken for another's are not generated.
            if not any(n.startswith(name) or name.startswith(n) for n in self.names):
                self.names.add(name)
                return name

    def text(self):
        letters = ["a", "Z", "0", " ", "é", "日", "😀", ",", "=", "{", "}", "#", " # ", "'"]
        letters += ["\\", '"', "\n", "\t", "\\n", "/", "%", ":"]
        return "".join(self.random.choices(letters, k=self.random.randint(0, 10)))

    def escape(self, text, quote=True):
        text = text.replace("\\", "\\\\").replace("\n", "\\n")
        return text.replace('"', '\\"') if quote else text

    def labels(self, more=()):
        names = self.random.sample(["a", "b_1", "code", "Method", "_x", "quantum"], k=self.random.choice([0, 0, 1, 2, 4]))
        pairs = [(name, self.text()) for name in names]
        pairs[len(pairs):] = more
        if not pairs:
            return self.random.choice(["", "", "{}"])
        space = lambda: "" if self.kind == OPEN else self.random.choice(["", "", "", " "])
        shown = [f'{space()}{n}{space()}={space()}"{self.escape(v)}"{space()}' for n, v in pairs]
        comma = "," if self.kind == TEXT and self.random.random() < 0.1 else ""
        return "{" + ",".join(shown) + comma + "}"

    def number(self, is_counter=False):
        r = self.random
        number = r.choice([
            lambda: str(r.randint(0, 10)),
            lambda: str(r.randint(0, 2**63)),
            lambda: f"00{r.randint(0, 99)}",
            lambda: repr(r.random() * 10 ** r.randint(-20, 20)),
            lambda: f"{r.randint(0, 9)}e{r.choice(['', '+', '-'])}{r.randint(0, 30)}",
            lambda: f"{r.randint(0, 99)}.{r.randint(0, 999)}E{r.randint(-9, 9)}",
            lambda: f".{r.randint(0, 999)}",
            lambda: "+Inf",
        ])()
        if is_counter:
            return number
        if r.random() < 0.2:
            return r.choice(["NaN", "-Inf", "+Inf", "nan", "inf", "Infinity", "-0", "-0.0"])
        return r.choice(["", "", "-", "+"]) + number.lstrip("+")

    def timestamp(self):
        if self.random.random() < 0.8:
            return ""
        if self.kind == TEXT:
            return self.space() + str(self.random.randint(-(10**12), 2 * 10**12))
        return " " + self.random.choice([
            str(self.random.randint(0, 2 * 10**9)),
            f"{self.random.randint(0, 2 * 10**9)}.{self.random.randint(0, 999):03}",
            f"-{self.random.randint(0, 10**6)}.5",
        ])

    def exemplar(self):
        if self.kind == TEXT or self.random.random() < 0.6:
            return ""
        # The peer does not know escaped quotes here.
        value = self.text().translate({ord(c): "" for c in '"\\\n'})
        labels = self.random.choice(["{}", '{trace_id="KOO5S4vxi0o"}', '{a="b",c="d"}', f'{{t="{value}"}}'])
        time = self.random.choice(["", " 123", " 1520879607.789"])
        return f" # {labels} {self.random.choice(['0.67', '1', '1e-3'])}{time}"

    def sample(self, name, labels, number, exemplar="", time=""):
        return f"{name}{labels}{self.space()}{number}{time}{exemplar}"

    def family(self):
        kinds = ["counter", "gauge", "histogram", "summary", None]
        kinds += ["untyped"] if self.kind == TEXT else ["unknown", "info", "stateset", "gaugehistogram"]
        kind = self.random.choice(kinds)
        name = self.name()
        if kind == "stateset":
            # A state's label has the family's name, so it must be no reserved label name.
            name = "s" + name.replace(":", "")
        head = []
        if kind:
            head.append(f"#{self.space()}TYPE{self.space()}{name}{self.space()}{kind}")
            if self.random.random() < 0.7:
                text = self.escape(self.text() + "x", quote=self.kind == OPEN)
                head.append(f"#{self.space()}HELP{self.space()}{name}{self.space()}{text.strip()}")
            self.random.shuffle(head)
        return head + self.samples(name, kind)

    def samples(self, name, kind):
        is_open = self.kind == OPEN
        lines = []
        seen = set()
        for _ in range(self.random.choice([1, 1, 2, 5])):
            labels = self.labels()
            if labels in seen or {labels, *seen} >= {"", "{}"}:
                continue
            seen.add(labels)
            # The peer takes all of an info family for one group of times.
            time = "" if kind == "info" else self.timestamp()
            with_label = lambda n, v: ("{" + labels.strip("{}").rstrip(",") + "," if len(labels) > 2 else "{") + f'{n}="{v}"}}'
            if labels.endswith(",}"):
                labels = labels[:-2] + "}"
            if "}" in labels[1:-1]:
                with_label = lambda n, v: labels[:-1] + f',{n}="{v}"}}'
            add = lambda suffix, number, exemplar="", labels=labels: lines.append(
                self.sample(name + suffix, labels, number, exemplar, time)
            )
            if kind == "counter":
                add("_total" if is_open else "", self.number(True), self.exemplar())
                if is_open and self.random.random() < 0.4:
                    add("_created", "1520430000.123")
            elif kind in ("histogram", "gaugehistogram"):
                counts = sorted(self.random.randint(0, 10**6) for _ in range(3))
                for le, count in zip(["0.1", "1.0", "+Inf"], counts):
                    add("_bucket", str(count), self.exemplar(), with_label("le", le))
                total, amount = ("_gcount", "_gsum") if kind == "gaugehistogram" else ("_count", "_sum")
                add(total, str(counts[-1]))
                add(amount, repr(self.random.random() * 1e6))
                if is_open and kind == "histogram" and self.random.random() < 0.4:
                    add("_created", "1520430000.123")
            elif kind == "summary":
                for quantile in self.random.sample(["0.5", "0.9", "0.99"], k=2):
                    add("", self.random.choice(["1.5", "3", "NaN"]), "", with_label("quantile", quantile))
                add("_sum", self.number(True))
                add("_count", str(self.random.randint(0, 10**6)))
            elif kind == "info":
                add("_info", "1")
            elif kind == "stateset":
                for state in ["on", "off"]:
                    add("", self.random.choice("01"), "", with_label(name, state))
            else:
                add("", self.number())
        return lines


def blocks(path):
    """The expositions of a file and the format that each is tried in."""
    text = path.read_text()
    if path.suffix in (".prom", ".om"):
        yield text, TEXT if path.suffix == ".prom" else OPEN
        return
    for block in re.findall(r"^(?:~~~+|```+)[^\n]*\n(.*?)^(?:~~~+|```+) *$", text, re.S | re.M):
        if path.name.startswith("open"):
            # The specification shows parts; an end mark makes them whole. One line has a
            # blank too many.
            block = re.sub(" +", " ", block)
            yield block if block.endswith("# EOF\n") else block + "# EOF\n", OPEN
        else:
            # The text format's own example has a sample that lacks its number.
            yield re.sub(r'^(\{"[^{}]*\})$', r"\1 1", block, flags=re.M), TEXT


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=4)
    arguments.add_argument("--program", default=ROOT / "target/debug/examples/exposition")
    arguments.add_argument("documents", nargs="*", type=pathlib.Path, default=FIXTURES)
    arguments = arguments.parse_args()

    generator = Generator(arguments.seed)
    cases = []
    for i in range(arguments.count):
        kind = TEXT if i % 2 else OPEN
        cases.append((f"generated {i}", generator.exposition(kind), kind, True))
    for path in arguments.documents:
        for i, (text, kind) in enumerate(blocks(path)):
            is_whole = path.suffix in (".prom", ".om")
            cases.append((f"{path.name} block {i + 1}", text, kind, is_whole))

    passed = failed = skipped = 0
    for name, text, kind, is_whole in cases:
        found, refused = difference(arguments.program, text, kind)
        if refused and is_whole:
            found = f"the peer refuses it: {refused}"
        if found:
            failed += 1
            print(f"FAILED {name} ({kind}): {found}\n{text}")
        elif refused:
            skipped += 1
        else:
            passed += 1
    if skipped:
        print(f"{skipped} code blocks are no exposition to the peer")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
