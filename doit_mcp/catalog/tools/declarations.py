"""Checks of tool declarations: a missing fact fails the build of the tool with an error that says where to add it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...api import AREAS
from ...api.declaration_checks import declaration_error, suggest_name
from ...api.facts import Reader, ToolFacts
from ...api.operation import Operation, operation_of
from ...protocol.json_schema import record_hints

COMPOSED_TOOLSETS = ("search", "discovery", "employees", "events")
"""Toolsets of composed tools only, without an area of the API."""
SLOW_MEANING = "True if its response is computed and can take many seconds, else False"


def check_write_facts(
    function: Callable[..., Any], facts: ToolFacts, *, changes_existing: bool, risky: bool, states_reach: bool
) -> None:
    """Raise TypeError if a fact is missing that the write *function* needs.

    *changes_existing*: it changes an existing object, so the preview needs a method that reads it. *risky*: it changes
    or deletes something, or reaches outside the account. *states_reach*: its declaration says whether it reaches
    outside.
    """
    if "confirm" not in facts:
        raise missing_fact_error(function, "confirm", "True asks the user before each call, False does not")
    if risky and facts["confirm"] is False:
        raise missing_fact_error(
            function,
            "confirm",
            "a write that changes, deletes or reaches outside asks the user (True) or says why not (Unconfirmed)",
        )
    if changes_existing and "preview_with" not in facts:
        raise missing_fact_error(
            function, "preview_with", "the method that reads what it changes, for the question to the user, or None"
        )
    if not facts.keys() & {"preview_with", "verify_with"} and facts.get("undone_by") != "nothing":
        raise missing_fact_error(
            function, "verify_with", "the method that shows whether the created object still exists, or None"
        )
    if not states_reach:
        raise missing_fact_error(
            function, "open_world", "True if it reaches outside the account, such as by email, else False"
        )


def check_destructive(operation: Operation) -> None:
    """Raise TypeError if a write by POST to an existing object does not say whether it is destructive."""
    stated = operation.read_only or operation.method != "POST" or operation.destructive is not None
    if operation.placeholders and not stated:
        raise missing_fact_error(
            operation.function, "destructive", "True if it changes or deletes something, False if it only adds"
        )


def check_slow(operation: Operation) -> None:
    """Raise TypeError if a query by POST does not say whether the API computes its response."""
    if operation.read_only and operation.method == "POST" and operation.slow is None:
        raise missing_fact_error(operation.function, "slow", SLOW_MEANING)


def check_composed_facts(function: Callable[..., Any], facts: Mapping[str, Any]) -> None:
    """Raise TypeError if a composed tool does not say whether it is listed by default and, if it reads, is slow."""
    if "default_list" not in facts:
        raise missing_fact_error(
            function, "default_list", "True if clients list it by default, which costs each of them tokens"
        )
    if not facts.get("writes") and "slow" not in facts:
        raise missing_fact_error(function, "slow", SLOW_MEANING)


def check_rows_key(function: Callable[..., Any], fact: str, key: str, record: type | None) -> None:
    """Raise TypeError if the member that holds the rows of a result is not a member of its TypedDict *record*."""
    if key and record is not None and key not in record_hints(record):
        raise declaration_error(
            function,
            f"has {fact}={key!r} in its decorator, but {record.__name__} has no such member. "
            + suggest_name(key, record_hints(record)),
        )


def check_secrets(function: Callable[..., Any], facts: ToolFacts, record: type | None) -> None:
    """Raise TypeError if a member declared as a secret does not exist, or if results with secrets would be stored."""
    secrets = facts.get("secrets", ())
    members = record_hints(record) if record is not None else {}
    for name in secrets:
        if name not in members:
            raise declaration_error(
                function, f"has secrets={name!r} in its decorator, but its result declares no such member"
            )
    if secrets and "result_table" in facts:
        raise declaration_error(function, "has secrets= and result_table=, but results with secrets are never stored")


def check_area(function: Callable[..., Any], facts: Mapping[str, Any]) -> None:
    """Raise TypeError if the composed tool *function* does not name a toolset, or one that does not exist."""
    if "area" not in facts:
        raise missing_fact_error(function, "area", "the toolset that lists it")
    area = facts["area"]
    if area in AREAS:
        return
    if area not in COMPOSED_TOOLSETS:
        known = suggest_name(area, (*AREAS, *COMPOSED_TOOLSETS))
        raise declaration_error(function, f"has the unknown toolset area={area!r} in its decorator. {known}")
    if "search_hint" not in facts:
        raise missing_fact_error(function, "search_hint", "the words by which clients find it")


def missing_fact_error(function: Callable[..., Any], fact: str, meaning: str) -> TypeError:
    """Return the error for a declaration without a *fact*."""
    return declaration_error(function, f"needs {fact}= in its decorator: {meaning}")


def always_asks(facts: ToolFacts) -> bool:
    """Return whether the user is asked before each call, whatever the arguments."""
    return facts.get("confirm") is True


def reader_name(reader: Reader | None) -> str:
    """Return the name of the tool that a declaration refers to; "" without one."""
    if reader is None or isinstance(reader, str):
        return reader or ""
    return operation_of(reader).name
