"""DataHub: /datahub/v1, datasets and customers' events."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import parse_seconds
from ..dataset_events import mark_updated, new_dataset, remove_events, store_events
from ..multipart import FormField, parse_form
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, NUMBER, TEXT, array_schema, compile_object, enum_schema, object_schema, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, get_existing
from ..uploads import UploadedEvent, parse_events, read_text
from .datahub_records import CSV_TEMPLATES, DEFAULT_TEMPLATE, read_report, store_report

LOGOS = (
    "anthropic atlassian aws azure bifrost chatgpt cloudflare copilot figma gcp github gitlab hotjar jira litellm miro"
    " notion slack wordpress"
).split()
CONTINUED_EVENTS = 500  # from which a deletion continues after its response
CONTINUED_SECONDS = 60.0  # for which a deleted dataset is still listed then
NAME: JsonObject = {"type": "string", "pattern": "^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$", "maxLength": 200}
DIMENSION = object_schema(
    "key type value",
    key=TEXT,
    type=enum_schema("fixed", "label", "project_label", "system_label"),
    value={"anyOf": [TEXT, BOOLEAN]},
)
EVENT = object_schema(
    "provider time",
    provider=NAME,
    id=text_schema(200),
    time=text_schema(40),
    dimensions=array_schema(DIMENSION, maxItems=100),
    metrics=array_schema(object_schema("type value", type=TEXT, value=NUMBER), maxItems=100),
)
EVENTS_BODY = compile_object("events", events={"type": "array", "items": EVENT, "minItems": 1, "maxItems": 50_000})
DELETION_BODY = compile_object(
    "dataset",
    dataset=TEXT,
    eventIds=array_schema(TEXT, maxItems=50_000),
    startTime=text_schema(40),
    endTime=text_schema(40),
)
DATASET_BODY = compile_object(
    "name",
    name=NAME,
    description=text_schema(5000),
    displayName=text_schema(64, minLength=1),
    logoName=enum_schema(*LOGOS),
)
DATASET_CHANGES = compile_object(
    "", name=TEXT, description=text_schema(5000), displayName=text_schema(64), logoName=enum_schema("", *LOGOS)
)
NAMES_BODY = compile_object("datasets", datasets={"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1000})


async def upload_csv(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/csv/upload: a form with provider and file."""
    form = parse_form(request.http_request.headers.get("Content-Type", ""), await request.http_request.read())
    provider = form.get("provider", FormField("", b"")).data.decode(errors="replace").strip()
    problem = next(DATASET_BODY.iter_errors({"name": provider}), None)
    if problem is not None:
        raise bad_request(f"provider: {problem.message[:200]}", field="provider")
    if "file" not in form:
        raise bad_request("file is required", field="file")
    options = {name: field.data.decode(errors="replace") for name, field in form.items() if name != "file"}
    template = options.get("schemaTemplate") or DEFAULT_TEMPLATE
    if template != DEFAULT_TEMPLATE:
        if template not in CSV_TEMPLATES:
            raise bad_request(f"schemaTemplate must be one of {', '.join(CSV_TEMPLATES)}", field="schemaTemplate")
        report: dict[str, str | bool] = {**options, "provider": provider, "replace": options.get("replace") == "true"}
        return store_report(request, report, read_report(read_text(form["file"].data)))
    if "template" in _dataset_records(request).get(provider, {}):
        raise ApiError(409, "schemaTemplate: the dataset has another template")
    events, batch = parse_events(form["file"].data), request.tenant.new_id()
    pairs = ((provider, event) for event in events)
    store_events(request, _dataset_records(request), pairs, len(events), batch=batch, source="csv")
    return json_response({"batch": batch, "ingestedRows": len(events), "schemaTemplate": template}, 201)


