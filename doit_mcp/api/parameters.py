"""Parameters and fields that many operations share, and the customer id that some of them default to."""

from typing import Annotated, Literal

from ..protocol.json_schema import JsonObject, Length, Pattern, Range
from .errors import ApiError
from .markers import IDENTIFIER

MAX_PAGE_TOKEN_CHARACTERS = 4096

MaxResults = Annotated[
    int | None, "Maximum rows. Default: 50. Ask for few: the most relevant rows usually come first.", Range(1, 10_000)
]
PageToken = Annotated[
    str | None,
    "The pageToken of the previous result, to get the next page. Keep all other arguments.",
    Length(1, MAX_PAGE_TOKEN_CHARACTERS),
    IDENTIFIER,
]
NameContains = Annotated[str | None, "Only objects whose name contains this text, ignoring case.", Length(1, 300)]
NameAlias = Annotated[str | None, "Same as nameContains.", IDENTIFIER]
Id = Annotated[str, "The id, as listed.", Length(1, 500), IDENTIFIER]
OptionalId = Annotated[str | None, "The id, as listed.", Length(1, 500), IDENTIFIER]
Name = Annotated[str | None, "Instead of the id: the name, or a unique part of it.", Length(1, 300), IDENTIFIER]
CreatedSince = Annotated[int | None, "Only objects created at or after this time, in milliseconds since 1970."]
CreatedUntil = Annotated[int | None, "Only objects created at or before this time, in milliseconds since 1970."]
TIME_FORMS = "ISO date or time, or milliseconds."
CreatedSinceTime = Annotated[str | None, f"Only objects created since: {TIME_FORMS}"]
"""Only text in the schema, which saves tokens: coercion turns numbers into text."""
CreatedUntilTime = Annotated[str | None, f"Only objects created until: {TIME_FORMS}"]
SortOrder = Annotated[Literal["asc", "desc"] | None, "Ascending or descending."]
DryRun = Annotated[bool | None, "true only reports what would happen."]

ObjectName = Annotated[str, "Display name.", Length(1), IDENTIFIER]
ParentFolderId = Annotated[str, "Folder to keep it in; root for none.", IDENTIFIER]
DATE_PATTERN = Pattern(r"^\d{4}-\d{2}-\d{2}$")

EpochMilliseconds = Annotated[int, "Milliseconds since 1970, UTC."]
Rfc3339 = Annotated[str, "RFC 3339."]
Purpose = Annotated[str, 'Its purpose; "" for none.', Length(maximum=2_000)]
UsageGranularity = Annotated[
    Literal["hour", "day", "week", "month"] | None,
    "Granularity of the usage, and how much: about 24 hours, 21 days (default), 16 weeks or 6 months.",
]
EligibleUsage = Annotated[
    list[JsonObject],
    "By time: usageTime, and totalUsage by hour or minUsage, maxUsage, medianUsage (USD per hour).",
]
"""The usage that commitments of AWS or Google Cloud could cover."""
ConsoleLink = Annotated[str, "Its DoiT console page."]
CloudAccountIds = Annotated[list[str], "Cloud account ids.", Length(maximum=1000)]


def require_customer_id(argument: str, customer: str | None, tenant: str) -> str:
    """Return the *customer* of an argument, or else the *tenant* of the credential. Raises ApiError without either."""
    if identifier := customer or tenant:
        return identifier
    # API tokens belong to one customer, but GET /auth/v1/validate returns only the customer's domain.
    raise ApiError(
        f"{argument} is required: the credential does not contain the customer's id. In the DoiT console, it is the part"
        " of the address after /customers/. DoiT employees can pass customerContext instead",
        kind="argument",
    )
