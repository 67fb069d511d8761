"""Parses the front matter of SKILL.md files (Agent Skills): only the subset of YAML that these files use."""

from __future__ import annotations

from ...protocol.jsonrpc import JsonObject

FENCE = "---"


def split_document(text: str) -> tuple[JsonObject, str]:
    """Return the front matter of a SKILL.md and the Markdown after it.

    Members are texts on one line, or maps of such texts that are indented by two spaces. Raise ValueError for anything
    else.
    """
    opening, *lines = text.splitlines(keepends=True)
    stripped = [line.rstrip() for line in lines]
    if opening.rstrip() != FENCE or FENCE not in stripped:
        raise ValueError("SKILL.md must start with front matter between two lines of ---")
    end = stripped.index(FENCE)
    return _read_members(stripped[:end]), "".join(lines[end + 1 :]).lstrip("\n")


def _read_members(lines: list[str]) -> JsonObject:
    members: JsonObject = {}
    nested: JsonObject | None = None
    for line in lines:
        name, colon, value = line.strip().partition(":")
        is_nested = line.startswith("  ")
        if not colon or not name or (is_nested and nested is None):
            raise ValueError(f"front matter: {line!r} is not a member")
        if value:
            target = nested if is_nested and nested is not None else members
            target[name] = _read_text(value)
            nested = nested if is_nested else None
        else:
            nested = members[name] = {}
    return members


def _read_text(value: str) -> str:
    """Return a plain scalar. Raise ValueError for text that YAML would read as something else."""
    text = value.strip()
    if not value.startswith(" ") or ": " in text or " #" in text or not text[0].isalpha():
        raise ValueError(f"front matter: {text!r} is not plain text")
    return text
