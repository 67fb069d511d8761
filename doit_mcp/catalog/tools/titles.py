"""Titles and status texts of tools, made from their names: ``verb_noun`` in the words that users see.

The tables list words, not tools. A declaration can set its own title, whose spelling of words the status texts follow.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_STATUS_CHARACTERS = 64
"""Maximum number of characters of a status text (OpenAI Apps SDK, tool metadata)."""

SPELLINGS = {
    "ava": "Ava",
    "aws": "AWS",
    "cloudflow": "CloudFlow",
    "cloudflows": "CloudFlows",
    "csv": "CSV",
    "datahub": "DataHub",
    "doit": "DoiT",
    "gcp": "GCP",
    "id": "ID",
    "json": "JSON",
    "slack": "Slack",
}
"""Words with capital letters."""
VERB_FORMS = {
    "accept": ("Accepting", "Accepted"),
    "activate": ("Activating", "Activated"),
    "add": ("Adding", "Added"),
    "archive": ("Archiving", "Archived"),
    "ask": ("Asking", "Asked"),
    "assign": ("Assigning", "Assigned"),
    "cancel": ("Canceling", "Canceled"),
    "confirm": ("Confirming", "Confirmed"),
    "create": ("Creating", "Created"),
    "delete": ("Deleting", "Deleted"),
    "dismiss": ("Dismissing", "Dismissed"),
    "export": ("Exporting", "Exported"),
    "explain": ("Explaining", "Explained"),
    "find": ("Looking for", "Looked for"),
    "get": ("Reading", "Read"),
    "import": ("Importing", "Imported"),
    "invite": ("Inviting", "Invited"),
    "list": ("Listing", "Listed"),
    "refine": ("Refining", "Refined"),
    "remove": ("Removing", "Removed"),
    "resend": ("Sending again", "Sent again"),
    "run": ("Running", "Ran"),
    "search": ("Searching", "Searched"),
    "send": ("Sending", "Sent"),
    "set": ("Setting", "Set"),
    "start": ("Starting", "Started"),
    "stop": ("Stopping", "Stopped"),
    "test": ("Testing", "Tested"),
    "trigger": ("Starting", "Started"),
    "update": ("Changing", "Changed"),
    "upload": ("Uploading", "Uploaded"),
    "validate": ("Checking", "Checked"),
}
"""The forms of a verb while a tool runs and after it has run. For other verbs, the status text is the title."""


def make_title(name: str) -> str:
    """Return the title for a name: ``refine_cloudflow`` becomes "Refine CloudFlow"."""
    text = _spell_out(name, SPELLINGS)
    return text[:1].upper() + text[1:]


def status_texts(name: str, title: str, *, may_continue: bool = False) -> tuple[str, str]:
    """Return the texts that clients show while the tool runs, and after it has run; at most 64 characters each.

    If it *may_continue* after its response, the second text does not say that it is done.
    """
    verb, _, object_words = name.partition("_")
    if verb not in VERB_FORMS or not object_words:
        return _shorten(title, "…"), _shorten(title, ": done")
    present, past = VERB_FORMS[verb]
    noun = _spell_out(object_words, {**SPELLINGS, **{word.lower(): word for word in title.split()}})
    invoked = _shorten(title, ": requested") if may_continue else _shorten(f"{past} {noun}", "")
    return _shorten(f"{present} {noun}", "…"), invoked


def _spell_out(name: str, spellings: Mapping[str, str]) -> str:
    return " ".join(spellings.get(word, word) for word in name.split("_"))


def _shorten(text: str, end: str) -> str:
    return text + end if len(text + end) <= MAX_STATUS_CHARACTERS else text[: MAX_STATUS_CHARACTERS - 1] + "…"
