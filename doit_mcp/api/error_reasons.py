"""Extracts the reason from error bodies of the DoiT API and makes it safe to show.

Shapes: {error: text}, RFC 9457 problems (title, detail, code, details[{issue, field}]), {message: text}, batch problems
(invalidItems[{index, code, reason}]), and lists of blockers [{id, type, error, resources}], where resources lists the
objects that block the request by kind: {budgets: [{id, name}]}.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import orjson

MAX_REASON_CHARACTERS = 500
MAX_CONFLICT_REASON_CHARACTERS = 1_000
"""Maximum characters for a 409, which may name many blocking objects, and a 422, which names the items of a batch."""
MAX_BLOCKER_KINDS, MAX_BLOCKERS_PER_KIND, MAX_NAME_CHARACTERS = 6, 3, 60
"""Maximum kinds of blocking objects, objects of each kind, and characters of a name."""
MAX_FIELD_PROBLEMS = 20
"""Maximum problems of fields, or of nodes of a flow, that are listed. The rest are counted."""
MAX_BATCH_ITEMS = 10
"""Maximum batch items that are listed. The rest are counted."""
MAX_INPUT_CHARACTERS = 20_000
"""Maximum characters of a text that is cleaned; the rest is dropped."""

HIDDEN_STATUSES = frozenset({403})
"""Statuses, besides 5xx and 401, whose bodies expose internals."""

# Strings, which re compiles on first use: together they take 6 ms, and many processes never see an error body.
TAG = r"(?is)<(script|style)\b.*?(</\1>|\Z)|<[^<>]{0,500}>"
STACK_TRACE = (
    r"Traceback \(most recent call last\)|\bgoroutine \d+ \[|\n[ \t]{1,20}at \S+.{0,200}[:(]\d+"
    r"|\bFile \"[^\"]{0,300}\", line \d"
)
URL = r"(?i)\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s\"'<>]*"
EMAIL = r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
SECRET = (
    r"(?i)\bBearer\s+\S+|\beyJ[\w-]*(?:\.[\w-]*)*|\b(?:token|secret|password|api[_-]?key)\s*[=:]\s*\S+|[\w+/=-]{40,}"
)


def extract_reason(status: int, body: bytes) -> str:
    """Return the reason in an error body; "" if it has none that is safe to show."""
    if status in HIDDEN_STATUSES or status == 401 or not 400 <= status < 500:
        return ""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    max_characters = MAX_CONFLICT_REASON_CHARACTERS if status in (409, 422) else MAX_REASON_CHARACTERS
    return clean_text("; ".join(dict.fromkeys(_reason_texts(value))), max_characters)


def clean_text(text: str, max_characters: int = MAX_REASON_CHARACTERS) -> str:
    """Return *text* without markup, addresses, credentials, stack traces and invisible characters, shortened."""
    text = text[:MAX_INPUT_CHARACTERS]
    if match := re.search(STACK_TRACE, text):
        text = text[: match.start()]
    text = re.sub(TAG, " ", text)
    text = "".join(letter if _is_visible(letter) else " " for letter in text)
    for pattern, placeholder in ((SECRET, "[removed]"), (URL, "[link]"), (EMAIL, "[address]")):
        text = re.sub(pattern, placeholder, text)
    text = " ".join(text.split())
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _is_visible(letter: str) -> bool:
    """Return False for control, format (bidi, zero-width, tag), surrogate and private-use characters."""
    return not unicodedata.category(letter).startswith("C")


def _reason_texts(value: Any) -> Iterable[str]:
    """Return the sentences of an error body, most specific first; its code only if it has no sentence."""
    if isinstance(value, list):
        return [text for item in value[:5] if isinstance(item, dict) and (text := _blocker_text(item))]
    if not isinstance(value, dict):
        return []
    texts = [
        *_message_texts(value),
        *_field_problems(value),
        *_usage_texts(value.get("resources")),
        *_active_run_texts(value),
    ]
    code = value.get("code")
    return texts or ([code] if isinstance(code, str) else [])


def _message_texts(value: dict[str, Any]) -> list[str]:
    inner = value.get("error")
    nested = list(_reason_texts(inner)) if isinstance(inner, dict) else []
    members = [value.get(name) for name in ("error", "detail", "message")]
    sentences = [text for text in members if isinstance(text, str) and text.strip()]
    title = value.get("title")
    return nested + sentences or ([title] if isinstance(title, str) else [])


def _active_run_texts(value: dict[str, Any]) -> list[str]:
    """Return a text with the run of a flow that blocks another run; an empty list without one."""
    run = value.get("execution")
    if not isinstance(run, dict) or not isinstance(run.get("id"), str):
        return []
    return [f"active run: {run['id'][:MAX_NAME_CHARACTERS]} ({str(run.get('status'))[:MAX_NAME_CHARACTERS]})"]


def _field_problems(value: dict[str, Any]) -> list[str]:
    """Return the problems of fields, nodes and items: details[{field, issue}], [{nodeId, message}] and invalidItems."""
    members = (value.get("details"), value.get("invalidItems"))
    details, items = (member if isinstance(member, list) else [] for member in members)
    listed = details[:MAX_FIELD_PROBLEMS]
    problems = [_field_problem(item) if isinstance(item, dict) else str(item) for item in listed]
    problems += [f"and {len(details) - len(listed)} more problems"] if len(details) > len(listed) else []
    problems += [
        _item_problem(item) if isinstance(item, dict) else str(item)[:MAX_NAME_CHARACTERS]
        for item in items[:MAX_BATCH_ITEMS]
    ]
    return problems + ([f"and {len(items) - MAX_BATCH_ITEMS} more items"] if len(items) > MAX_BATCH_ITEMS else [])


def _field_problem(item: dict[str, Any]) -> str:
    names = ("field", "nodeId", "id", "code", "issue", "reason", "message", "error")
    return ": ".join(str(item[name]) for name in names if isinstance(item.get(name), str | int))


def _item_problem(item: dict[str, Any]) -> str:
    """Return the problem of a batch item, with the item's path in the arguments: items[3]: code: reason."""
    index = item.get("index")
    if not isinstance(index, int) or isinstance(index, bool):
        return _field_problem(item)[: 3 * MAX_NAME_CHARACTERS]
    names = ("resellerCustomerId", "code", "reason")
    texts = [
        value[:MAX_NAME_CHARACTERS] for name in names if isinstance(value := item.get(name), str) and value.strip()
    ]
    return ": ".join([f"items[{index}]", *texts])


