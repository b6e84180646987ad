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
import datetime
import hashlib
import hmac
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


class Shipper:
    """Asks for operations of CloudWatch Logs, signed as the IAM User Guide says."""

    def __init__(self, url):
        self.url = url

    def call(self, operation, **members):
        now = datetime.datetime.now(datetime.timezone.utc)
        at, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        body, host = json.dumps(members).encode(), self.url.removeprefix("http://")
        headers = {"host": host, "x-amz-date": at, "x-amz-target": f"Logs_20140328.{operation}"}
        names, scope = ";".join(headers), f"{day}/us-east-1/logs/aws4_request"
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        key = b"AWS4test"
        for part in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}"]:
            key = hmac.digest(key, part.encode(), "sha256")
        headers["content-type"] = "application/x-amz-json-1.1"
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential=test/{scope}, "
                                    f"SignedHeaders={names}, Signature={key.hex()}")
        request = urllib.request.Request(self.url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()

    def ship(self, group, stream, *messages):
        at = int(time.time() * 1000)
        events = [{"timestamp": at, "message": message} for message in messages]
        self.call("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=events)


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

    def width(self, pixels):
        """Shows the page as on a screen of this width; the window's own if there is none."""
        command, parameters = "Emulation.clearDeviceMetricsOverride", {}
        if pixels:
            command = "Emulation.setDeviceMetricsOverride"
            parameters = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def press(self, *keys):
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

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

STREAMS = """[...document.querySelectorAll('#streams button')].map((one) => [
    one.querySelector('.name').textContent, one.querySelector('.count').textContent, one.ariaCurrent])"""
MESSAGES = "[...document.querySelectorAll('#events .message')].map((one) => one.textContent)"

# Keys, as WebDriver names them.
DOWN, END, ENTER = "\ue015", "\ue010", "\ue007"


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

    def search(self, pattern):
        self.browser.ask("((text) => { const field = document.getElementById('search'); field.value ="
                         f" text; field.dispatchEvent(new Event('input')); }})({json.dumps(pattern)})")

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
        assert row[1:] == ["PutMetricData", str(refused["status"]), refused["code"],
                           refused["message"], "0"], row
        assert re.fullmatch(r"\d\d:\d\d:\d\d", row[0]), row
        assert self.browser.ask("document.getElementById('no-refused').hidden")

    def log_events_are_shown_as_they_come(self):
        assert "No log group was created yet." in self.browser.ask("document.body.innerText")
        self.shipper = Shipper(self.endpoint.url)
        for group, stream in [("/shop/web", "web/1"), ("/shop/web", "web/2"), ("jobs", HOSTILE)]:
            with contextlib.suppress(urllib.error.HTTPError):
                self.shipper.call("CreateLogGroup", logGroupName=group)
            self.shipper.call("CreateLogStream", logGroupName=group, logStreamName=stream)
        self.shipper.ship("/shop/web", "web/1", "GET /cart 200", f"{HOSTILE}", "  indented\n\tline")
        self.shipper.ship("/shop/web", "web/2", "GET /pay 500 \"no money\"")
        self.shipper.ship("jobs", HOSTILE, "done")
        self.browser.until("document.querySelectorAll('#events li').length === 4")
        assert self.browser.ask(STREAMS) == [
            ["/shop/web", "4", "true"], ["web/1", "3", "false"], ["web/2", "1", "false"],
            ["jobs", "1", "false"], [HOSTILE, "1", "false"]]
        assert self.browser.ask(MESSAGES) == [
            "GET /cart 200", HOSTILE, "  indented\n\tline", "GET /pay 500 \"no money\""]
        row = self.browser.ask("document.querySelector('#events li').innerText")
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}\s*web/1\s*GET /cart 200", row), row
        assert self.browser.ask("document.images.length") == 0
        assert self.browser.ask("document.title") == "CloudWatch on this machine"
        assert "5 log events in 3 batches" in self.browser.ask(
            "document.getElementById('totals').textContent")

    def search_takes_filter_patterns(self):
        for pattern, found in [('"no money"', 1), ("GET -500", 1), ("?cart ?pay", 2), ("", 4)]:
            self.search(pattern)
            self.browser.until(f"document.querySelectorAll('#events li').length === {found}")
        self.search("nowhere")
        self.browser.until("!document.getElementById('no-events').hidden")
        self.search("")
        self.browser.until("document.querySelectorAll('#events li').length === 4")

    def stream_is_chosen_by_keyboard(self):
        self.browser.ask("document.querySelector('#streams button').focus()")
        self.browser.press(DOWN, DOWN, ENTER)
        self.browser.until("document.querySelectorAll('#events li').length === 1")
        assert self.browser.ask(STREAMS)[2] == ["web/2", "1", "true"]
        self.shipper.call("CreateLogStream", logGroupName="/shop/web", logStreamName="web/0")
        self.browser.until("document.querySelectorAll('#streams button').length === 6")
        focused = "document.activeElement.querySelector('.name')?.textContent"
        assert self.browser.ask(focused) == "web/2", "the focus stays"
        self.browser.press(END, ENTER)
        self.browser.until(f"{MESSAGES}[0] === 'done'")
        self.browser.press("/")
        assert self.browser.ask("document.activeElement.id") == "search"

    def open_stream_is_followed_until_someone_scrolls_back(self):
        self.browser.ask("document.querySelector('#streams button').click()")
        self.browser.until("document.querySelectorAll('#events li').length === 4")
        self.shipper.ship("/shop/web", "web/1", *(f"line {i}" for i in range(100)))
        last = f"{MESSAGES}.at(-1)"
        self.browser.until(f"{last} === 'line 99'")
        events = "document.getElementById('events')"
        self.browser.until(f"{events}.scrollTop + {events}.clientHeight > {events}.scrollHeight - 8")
        self.browser.ask(f"{events}.scrollTo(0, 100)")
        self.browser.until("!document.getElementById('follow').checked")
        self.shipper.ship("/shop/web", "web/2", "later")
        self.browser.until(f"{STREAMS}[0][1] === '105'")
        assert self.browser.ask(last) == "line 99"
        self.browser.ask("document.getElementById('follow').click()")
        self.browser.until(f"{last} === 'later'")

    def narrow_page_needs_no_sideways_scrolling(self):
        self.browser.width(375)
        for scheme in ("light", "dark"):
            self.browser.colours(scheme)
            width = self.browser.ask("document.documentElement.scrollWidth")
            assert width <= 375, width
            box = self.browser.ask("document.getElementById('events').getBoundingClientRect().width")
            assert 300 < box <= 375, box
            if self.screenshot:
                self.browser.ask("document.getElementById('logs-title').scrollIntoView()")
                name = f"{self.screenshot.stem}-375-{scheme}"
                self.browser.screenshot(self.screenshot.with_stem(name))
        self.browser.width(None)
        self.browser.ask("scrollTo(0, 0)")

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

    def pattern_that_is_none_is_told(self):
        self.search('"open')
        told = self.browser.until("document.getElementById('search-error').textContent")
        assert "a quote is not closed" in told, told
        assert self.browser.ask("document.getElementById('search').ariaInvalid") == "true"
        self.search("")
        self.browser.until("document.getElementById('search-error').hidden")
        assert all("400 (Bad Request)" in error for error in self.browser.errors())

    def endpoint_that_went_is_told_and_its_successor_is_shown_alone(self):
        self.endpoint.stop()
        self.browser.until("document.getElementById('state').className === 'lost'")
        self.endpoint = Endpoint(self.binaries, self.endpoint.url.removeprefix("http://"))
        crowd = "".join(f"* * * * *  name=Metric{i:03} value={i}\n" for i in range(CROWD))
        Publisher(self.binaries, self.endpoint.url, crowd, "once").end()
        self.browser.until(f"document.querySelectorAll('article').length === {CROWD}")
        assert self.browser.ask("document.getElementById('state').textContent") == "live"
        self.browser.until("document.getElementById('logs').hidden")
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
             if callable(value) and name not in ("__init__", "cards", "search")]
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
