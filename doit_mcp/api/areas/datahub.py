"""DataHub: costs and usage that customers send to DoiT."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern, Range
from ..common_types import AnyMembers, ListPage
from ..dataset_records import read_records
from ..errors import ApiError
from ..facts import REVERSIBLE
from ..markers import IDENTIFIER, VERBATIM
from ..operation import Area, delete, get, offers, patch, post
from ..parameters import DATE_PATTERN, MaxResults, PageToken
from ..request_bodies import MULTIPART
from ..uploads import MAX_ENCODED_CHARACTERS, decode_file

MAX_EVENTS = 50_000

NAME_PATTERN = Pattern(r"^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$")
Dataset = Annotated[str, "Name of the dataset.", Length(1, 300), IDENTIFIER]
NewDatasetName = Annotated[str, "Dataset name: letters, digits, _, -, single spaces.", NAME_PATTERN, Length(1, 300)]
Timestamp = Annotated[str, "RFC 3339, e.g. 2026-01-31T10:00:00Z.", Length(1, 40)]
Description = Annotated[str, "Description of its data.", Length(maximum=5000)]
ReportDay = Annotated[str, DATE_PATTERN]
Replace = Annotated[
    bool,
    "true first removes earlier uploads of the period. Refused if one reaches outside of it, or is younger than 90 "
    "minutes.",
]


LogoName = Literal[
    "anthropic",
    "atlassian",
    "aws",
    "azure",
    "bifrost",
    "chatgpt",
    "cloudflare",
    "copilot",
    "figma",
    "gcp",
    "github",
    "gitlab",
    "hotjar",
    "jira",
    "litellm",
    "miro",
    "notion",
    "slack",
    "wordpress",
]


class Datasets(TypedDict, total=False):
    """All datasets."""

    datasets: Annotated[
        list[JsonObject], "Each with name, displayName, description, records, updatedBy, lastUpdated and logoName."
    ]


class DatasetDetails(TypedDict, total=False):
    """One dataset."""

    name: str
    displayName: Annotated[str, "Shown instead of the name. Events and filters use the name."]
    description: str
    records: Annotated[int | None, "Number of events."]
    updatedBy: str
    lastUpdated: str
    logoName: str


class DatahubResult(TypedDict, total=False):
    """The API's message."""

    message: str


class DeletionResult(DatahubResult, total=False):
    """The result of a deletion."""

    status: Annotated[str, "accepted: the deletion continues, and the data may still be listed for a while."]


class IngestResult(TypedDict, total=False):
    """The result of an upload."""

    batch: Annotated[str, "Batch id."]
    ingestedRows: int
    schemaTemplate: str
    sourceRecords: Annotated[int, "Rows of the provider's report."]
    generatedEvents: Annotated[int, "Events made from them."]
    replacedBatches: Annotated[list[str], "Batches that were replaced."]


class Records(ListPage, total=False):
    """A page of the events of a dataset."""

    items: Annotated[
        list[JsonObject],
        "Events: event_id, batch, source, export_time, updated_by, usage_date, and values by column (fixed.*, label.*, "
        "project_label.*, system_label.*, metric.*). Empty values are left out.",
    ]
    columns: Annotated[list[str], "The columns of this page; other pages can have more."]


class EventDimension(TypedDict, total=False):
    """A dimension of an event."""

    key: Annotated[str, "If fixed: a name known to DoiT, e.g. project_id, service_description."]
    type: Literal["fixed", "label", "project_label", "system_label"]
    value: str | bool


class EventMetric(TypedDict, total=False):
    """An amount of an event."""

    value: Annotated[float, "The amount."]
    type: Annotated[str, "cost, usage, or a custom name, e.g. working_hours."]


class Event(TypedDict, total=False):
    """One event."""

    provider: Required[NewDatasetName]
    time: Required[Timestamp]
    id: Annotated[str, "Unique in the dataset. Default: generated."]
    dimensions: Annotated[list[EventDimension], Length(maximum=1000)]
    metrics: Annotated[list[EventMetric], Length(maximum=1000)]


class Events(TypedDict, total=False):
    """Events to send."""

    events: Required[Annotated[list[Event], Length(1, MAX_EVENTS)]]


class Upload(TypedDict, total=False):
    """Fields of the API's form."""

    provider: str
    file: bytes
    schemaTemplate: str
    periodStart: str
    periodEnd: str
    replace: bool


class ReportOptions(TypedDict, total=False):
    """How to read the report of a provider."""

    schemaTemplate: Annotated[
        str,
        "Format, if it is a provider's own report: anthropic-spend-report@1, codex-usage-report@1. Must be that of the "
        "dataset. Default: default@1.",
        Length(1, 100),
        IDENTIFIER,
    ]
    periodStart: Annotated[ReportDay, "First day of a provider's report."]
    periodEnd: Annotated[ReportDay, "Last day of a provider's report; its costs count on this day."]
    replace: Replace


