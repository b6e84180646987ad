#!/usr/bin/env python3
"""The local endpoint's page in a real browser.

usage: tests/page/test_page.py [--bin DIR] [--screenshot FILE]

Needs the packages chromium and chromium-driver and nothing else, and the binaries
cw-publisher and cloudwatch-local (cargo build --workspace) in DIR, target/debug unless
named. The publisher publishes to the endpoint, the browser looks. The last line says how
many checks passed and failed; what cannot run has failed.
"""

import argparse
import base64
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 30
CROWD = 300
HOSTILE = "<img src=x onerror=document.title='harmed'>"

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,1000",
]

SHOP = f"""\
METRIC_NAMESPACE=Shop
* * * * * *  name=Heartbeat value=1
* * * * * *  name=QueueDepth value=random:1-100 dimensions=Queue=orders,Stage=prod
* * * * * *  name=Temperature value=random:18.0-24.0 unit=None
* * * * * *  name=Latency value=random:5-40 unit=Milliseconds dimensions=Route=/cart
* * * * * *  name=Clock value=timestamp unit=Seconds namespace="Shop Floor"
* * * * * *  name=Hostile value=7 dimensions="Html={HOSTILE}"
"""


class Endpoint:
    """cloudwatch-local as a process."""

    def __init__(self, binaries, listen="127.0.0.1:0"):
        self.process = subprocess.Popen(
            [binaries / "cloudwatch-local", "--listen", listen],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.url = re.fullmatch(r"listening on (http://\S+)\n", line)[1]
        self.hint = self.process.stdout.readline().strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return answer.headers, answer.read().decode()

    def refuse_one(self):
        """Sends a request without a signature."""
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url + "/", data=b"no", timeout=PATIENCE)


class Publisher:
    """cw-publisher as a process, with this crontab."""

    def __init__(self, binaries, url, crontab, command="run", **more):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".crontab")
        self.file.write(crontab)
        self.file.flush()
        self.process = subprocess.Popen(
            [binaries / "cw-publisher", command], stdout=subprocess.PIPE, text=True,
            env={"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
                 "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": url,
                 "CRONTAB": self.file.name, **more})

    def logs(self, message):
        """Waits for a line with this message."""
        for line in self.process.stdout:
            if json.loads(line)["message"] == message:
                return
        raise AssertionError(f"the log ended before {message!r}")

    def stop(self):
        self.process.terminate()
        return self.end()

    def end(self):
        log = self.process.communicate(timeout=PATIENCE)[0]
        self.file.close()
        assert self.process.returncode == 0, log
        return log


