"""Client information and capabilities, reduced to the members that this server reads.

Sessions and tasks store them, also in Redis, so their size must not depend on what the client sends.
"""

from __future__ import annotations

from typing import Any

from .jsonrpc import JsonObject, without_empty_values

MAX_CLIENT_INFO_LENGTH = 128
"""Maximum characters of a name, title or version. The rest is cut off."""
# Capabilities that requests to the client depend on, with the members that matter.
KNOWN_CAPABILITIES = {"roots": (), "sampling": ("tools",), "elicitation": ("form", "url")}
EXTENSIONS = "extensions"
TASKS = "io.modelcontextprotocol/tasks"
SKILLS = "io.modelcontextprotocol/skills"
VIEWS = "io.modelcontextprotocol/ui"
EVENTS = "io.modelcontextprotocol/events"
KNOWN_EXTENSIONS = (TASKS, SKILLS, VIEWS, EVENTS)
# Shared by all clients without information; never modified.
EMPTY_OBJECT: JsonObject = {}


def reduce_client_info(client_info: JsonObject) -> JsonObject:
    """Return the name, title and version of a ``clientInfo``, each cut to MAX_CLIENT_INFO_LENGTH characters."""
    if not client_info:
        return EMPTY_OBJECT
    reduced: JsonObject = {}
    # Unrolled, because every stateless request comes here.
    if isinstance(name := client_info.get("name"), str):
        reduced["name"] = name[:MAX_CLIENT_INFO_LENGTH]
    if isinstance(title := client_info.get("title"), str):
        reduced["title"] = title[:MAX_CLIENT_INFO_LENGTH]
    if isinstance(version := client_info.get("version"), str):
        reduced["version"] = version[:MAX_CLIENT_INFO_LENGTH]
    return reduced


def reduce_capabilities(capabilities: JsonObject) -> JsonObject:
    """Return the known capabilities with their known members.

    Null means that a member is absent, and an empty list is an empty object. Other values that are not objects become
    null.
    """
    if not capabilities:
        return EMPTY_OBJECT
    capabilities = without_empty_values(capabilities)
    reduced = {
        name: _reduce_object(capabilities[name], members)
        for name, members in KNOWN_CAPABILITIES.items()
        if name in capabilities
    }
    if EXTENSIONS in capabilities:
        reduced[EXTENSIONS] = _reduce_object(capabilities[EXTENSIONS], KNOWN_EXTENSIONS)
    return reduced


def _reduce_object(value: Any, members: tuple[str, ...]) -> JsonObject | None:
    if not isinstance(value, dict):
        return None
    value = without_empty_values(value)
    return {name: {} if isinstance(value[name], dict) else None for name in members if name in value}
