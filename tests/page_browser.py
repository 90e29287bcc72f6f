"""Opens pages in headless Chromium with the network cut off and reports what a reader would meet.

Speaks the DevTools protocol over a pipe (null-terminated JSON on file descriptors 3 and 4), so it needs nothing but
Python's standard library and a Chromium. `python3 tests/page_browser.py SITE --screenshots FOLDER` also takes pictures.
"""

import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
NO_NETWORK = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")
SECONDS_TO_ANSWER = 60


def find_chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """A Chromium with one tab; `events` collects what it tells without being asked."""

    def __init__(self, program, network=NO_NETWORK):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # The shell gives the pipe's ends the numbers 3 and 4 that Chromium expects.
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, f"--user-data-dir={self.profile.name}", *network, *FLAGS],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.events, self.number, self.session = b"", [], 0, None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def receive(self):
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self.read_end, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError("the browser does not answer")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        """Loads a page; returns the events of loading it."""
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())
        # A turn of the page's own clock, for what it does after loading.
        self.evaluate("new Promise(done => setTimeout(done, 100))")
        return list(self.events)

    def evaluate(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def show(self, width, scheme):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        self.profile.cleanup()


def complaints(events):
    """What went wrong while a page loaded: requests that leave it, requests that fail, errors it logs."""
    for event in events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:")):
                yield f"asks the network for {url[:120]}"
        elif method == "Network.loadingFailed":
            yield f"a request fails: {params.get('errorText')}"
        elif method == "Runtime.exceptionThrown":
            yield f"a script fails: {params['exceptionDetails'].get('text')}"
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            yield f"logs an error: {params['entry']['text'][:200]}"


def check_page(browser, path, screenshots=None):
    """One line for each thing that is wrong with the page, at each width, light and dark."""
    found = []
    for width in WIDTHS:
        for scheme in SCHEMES:
            browser.show(width, scheme)
            found += complaints(browser.open(path.resolve().as_uri()))
            wide = browser.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"is {wide} pixels wide in a window of {width}")
            if screenshots:
                browser.screenshot(screenshots / f"{path.stem}-{width}-{scheme}.png")
    return list(dict.fromkeys(found))


def check_site(site, screenshots=None):
    """Checks every page of the site; returns `page: complaint` lines."""
    program = find_chromium()
    if program is None:
        raise FileNotFoundError("no chromium on this machine")
    browser = Browser(program)
    try:
        return [
            f"{path.name}: {line}" for path in sorted(site.glob("*.html")) for line in check_page(browser, path, screenshots)
        ]
    finally:
        browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, help="a folder for pictures of every page")
    options = parser.parse_args()
    if options.screenshots:
        options.screenshots.mkdir(parents=True, exist_ok=True)
    found = check_site(options.site, options.screenshots)
    print("\n".join(found) or "the browser found nothing wrong")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