class ProviderRecords(TypedDict, total=False):
    """Rows of a provider's own report."""

    provider: Required[Annotated[str, "Existing dataset.", NAME_PATTERN, Length(1, 300), IDENTIFIER]]
    schemaTemplate: Required[
        Annotated[str, "Format of the report: anthropic-spend-report@1.", Length(1, 100), IDENTIFIER]
    ]
    periodStart: Required[Annotated[ReportDay, "First day of the report."]]
    periodEnd: Required[Annotated[ReportDay, "Last day; the costs count on this day."]]
    records: Required[
        Annotated[
            list[AnyMembers],
            "Rows; the members are the columns of the report's CSV, with numbers as numbers or text.",
            Length(1, MAX_EVENTS),
        ]
    ]
    replace: Replace


class EventSelection(TypedDict, total=False):
    """The events to delete."""

    dataset: Required[Dataset]
    eventIds: Annotated[list[str], "Event ids. Give either these or a time range.", Length(1, MAX_EVENTS), VERBATIM]
    startTime: Annotated[Timestamp, "Start of a time range, RFC 3339."]
    endTime: Annotated[Timestamp, "End of a time range, RFC 3339."]


class NewDataset(TypedDict, total=False):
    """A dataset to create."""

    name: Required[
        Annotated[
            str, "Letters, digits, _ and -; single spaces between words.", NAME_PATTERN, Length(1, 300), IDENTIFIER
        ]
    ]
    description: Description
    displayName: Annotated[str, "Shown instead of the name.", Length(1, 64)]
    logoName: Annotated[LogoName, "Logo."]


class DatasetChanges(TypedDict, total=False):
    """Changes to a dataset. An empty text clears; omitted fields stay unchanged."""

    description: Description
    displayName: Annotated[str, 'Shown instead of the name. "" clears it.', Length(maximum=64)]
    logoName: Annotated[LogoName | Literal[""], 'Logo. "" removes it.']


class DatasetNames(TypedDict):
    """Several datasets."""

    datasets: Annotated[list[str], "Dataset names.", Length(1, 1000), IDENTIFIER]


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
        form.update(options)  # type: ignore[typeddict-item]
        return await self._upload(**form)

    @post(
        "/datahub/v1/import",
        slow=True,
        destructive=True,
        preview_with=None,
        confirm=True,
        undone_by="nothing",
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

    @post("/datahub/v1/events", slow=True, confirm=True, undone_by="nothing", open_world=False)
    async def send_datahub_events(self, **body: Unpack[Events]) -> Annotated[JsonObject, DatahubResult]:
        """Send events (costs, usage or other numbers) to DataHub datasets. Query them with run_query and dataSource
        billing-datahub. For a CSV file, use upload_datahub_csv."""
        ...

    @post("/datahub/v1/events/delete", destructive=True, confirm=True, preview_with=None, open_world=False)
    async def _delete_events(self, **selection: Unpack[EventSelection]) -> JsonObject: ...

    @offers(_delete_events)
    async def delete_datahub_events_by_filter(
        self, **selection: Unpack[EventSelection]
    ) -> Annotated[JsonObject, DatahubResult]:
        """Delete events of one DataHub dataset, by their ids or by a time range. This cannot be undone: ask the user
        first."""
        if ("eventIds" in selection) == bool({"startTime", "endTime"} & set(selection)):
            raise ApiError("Either eventIds, or startTime and endTime, are required", kind="argument")
        return await self._delete_events(**selection)

    @get("/datahub/v1/datasets", items="datasets")
    async def list_datahub_datasets(self) -> Annotated[JsonObject, Datasets]:
        """List DataHub datasets: description, number of records, and who changed each last and when."""
        ...

    @post("/datahub/v1/datasets", confirm=False, verify_with="get_datahub_dataset", open_world=False)
    async def create_datahub_dataset(self, **dataset: Unpack[NewDataset]) -> Annotated[JsonObject, DatasetDetails]:
        """Create an empty DataHub dataset with a description, before sending events to it."""
        ...

    @delete("/datahub/v1/datasets", confirm=True, preview_with=None, open_world=False, may_continue=True)
    async def delete_datahub_datasets(self, **names: Unpack[DatasetNames]) -> Annotated[JsonObject, DeletionResult]:
        """Delete several DataHub datasets with all their events. This cannot be undone: confirm their names with the
        user first. With the status accepted, the deletion continues: do not call it done."""
        ...

    @get("/datahub/v1/datasets/{name}")
    async def get_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DatasetDetails]:
        """Show one DataHub dataset: description, number of records and last change."""
        ...

    @patch("/datahub/v1/datasets/{name}", confirm=REVERSIBLE, preview_with=get_datahub_dataset, open_world=False)
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
    )
    async def delete_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DeletionResult]:
        """Delete one DataHub dataset with all its events. This cannot be undone: ask the user first. With the status
        accepted, the deletion continues: do not call it done."""
        ...
