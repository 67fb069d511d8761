"""Arguments and results of DataHub operations."""

from typing import Annotated, Literal, Required, TypedDict

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..common_types import AnyMembers, ListPage
from ..markers import IDENTIFIER, VERBATIM
from ..parameters import DATE_PATTERN

MAX_EVENTS = 50_000

NAME_PATTERN = Pattern(r"^[a-zA-Z0-9_-]+( [a-zA-Z0-9_-]+)*$")
Dataset = Annotated[str, "Name of the dataset.", Length(1, 300), IDENTIFIER]
NewDatasetName = Annotated[str, "Dataset name: letters, digits, _, -, single spaces.", NAME_PATTERN, Length(1, 300)]
Timestamp = Annotated[str, "RFC 3339, e.g. 2026-01-31T10:00:00Z.", Length(1, 40)]
Description = Annotated[str, "Description of its data.", Length(maximum=5000)]
ReportDay = Annotated[str, DATE_PATTERN]
Replace = Annotated[
    bool,
    "true first removes earlier uploads of the period. Refused if one reaches outside it, or is younger than 90 "
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
    periodStart: Annotated[ReportDay, "First day of a provider's report, e.g. 2026-10-01."]
    periodEnd: Annotated[ReportDay, "Last day of a provider's report, e.g. 2026-10-31; its costs count on this day."]
    replace: Replace


class ProviderRecords(TypedDict, total=False):
    """Rows of a provider's own report."""

    provider: Required[Annotated[str, "Existing dataset.", NAME_PATTERN, Length(1, 300), IDENTIFIER]]
    schemaTemplate: Required[
        Annotated[str, "Format of the report: anthropic-spend-report@1.", Length(1, 100), IDENTIFIER]
    ]
    periodStart: Required[Annotated[ReportDay, "First day of the report, e.g. 2026-10-01."]]
    periodEnd: Required[Annotated[ReportDay, "Last day, e.g. 2026-10-31; the costs count on this day."]]
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
    eventIds: Annotated[
        list[str], "Ids of the events to delete, instead of a time range.", Length(1, MAX_EVENTS), VERBATIM
    ]
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
    displayName: Annotated[str, "Shown instead of the name.", Length(1, 64), VERBATIM]
    logoName: Annotated[LogoName, "Logo of the provider.", IDENTIFIER]


class DatasetChanges(TypedDict, total=False):
    """Changes to a dataset. An empty text clears; omitted fields stay unchanged."""

    description: Description
    displayName: Annotated[str, 'Shown instead of the name. "" clears it.', Length(maximum=64), VERBATIM]
    logoName: Annotated[LogoName | Literal[""], 'Logo. "" removes it.', IDENTIFIER]


class DatasetNames(TypedDict):
    """Several datasets."""

    datasets: Annotated[list[str], "Dataset names.", Length(1, 1000), IDENTIFIER]
