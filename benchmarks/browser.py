"""Headless Chromium, without any network: opens a page from disk, clicks, measures and takes pictures.

It is driven by the Chrome DevTools protocol over two pipes, so it needs neither a port nor a library.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

TIMEOUT_S = 60.0
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
BECOME = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
"""Makes two descriptors those of the protocol, 3 (orders) and 4 (answers), and becomes the browser."""


class BrowserError(Exception):
    """The browser did not do what it was asked."""


def missing() -> str:
    """Why no browser can be started here; empty when one can."""
    absent = [name for name in ("chromium", "unshare") if shutil.which(name) is None]
    return f"there is no {' and no '.join(absent)} on this machine" if absent else ""


class Page:
    """One page of a browser that has no network."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders, self._answers = os.fdopen(orders, "wb", buffering=0), os.fdopen(answers, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session = ""
        self.problems: list[str] = []
        """What the page wrote to the console as an error, and exceptions that nothing caught."""

    def begin(self) -> None:
        """Attach to a new page and listen to it."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Give the window this size in CSS pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def open(self, place: Path, fragment: str = "") -> None:
        """Open a file, without waiting for anything."""
        self._call("Page.navigate", url=place.resolve().as_uri() + fragment)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression. Raises BrowserError when it throws."""
        made = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in made:
            raise BrowserError(f"{expression}: {made['exceptionDetails'].get('exception', {}).get('description')}")
        return made["result"].get("value")

    def wait(self, expression: str, *, within_s: float = 30.0) -> float:
        """Seconds until the expression was true. Raises BrowserError when it does not become so in time."""
        began = time.monotonic()
        while not self.ask(f"Boolean({expression})"):
            if time.monotonic() - began > within_s:
                raise BrowserError(f"not within {within_s:g} s: {expression}")
            time.sleep(0.02)
        return time.monotonic() - began

    def click(self, element: str) -> None:
        """Click, as a mouse does, in the middle of the element that a JavaScript expression gives.

        Raises BrowserError when there is none, or another one covers it.
        """
        spot = self.ask(
            f"(() => {{const e = {element}; if (!e) return null; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getClientRects()[0]; if (!r) return null;"
            "const x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);"
            "return {x, y, hit: Boolean(top) && (e.contains(top) || top.contains(e)), top: top?.outerHTML}})()"
        )
        if spot is None:
            raise BrowserError(f"nothing to click on: {element}")
        if not spot["hit"]:
            raise BrowserError(f"{element} is covered by {str(spot['top'])[:200]}")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=spot["x"], y=spot["y"], button="left", clickCount=1)

    def picture(self, place: Path, *, whole: bool = False) -> None:
        """Write what the window shows, or the whole page, as a PNG file."""
        made = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        place.write_bytes(base64.b64decode(made["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        self._orders.write(json.dumps(order).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                return cast(dict[str, Any], message["result"])
            self._note(message)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._answers.read(1 << 20)
            if not more:
                raise BrowserError("the browser ended")
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        return cast(dict[str, Any], json.loads(first))

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.problems.append(" ".join(str(each.get("value", each.get("description"))) for each in told["args"]))
        elif method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description") or details["text"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):  # it has ended already
            self._orders.write(json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        self._orders.close()
        self._answers.close()


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A page of a new browser in a network namespace of its own, in which not even the loopback is up."""
    orders, ours_out = os.pipe()
    ours_in, answers = os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (orders, answers)]  # clear of those that they become
    private = ["unshare", "--net", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
    with tempfile.TemporaryDirectory(prefix="flatnet-browser-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", BECOME, *map(str, theirs), *private, "chromium", *ARGUMENTS,
             f"--user-data-dir={folder}", "about:blank"],
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (orders, answers, *theirs):
            os.close(end)
        page = Page(ours_out, ours_in)
        try:
            page.begin()
            yield page
        finally:
            page.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
