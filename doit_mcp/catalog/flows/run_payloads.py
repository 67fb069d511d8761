"""What the nodes of a run received and returned: shortened, and as a table of pieces for a result handle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ...protocol.jsonrpc import JsonObject
from ..tools.result_handles import ResultTable

MAX_SHOWN_BYTES = 6_000
"""Maximum size of the payload of one node in a result."""
PIECE_CHARACTERS = 2_000
"""Length of a piece of a payload in a table: query_result returns several of them at a time."""
MAX_TABLE_BYTES = 3 << 20
"""Maximum total size of the pieces that are stored."""
PARTS = ("input", "output")
COLUMNS: list[JsonObject] = [{"name": name, "type": "string"} for name in ("node", "part", "entry", "piece", "value")]
BRIEF_FIELDS = ("stepNumber", "nodeId", "name", "status", "startTime", "endTime", "error")
UNFINISHED = ("pending", "skipped")


def choose_node(nodes: list[JsonObject], wanted: str | None) -> JsonObject | None:
    """Return the node with the name or id *wanted*, otherwise the last one that has started; None without any."""
    if wanted is not None:
        return next((node for node in nodes if wanted in (node.get("nodeId"), node.get("name"))), None)
    return next((node for node in reversed(nodes) if node.get("status") not in UNFINISHED), None)


def describe_node(node: JsonObject) -> JsonObject:
    """Return a node with its payloads, which are cut to MAX_SHOWN_BYTES."""
    return summarize_node(node) | {part: show_payload(node.get(part)) for part in PARTS}


def summarize_node(node: JsonObject) -> JsonObject:
    """Return a node without its payloads, but with their sizes."""
    sizes = {f"{part}Bytes": payload_bytes(node.get(part)) for part in PARTS if node.get(part) is not None}
    return {name: node[name] for name in BRIEF_FIELDS if node.get(name) is not None} | sizes


def payload_bytes(payload: Any) -> int:
    """Return the size of a payload, before the API truncated it."""
    total = payload.get("totalBytes") if isinstance(payload, dict) else None
    if isinstance(total, int) and not isinstance(total, bool):
        return total
    return len(orjson.dumps(payload))


def show_payload(payload: Any) -> JsonObject | None:
    """Return the first entries of a payload that fit; *shown* and *of* count them if some are left out."""
    entries = _read_entries(payload)
    if entries is None:
        return None
    shown, size = [], 0
    for entry in entries:
        size += len(orjson.dumps(entry))
        if size > MAX_SHOWN_BYTES:
            break
        shown.append(entry)
    result: JsonObject = {"value": shown}
    if len(shown) < len(entries):
        result |= {"shown": len(shown), "of": len(entries)}
        if not shown:
            result["beginning"] = orjson.dumps(entries[0]).decode()[:PIECE_CHARACTERS]
    if payload.get("truncated"):
        result |= {"truncated": True, "totalBytes": payload.get("totalBytes")}
    return result


def is_cut(shown: JsonObject | None) -> bool:
    """Return whether only a part of a payload is shown."""
    return shown is not None and "of" in shown


def payload_table(nodes: list[JsonObject]) -> ResultTable:
    """Return all payloads of a run in pieces of text, the last node first, up to MAX_TABLE_BYTES."""
    rows: list[list[Any]] = []
    size = 0
    for row in _split_payloads(nodes):
        size += len(row[-1].encode())
        if size > MAX_TABLE_BYTES:
            break
        rows.append(row)
    return ResultTable(COLUMNS, rows, {"tool": "get_cloudflow_run"})


def _split_payloads(nodes: list[JsonObject]) -> Iterator[list[str]]:
    for node in reversed(nodes):
        name = str(node.get("name") or node.get("nodeId"))
        for part in reversed(PARTS):
            for at, entry in enumerate(_read_entries(node.get(part)) or ()):
                text = orjson.dumps(entry).decode()
                for start in range(0, len(text), PIECE_CHARACTERS):
                    piece = text[start : start + PIECE_CHARACTERS]
                    yield [name, part, str(at), str(start // PIECE_CHARACTERS), piece]


def _read_entries(payload: Any) -> list[Any] | None:
    value = payload.get("value") if isinstance(payload, dict) else None
    return value if isinstance(value, list) else None
