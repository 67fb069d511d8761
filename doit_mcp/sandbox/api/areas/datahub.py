"""DataHub: /datahub/v1, datasets and customers' events, of which only id and time are stored."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .. import listing
from ..costs.calendar_days import parse_seconds, rfc3339
from ..multipart import FormField, parse_form
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, NUMBER, TEXT, array_schema, compile_object, object_schema, one_of, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, add_record, get_existing
from ..uploads import UploadedEvent, parse_events

MAX_EVENTS = 200_000  # per customer
NAME: JsonObject = {"type": "string", "pattern": "^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$", "maxLength": 200}
DIMENSION = object_schema(
    "key type value",
    key=TEXT,
    type=one_of("fixed", "label", "project_label", "system_label"),
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
DATASET_BODY = compile_object("name", name=NAME, description=text_schema(5000))
DATASET_CHANGES = compile_object("", name=TEXT, description=text_schema(5000))
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
    events = parse_events(form["file"].data)
    _store_events(request, ((provider, event) for event in events), len(events))
    return json_response({"batch": request.tenant.new_id(), "ingestedRows": len(events)}, 201)


async def send_events(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/events: the first event creates its dataset."""
    body = await request.read_body(EVENTS_BODY)
    events = []
    for index, item in enumerate(body["events"]):
        time = _parse_time(item["time"], f"events.{index}.time")
        events.append((item["provider"], UploadedEvent(item.get("id") or "", time)))
    _store_events(request, events, len(events))
    return json_response({"message": f"{len(events)} events accepted"}, 201)


async def delete_events(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/events/delete: the events with these ids, or in a time range (inclusive)."""
    body = await request.read_body(DELETION_BODY)
    identifiers, time_bounds = body.get("eventIds"), ("startTime" in body, "endTime" in body)
    if bool(identifiers) == any(time_bounds) or any(time_bounds) != all(time_bounds):
        raise bad_request("either eventIds or startTime and endTime are needed, not both", field="eventIds")
    dataset = _records(request).get(body["dataset"])
    if dataset is None:
        raise bad_request(f"dataset: no dataset {body['dataset'][:80]!r}", field="dataset")
    if identifiers:
        deleted = [item for item in identifiers if item in dataset["events"]]
    else:
        start, end = (_parse_time(body[name], name) for name in ("startTime", "endTime"))
        deleted = [key for key, time in dataset["events"].items() if start <= time <= end]
    for identifier in deleted:
        dataset["events"].pop(identifier, None)
    _mark_updated(request, dataset)
    return json_response({"message": f"{len(set(deleted))} events deleted"})


async def list_datasets(request: ApiRequest) -> web.Response:
    """GET /datahub/v1/datasets: all of them."""
    return json_response({"datasets": [_serialize(item) for item in _records(request).values()]})


async def get_dataset(request: ApiRequest) -> web.Response:
    """GET /datahub/v1/datasets/{name}."""
    return json_response(_serialize(_get_dataset(request)))


async def create_dataset(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/datasets: an empty one."""
    body = await request.read_body(DATASET_BODY)
    if body["name"] in _records(request):
        raise bad_request(f"name: the dataset {body['name']!r} already exists", field="name")
    return json_response(_serialize(_add_dataset(request, body["name"], body.get("description", ""))), 201)


async def update_dataset(request: ApiRequest) -> web.Response:
    """PATCH /datahub/v1/datasets/{name}: changes the description; the name is fixed."""
    dataset = _get_dataset(request)
    body = await request.read_body(DATASET_CHANGES)
    if body.get("name", dataset["name"]) != dataset["name"]:
        raise bad_request("name: the name of a dataset cannot be changed", field="name")
    dataset["description"] = body.get("description", dataset["description"])
    _mark_updated(request, dataset)
    return json_response(_serialize(dataset))


async def delete_dataset(request: ApiRequest) -> web.Response:
    """DELETE /datahub/v1/datasets/{name}, with its events."""
    del _records(request)[_get_dataset(request)["name"]]
    return json_response({"message": "Dataset deleted"})


async def delete_datasets(request: ApiRequest) -> web.Response:
    """DELETE /datahub/v1/datasets: all named datasets, or none."""
    names = list(dict.fromkeys((await request.read_body(NAMES_BODY))["datasets"]))
    for name in names:
        if name not in _records(request):
            raise bad_request(f"datasets: no dataset {name[:80]!r}", field="datasets")
    for name in names:
        del _records(request)[name]
    return json_response({"message": f"{len(names)} datasets deleted"})


def _records(request: ApiRequest) -> Records:
    return request.tenant.collection("datasets", customer_account.datasets)


def _get_dataset(request: ApiRequest) -> JsonObject:
    return get_existing(_records(request), request.path_parameter("name"), "dataset")


def _add_dataset(request: ApiRequest, name: str, description: str) -> JsonObject:
    dataset: JsonObject = {"id": name, "name": name, "description": description, "events": {}}
    _mark_updated(request, dataset)
    return add_record(_records(request), dataset)


def _mark_updated(request: ApiRequest, dataset: JsonObject) -> None:
    dataset.update(updatedBy=request.user.email, lastUpdated=rfc3339(request.now))


def _store_events(request: ApiRequest, events: Iterable[tuple[str, UploadedEvent]], count: int) -> None:
    if sum(len(item["events"]) for item in _records(request).values()) + count > MAX_EVENTS:
        raise bad_request(f"events: the sandbox keeps {MAX_EVENTS} events at most; delete some first", field="events")
    for provider, event in events:
        dataset = _records(request).get(provider) or _add_dataset(request, provider, "")
        # An event that is sent again replaces the first one.
        dataset["events"][event.id or request.tenant.new_id()] = event.time
        _mark_updated(request, dataset)


def _parse_time(text: str, field: str) -> float:
    return parse_seconds(listing.parse_time(text, field))


def _serialize(dataset: JsonObject) -> JsonObject:
    members = {name: dataset[name] for name in ("name", "description", "updatedBy", "lastUpdated")}
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
