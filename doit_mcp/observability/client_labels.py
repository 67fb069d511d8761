"""Names and versions of MCP clients as label values. Clients can claim anything, so only known names are used."""

from __future__ import annotations

import re
from collections import Counter
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
MAX_COUNTED_VERSIONS = 64
"""Versions of each client whose calls are counted, with or without a label of their own."""
MAX_REMEMBERED_CLIENTS = 256
MAX_REMEMBERED_CHARACTERS = 64

ClientAndVersion = tuple[str, str]


class ClientCalls:
    """Counts calls by what clients claim to be: a known name and a version such as "2.1", or "other".

    Of each name, at most MAX_VERSIONS_PER_CLIENT versions have a label, so there are few pairs whatever clients send. A
    version that makes more calls than the least used of these takes its place, and "other" takes over its calls.
    """

    __slots__ = ("_claims", "_labeled", "_used", "counts")

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self._claims: dict[tuple[object, object], ClientAndVersion] = {}
        # By name: the calls of its versions, and those versions that have a label.
        self._used: dict[str, Counter[str]] = {}
        self._labeled: dict[str, set[str]] = {}

    def count(self, client_info: Mapping[str, Any]) -> ClientAndVersion:
        """Count a call and return its labels. *client_info* has texts as ``name`` and ``version``, or lacks them."""
        claim = client_info.get("name"), client_info.get("version")
        name, version = self._claims.get(claim) or self._read(claim)
        labels = name, version if version != OTHER and self._has_label(name, version) else OTHER
        self.counts[labels] += 1
        return labels

    @property
    def remembered_claims(self) -> int:
        """The number of claims whose meaning is remembered, at most MAX_REMEMBERED_CLIENTS."""
        return len(self._claims)

    def _read(self, claim: tuple[Any, Any]) -> ClientAndVersion:
        """Return the known name and the version in *claim*."""
        claimed_name, claimed_version = claim
        # mcp-remote appends itself to the name of the client that it serves: "Cursor (via mcp-remote 0.1.29)".
        known = KNOWN_CLIENTS.get((claimed_name or "").lower().partition(" (via ")[0], OTHER)
        match = None if known == OTHER else VERSION.match(claimed_version or "")
        labels = known, OTHER if match is None else match[1]
        is_short = len(claimed_name or "") + len(claimed_version or "") <= MAX_REMEMBERED_CHARACTERS
        if is_short and len(self._claims) < MAX_REMEMBERED_CLIENTS:
            self._claims[claim] = labels
        return labels

    def _has_label(self, name: str, version: str) -> bool:
        """Count a call of a version, and return whether it has a label."""
        used, labeled = self._used.setdefault(name, Counter()), self._labeled.setdefault(name, set())
        if version not in used and len(used) >= MAX_COUNTED_VERSIONS:
            del used[min(used.keys() - labeled, key=used.__getitem__)]
        used[version] += 1
        if version not in labeled:
            if len(labeled) >= MAX_VERSIONS_PER_CLIENT:
                least = min(labeled, key=used.__getitem__)
                if used[version] <= used[least]:
                    return False
                labeled.remove(least)
                self.counts[name, OTHER] += self.counts.pop((name, least))
            labeled.add(version)
        return True
