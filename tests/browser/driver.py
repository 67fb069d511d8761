"""Shows the view in headless Chromium, and returns what was seen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from doit_mcp.catalog.views.document import view_html
from tests.e2e.node_packages import environment, find_browser

NODE = Path(__file__).resolve().parent / "node"
ARTIFACTS = NODE.parent / "artifacts"
STOP_SECONDS = 20.0
Json = dict[str, Any]
ALL_CAPABILITIES: Json = {
    "openLinks": {},
    "downloadFile": {},
    "serverTools": {},
    "message": {"text": {}},
    "updateModelContext": {"text": {}},
    "logging": {},
}
"""The capabilities of a host that can do everything the view asks for."""
DISPLAY_MODES = ["inline", "fullscreen"]


@dataclass(frozen=True, slots=True)
class Case:
    """One view in one frame, and what happens there, step by step; see node/looking.mjs.

    *answers* are those of ``tools/call`` by tool, *refused* methods that the host does not know in spite of its
    *capabilities*, *legacy* is window.openai in place of MCP Apps, and *live* a server to connect to. The *host* "mcp-ui" shows the *input* and the *result* in *shown*.
    """

    name: str
    steps: Sequence[Json]
    width: int = 640
    scheme: str = "light"
    locale: str = "en-US"
    mode: str = "inline"
    tool: str = ""
    capabilities: Json = field(default_factory=lambda: ALL_CAPABILITIES)
    answers: Mapping[str, Sequence[Json | str]] = field(default_factory=dict)
    refused: Sequence[str] = ()
    legacy: Json | None = None
    live: Json | None = None
    modes: Sequence[str] = tuple(DISPLAY_MODES)
    host: str = "bridge"
    shown: Json = field(default_factory=dict)
    now: str = ""
    """The time of the browser's clock when the view opens, in ISO 8601; "" for that of the machine."""

    def order(self) -> Json:
        """Return the case as the driver reads it, with the context that the host gives the view."""
        context: Json = {
            "theme": self.scheme,
            "locale": self.locale,
            "timeZone": "UTC",
            "displayMode": self.mode,
            "availableDisplayModes": list(self.modes),
            "containerDimensions": {"maxHeight": 4000, "width": self.width},
        }
        if self.tool:
            context["toolInfo"] = {"tool": {"name": self.tool, "inputSchema": {"type": "object"}}}
        return asdict(self) | {"context": context}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a case showed."""

    name: str
    looks: dict[str, Json]
    received: list[Json]
    console: list[str]
    violations: list[str]
    leaks: list[str]
    problem: str
    drawMilliseconds: float | None = None
    calls: list[Any] = field(default_factory=list)
    closed: bool = False
    evaluated: list[Any] = field(default_factory=list)
    view: Json = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)

    def requests(self, method: str) -> list[Json]:
        """Return the parameters of the messages with *method* that the host received."""
        return [message.get("params", {}) for message in self.received if message.get("method") == method]

    @property
    def faults(self) -> list[str]:
        """What must never be seen."""
        found = [self.problem] if self.problem else []
        found += [*self.console, *self.violations, *(f"requested {url}" for url in self.leaks)]
        for name, look in self.looks.items():
            found += [f"{name}: {each}" for each in look["axe"]]
            found += [f"{name}: wider than the frame: {each}" for each in look["overflow"]]
            if look["frameHeight"] < look["contentHeight"]:
                found.append(f"{name}: {look['contentHeight']} px high in a frame of {look['frameHeight']} px")
            if look["sideways"] and "Cancel" in look["buttons"]:
                found.append(f"{name}: what is to be approved is cut off")
            if look["links"]:
                found.append(f"{name}: has elements that navigate or load")
        return [f"{self.name}: {each}" for each in found]


class Browser:
    """Chromium with the host page, driven by a Node process that lives as long as the tests of this process."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self._process, self._home, self._orders = process, home, 0

    def show(self, *cases: Case, view: str = "") -> dict[str, Seen]:
        """Return what each of *cases* showed, by its name. *view* replaces the HTML of the view."""
        self._orders += 1
        order = {
            "id": self._orders,
            "view": view or view_html(),
            "shots": str(ARTIFACTS),
            "cases": [case.order() for case in cases],
        }
        path = self._home / "order.json"
        path.write_text(json.dumps(order))
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        # A test that timed out leaves its report unread.
        for line in self._process.stdout:
            report = json.loads(line)
            if report["id"] == self._orders:
                return {seen["name"]: Seen(**seen) for seen in report["seen"]}
        raise RuntimeError(f"the driver ended:\n{(self._home / 'stderr').read_text()}")


@contextmanager
def running_browser(home: Path) -> Iterator[Browser]:
    """Run the browser. *home* is an empty directory for its files."""
    path = find_browser()
    ARTIFACTS.mkdir(exist_ok=True)
    with open(home / "stderr", "w") as errors:
        process = subprocess.Popen(
            ["node", str(NODE / "drive.mjs"), path],
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Browser(process, home)
    finally:
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def faults_of(seen: Mapping[str, Seen]) -> list[str]:
    """Return what none of the cases may show."""
    return [fault for one in seen.values() for fault in one.faults]
