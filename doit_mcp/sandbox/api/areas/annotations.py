"""Annotations: /analytics/v1/annotations, notes on days of the cost charts."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from .. import listing
from ..analytics_objects import check_labels, list_labels, list_records, remove_object, set_labels
from ..costs.calendar_days import format_rfc3339
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import TEXT, array_schema, compile_object, nullable_schema, text_schema
from ..tenants import ApiRequest, add_record, get_existing, newest_first

SORTS = ("id", "content", "timestamp")
CONTENT = text_schema(10_000, minLength=1)
IDS = array_schema(TEXT, maxItems=100)
NEW_ANNOTATION = compile_object(
    "content timestamp", content=CONTENT, timestamp=text_schema(40), reports=IDS, labels=IDS
)
ANNOTATION_CHANGES = compile_object(
    "", content=nullable_schema(CONTENT), timestamp=nullable_schema(text_schema(40)), reports=IDS, labels=IDS
)


async def list_annotations(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/annotations, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("content", "timestamp", "labels"))
    labels = criteria.pop("labels", [])
    if "timestamp" in criteria:
        criteria["timestamp"] = [listing.parse_time(time, "filter: timestamp") for time in criteria["timestamp"]]
    rows = [_serialize(request, item) for item in newest_first(list_records(request.tenant, "annotation"))]
    rows = listing.filter_rows(rows, criteria, lambda row, key: str(row[key]))
    rows = [row for row in rows if not labels or _has_label(row["labels"], labels)]
    rows = listing.sort_rows(request.query, rows, SORTS, lambda row, field: row[field])
    page = request.paginate(rows)
    return json_response(request.list_body("annotations", page))


async def get_annotation(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/annotations/{id}."""
    return json_response(_serialize(request, _get_annotation(request)))


async def create_annotation(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/annotations."""
    body = await request.read_body(NEW_ANNOTATION)
    now = format_rfc3339(request.now)
    annotation = {"id": request.tenant.new_id(), "reports": [], "createTime": now}
    return json_response(_save_annotation(request, annotation, body), 201)


async def update_annotation(request: ApiRequest) -> web.Response:
    """PATCH /analytics/v1/annotations/{id}: omitted or null members stay unchanged."""
    annotation = _get_annotation(request)
    return json_response(_save_annotation(request, annotation, await request.read_body(ANNOTATION_CHANGES)))


async def delete_annotation(request: ApiRequest) -> web.Response:
    """DELETE /analytics/v1/annotations/{id}."""
    remove_object(request.tenant, "annotation", request.path_parameter("id"))
    return json_response({})


def _get_annotation(request: ApiRequest) -> JsonObject:
    return get_existing(list_records(request.tenant, "annotation"), request.path_parameter("id"), "annotation")


def _save_annotation(request: ApiRequest, before: JsonObject, body: JsonObject) -> JsonObject:
    changes = {name: value for name, value in body.items() if value is not None}
    labels = changes.pop("labels", None)
    if "timestamp" in changes:
        changes["timestamp"] = listing.parse_time(changes["timestamp"], "timestamp")
    for identifier in changes.get("reports", ()):
        if identifier not in list_records(request.tenant, "report"):
            raise bad_request(f"reports: no report {identifier[:80]!r}", field="reports")
    check_labels(request.tenant, labels or ())
    changed = {**before, **changes, "updateTime": format_rfc3339(request.now)}
    annotations = list_records(request.tenant, "annotation")
    if changed["id"] in annotations:
        annotations[changed["id"]] = changed
    else:
        add_record(annotations, changed)
    if labels is not None:
        set_labels(request.tenant, "annotation", changed["id"], labels)
    return _serialize(request, changed)


def _serialize(request: ApiRequest, annotation: JsonObject) -> JsonObject:
    # Reports may have been deleted since.
    reports = [item for item in annotation["reports"] if item in list_records(request.tenant, "report")]
    return {**annotation, "reports": reports, "labels": list_labels(request.tenant, "annotation", annotation["id"])}


def _has_label(labels: Sequence[JsonObject], names: Sequence[str]) -> bool:
    return any(label["id"] in names or label["name"] in names for label in labels)


ROUTES = (
    Route("GET", "/analytics/v1/annotations", list_annotations, "annotations.read"),
    Route("POST", "/analytics/v1/annotations", create_annotation, "annotations.write"),
    Route("GET", "/analytics/v1/annotations/{id}", get_annotation, "annotations.read"),
    Route("PATCH", "/analytics/v1/annotations/{id}", update_annotation, "annotations.write"),
    Route("DELETE", "/analytics/v1/annotations/{id}", delete_annotation, "annotations.write"),
)
