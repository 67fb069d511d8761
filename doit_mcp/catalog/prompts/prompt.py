"""Prompt: what a prompt is, how its arguments are checked and completed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ...protocol.jsonrpc import JsonObject
from ..call import Call

# What the user has typed, and the arguments that are settled already -> values that go on from there.
Completer = Callable[[Call, str, Mapping[str, str]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """One argument of a prompt, always text."""

    name: str
    description: str
    required: bool = False
    completer: Completer | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt; *render* gives its messages for arguments that are complete (PromptMessage: role and content)."""

    name: str
    title: str
    description: str
    render: Callable[[Call, Mapping[str, str]], Awaitable[list[JsonObject]]] = field(repr=False)
    arguments: tuple[PromptArgument, ...] = ()


def user_message(text: str) -> JsonObject:
    """A message of the user's that is text."""
    return {"role": "user", "content": {"type": "text", "text": text}}
