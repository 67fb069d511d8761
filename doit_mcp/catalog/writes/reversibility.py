"""Whether a write can be undone, for the user who approves it."""

from __future__ import annotations

from ..tools.tool import Tool

RECREATED = "The result says how to create it again, with a new id and without its history."
STATE_UNKNOWN = "The state before could not be read, so the result cannot say how to restore it."


def undo_notes(tool: Tool, *, is_known: bool) -> list[str]:
    """Return what the user should know about undoing the write. *is_known* means that its object could be read."""
    if "no_undo" in tool.facts:
        return [tool.facts["no_undo"]]
    if _needs_state(tool) and not is_known:
        return [STATE_UNKNOWN]
    return [RECREATED] if tool.deletes and "restore_with" in tool.facts else []


def cannot_be_undone(tool: Tool, *, is_known: bool = True) -> bool:
    """Return whether no later write restores the state before *tool*, as it declares.

    A deletion can be undone if a write creates an equal object, gives the access again, or adds the items again. Unless
    the object could be read (*is_known*), its values for that are missing.
    """
    facts = tool.facts
    if facts.get("irreversible") or facts.get("undone_by") == "nothing":
        return True
    if not tool.deletes:
        return False
    return not facts.keys() & {"can_be_restored", "restore_with", "removes"} or (
        "restore_with" in facts and not is_known
    )


def _needs_state(tool: Tool) -> bool:
    """Return whether undoing the write takes values of its object from before it."""
    is_update = tool.verb == "set" or (tool.verb == "update" and bool(tool.targets))
    return "restore_with" in tool.facts or (is_update and tool.facts.get("preview_with") is not None)
