"""DataHub: costs and usage that customers send to DoiT."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..dataset_records import read_records
from ..errors import ApiError
from ..facts import REVERSIBLE, Dependents
from ..operation import Area, delete, get, offers, patch, post
from ..parameters import MaxResults, PageToken
from ..request_bodies import MULTIPART
from ..uploads import MAX_ENCODED_CHARACTERS, decode_file
from .datahub_types import (
    NAME_PATTERN,
    DatahubResult,
    Dataset,
    DatasetChanges,
    DatasetDetails,
    DatasetNames,
    Datasets,
    DeletionResult,
    Events,
    EventSelection,
    IngestResult,
    NewDataset,
    ProviderRecords,
    Records,
    ReportOptions,
    Timestamp,
    Upload,
)

LOST_DATASETS = Dependents(
    "dataset deleted with all its events",
    "list_datahub_datasets",
    "name",
    row_id="name",
    ids_in="datasets",
    shows=("records", "lastUpdated"),
)
"""What is lost when datasets are deleted: how many events, and when they last changed."""


def selection_problem(selection: Mapping[str, object], current: JsonObject) -> str:
    """Return what is wrong with a selection of events; "" if nothing is."""
    given = selection.keys() & {"eventIds", "startTime", "endTime"}
    if given in ({"eventIds"}, {"startTime", "endTime"}):
        return ""
    return "Exactly one of eventIds and a time range (startTime and endTime) is required"


class Datahub(Area):
    """DataHub: datasets of custom costs and usage, events, CSV upload, cost of SaaS and on-premises."""

    @post(
        "/datahub/v1/csv/upload",
        content_type=MULTIPART,
        slow=True,
        alias="datahub_events_csv_file",
        destructive=True,
        confirm=True,
        preview_with=None,
        undone_by="nothing",
        no_undo="delete_datahub_events_by_filter deletes events. Those that the file replaces are not read first.",
        open_world=False,
    )
    async def _upload(self, **form: Unpack[Upload]) -> JsonObject: ...

    @offers(_upload)
    async def upload_datahub_csv(
        self,
        *,
        provider: Annotated[
            str | None, "Dataset to add it to: letters, digits, _, -, single spaces.", NAME_PATTERN, Length(1, 300)
        ] = None,
        file: Annotated[
            str | None, "CSV, ZIP or GZ file as base64, at most 30 MB.", Length(1, MAX_ENCODED_CHARACTERS)
        ] = None,
        csv: Annotated[str | None, "Instead of file: the CSV as plain text.", Length(1, MAX_ENCODED_CHARACTERS)] = None,
        **options: Unpack[ReportOptions],
    ) -> Annotated[JsonObject, IngestResult]:
        """Upload a CSV file of events, or a provider's own spend report (Anthropic, Codex), to a DataHub dataset.
        Reports include it after up to 15 minutes. For a few events, use send_datahub_events."""
        if bool(file) == bool(csv):
            raise ApiError("Exactly one of file and csv is required", kind="argument")
        form: Upload = {"file": decode_file("file", file) if file else (csv or "").encode()}
        if provider:
            form["provider"] = provider
        form.update(options)  # type: ignore[typeddict-item]  # Upload has all members of ReportOptions
        return await self._upload(**form)

    @post(
        "/datahub/v1/import",
        slow=True,
        destructive=True,
        preview_with=None,
        confirm=True,
        undone_by="nothing",
        no_undo="delete_datahub_events_by_filter deletes events. Those that the rows replace are not read first.",
        open_world=False,
    )
    async def import_datahub_provider_records(
        self, **body: Unpack[ProviderRecords]
    ) -> Annotated[JsonObject, IngestResult]:
        """Import rows of a provider's own spend report (Anthropic) into a DataHub dataset. Refused if an earlier upload
        overlaps, unless replace is true. For a CSV file, use upload_datahub_csv."""
        ...

    @get(
        "/datahub/v1/datasets/{name}/records",
        items="items",
        text_member="text",
        header_members={"X-Next-Page-Token": "pageToken", "X-Row-Count": "rowCount"},
        page_size=200,
        slow=True,
    )
    async def _records(
        self,
        *,
        name: Dataset,
        startTime: Timestamp,
        endTime: Timestamp,
        format: Literal["csv", "jsonl"] | None = None,
        maxResults: Annotated[MaxResults, Range(1, 50_000)] = None,
        pageToken: PageToken = None,
    ) -> JsonObject: ...

    @offers(_records)
    async def export_datahub_dataset_records(
        self,
        *,
        name: Dataset,
        startTime: Annotated[Timestamp, "Events from this time, RFC 3339."],
        endTime: Annotated[Timestamp, "Events before this time, at most 366 days after startTime."],
        format: Annotated[
            Literal["csv", "jsonl"] | None,
            "csv: all values are text. jsonl: numbers are numbers; not for FOCUS datasets. Default: csv.",
        ] = None,
        maxResults: Annotated[MaxResults, Range(1, 50_000)] = None,
        pageToken: PageToken = None,
    ) -> Annotated[JsonObject, Records]:
        """Export the events of a DataHub dataset, ordered by time. To upload them again, leave out batch, source,
        export_time and updated_by, and call event_id id. For sums, use run_query."""
        page = await self._records(
            name=name, startTime=startTime, endTime=endTime, format=format, maxResults=maxResults, pageToken=pageToken
        )
        return read_records(page, format or "csv")

    @post(
        "/datahub/v1/events",
        slow=True,
        confirm=True,
        undone_by="nothing",
        no_undo="delete_datahub_events_by_filter deletes events by their ids. Events that these replace are not read first.",
        open_world=False,
    )
    async def send_datahub_events(self, **body: Unpack[Events]) -> Annotated[JsonObject, DatahubResult]:
        """Send events (costs, usage or other numbers) to DataHub datasets. Query them with run_query and dataSource
        billing-datahub. For a CSV file, use upload_datahub_csv."""
        ...

    @post(
        "/datahub/v1/events/delete",
        destructive=True,
        confirm=True,
        preview_with=None,
        dependents=(replace(LOST_DATASETS, kind="dataset that loses events", ids_in="dataset", must_exist=True),),
        refusal=selection_problem,
        no_undo="Deleted events cannot be restored, unless you have exported them: see export_datahub_dataset_records.",
        open_world=False,
    )
    async def _delete_events(self, **selection: Unpack[EventSelection]) -> JsonObject: ...

    @offers(_delete_events)
    async def delete_datahub_events_by_filter(
        self, **selection: Unpack[EventSelection]
    ) -> Annotated[JsonObject, DatahubResult]:
        """Delete events of one DataHub dataset, by their ids or by a time range. This cannot be undone: ask the user
        first."""
        if problem := selection_problem(selection, {}):
            raise ApiError(problem, kind="argument")
        return await self._delete_events(**selection)

    @get("/datahub/v1/datasets", items="datasets")
    async def list_datahub_datasets(self) -> Annotated[JsonObject, Datasets]:
        """List DataHub datasets: description, number of records, and who changed each last and when."""
        ...

    @post("/datahub/v1/datasets", confirm=False, verify_with="get_datahub_dataset", open_world=False)
    async def create_datahub_dataset(self, **dataset: Unpack[NewDataset]) -> Annotated[JsonObject, DatasetDetails]:
        """Create an empty DataHub dataset with a description, before sending events to it."""
        ...

    @delete(
        "/datahub/v1/datasets",
        confirm=True,
        preview_with=None,
        open_world=False,
        may_continue=True,
        dependents=(LOST_DATASETS,),
        no_undo="Deleted datasets and their events cannot be restored.",
    )
    async def delete_datahub_datasets(self, **names: Unpack[DatasetNames]) -> Annotated[JsonObject, DeletionResult]:
        """Delete several DataHub datasets with all their events. This cannot be undone: confirm their names with the
        user first. With the status accepted, the deletion continues: do not call it done."""
        ...

    @get("/datahub/v1/datasets/{name}")
    async def get_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DatasetDetails]:
        """Show one DataHub dataset: description, number of records and last change."""
        ...

    @patch(
        "/datahub/v1/datasets/{name}",
        confirm=REVERSIBLE,
        preview_with=get_datahub_dataset,
        cleared_by=dict.fromkeys(("description", "displayName", "logoName"), ""),
        open_world=False,
    )
    async def update_datahub_dataset(
        self, *, name: Dataset, **changes: Unpack[DatasetChanges]
    ) -> Annotated[JsonObject, DatasetDetails]:
        """Change the description, display name or logo of a DataHub dataset. Its name cannot change: set displayName
        instead."""
        ...

    @delete(
        "/datahub/v1/datasets/{name}",
        confirm=True,
        preview_with=get_datahub_dataset,
        open_world=False,
        may_continue=True,
        dependents=(replace(LOST_DATASETS, ids_in="name"),),
        no_undo="A deleted dataset and its events cannot be restored.",
    )
    async def delete_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DeletionResult]:
        """Delete one DataHub dataset with all its events. This cannot be undone: ask the user first. With the status
        accepted, the deletion continues: do not call it done."""
        ...
