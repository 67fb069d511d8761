"""What a client says about itself, reduced to the members that this server reads.

Sessions, tasks and their copies in Redis keep the result for as long as they live, so it is small whatever was sent.
"""

from __future__ import annotations

from typing import Any

from .jsonrpc import JsonObject

MAX_TEXT = 128
"""Characters of a name, a title or a version that are kept."""
# Capabilities that questions to the client depend on, with the members of each that matter.
CAPABILITIES = {"roots": (), "sampling": ("tools",), "elicitation": ("form", "url")}
EXTENSIONS = "extensions"
TASKS = "io.modelcontextprotocol/tasks"
SKILLS = "io.modelcontextprotocol/skills"
KNOWN_EXTENSIONS = (TASKS, SKILLS)
# What a client that says nothing has; nobody writes to it.
NOTHING: JsonObject = {}


def known_client(said: JsonObject) -> JsonObject:
    """The name, title and version in a ``clientInfo``, each cut to a length that a log line can carry."""
    if not said:
        return NOTHING
    known: JsonObject = {}
    # One by one, since every request of the envelope era comes here.
    if isinstance(name := said.get("name"), str):
        known["name"] = name[:MAX_TEXT]
    if isinstance(title := said.get("title"), str):
        known["title"] = title[:MAX_TEXT]
    if isinstance(version := said.get("version"), str):
        known["version"] = version[:MAX_TEXT]
    return known


def known_capabilities(said: JsonObject) -> JsonObject:
    """The declared capabilities that are known here. An object keeps its known members; anything else becomes null."""
    if not said:
        return NOTHING
    known = {name: _object(said[name], members) for name, members in CAPABILITIES.items() if name in said}
    if EXTENSIONS in said:
        known[EXTENSIONS] = _object(said[EXTENSIONS], KNOWN_EXTENSIONS)
    return known


def _object(value: Any, members: tuple[str, ...]) -> JsonObject | None:
    if not isinstance(value, dict):
        return None
    return {name: {} if isinstance(value[name], dict) else None for name in members if name in value}
