"""Names and versions of MCP clients as label values. Clients can claim anything, so only known names are used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OTHER = "other"
# The names that clients send as ``clientInfo.name``, in lower case, and their labels.
KNOWN_CLIENTS = {
    "openai-mcp": "chatgpt",
    "chatgpt": "chatgpt",
    "claude-ai": "claude",
    "claude": "claude",
    "anthropic/claudeai": "claude",
    "claude-code": "claude-code",
    "anthropic/toolbox": "claude-api",
    "cline": "cline",
    "codex-mcp-client": "codex",
    "cursor": "cursor",
    "cursor-vscode": "cursor",
    "doit-mcp-check": "doit-mcp-check",
    "gemini-cli-mcp-client": "gemini-cli",
    "goose": "goose",
    "inspector-client": "inspector",
    "mcp-inspector": "inspector",
    "langchain": "langchain",
    "librechat": "librechat",
    "mcp": "python-sdk",
    "mcp-remote": "mcp-remote",
    "mcp-remote-fallback-test": "mcp-remote",
    "mcp-client": "sdk",
    "ai-sdk-mcp-client": "ai-sdk",
    "n8n": "n8n",
    "visual studio code": "vscode",
    "vscode": "vscode",
    "windsurf": "windsurf",
    "windsurf-client": "windsurf",
    "zed": "zed",
}
# The major and minor version. Whatever follows would multiply the series.
VERSION = re.compile(r"v?(\d{1,4}(?:\.\d{1,4})?)(?!\d)", re.ASCII)
MAX_VERSIONS_PER_CLIENT = 8
MAX_REMEMBERED_CLIENTS = 256
MAX_REMEMBERED_CHARACTERS = 64


class ClientLabels:
    """Maps what clients claim to be to pairs of labels: a known name and a version such as "2.1", or "other".

    The first MAX_VERSIONS_PER_CLIENT versions of each name get a label, so there are few pairs whatever clients send.
    """

    __slots__ = ("_labels_by_claim", "_versions_by_name")

    def __init__(self) -> None:
        self._labels_by_claim: dict[tuple[object, object], tuple[str, str]] = {}
        self._versions_by_name: dict[str, set[str]] = {}

    def find(self, client_info: Mapping[str, Any]) -> tuple[str, str]:
        """Return the labels of a client. *client_info* has texts as ``name`` and ``version``, or lacks them."""
        claim = client_info.get("name"), client_info.get("version")
        labels = self._labels_by_claim.get(claim)
        return self._add(claim) if labels is None else labels

    @property
    def remembered_claims(self) -> int:
        """The number of claims whose labels are remembered, at most MAX_REMEMBERED_CLIENTS."""
        return len(self._labels_by_claim)

    def _add(self, claim: tuple[Any, Any]) -> tuple[str, str]:
        claimed_name, claimed_version = claim
        # mcp-remote appends itself to the name of the client that it serves: "Cursor (via mcp-remote 0.1.29)".
        name = (claimed_name or "").lower().partition(" (via ")[0]
        known = KNOWN_CLIENTS.get(name, OTHER)
        labels = known, OTHER if known == OTHER else self._version(known, claimed_version or "")
        is_short = len(claimed_name or "") + len(claimed_version or "") <= MAX_REMEMBERED_CHARACTERS
        if is_short and len(self._labels_by_claim) < MAX_REMEMBERED_CLIENTS:
            self._labels_by_claim[claim] = labels
        return labels

    def _version(self, name: str, claimed: str) -> str:
        match = VERSION.match(claimed)
        versions = self._versions_by_name.setdefault(name, set())
        if match is None or (match[1] not in versions and len(versions) >= MAX_VERSIONS_PER_CLIENT):
            return OTHER
        versions.add(match[1])
        return match[1]
