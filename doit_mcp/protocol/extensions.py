"""Protocol extensions: their identifiers, and whether a client declares them."""

from __future__ import annotations

from .client_info import EVENTS, EXTENSIONS, SKILLS, TASKS, VIEWS
from .jsonrpc import JsonObject
from .request_metadata import Caller

__all__ = ("EVENTS", "EXTENSIONS", "SKILLS", "TASKS", "VIEWS", "is_declared", "is_named", "required_capabilities")


def is_declared(caller: Caller, extension: str) -> bool:
    """Return whether the client declares *extension*, in a revision with extensions (MCP, Extension Negotiation)."""
    return caller.revision.supports("extensions") and is_named(caller, extension)


def is_named(caller: Caller, extension: str) -> bool:
    """Return whether the client names *extension*, in any revision.

    MCP Apps is older than the revision with extensions: its clients name it in ``initialize``.
    """
    declared = caller.capabilities.get(EXTENSIONS)
    return isinstance(declared, dict) and extension in declared


def required_capabilities(extension: str) -> JsonObject:
    """Return a client capabilities object that declares *extension*."""
    return {EXTENSIONS: {extension: {}}}
