"""DataHub: export of the events of a dataset, and import of reports in a provider's own format.

The templates' column names are not published, so any columns are taken: numbers become metrics, texts become labels.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping

import orjson
from aiohttp import web

from .. import listing
from ..costs.calendar_days import DAY_SECONDS, parse_day, seconds_of
from ..dataset_events import export_columns, export_rows, remove_events, store_events
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, array_schema, compile_object, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, get_existing
from ..uploads import UploadedEvent

DEFAULT_TEMPLATE = "default@1"
CSV_TEMPLATES = ("anthropic-spend-report@1", "codex-usage-report@1")
JSON_TEMPLATES = CSV_TEMPLATES[:1]
MAX_EXPORT_DAYS, MAX_EXPORT_ROWS = 366, 50_000
MIN_REPLACED_SECONDS = 90 * 60
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
IMPORT_BODY = compile_object(
    "provider schemaTemplate periodStart periodEnd records",
    provider=text_schema(200),
    schemaTemplate=text_schema(100),
    periodStart=text_schema(10),
    periodEnd=text_schema(10),
    replace=BOOLEAN,
    records=array_schema({"type": "object", "maxProperties": 200}, minItems=1, maxItems=50_000),
)


async def export_records(request: ApiRequest) -> web.Response:
    """GET /datahub/v1/datasets/{name}/records: a page as CSV or NDJSON; the next page's token is in a header."""
    datasets = request.tenant.collection("datasets", customer_account.seed_datasets)
    dataset = get_existing(datasets, request.path_parameter("name"), "dataset")
    form = listing.query_choice(request.query, "format", ("csv", "jsonl"), "csv")
    start, end = (listing.query_time(request.query, name) for name in ("startTime", "endTime"))
    if not start < end <= start + MAX_EXPORT_DAYS * DAY_SECONDS:
        raise bad_request(f"endTime: must be after startTime, by at most {MAX_EXPORT_DAYS} days", field="endTime")
    scope = f"{request.scope} {form} {start} {end}"
    rows = list(export_rows(request, dataset, start, end))
    page = request.paginate(rows, 10_000, MAX_EXPORT_ROWS, scope=scope, key="event_id")
    headers = {
        "X-Row-Count": str(len(page.rows)),
        "Content-Disposition": f'attachment; filename="records.{form}"',
        **({"X-Next-Page-Token": page.token} if page.token else {}),
    }
    kind = "text/csv" if form == "csv" else "application/x-ndjson"
    body = _csv_text(page.rows).encode() if form == "csv" else b"".join(orjson.dumps(row) + b"\n" for row in page.rows)
    return web.Response(body=body, headers=headers, content_type=kind)


async def import_records(request: ApiRequest) -> web.Response:
    """POST /datahub/v1/import: rows of a provider's own report."""
    body = await request.read_body(IMPORT_BODY)
    if body["schemaTemplate"] not in JSON_TEMPLATES:
        raise bad_request(f"schemaTemplate must be one of {', '.join(JSON_TEMPLATES)}", field="schemaTemplate")
    return store_report(request, body, body["records"])


def read_report(data: str) -> list[JsonObject]:
    """The rows of a report as CSV; 400 without any."""
    rows: list[JsonObject] = [dict(row) for row in csv.DictReader(io.StringIO(data, newline=""), strict=True)]
    if not rows or any(None in row or None in row.values() for row in rows):
        raise bad_request("file: a report needs a header and rows with as many values", field="file")
    return rows


def store_report(request: ApiRequest, options: Mapping[str, str | bool], records: Iterable[JsonObject]) -> web.Response:
    """Store the rows of a report as events on its last day.

    404 for an unknown dataset; 409 for another template, and for a period that overlaps an earlier upload.
    """
    datasets = request.tenant.collection("datasets", customer_account.seed_datasets)
    dataset = get_existing(datasets, str(options["provider"]), "dataset")
    template = str(options["schemaTemplate"])
    start, end = (_parse_report_day(options, name) for name in ("periodStart", "periodEnd"))
    if start > end:
        raise bad_request("periodEnd must not be before periodStart", field="periodEnd")
    if dataset.get("template", template) != template or (dataset["events"] and "template" not in dataset):
        raise ApiError(409, "schemaTemplate: the dataset has another template")
    batches: dict[str, JsonObject] = dataset.setdefault("batches", {})
    overlapping = {key: item for key, item in batches.items() if item["start"] <= end and start <= item["end"]}
    if overlapping and not options.get("replace"):
        raise ApiError(409, f"the period overlaps the upload {next(iter(overlapping))}: set replace")
    if any(item["start"] < start or end < item["end"] for item in overlapping.values()):
        raise ApiError(409, "replace: an earlier upload reaches outside the period")
    youngest = max((item["time"] for item in overlapping.values()), default=0.0)
    if (wait := youngest + MIN_REPLACED_SECONDS - request.now) > 0 and overlapping:
        message = "replace: an earlier upload is younger than 90 minutes"
        return json_response({"error": message}, 409, {"Retry-After": str(int(wait) + 1)})
    events = [UploadedEvent("", float(seconds_of(end)), _split_values(record)) for record in records]
    for key in overlapping:
        remove_events(dataset, batches.pop(key)["ids"])
    batch, before = request.tenant.new_id(), set(dataset["events"])
    pairs = ((dataset["name"], event) for event in events)
    store_events(request, datasets, pairs, len(events), batch=batch, source=template)
    ids = [key for key in dataset["events"] if key not in before]
    dataset["template"] = template
    batches[batch] = {"start": start, "end": end, "time": request.now, "ids": ids}
    return json_response(
        {
            "batch": batch,
            "ingestedRows": len(events),
            "schemaTemplate": template,
            "sourceRecords": len(events),
            "generatedEvents": len(events),
            "replacedBatches": list(overlapping),
        },
        201,
    )


def _parse_report_day(options: Mapping[str, str | bool], name: str) -> int:
    try:
        return parse_day(str(options.get(name, "")))
    except ValueError:
        raise bad_request(f"{name}: a day such as 2026-01-31 is required", field=name) from None


def _split_values(record: JsonObject) -> JsonObject:
    """The values of a row by column: numbers, also as text, are metrics."""
    values: JsonObject = {}
    for name, value in record.items():
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if isinstance(value, str) and NUMBER.fullmatch(value):
            number = float(value)
        column = re.sub(r"\W+", "_", name.strip().lower())
        values |= {f"metric.{column}": number} if number is not None else {f"label.{column}": str(value)}
    return values


def _csv_text(rows: list[JsonObject]) -> str:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, export_columns(rows), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


ROUTES = (
    Route("GET", "/datahub/v1/datasets/{name}/records", export_records, "datahub.read"),
    Route("POST", "/datahub/v1/import", import_records, "datahub.write"),
)
