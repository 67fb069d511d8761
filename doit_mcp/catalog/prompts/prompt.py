"""Prompt: its arguments, the completers of their values, and the function that renders its messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..call import Call

Completer = Callable[[Call, str, Mapping[str, str]], Awaitable[list[str]]]
"""Returns the values that match the typed text; also takes the arguments entered so far."""


class PromptArgument(NamedTuple):
    """One argument of a prompt; always text."""

    name: str
    description: str
    required: bool = False
    completer: Completer | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt. *render* returns its messages (PromptMessage: role and content) for complete arguments."""

    name: str
    title: str
    description: str
    render: Callable[[Call, Mapping[str, str]], Awaitable[list[JsonObject]]] = field(repr=False)
    arguments: tuple[PromptArgument, ...] = ()


def user_message(text: str) -> JsonObject:
    """Return a user message (PromptMessage)."""
    return {"role": "user", "content": {"type": "text", "text": text}}
