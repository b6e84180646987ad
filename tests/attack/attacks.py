"""The attacks, each of which can be made alone. An attack gives lines of the crontab, and may
change the environment, the front, and what happens while the publisher runs."""

import os


EVERY_5_S = "*/5 * * * * *"
EVERY_10_S = "*/10 * * * * *"
EVERY_SECOND = "* * * * * *"
RESOLVED = 300
# An error each a second, which fills a pipe at once.
TALKATIVE = 20
# As many as are taken, beside the good ones, and more than that.
MANY_ENTRIES = 9_600
TOO_MANY_ENTRIES = 50_000
# As many as are read of a file, and one more.
MANY_ERRORS = 100_001
# Just within what is read of a file, and beyond it.
LONG_LINE = 2 * 1024 * 1024 - 64 * 1024
LONG_FILE = 15 * 1024 * 1024


class Scene:
    """Where an attack takes place."""

    def __init__(self, folder, pages, front):
        self.folder, self.pages, self.front = folder, pages, front
        self.crontab = folder / "crontab"
        self.credentials = folder / "credentials"
        self.environment = {}
        self.reads_output = True
        # Done in turns, with a SIGHUP after each.
        self.before_reloads = []
        self.lines = []
        self.healthy = []

    def add_healthy(self, name, value):
        """A metric of which every minute's point must arrive."""
        self.healthy.append(name)
        self.add(name, value, "* * * * *")

    def add(self, name, value, schedule=EVERY_5_S, more=""):
        self.lines.append(f"{schedule} name={name} value='{value}' {more}")

    def fifo(self, name):
        path = self.folder / name
        if not path.exists():
            os.mkfifo(path)
        return path

    def good_crontab(self):
        return "\n".join(["METRIC_NAMESPACE=Attack", *self.lines, ""])


def labels(scene):
    """A page with 150,000 labels in a line."""
    scene.add("Labels", f"prometheus:{scene.pages}/labels#m")


def selector(scene):
    """A pattern with nested repetitions against a value of 1 MiB."""
    scene.add("Selector", f'prometheus:{scene.pages}/long-value#m{{l=~"([a-z]{{1,300}})*x"}}')


def endless(scene):
    """Pages without an end."""
    scene.add("Endless", f"{scene.pages}/endless")
    scene.add("EndlessPage", f"prometheus:{scene.pages}/endless#m")


def objects(scene):
    """A page of many small objects."""
    scene.add("Objects", f"{scene.pages}/objects#/0/number")


def headers(scene):
    """Files of headers that hang or never end."""
    for name, path in (("Hanging", scene.fifo("headers")), ("Zeros", "/dev/zero")):
        scene.add(f"{name}Headers", f"{scene.pages}/objects#/1", more=f"headers_file={path}")


def files(scene):
    """Files of sources that hang or never end."""
    scene.add("HangingFile", f"file:{scene.fifo('source')}")
    scene.add("ZerosFile", "file:/dev/zero")


def programs(scene):
    """Programs that never end, silent or flooding both outputs."""
    scene.add("Sleeps", "exec:/bin/sleep 1000")
    scene.add("Floods", "exec:/bin/cat /dev/zero")
    scene.add("Errors", 'exec:/bin/sh -c "exec cat /dev/zero >&2"')


def resolver(scene):
    """Many names that nobody resolves. Who reads a file must not wait for them."""
    number = scene.folder / "number"
    number.write_text("1")
    scene.add_healthy("HealthyFile", f"file:{number}")
    for number in range(RESOLVED):
        scene.add(f"Resolved{number}", f"http://host{number}.example.test/")


def output(scene):
    """A standard output that nobody reads."""
    scene.reads_output = False
    scene.environment["LOG_LEVEL"] = "debug"
    for number in range(TALKATIVE):
        scene.add(f"Missing{number}", "file:/nowhere", EVERY_SECOND)


def answers(scene):
    """An endpoint that now and then answers endlessly, at great length, or as a portal."""
    scene.front.moody = True
    scene.add("Often", "1", EVERY_5_S)


def cursed(scene):
    """A point that is refused at every tick for what nobody knows."""
    scene.add("Cursed", "1", EVERY_10_S)


def away(scene):
    """Points of 30 kB each while the endpoint takes none of them."""
    more = "namespace=Away"
    scene.add("Wide", f"prometheus:{scene.pages}/wide#m", EVERY_SECOND, more)


def crontabs(scene):
    """Reloads of huge crontabs. Each has the good lines too, lest the attack ends."""

    def replace(text):
        # As editors do: never seen in part.
        new = scene.folder / "crontab.new"
        new.write_text(text)
        new.rename(scene.crontab)

    good = scene.good_crontab
    scene.before_reloads += [
        lambda: replace(good() + "0 0 1 1 * name=Entry value=1\n" * MANY_ENTRIES),
        lambda: replace(good() + "0 0 1 1 * name=Entry value=1\n" * TOO_MANY_ENTRIES),
        lambda: replace(good() + "* * * bad\n" * MANY_ERRORS),
        lambda: replace(good() + "* * * * * name=" + "x" * LONG_FILE + "\n"),
        lambda: replace(good() + "* * * * * name=" + "x" * LONG_LINE + "\n"),
        lambda: replace(good() + "'" * LONG_LINE + "\n"),
        lambda: replace(good()),
    ]


def credentials(scene):
    """Renewals from a file that hangs."""

    def hang():
        if not scene.credentials.is_fifo():
            scene.credentials.unlink()
            os.mkfifo(scene.credentials)

    scene.before_reloads.append(hang)


ALL = [
    labels, selector, endless, objects, headers, files, programs, resolver, output, answers,
    cursed, away, crontabs, credentials,
]
NAMES = [attack.__name__ for attack in ALL]
