"""What the pages show about the sandbox. Servers with real accounts have no such information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject


@dataclass(frozen=True, slots=True)
class SampleAccount:
    """A user of the sandbox with public credentials; *access* summarizes the user's customer and permissions."""

    email: str
    password: str
    token: str
    access: str


class SandboxInfo(NamedTuple):
    """The sandbox: its users (at least one), the URL of its dashboard, and example arguments by tool.

    An example value ``{"$from": [tool, path]}`` stands for a value of another tool's structured result, such as
    ``["list_budgets", "budgets.0.id"]``, because ids differ between customers.
    """

    accounts: Sequence[SampleAccount]
    dashboard_url: str
    examples: Mapping[str, JsonObject]
