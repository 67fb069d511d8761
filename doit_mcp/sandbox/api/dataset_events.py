"""Events of DataHub datasets: stored with their values as compact JSON, listed in the columns of an export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from .costs.calendar_days import format_rfc3339
from .responses import JsonObject, bad_request
from .tenants import ApiRequest, Records, add_record
from .uploads import UploadedEvent

MAX_EVENTS = 200_000  # per customer
MAX_VALUE_BYTES = 64 << 20  # of the values of all events, per customer
FIRST_COLUMNS = ("event_id", "batch", "source", "export_time", "updated_by", "usage_date")
VALUE_PREFIXES = ("fixed.", "label.", "project_label.", "system_label.", "metric.")


def new_dataset(request: ApiRequest, datasets: Records, name: str, **members: str) -> JsonObject:
    """Add an empty dataset."""
    dataset: JsonObject = {"id": name, "name": name, "description": "", **members, "events": {}, "values": {}}
    mark_updated(request, dataset)
    return add_record(datasets, dataset)


def mark_updated(request: ApiRequest, dataset: JsonObject) -> None:
    """Record the time of a change, and who made it."""
    dataset.update(updatedBy=request.user.email, lastUpdated=format_rfc3339(request.now))


def store_events(
    request: ApiRequest,
    datasets: Records,
    events: Iterable[tuple[str, UploadedEvent]],
    count: int,
    *,
    batch: str = "",
    source: str = "api",
) -> None:
    """Store *count* events in the datasets that they name; the first event creates its dataset. 400 for too many."""
    if sum(len(item["events"]) for item in datasets.values()) + count > MAX_EVENTS:
        raise bad_request(f"events: the sandbox keeps {MAX_EVENTS} events at most; delete some first", field="events")
    stored = sum(len(value) for item in datasets.values() for value in item.get("values", {}).values())
    for provider, event in events:
        value = orjson.dumps({"batch": batch, "source": source, **event.values})
        stored += len(value)
        if stored > MAX_VALUE_BYTES:
            raise bad_request("events: the sandbox keeps 64 MB of values at most; delete some first", field="events")
        dataset = datasets.get(provider) or new_dataset(request, datasets, provider)
        # An event that is sent again replaces the first one.
        identifier = event.id or request.tenant.new_id()
        dataset["events"][identifier] = event.time
        dataset.setdefault("values", {})[identifier] = value
        mark_updated(request, dataset)


def remove_events(dataset: JsonObject, identifiers: Iterable[str]) -> None:
    """Remove the events with these ids; unknown ones are ignored."""
    for identifier in identifiers:
        dataset["events"].pop(identifier, None)
        dataset.get("values", {}).pop(identifier, None)


def export_rows(request: ApiRequest, dataset: JsonObject, start: float, end: float) -> Iterator[JsonObject]:
    """The events from *start* to before *end*, by time and id, with the columns of an export."""
    times = sorted((time, key) for key, time in dataset["events"].items() if start <= time < end)
    for time, key in times:
        values = orjson.loads(dataset.get("values", {}).get(key, b"{}"))
        yield {
            "event_id": key,
            "batch": values.pop("batch", ""),
            "source": values.pop("source", "api"),
            "export_time": format_rfc3339(request.now),
            "updated_by": dataset["updatedBy"],
            "usage_date": format_rfc3339(time),
            **values,
        }


def export_columns(rows: Iterable[JsonObject]) -> list[str]:
    """The columns of these rows: the first ones, then those of values by kind and name."""
    names = {name for row in rows for name in row} - set(FIRST_COLUMNS)
    kinds = {prefix: at for at, prefix in enumerate(VALUE_PREFIXES)}
    return [*FIRST_COLUMNS, *sorted(names, key=lambda name: (kinds[name.partition(".")[0] + "."], name))]
