"""Prompt: what a prompt is, how its arguments are checked and completed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ...protocol.jsonrpc import JsonObject
from ..call import Call

# What the user has typed, and the arguments that are settled already -> values that go on from there.
Complete = Callable[[Call, str, Mapping[str, str]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a prompt, always text."""

    name: str
    description: str
    required: bool = False
    complete: Complete | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt; *run* gives its messages for arguments that are complete (PromptMessage: role and content)."""

    name: str
    title: str
    description: str
    run: Callable[[Call, Mapping[str, str]], Awaitable[list[JsonObject]]] = field(repr=False)
    arguments: tuple[Argument, ...] = ()


def user_text(text: str) -> JsonObject:
    """A message of the user's that is text."""
    return {"role": "user", "content": {"type": "text", "text": text}}
