"""Whether a write can be undone, for the user who approves it."""

from __future__ import annotations

from ..tools.tool import Tool

RECREATED = "The result says how to create it again, with a new id and without its history."


def recreation_note(tool: Tool) -> str:
    """Return what undoes a deletion, if another write creates an equal object; else ""."""
    return RECREATED if tool.deletes and "restore_with" in tool.facts else ""


def cannot_be_undone(tool: Tool) -> bool:
    """Return whether no later write restores the state before *tool*, as it declares.

    A deletion can be undone if a write creates an equal object, gives the access again, or adds the items again.
    """
    facts = tool.facts
    if facts.get("irreversible") or facts.get("undone_by") == "nothing":
        return True
    return tool.deletes and not (facts.get("can_be_restored") or facts.get("restore_with") or facts.get("removes"))