def _blocker_text(item: dict[str, Any]) -> str:
    text = " ".join(str(item[name]) for name in ("type", "id", "error") if isinstance(item.get(name), str | int))
    return ", ".join([*([text] if text else []), *_usage_texts(item.get("resources"))])


def _usage_texts(resources: Any) -> list[str]:
    """Return one text with the objects that use the object to delete; an empty list without any."""
    if not isinstance(resources, dict):
        return []
    kinds = [(kind, objects) for kind, objects in resources.items() if isinstance(objects, list) and objects]
    texts = [
        f"{kind[:MAX_NAME_CHARACTERS]}: {_join_references(objects)}" for kind, objects in kinds[:MAX_BLOCKER_KINDS]
    ]
    return [f"used by {', '.join(texts)}"] if texts else []


def _join_references(objects: list[Any]) -> str:
    """Return the names of the first objects and the number of the others; only the number if none has a name."""
    listed = objects[:MAX_BLOCKERS_PER_KIND]
    names = [name for item in listed if isinstance(item, dict) and (name := _format_reference(item))]
    other_count = len(objects) - len(names)
    if not names:
        return str(other_count)
    return ", ".join(names) + (f" and {other_count} more" if other_count else "")


def _format_reference(resource: dict[str, Any]) -> str:
    """Return name and id, without the owner, which the API reports only for objects the user cannot see."""
    name, identifier = (
        value[:MAX_NAME_CHARACTERS] if isinstance(value := resource.get(field), str) else "" for field in ("name", "id")
    )
    return f"{name} (id {identifier})" if name and identifier else name or identifier
