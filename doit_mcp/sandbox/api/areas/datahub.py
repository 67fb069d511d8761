"""DataHub: /datahub/v1, datasets and the events that customers send. Of an event its id and time are kept."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from .. import listing
from ..costs.calendar_days import parse_seconds, rfc3339
from ..multipart import Part, fields
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import FLAG, NUMBER, TEXT, compiled, items, one_of, record, text
from ..seeds import customer_account
from ..tenants import Ask, Records, added, existing
from ..uploads import Event, events

KEPT = 200_000  # events of a customer
NAME: JsonObject = {"type": "string", "pattern": "^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$", "maxLength": 200}
DIMENSION = record(
    "key type value",
    key=TEXT,
    type=one_of("fixed", "label", "project_label", "system_label"),
    value={"anyOf": [TEXT, FLAG]},
)
EVENT = record(
    "provider time",
    provider=NAME,
    id=text(200),
    time=text(40),
    dimensions=items(DIMENSION, maxItems=100),
    metrics=items(record("type value", type=TEXT, value=NUMBER), maxItems=100),
)
EVENTS = compiled("events", events={"type": "array", "items": EVENT, "minItems": 1, "maxItems": 50_000})
DELETION = compiled(
    "dataset",
    dataset=TEXT,
    eventIds=items(TEXT, maxItems=50_000),
    startTime=text(40),
    endTime=text(40),
)
DATASET = compiled("name", name=NAME, description=text(5000))
CHANGES = compiled("", name=TEXT, description=text(5000))
NAMES = compiled("datasets", datasets={"type": "array", "items": TEXT, "minItems": 1, "maxItems": 1000})


async def upload_csv(ask: Ask) -> web.Response:
    """POST /datahub/v1/csv/upload: a form with provider and file."""
    form = fields(ask.request.headers.get("Content-Type", ""), await ask.request.read())
    provider = form.get("provider", Part("", b"")).data.decode(errors="replace").strip()
    problem = next(DATASET.iter_errors({"name": provider}), None)
    if problem is not None:
        raise bad(f"provider: {problem.message[:200]}", field="provider")
    if "file" not in form:
        raise bad("file is required", field="file")
    found = events(form["file"].data)
    _ingest(ask, ((provider, event) for event in found), len(found))
    return answer({"batch": ask.tenant.new_id(), "ingestedRows": len(found)}, 201)


async def send_events(ask: Ask) -> web.Response:
    """POST /datahub/v1/events: datasets come into being with their first event."""
    body = await ask.body(EVENTS)
    found = []
    for index, one in enumerate(body["events"]):
        time = _seconds(one["time"], f"events.{index}.time")
        found.append((one["provider"], Event(one.get("id") or "", time)))
    _ingest(ask, found, len(found))
    return answer({"message": f"{len(found)} events accepted"}, 201)


async def delete_events(ask: Ask) -> web.Response:
    """POST /datahub/v1/events/delete: those with these ids, or those of a range of time (both ends included)."""
    body = await ask.body(DELETION)
    identifiers, times = body.get("eventIds"), ("startTime" in body, "endTime" in body)
    if bool(identifiers) == any(times) or any(times) != all(times):
        raise bad("either eventIds or startTime and endTime are needed, not both", field="eventIds")
    dataset = _records(ask).get(body["dataset"])
    if dataset is None:
        raise bad(f"dataset: no dataset {body['dataset'][:80]!r}", field="dataset")
    if identifiers:
        gone = [one for one in identifiers if one in dataset["events"]]
    else:
        first, last = (_seconds(body[name], name) for name in ("startTime", "endTime"))
        gone = [key for key, time in dataset["events"].items() if first <= time <= last]
    for identifier in gone:
        dataset["events"].pop(identifier, None)
    _touch(ask, dataset)
    return answer({"message": f"{len(set(gone))} events deleted"})


async def list_datasets(ask: Ask) -> web.Response:
    """GET /datahub/v1/datasets: all of them."""
    return answer({"datasets": [_shown(one) for one in _records(ask).values()]})


async def get_dataset(ask: Ask) -> web.Response:
    """GET /datahub/v1/datasets/{name}."""
    return answer(_shown(_dataset(ask)))


async def create_dataset(ask: Ask) -> web.Response:
    """POST /datahub/v1/datasets: an empty one."""
    body = await ask.body(DATASET)
    if body["name"] in _records(ask):
        raise bad(f"name: there is a dataset {body['name']!r} already", field="name")
    return answer(_shown(_made(ask, body["name"], body.get("description", ""))), 201)


async def update_dataset(ask: Ask) -> web.Response:
    """PATCH /datahub/v1/datasets/{name}: the description; the name stays."""
    dataset = _dataset(ask)
    body = await ask.body(CHANGES)
    if body.get("name", dataset["name"]) != dataset["name"]:
        raise bad("name: the name of a dataset cannot be changed", field="name")
    dataset["description"] = body.get("description", dataset["description"])
    _touch(ask, dataset)
    return answer(_shown(dataset))


async def delete_dataset(ask: Ask) -> web.Response:
    """DELETE /datahub/v1/datasets/{name}, with its events."""
    del _records(ask)[_dataset(ask)["name"]]
    return answer({"message": "Dataset deleted"})


async def delete_datasets(ask: Ask) -> web.Response:
    """DELETE /datahub/v1/datasets: all that the body names, or none."""
    names = list(dict.fromkeys((await ask.body(NAMES))["datasets"]))
    for name in names:
        if name not in _records(ask):
            raise bad(f"datasets: no dataset {name[:80]!r}", field="datasets")
    for name in names:
        del _records(ask)[name]
    return answer({"message": f"{len(names)} datasets deleted"})


def _records(ask: Ask) -> Records:
    return ask.tenant.collection("datasets", customer_account.datasets)


def _dataset(ask: Ask) -> JsonObject:
    return existing(_records(ask), ask.part("name"), "dataset")


def _made(ask: Ask, name: str, description: str) -> JsonObject:
    dataset: JsonObject = {"id": name, "name": name, "description": description, "events": {}}
    _touch(ask, dataset)
    return added(_records(ask), dataset)


def _touch(ask: Ask, dataset: JsonObject) -> None:
    dataset.update(updatedBy=ask.user.email, lastUpdated=rfc3339(ask.now))


def _ingest(ask: Ask, found: Iterable[tuple[str, Event]], count: int) -> None:
    if sum(len(one["events"]) for one in _records(ask).values()) + count > KEPT:
        raise bad(f"events: the sandbox keeps {KEPT} events at most; delete some first", field="events")
    for provider, event in found:
        dataset = _records(ask).get(provider) or _made(ask, provider, "")
        # An event that is sent again takes the place of the first.
        dataset["events"][event.id or ask.tenant.new_id()] = event.time
        _touch(ask, dataset)


def _seconds(text: str, field: str) -> float:
    return parse_seconds(listing.instant(text, field))


def _shown(dataset: JsonObject) -> JsonObject:
    kept = {name: dataset[name] for name in ("name", "description", "updatedBy", "lastUpdated")}
    return kept | {"records": len(dataset["events"])}


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
