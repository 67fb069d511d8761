"""What a client says about itself, reduced to the members that this server reads.

Sessions, tasks and their copies in Redis keep the result for as long as they live, so it is small whatever was sent.
"""

from __future__ import annotations

from typing import Any

from .jsonrpc import JsonObject

MAX_CLIENT_INFO_LENGTH = 128
"""Characters of a name, a title or a version that are kept."""
# Capabilities that questions to the client depend on, with the members of each that matter.
KNOWN_CAPABILITIES = {"roots": (), "sampling": ("tools",), "elicitation": ("form", "url")}
EXTENSIONS = "extensions"
TASKS = "io.modelcontextprotocol/tasks"
SKILLS = "io.modelcontextprotocol/skills"
KNOWN_EXTENSIONS = (TASKS, SKILLS)
# What a client that says nothing has; nobody writes to it.
EMPTY_OBJECT: JsonObject = {}


def reduce_client_info(client_info: JsonObject) -> JsonObject:
    """The name, title and version in a ``clientInfo``, each cut to a length that a log line can carry."""
    if not client_info:
        return EMPTY_OBJECT
    known: JsonObject = {}
    # One by one, since every request of the envelope era comes here.
    if isinstance(name := client_info.get("name"), str):
        known["name"] = name[:MAX_CLIENT_INFO_LENGTH]
    if isinstance(title := client_info.get("title"), str):
        known["title"] = title[:MAX_CLIENT_INFO_LENGTH]
    if isinstance(version := client_info.get("version"), str):
        known["version"] = version[:MAX_CLIENT_INFO_LENGTH]
    return known


def reduce_capabilities(capabilities: JsonObject) -> JsonObject:
    """The declared capabilities that are known here. An object keeps its known members; anything else becomes null."""
    if not capabilities:
        return EMPTY_OBJECT
    known = {
        name: _reduce_object(capabilities[name], members)
        for name, members in KNOWN_CAPABILITIES.items()
        if name in capabilities
    }
    if EXTENSIONS in capabilities:
        known[EXTENSIONS] = _reduce_object(capabilities[EXTENSIONS], KNOWN_EXTENSIONS)
    return known


def _reduce_object(value: Any, members: tuple[str, ...]) -> JsonObject | None:
    if not isinstance(value, dict):
        return None
    return {name: {} if isinstance(value[name], dict) else None for name in members if name in value}
