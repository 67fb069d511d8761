"""Whether a write can be undone, for the user who approves it."""

from __future__ import annotations

from ..tools.tool import Tool

UPDATING_VERBS = frozenset(("update", "set", "assign", "unassign", "reassign"))
"""Verbs of writes whose arguments are fields of their object."""
RECREATED = "The result says how to create it again, with a new id and without its history."
SET_AGAIN = "The result says how to set it again."
STATE_UNKNOWN = "The state before could not be read, so the result cannot say how to restore it."


def final_reason(tool: Tool, *, is_employee: bool) -> str:
    """Return why no call of this user restores the former state, as *tool* declares; "" if it declares nothing."""
    can_undo = is_employee and tool.facts.get("employees_can_undo", False)
    return "" if can_undo else tool.facts.get("no_undo", "")


def undo_notes(tool: Tool, *, is_known: bool, problem: str = "", is_employee: bool = False) -> list[str]:
    """Return what the user should know about undoing the write. *is_known* means that its object could be read.

    *problem* says why no call can create it again from its values, or which values an undo cannot restore.
    """
    if reason := final_reason(tool, is_employee=is_employee):
        return [reason]
    if _needs_state(tool) and not is_known:
        return [STATE_UNKNOWN]
    if problem:
        return [problem]
    if not tool.deletes or "restore_with" not in tool.facts:
        return []
    after = [tool.facts["after_restoring"]] if "after_restoring" in tool.facts else []
    return [SET_AGAIN if tool.facts.get("can_be_restored") else RECREATED, *after]


def cannot_be_undone(tool: Tool, *, is_known: bool = True, problem: str = "") -> bool:
    """Return whether no later write restores the state before *tool*, as it declares.

    A deletion can be undone if a write creates an equal object, restores the access, or adds the items again. This
    takes the values of the object, so it must be readable (*is_known*). *problem* says why they do not suffice.
    """
    facts = tool.facts
    if facts.get("irreversible") or facts.get("undone_by") == "nothing":
        return True
    if not tool.deletes:
        return False
    return not facts.keys() & {"can_be_restored", "restore_with", "removes"} or (
        "restore_with" in facts and (not is_known or problem != "")
    )


def _needs_state(tool: Tool) -> bool:
    """Return whether undoing the write takes former values of its object."""
    return "restore_with" in tool.facts or (restores_itself(tool) and tool.facts.get("preview_with") is not None)


def restores_itself(tool: Tool) -> bool:
    """Return whether another call of *tool*, an update, sets the former values again."""
    return tool.verb == "set" or (tool.verb in ("update", "reassign") and bool(tool.targets))
