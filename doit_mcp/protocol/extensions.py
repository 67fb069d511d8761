"""Protocol extensions: their identifiers, and whether a client declares them."""

from __future__ import annotations

from .client_info import EXTENSIONS, SKILLS, TASKS
from .jsonrpc import JsonObject
from .request_metadata import Caller

__all__ = ("EXTENSIONS", "SKILLS", "TASKS", "is_declared", "required_capabilities")


def is_declared(caller: Caller, extension: str) -> bool:
    """Return whether the client declares *extension*, in a revision with extensions (MCP, Extension Negotiation)."""
    declared = caller.capabilities.get(EXTENSIONS)
    return caller.revision.supports("extensions") and isinstance(declared, dict) and extension in declared


def required_capabilities(extension: str) -> JsonObject:
    """Return a client capabilities object that declares *extension*."""
    return {EXTENSIONS: {extension: {}}}