async def send_events(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/events: the first event creates its dataset."""
    body = await request.read_body(EVENTS_BODY)
    events = []
    for index, item in enumerate(body["events"]):
        time = _parse_time(item["time"], f"events.{index}.time")
        events.append((item["provider"], UploadedEvent(item.get("id") or "", time, _event_values(item))))
    store_events(request, _dataset_records(request), events, len(events))
    return json_response({"message": f"{len(events)} events accepted"}, 201)


async def delete_events(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/events/delete: the events with these ids, or in a time range (inclusive)."""
    body = await request.read_body(DELETION_BODY)
    identifiers, time_bounds = body.get("eventIds"), ("startTime" in body, "endTime" in body)
    if bool(identifiers) == any(time_bounds) or any(time_bounds) != all(time_bounds):
        raise bad_request("either eventIds or startTime and endTime are needed, not both", field="eventIds")
    dataset = _dataset_records(request).get(body["dataset"])
    if dataset is None:
        raise bad_request(f"dataset: no dataset {body['dataset'][:80]!r}", field="dataset")
    if identifiers:
        deleted = [item for item in identifiers if item in dataset["events"]]
    else:
        start, end = (_parse_time(body[name], name) for name in ("startTime", "endTime"))
        deleted = [key for key, time in dataset["events"].items() if start <= time <= end]
    remove_events(dataset, deleted)
    mark_updated(request, dataset)
    return json_response({"message": f"{len(set(deleted))} events deleted"})


async def list_datasets(request: ApiRequest) -> web.Response:
    """GET /datahub/v1/datasets: all of them."""
    return json_response({"datasets": [_serialize(item) for item in _dataset_records(request).values()]})


async def get_dataset(request: ApiRequest) -> web.Response:
    """GET /datahub/v1/datasets/{name}."""
    return json_response(_serialize(_get_dataset(request)))


async def create_dataset(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/datasets: an empty one."""
    body = await request.read_body(DATASET_BODY)
    if body["name"] in _dataset_records(request):
        raise bad_request(f"name: the dataset {body['name']!r} already exists", field="name")
    members = {name: body[name] for name in ("description", "displayName", "logoName") if name in body}
    return json_response(_serialize(new_dataset(request, _dataset_records(request), body["name"], **members)), 201)


async def update_dataset(request: ApiRequest) -> web.Response:
    """PATCH /datahub/v1/datasets/{name}: an empty text clears; the name is fixed."""
    dataset = _get_dataset(request)
    body = await request.read_body(DATASET_CHANGES)
    if body.get("name", dataset["name"]) != dataset["name"]:
        raise bad_request("name: the name of a dataset cannot be changed", field="name")
    dataset.update(body)
    for name in ("displayName", "logoName"):
        if not dataset.get(name):
            dataset.pop(name, None)
    mark_updated(request, dataset)
    return json_response(_serialize(dataset))


async def delete_dataset(request: ApiRequest) -> web.Response:
    """DELETE /datahub/v1/datasets/{name}, with its events; 202 if it continues."""
    return _delete(request, [_get_dataset(request)], "Dataset deleted")


async def delete_datasets(request: ApiRequest) -> web.Response:
    """DELETE /datahub/v1/datasets: all named datasets, or none; 202 if it continues."""
    names = list(dict.fromkeys((await request.read_body(NAMES_BODY))["datasets"]))
    for name in names:
        if name not in _dataset_records(request):
            raise bad_request(f"datasets: no dataset {name[:80]!r}", field="datasets")
    return _delete(request, [_dataset_records(request)[name] for name in names], f"{len(names)} datasets deleted")


def _delete(request: ApiRequest, datasets: list[JsonObject], done: str) -> web.Response:
    """Delete datasets. The metadata of a large one remains for a while, without its events."""
    continues = sum(len(item["events"]) for item in datasets) >= CONTINUED_EVENTS
    for item in datasets:
        if continues:
            item.update(events={}, values={}, gone=request.now + CONTINUED_SECONDS)
        else:
            del _dataset_records(request)[item["name"]]
    if continues:
        return json_response({"message": "The deletion was accepted and continues"}, 202)
    return json_response({"message": done})


def _dataset_records(request: ApiRequest) -> Records:
    """The datasets, without those whose deletion has finished."""
    found = request.tenant.collection("datasets", customer_account.seed_datasets)
    for name in [name for name, item in found.items() if item.get("gone", request.now + 1) <= request.now]:
        del found[name]
    return found


def _get_dataset(request: ApiRequest) -> JsonObject:
    return get_existing(_dataset_records(request), request.path_parameter("name"), "dataset")


def _event_values(event: JsonObject) -> JsonObject:
    """The values of an event by the columns of an export."""
    dimensions = {f"{item['type']}.{item['key']}": item.get("value", "") for item in event.get("dimensions") or ()}
    metrics = {f"metric.{item['type']}": item["value"] for item in event.get("metrics") or ()}
    return {**dimensions, **metrics}


def _parse_time(text: str, field: str) -> float:
    return parse_seconds(listing.parse_time(text, field))


def _serialize(dataset: JsonObject) -> JsonObject:
    names = ("name", "description", "updatedBy", "lastUpdated", "displayName", "logoName")
    members = {name: dataset[name] for name in names if name in dataset}
    return members | {"records": len(dataset["events"])}


ROUTES = (
    Route("POST", "/datahub/v1/csv/upload", upload_csv, "datahub.write"),
    Route("POST", "/datahub/v1/events", send_events, "datahub.write"),
    Route("POST", "/datahub/v1/events/delete", delete_events, "datahub.write"),
    Route("GET", "/datahub/v1/datasets", list_datasets, "datahub.read"),
    Route("POST", "/datahub/v1/datasets", create_dataset, "datahub.write"),
    Route("DELETE", "/datahub/v1/datasets", delete_datasets, "datahub.write"),
    Route("GET", "/datahub/v1/datasets/{name}", get_dataset, "datahub.read"),
    Route("PATCH", "/datahub/v1/datasets/{name}", update_dataset, "datahub.write"),
    Route("DELETE", "/datahub/v1/datasets/{name}", delete_dataset, "datahub.write"),
)
