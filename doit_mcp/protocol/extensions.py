"""Extensions of the protocol: their identifiers, and whether a client declared one."""

from __future__ import annotations

from .client_info import EXTENSIONS, SKILLS, TASKS
from .jsonrpc import JsonObject
from .request_metadata import Caller

__all__ = ("EXTENSIONS", "SKILLS", "TASKS", "is_declared", "required_capabilities")


def is_declared(caller: Caller, extension: str) -> bool:
    """Whether the client declared *extension*, in a revision that has extensions (Extension Negotiation)."""
    declared = caller.capabilities.get(EXTENSIONS)
    return caller.revision.supports("extensions") and isinstance(declared, dict) and extension in declared


def required_capabilities(extension: str) -> JsonObject:
    """The capabilities object that names *extension*."""
    return {EXTENSIONS: {extension: {}}}
