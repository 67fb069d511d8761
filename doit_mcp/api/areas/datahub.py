"""DataHub: costs and usage that customers send to DoiT."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..errors import ApiError
from ..facts import REVERSIBLE
from ..markers import IDENTIFIER, VERBATIM
from ..operation import Area, delete, get, offers, patch, post
from ..request_bodies import MULTIPART
from ..uploads import MAX_ENCODED_CHARACTERS, decode_file

MAX_EVENTS = 50_000

NAME_PATTERN = Pattern(r"^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$")
Dataset = Annotated[str, "Name of the dataset.", Length(1, 300), IDENTIFIER]
NewDatasetName = Annotated[str, "Dataset name: letters, digits, _, -, single spaces.", NAME_PATTERN, Length(1, 300)]
Timestamp = Annotated[str, "RFC 3339, e.g. 2026-01-31T10:00:00Z.", Length(1, 40)]
Description = Annotated[str, "Description of its data.", Length(maximum=5000)]


class Datasets(TypedDict, total=False):
    """All datasets."""

    datasets: Annotated[list[JsonObject], "Each with name, description, records, updatedBy and lastUpdated."]


class DatasetDetails(TypedDict, total=False):
    """One dataset."""

    name: str
    description: str
    records: Annotated[int | None, "Number of events."]
    updatedBy: str
    lastUpdated: str


class DatahubResult(TypedDict, total=False):
    """The API's message."""

    message: str


class IngestResult(TypedDict, total=False):
    """The result of an upload."""

    batch: Annotated[str, "Batch id."]
    ingestedRows: int


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


class DatasetChanges(TypedDict, total=False):
    """Changes to a dataset."""

    description: Description


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
        confirm=True,
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
    ) -> Annotated[JsonObject, IngestResult]:
        """Upload a CSV file of events to a DataHub dataset. Reports include it after up to 15 minutes. For a few
        events, use send_datahub_events."""
        if bool(file) == bool(csv):
            raise ApiError("Exactly one of file and csv is required", kind="argument")
        form: Upload = {"file": decode_file("file", file) if file else (csv or "").encode()}
        return await self._upload(**form, **({"provider": provider} if provider else {}))

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

    @delete("/datahub/v1/datasets", confirm=True, preview_with=None, open_world=False)
    async def delete_datahub_datasets(self, **names: Unpack[DatasetNames]) -> Annotated[JsonObject, DatahubResult]:
        """Delete several DataHub datasets with all their events. This cannot be undone: confirm their names with the
        user first."""
        ...

    @get("/datahub/v1/datasets/{name}")
    async def get_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DatasetDetails]:
        """Show one DataHub dataset: description, number of records and last change."""
        ...

    @patch("/datahub/v1/datasets/{name}", confirm=REVERSIBLE, preview_with=get_datahub_dataset, open_world=False)
    async def update_datahub_dataset(
        self, *, name: Dataset, **changes: Unpack[DatasetChanges]
    ) -> Annotated[JsonObject, DatasetDetails]:
        """Change the description of a DataHub dataset. Its name cannot change: create a new dataset instead."""
        ...

    @delete("/datahub/v1/datasets/{name}", confirm=True, preview_with=get_datahub_dataset, open_world=False)
    async def delete_datahub_dataset(self, *, name: Dataset) -> Annotated[JsonObject, DatahubResult]:
        """Delete one DataHub dataset with all its events. This cannot be undone: ask the user first."""
        ...
