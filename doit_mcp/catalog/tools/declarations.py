"""Checks of declarations: a tool that leaves out a fact that it needs is not made, and the error says where to add it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...api.facts import Reader, ToolFacts, Unconfirmed
from ...api.operation import operation_of


def source_file(function: Callable[..., Any]) -> str:
    """The file that declares *function*, as it is called in the repository."""
    return f"{function.__module__.replace('.', '/')}.py"


def check_write_facts(function: Callable[..., Any], facts: ToolFacts, *, changes_existing: bool, risky: bool) -> None:
    """Raise TypeError if a fact is missing that the write of *function* needs.

    *changes_existing*: it is about a thing that exists, so the question to the user needs what reads that thing.
    *risky*: it changes or deletes something, or reaches outside of the account.
    """
    if "confirm" not in facts:
        raise missing(function, "confirm", "True asks the user before each call, False does not")
    if risky and facts["confirm"] is False:
        raise missing(
            function,
            "confirm",
            "a write that changes, deletes or reaches outside asks the user (True) or says why not (Unconfirmed)",
        )
    if changes_existing and "preview_with" not in facts:
        raise missing(
            function, "preview_with", "the method that reads what it changes, for the question to the user, or None"
        )
    if not facts.keys() & {"preview_with", "verify_with"} and facts.get("undone_by") != "nothing":
        raise missing(
            function, "verify_with", "the method that shows whether what it made is still there, or None if none does"
        )


def missing(function: Callable[..., Any], fact: str, meaning: str) -> TypeError:
    """The error for a declaration without a *fact*."""
    return TypeError(f"{source_file(function)}: {function.__name__} needs {fact}= in its decorator: {meaning}")


def always_asks(facts: ToolFacts) -> bool:
    """Whether the user is asked before each call, whatever the arguments."""
    return facts.get("confirm") is True


def unconfirmed_reason(facts: ToolFacts) -> str:
    """Why a write does not always ask; "" where no reason is given."""
    confirm = facts.get("confirm")
    return confirm.reason if isinstance(confirm, Unconfirmed) else ""


def reader_name(reader: Reader | None) -> str:
    """The name of the tool that a declaration refers to; "" if it refers to none."""
    if reader is None or isinstance(reader, str):
        return reader or ""
    return operation_of(reader).name
