"""Labels: /analytics/v1/labels, and what they are put on."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..analytics_objects import KINDS, records
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import TEXT, compiled, items, one_of, or_null, record, text
from ..tenants import RECORDS, Ask, added, existing, newest_first

SORTS = ("id", "name", "type", "createTime", "updateTime")
COLOR = one_of(
    "blue",
    "skyBlue",
    "teal",
    "mint",
    "lime",
    "softYellow",
    "apricot",
    "lavender",
    "purple",
    "rosePink",
    "slateGrey",
)
NAME = text(200, minLength=1)
NEW = compiled("name color", name=NAME, color=COLOR)
CHANGES = compiled("", name=or_null(NAME), color=or_null(COLOR))
OBJECT = record(
    "objectId objectType",
    objectId=TEXT,
    objectType=one_of("alert", "allocation", "budget", "metric", "report", "annotation"),
)
ASSIGNMENTS = compiled("", add=items(OBJECT, maxItems=500), remove=items(OBJECT, maxItems=500))


async def list_labels(ask: Ask) -> web.Response:
    """GET /analytics/v1/labels, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("name", "type"))
    found = listing.named_like(ask.query, newest_first(records(ask.tenant, "label")), "name")
    found = listing.matching(found, criteria, lambda label, key: str(label[key]))
    found = listing.ordered(ask.query, found, SORTS, lambda label, field: label[field])
    page = listing.page(
        [_shown(one) for one in found], ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope
    )
    return answer(ask.listed("labels", page))


async def get_label(ask: Ask) -> web.Response:
    """GET /analytics/v1/labels/{id}."""
    return answer(_shown(_label(ask)))


async def create_label(ask: Ask) -> web.Response:
    """POST /analytics/v1/labels."""
    body = await ask.body(NEW)
    now = rfc3339(ask.now)
    label: JsonObject = {
        "id": ask.tenant.new_id(),
        **body,
        "type": "custom",
        "objects": [],
        "createTime": now,
        "updateTime": now,
    }
    return answer(_shown(added(records(ask.tenant, "label"), label)), 201)


async def update_label(ask: Ask) -> web.Response:
    """PATCH /analytics/v1/labels/{id}: what is left out or null stays."""
    label = _own(_label(ask))
    body = await ask.body(CHANGES)
    label.update({name: value for name, value in body.items() if value is not None}, updateTime=rfc3339(ask.now))
    return answer(_shown(label))


async def delete_label(ask: Ask) -> web.Response:
    """DELETE /analytics/v1/labels/{id}: it is taken off everything it was on."""
    label = _own(_label(ask))
    del records(ask.tenant, "label")[label["id"]]
    return answer({})


async def list_assignments(ask: Ask) -> web.Response:
    """GET /analytics/v1/labels/{id}/assignments."""
    return answer({"assignments": _label(ask)["objects"]})


async def assign(ask: Ask) -> web.Response:
    """POST /analytics/v1/labels/{id}/assignments: the answer has no body."""
    label = _label(ask)
    body = await ask.body(ASSIGNMENTS)
    add, remove = body.get("add") or [], body.get("remove") or []
    if not add and not remove:
        raise bad("add or remove must name an object", field="add")
    for index, one in enumerate(add):
        kind = one["objectType"]
        if kind not in KINDS or one["objectId"] not in records(ask.tenant, kind):
            raise bad(f"add[{index}]: no {kind} {one['objectId'][:80]!r}", field=f"add[{index}].objectId")
    kept = [one for one in label["objects"] if one not in remove and one not in add]
    kept += [one for index, one in enumerate(add) if one not in add[:index]]
    if len(kept) > RECORDS:
        raise bad(f"add: a label is on {RECORDS} objects at most", field="add")
    label["objects"] = kept
    return web.Response()


def _label(ask: Ask) -> JsonObject:
    return existing(records(ask.tenant, "label"), ask.part("id"), "label")


def _own(label: JsonObject) -> JsonObject:
    if label["type"] != "custom":
        raise Refusal(403, "a preset label cannot be changed or deleted")
    return label


def _shown(label: JsonObject) -> JsonObject:
    return {name: value for name, value in label.items() if name != "objects"}


ROUTES = (
    Route("GET", "/analytics/v1/labels", list_labels, "labels.read"),
    Route("POST", "/analytics/v1/labels", create_label, "labels.write"),
    Route("GET", "/analytics/v1/labels/{id}", get_label, "labels.read"),
    Route("PATCH", "/analytics/v1/labels/{id}", update_label, "labels.write"),
    Route("DELETE", "/analytics/v1/labels/{id}", delete_label, "labels.write"),
    Route("GET", "/analytics/v1/labels/{id}/assignments", list_assignments, "labels.read"),
    Route("POST", "/analytics/v1/labels/{id}/assignments", assign, "labels.write"),
)
