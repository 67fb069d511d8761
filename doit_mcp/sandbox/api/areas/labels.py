"""Labels and their assignments: /analytics/v1/labels."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..analytics_objects import OBJECT_KINDS, list_records
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import TEXT, array_schema, compile_object, enum_schema, nullable_schema, object_schema, text_schema
from ..tenants import MAX_RECORDS, ApiRequest, add_record, get_existing, newest_first

SORTS = ("id", "name", "type", "createTime", "updateTime")
COLOR = enum_schema(
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
NAME = text_schema(200, minLength=1)
NEW_LABEL = compile_object("name color", name=NAME, color=COLOR)
LABEL_CHANGES = compile_object("", name=nullable_schema(NAME), color=nullable_schema(COLOR))
OBJECT = object_schema(
    "objectId objectType",
    objectId=TEXT,
    objectType=enum_schema("alert", "allocation", "budget", "metric", "report", "annotation"),
)
ASSIGNMENTS_BODY = compile_object("", add=array_schema(OBJECT, maxItems=500), remove=array_schema(OBJECT, maxItems=500))


async def list_labels(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/labels, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("name", "type"))
    labels = listing.filter_by_name(request.query, newest_first(list_records(request.tenant, "label")), "name")
    labels = listing.filter_rows(labels, criteria, lambda label, key: str(label[key]))
    labels = listing.sort_rows(request.query, labels, SORTS, lambda label, field: label[field])
    page = request.paginate([_serialize(item) for item in labels])
    return json_response(request.list_body("labels", page))


async def get_label(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/labels/{id}."""
    return json_response(_serialize(_get_label(request)))


async def create_label(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/labels."""
    body = await request.read_body(NEW_LABEL)
    now = format_rfc3339(request.now)
    label: JsonObject = {
        "id": request.tenant.new_id(),
        **body,
        "type": "custom",
        "objects": [],
        "createTime": now,
        "updateTime": now,
    }
    return json_response(_serialize(add_record(list_records(request.tenant, "label"), label)), 201)


async def update_label(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/labels/{id}: omitted or null members stay unchanged."""
    label = _require_custom(_get_label(request))
    body = await request.read_body(LABEL_CHANGES)
    label.update(
        {name: value for name, value in body.items() if value is not None}, updateTime=format_rfc3339(request.now)
    )
    return json_response(_serialize(label))


async def delete_label(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/labels/{id}, with its assignments."""
    label = _require_custom(_get_label(request))
    del list_records(request.tenant, "label")[label["id"]]
    return json_response({})


async def list_assignments(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/labels/{id}/assignments."""
    return json_response({"assignments": _get_label(request)["objects"]})


async def change_assignments(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/labels/{id}/assignments: the response has no body."""
    label = _get_label(request)
    body = await request.read_body(ASSIGNMENTS_BODY)
    add, remove = body.get("add") or [], body.get("remove") or []
    if not add and not remove:
        raise bad_request("add or remove must name an object", field="add")
    for index, item in enumerate(add):
        kind = item["objectType"]
        if kind not in OBJECT_KINDS or item["objectId"] not in list_records(request.tenant, kind):
            raise bad_request(f"add[{index}]: no {kind} {item['objectId'][:80]!r}", field=f"add[{index}].objectId")
    objects = [item for item in label["objects"] if item not in remove and item not in add]
    objects += [item for index, item in enumerate(add) if item not in add[:index]]
    if len(objects) > MAX_RECORDS:
        raise bad_request(f"add: a label is on {MAX_RECORDS} objects at most", field="add")
    label["objects"] = objects
    return web.Response()


def _get_label(request: ApiRequest) -> JsonObject:
    return get_existing(list_records(request.tenant, "label"), request.path_parameter("id"), "label")


def _require_custom(label: JsonObject) -> JsonObject:
    if label["type"] != "custom":
        raise ApiError(403, "a preset label cannot be changed or deleted")
    return label


def _serialize(label: JsonObject) -> JsonObject:
    return {name: value for name, value in label.items() if name != "objects"}


ROUTES = (
    Route("GET", "/analytics/v1/labels", list_labels, "labels.read"),
    Route("POST", "/analytics/v1/labels", create_label, "labels.write"),
    Route("GET", "/analytics/v1/labels/{id}", get_label, "labels.read"),
    Route("PATCH", "/analytics/v1/labels/{id}", update_label, "labels.write"),
    Route("DELETE", "/analytics/v1/labels/{id}", delete_label, "labels.write"),
    Route("GET", "/analytics/v1/labels/{id}/assignments", list_assignments, "labels.read"),
    Route("POST", "/analytics/v1/labels/{id}/assignments", change_assignments, "labels.write"),
)
