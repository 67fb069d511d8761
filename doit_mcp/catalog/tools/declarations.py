"""Checks of tool declarations: a missing fact fails the build of the tool with an error that says where to add it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...api.facts import Reader, ToolFacts, Unconfirmed
from ...api.operation import operation_of
from ...protocol.json_schema import record_hints


def source_file(function: Callable[..., Any]) -> str:
    """Return the path in the repository of the file that declares *function*."""
    return f"{function.__module__.replace('.', '/')}.py"


def check_write_facts(function: Callable[..., Any], facts: ToolFacts, *, changes_existing: bool, risky: bool) -> None:
    """Raise TypeError if a fact is missing that the write *function* needs.

    *changes_existing*: it changes an existing object, so the preview needs a method that reads it. *risky*: it changes
    or deletes something, or reaches outside the account.
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
        raise missing(function, "verify_with", "the method that shows whether the created object still exists, or None")


def check_rows_key(function: Callable[..., Any], fact: str, key: str, record: type | None) -> None:
    """Raise TypeError if the member that holds the rows of a result is not a member of its TypedDict *record*."""
    if key and record is not None and key not in record_hints(record):
        raise TypeError(
            f"{source_file(function)}: {function.__name__} has {fact}={key!r} in its decorator, but {record.__name__} has"
            f" no such member. Available: {', '.join(record_hints(record))}"
        )


def missing(function: Callable[..., Any], fact: str, meaning: str) -> TypeError:
    """Return the error for a declaration without a *fact*."""
    return TypeError(f"{source_file(function)}: {function.__name__} needs {fact}= in its decorator: {meaning}")


def always_asks(facts: ToolFacts) -> bool:
    """Return whether the user is asked before each call, whatever the arguments."""
    return facts.get("confirm") is True


def unconfirmed_reason(facts: ToolFacts) -> str:
    """Return why a write does not always ask; "" if no reason is given."""
    confirm = facts.get("confirm")
    return confirm.reason if isinstance(confirm, Unconfirmed) else ""


def reader_name(reader: Reader | None) -> str:
    """Return the name of the tool that a declaration refers to; "" without one."""
    if reader is None or isinstance(reader, str):
        return reader or ""
    return operation_of(reader).name
