"""Titles and status texts, made from a tool's name: ``verb_noun`` in the words that people see."""

from __future__ import annotations

MOST_STATUS = 64
"""Characters of a status text (OpenAI Apps SDK, tool metadata)."""

SPELLED = {
    "ava": "Ava",
    "aws": "AWS",
    "cloudflow": "CloudFlow",
    "cloudflows": "CloudFlows",
    "csv": "CSV",
    "datahub": "DataHub",
    "doit": "DoiT",
    "id": "ID",
    "json": "JSON",
}
VERBS = {
    "accept": ("Accepting", "Accepted"),
    "activate": ("Activating", "Activated"),
    "add": ("Adding", "Added"),
    "archive": ("Archiving", "Archived"),
    "ask": ("Asking", "Asked"),
    "assign": ("Assigning", "Assigned"),
    "cancel": ("Cancelling", "Cancelled"),
    "create": ("Creating", "Created"),
    "delete": ("Deleting", "Deleted"),
    "dismiss": ("Dismissing", "Dismissed"),
    "export": ("Exporting", "Exported"),
    "find": ("Looking for", "Looked for"),
    "get": ("Reading", "Read"),
    "invite": ("Inviting", "Invited"),
    "list": ("Listing", "Listed"),
    "refine": ("Refining", "Refined"),
    "remove": ("Removing", "Removed"),
    "resend": ("Sending again", "Sent again"),
    "run": ("Running", "Ran"),
    "search": ("Searching", "Searched"),
    "send": ("Sending", "Sent"),
    "set": ("Setting", "Set"),
    "trigger": ("Starting", "Started"),
    "update": ("Changing", "Changed"),
    "upload": ("Uploading", "Uploaded"),
    "validate": ("Checking", "Checked"),
}


def title_of(name: str) -> str:
    """``refine_cloudflow`` as "Refine CloudFlow"."""
    text = _spelled(name)
    return text[:1].upper() + text[1:]


def status_of(name: str, title: str) -> tuple[str, str]:
    """What a client shows while the tool runs, and when it has run; at most 64 characters each."""
    verb, _, rest = name.partition("_")
    if verb not in VERBS or not rest:
        return _short(title, "…"), _short(title, ": done")
    doing, done = VERBS[verb]
    return _short(f"{doing} {_spelled(rest)}", "…"), _short(f"{done} {_spelled(rest)}", "")


def _spelled(name: str) -> str:
    return " ".join(SPELLED.get(word, word) for word in name.split("_"))


def _short(text: str, end: str) -> str:
    return text + end if len(text + end) <= MOST_STATUS else text[: MOST_STATUS - 1] + "…"
