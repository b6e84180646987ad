"""Chromium, spoken to as W3C WebDriver says."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import scripted

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,1000",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " ", "Shift": "\ue008"}


class Browser:
    def __init__(self, folder):
        driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
        assert driver and browser, "install the packages chromium and chromium-driver"
        self._log = open(folder / "driver.log", "w+")
        self._driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=self._log, text=True)
        port = None
        while port is None:
            line = self._driver.stdout.readline()
            assert line, "chromedriver did not start"
            port = re.search(r"successfully on port (\d+)", line)
        self._base = f"http://127.0.0.1:{port[1]}"
        options = {"binary": browser, "args": [*CHROMIUM, f"--user-data-dir={folder / 'profile'}"]}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._base += f"/session/{session['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data=data, method=method,
                                         headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def ask(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": f"return {script}", "args": list(arguments)})

    def until(self, script, *arguments):
        """Waits until a script is true; gives what it came to."""
        return scripted.until(script, lambda: self.ask(script, *arguments))

    def press(self, *keys, held=()):
        """Presses keys, one after the other, on whatever has the focus."""
        actions = [{"type": "keyDown", "value": KEYS[one]} for one in held]
        for key in keys:
            for letter in [KEYS[key]] if key in KEYS else key:
                actions += [{"type": "keyDown", "value": letter}, {"type": "keyUp", "value": letter}]
        actions += [{"type": "keyUp", "value": KEYS[one]} for one in held]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        self.call("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector, text):
        self.call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def _find(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def focused(self):
        """The accessible name of what has the focus, or its id."""
        return self.ask("((one) => one.getAttribute('aria-label') || one.id || one.name || one.textContent.trim())"
                        "(document.activeElement)")

    def tab_to(self, name, most=60):
        """Presses Tab until what has this name has the focus."""
        for _ in range(most):
            if self.focused() == name:
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {name}, but to {self.focused()}")

    def size(self, width, height):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}})

    def scheme(self, name):
        """Light or dark; gives the background's colour."""
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": name}]}})
        return self.ask("getComputedStyle(document.body).backgroundColor")

    def offline(self, offline):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Network.enable", "params": {}})
        self.call("POST", "/goog/cdp/execute", {"cmd": "Network.emulateNetworkConditions", "params": {
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def errors(self):
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE"]

    def stop(self):
        with contextlib.suppress(Exception):
            self.call("DELETE", "")
        self._driver.terminate()
        self._driver.wait(scripted.PATIENCE)
        self._driver.stdout.close()
        self._log.close()
