"""Headless Firefox, driven by its own protocol: Playwright only drives builds of Firefox that it downloads itself.

Marionette is the protocol behind Firefox's WebDriver. A message is its length in bytes, a colon, and JSON: [0, id, command,
parameters] to Firefox, [1, id, error, result] from it. Source: firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ...deploy.appengine import free_port

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
START_SECONDS = 60
SCRIPT_SECONDS = 120
MAX_LENGTH_DIGITS = 10
EVALUATE = """
const [argument, done] = arguments;
(async () => ({value}))().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));
"""


class ScriptError(Exception):
    """A script of the page failed, or Firefox refused a command."""


class Firefox:
    """A window of Firefox.

    Attributes:
        version: Version of Firefox.
    """

    def __init__(self, port: int) -> None:
        """Connect to Marionette on this port and start a session. Raises ConnectionError if it does not answer."""
        self._socket = _connect(port)
        self._stream = self._socket.makefile("rb")
        self._count = 0
        self._receive()  # the greeting
        session = self.command("WebDriver:NewSession", strictFileInteractability=True)
        self.version: str = session["capabilities"]["browserVersion"]
        self.command("WebDriver:SetTimeouts", script=1000 * SCRIPT_SECONDS)

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command and return its result. Raises ScriptError with Firefox's message."""
        self._count += 1
        message = json.dumps([0, self._count, name, parameters]).encode()
        self._socket.sendall(b"%d:" % len(message) + message)
        _, _, error, result = self._receive()
        if error:
            raise ScriptError(f"{name}: {error.get('message')}")
        return result

    def goto(self, url: str) -> None:
        """Open a page."""
        self.command("WebDriver:Navigate", url=url)

    def evaluate(self, expression: str, argument: object = None) -> Any:
        """Call a JavaScript function of one argument in the page, and return its result or that of its promise.

        Raises ScriptError with the message of the script's error.
        """
        script = EVALUATE.format(value=f"await ({expression.strip()})(argument)")
        answer = self.command("WebDriver:ExecuteAsyncScript", script=script, args=[argument], sandbox=None)["value"]
        if "error" in answer:
            raise ScriptError(answer["error"])
        return answer.get("value")

    def close(self) -> None:
        """Close the connection: Firefox ends the session."""
        self._stream.close()
        self._socket.close()

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += (letter := self._stream.read(1))
            if not letter or len(length) > MAX_LENGTH_DIGITS:
                raise ConnectionError("Firefox closed the connection")
        return json.loads(self._stream.read(int(length[:-1])))


@contextmanager
def run_firefox() -> Iterator[Firefox]:
    """Run headless Firefox with a new profile until the end of the block.

    Raises FileNotFoundError where there is no Firefox, and ConnectionError if it does not start.
    """
    if FIREFOX is None:
        raise FileNotFoundError("Firefox is not installed")
    port = free_port()
    with tempfile.TemporaryDirectory() as profile:
        Path(profile, "user.js").write_text(f'user_pref("marionette.port", {port});\n', encoding="utf-8")
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", profile]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with closing(Firefox(port)) as window:
                yield window
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _connect(port: int) -> socket.socket:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=SCRIPT_SECONDS)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return connection
