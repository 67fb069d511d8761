"""Annotations: /analytics/v1/annotations, notes on days."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from .. import listing
from ..analytics_objects import check_labels, labels_of, records, removed, set_labels
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import TEXT, compiled, items, or_null, text
from ..tenants import Ask, added, existing, newest_first

SORTS = {
    "id": "id",
    "content": "content",
    "timestamp": "timestamp",
    "timeCreated": "createTime",
    "timeModified": "updateTime",
}
CONTENT = text(10_000, minLength=1)
IDS = items(TEXT, maxItems=100)
NEW = compiled("content timestamp", content=CONTENT, timestamp=text(40), reports=IDS, labels=IDS)
CHANGES = compiled("", content=or_null(CONTENT), timestamp=or_null(text(40)), reports=IDS, labels=IDS)


async def list_annotations(ask: Ask) -> web.Response:
    """GET /analytics/v1/annotations, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("content", "timestamp", "labels"))
    labels = criteria.pop("labels", [])
    if "timestamp" in criteria:
        criteria["timestamp"] = [listing.instant(time, "filter: timestamp") for time in criteria["timestamp"]]
    rows = [_shown(ask, one) for one in newest_first(records(ask.tenant, "annotation"))]
    rows = listing.matching(rows, criteria, lambda row, key: str(row[key]))
    rows = [row for row in rows if not labels or _labelled(row["labels"], labels)]
    rows = listing.ordered(ask.query, rows, tuple(SORTS), lambda row, field: row[SORTS[field]])
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("annotations", page))


async def get_annotation(ask: Ask) -> web.Response:
    """GET /analytics/v1/annotations/{id}."""
    return answer(_shown(ask, _annotation(ask)))


async def create_annotation(ask: Ask) -> web.Response:
    """POST /analytics/v1/annotations."""
    body = await ask.body(NEW)
    now = rfc3339(ask.now)
    annotation = {"id": ask.tenant.new_id(), "reports": [], "createTime": now}
    return answer(_stored(ask, annotation, body), 201)


async def update_annotation(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/annotations/{id}: what is left out or null stays."""
    annotation = _annotation(ask)
    return answer(_stored(ask, annotation, await ask.body(CHANGES)))


async def delete_annotation(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/annotations/{id}."""
    removed(ask.tenant, "annotation", ask.part("id"))
    return answer({})


def _annotation(ask: Ask) -> JsonObject:
    return existing(records(ask.tenant, "annotation"), ask.part("id"), "annotation")


def _stored(ask: Ask, before: JsonObject, body: JsonObject) -> JsonObject:
    changes = {name: value for name, value in body.items() if value is not None}
    labels = changes.pop("labels", None)
    if "timestamp" in changes:
        changes["timestamp"] = listing.instant(changes["timestamp"], "timestamp")
    for identifier in changes.get("reports", ()):
        if identifier not in records(ask.tenant, "report"):
            raise bad(f"reports: no report {identifier[:80]!r}", field="reports")
    check_labels(ask.tenant, labels or ())
    changed = {**before, **changes, "updateTime": rfc3339(ask.now)}
    kept = records(ask.tenant, "annotation")
    if changed["id"] in kept:
        kept[changed["id"]] = changed
    else:
        added(kept, changed)
    if labels is not None:
        set_labels(ask.tenant, "annotation", changed["id"], labels)
    return _shown(ask, changed)


def _shown(ask: Ask, annotation: JsonObject) -> JsonObject:
    # Reports may have gone since.
    reports = [one for one in annotation["reports"] if one in records(ask.tenant, "report")]
    return {**annotation, "reports": reports, "labels": labels_of(ask.tenant, "annotation", annotation["id"])}


def _labelled(labels: Sequence[JsonObject], wanted: Sequence[str]) -> bool:
    return any(label["id"] in wanted or label["name"] in wanted for label in labels)


ROUTES = (
    Route("GET", "/analytics/v1/annotations", list_annotations, "annotations.read"),
    Route("POST", "/analytics/v1/annotations", create_annotation, "annotations.write"),
    Route("GET", "/analytics/v1/annotations/{id}", get_annotation, "annotations.read"),
    Route("PATCH", "/analytics/v1/annotations/{id}", update_annotation, "annotations.write"),
    Route("DELETE", "/analytics/v1/annotations/{id}", delete_annotation, "annotations.write"),
)