class Browser:
    """Chromium, spoken to as W3C WebDriver says."""

    def __init__(self, folder):
        driver = shutil.which("chromedriver")
        browser = shutil.which("chromium")
        assert driver and browser, "install the packages chromium and chromium-driver"
        log = open(folder / "driver.log", "w+")
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE,
                                       stderr=log, text=True)
        port = None
        while port is None:
            line = self.driver.stdout.readline()
            assert line, "chromedriver did not start"
            port = re.search(r"successfully on port (\d+)", line)
        self.base = f"http://127.0.0.1:{port[1]}"
        options = {"binary": browser,
                   "args": CHROMIUM + [f"--user-data-dir={folder / 'profile'}"]}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.base += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method,
                                         headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def ask(self, script):
        return self.call("POST", "/execute/sync", {"script": f"return {script}", "args": []})

    def until(self, script):
        """Waits until a script is true; gives what it came to."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = self.ask(script)
            if answer:
                return answer
            time.sleep(0.1)
        raise AssertionError(f"waited {PATIENCE} s in vain for: {script}")

    def colours(self, scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("POST", "/goog/cdp/execute",
                  {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})
        return self.ask("getComputedStyle(document.body).backgroundColor")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def errors(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE"]

    def stop(self):
        with contextlib.suppress(Exception):
            self.call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(PATIENCE)
        self.driver.stdout.close()


CARDS = """[...document.querySelectorAll('article')].map((card) => ({
    title: card.querySelector('h3').textContent,
    dimensions: [...card.querySelectorAll('.dimensions li')].map((one) => one.textContent),
    latest: card.querySelector('.latest b').textContent,
    unit: card.querySelector('.unit').textContent,
    count: parseInt(card.querySelector('.count').textContent),
    line: card.querySelector('svg .stroke').getAttribute('d'),
    label: card.querySelector('svg').getAttribute('aria-label'),
    role: card.querySelector('svg').getAttribute('role'),
    height: card.querySelector('svg').getBoundingClientRect().height,
}))"""


class Checks:
    """Each method is one check; they go in this order and build on each other."""

    def __init__(self, binaries, folder, screenshot, cleanup):
        self.binaries, self.screenshot, self.cleanup = binaries, screenshot, cleanup
        self.endpoint = Endpoint(binaries)
        cleanup.callback(lambda: self.endpoint.stop())
        self.browser = Browser(folder)
        cleanup.callback(self.browser.stop)

    def cards(self):
        return self.browser.ask(CARDS)

    def page_is_pointed_at_and_strict(self):
        assert self.endpoint.hint == f"open {self.endpoint.url}/ to look", self.endpoint.hint
        headers, _ = self.endpoint.get("/")
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, policy

    def empty_endpoint_says_so(self):
        self.browser.open(self.endpoint.url + "/")
        self.browser.until("document.getElementById('state').textContent === 'live'")
        text = self.browser.ask("document.body.innerText")
        assert "No point was accepted yet." in text and "None." in text, text

    def every_metric_has_a_chart(self):
        publisher = Publisher(self.binaries, self.endpoint.url, SHOP)
        self.cleanup.callback(publisher.process.kill)
        self.browser.until(
            "[...document.querySelectorAll('.count')].filter((c) => parseInt(c.textContent) > 5)"
            ".length === 6")
        log = publisher.stop()
        assert '"message":"stopped"' in log, log
        sent = json.loads(log.splitlines()[-1])["points_sent"]
        self.browser.until(
            "[...document.querySelectorAll('.count')].reduce((sum, count) =>"
            f" sum + parseInt(count.textContent), 0) === {sent}")
        cards = {card["title"]: card for card in self.cards()}
        assert set(cards) == {
            "Shop / Heartbeat", "Shop / QueueDepth", "Shop / Temperature", "Shop / Latency",
            "Shop Floor / Clock", "Shop / Hostile"}, cards
        for card in cards.values():
            assert card["line"].count("L") + card["line"].count("M") == card["count"], card
            assert card["height"] > 40 and card["role"] == "img", card
            assert card["label"].startswith("chart from "), card

    def card_tells_latest_unit_and_dimensions(self):
        cards = {card["title"]: card for card in self.cards()}
        queue = cards["Shop / QueueDepth"]
        assert queue["dimensions"] == ["Queue = orders", "Stage = prod"], queue
        assert queue["unit"] == "Count", queue
        kept = json.loads(self.endpoint.get("/series")[1])
        values = {one["name"]: one["points"][-1][1] for one in kept}
        for title, card in cards.items():
            shown = float(card["latest"].replace(",", ""))
            assert abs(shown - values[title.split(" / ")[1]]) < 0.001, card

    def hostile_value_is_only_text(self):
        card = next(card for card in self.cards() if card["title"] == "Shop / Hostile")
        assert card["dimensions"] == [f"Html = {HOSTILE}"], card
        assert self.browser.ask("document.images.length") == 0
        assert self.browser.ask("document.title") == "CloudWatch on this machine"

    def refused_request_is_listed(self):
        self.endpoint.refuse_one()
        row = self.browser.until(
            "(([row]) => row && [...row.cells].map((cell) => cell.textContent))"
            "(document.getElementById('refused').tBodies[0].rows)")
        refused = json.loads(self.endpoint.get("/refused")[1])[-1]
        assert row[1:] == [str(refused["status"]), refused["code"], refused["message"], "0"], row
        assert re.fullmatch(r"\d\d:\d\d:\d\d", row[0]), row
        assert self.browser.ask("document.getElementById('no-refused').hidden")

    def light_and_dark_differ(self):
        light, dark = self.browser.colours("light"), self.browser.colours("dark")
        assert light != dark, light
        if self.screenshot:
            self.browser.screenshot(self.screenshot.with_stem(self.screenshot.stem + "-dark"))
        self.browser.colours("light")
        if self.screenshot:
            self.browser.screenshot(self.screenshot)

    def filter_hides_the_others(self):
        shown = "[...document.querySelectorAll('article')].filter((a) => !a.hidden).length"
        typed = ("((text) => { const field = document.getElementById('filter');"
                 " field.value = text; field.dispatchEvent(new Event('input')); return %s; })('%s')")
        assert self.browser.ask(typed % (shown, "queue orders")) == 1
        assert self.browser.ask(typed % (shown, "")) == 6

    def nothing_went_wrong_in_the_console(self):
        assert self.browser.errors() == []

    def endpoint_that_went_is_told_and_its_successor_is_shown_alone(self):
        self.endpoint.stop()
        self.browser.until("document.getElementById('state').className === 'lost'")
        self.endpoint = Endpoint(self.binaries, self.endpoint.url.removeprefix("http://"))
        crowd = "".join(f"* * * * *  name=Metric{i:03} value={i}\n" for i in range(CROWD))
        Publisher(self.binaries, self.endpoint.url, crowd, "once").end()
        self.browser.until(f"document.querySelectorAll('article').length === {CROWD}")
        assert self.browser.ask("document.getElementById('state').textContent") == "live"
        titles = [card["title"] for card in self.cards()]
        assert titles == [f"CustomMetrics / Metric{i:03}" for i in range(CROWD)], titles

    def update_holds_only_what_is_new(self):
        everything = self.endpoint.get("/updates")[1]
        accepted = json.loads(everything)["accepted"]
        assert accepted == CROWD
        nothing = self.endpoint.get(f"/updates?after={accepted}")[1]
        assert json.loads(nothing)["series"] == [] and len(nothing) < 500, nothing

    def points_that_come_late_take_their_place(self):
        self.endpoint.stop()
        crontab = "* * * * * *  name=Late value=timestamp\n"
        publisher = Publisher(self.binaries, self.endpoint.url, crontab, RETRY_MAX="0")
        self.cleanup.callback(publisher.process.kill)
        for _ in range(4):
            publisher.logs("publish failed")
        self.endpoint = Endpoint(self.binaries, self.endpoint.url.removeprefix("http://"))
        publisher.logs("recovered")
        publisher.stop()
        kept = [at for at, _ in json.loads(self.endpoint.get("/series")[1])[0]["points"]]
        assert len(kept) >= 4 and kept != sorted(kept), kept
        self.browser.until(
            f"document.querySelector('.count')?.textContent === '{len(kept)} points'")
        [card] = self.cards()
        places = [float(x) for x in re.findall(r"[ML]([\d.]+) ", card["line"])]
        assert places == sorted(places) and len(places) == len(kept), card
        assert card["latest"] == f"{max(kept):,}", card


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target" / "debug")
    parser.add_argument("--screenshot", type=pathlib.Path)
    arguments = parser.parse_args()
    names = [name for name, value in vars(Checks).items()
             if callable(value) and name not in ("__init__", "cards")]
    passed = 0
    with contextlib.ExitStack() as cleanup:
        try:
            folder = cleanup.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            checks = Checks(arguments.bin.resolve(), pathlib.Path(folder),
                            arguments.screenshot, cleanup)
            for name in names:
                getattr(checks, name)()
                print(f"ok      {name}", flush=True)
                passed += 1
        except Exception as error:
            print(f"failed  {names[passed]}: {type(error).__name__}: {error}", flush=True)
    failed = len(names) - passed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
