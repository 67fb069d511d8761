"""Parameters that many operations share. All are optional unless a method makes them required."""

from typing import Annotated, Literal

from ..protocol.json_schema import Length, Range
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
Id = Annotated[str, "The id, as listed.", Length(1, 500), IDENTIFIER]
OptionalId = Annotated[str | None, "The id, as listed.", Length(1, 500), IDENTIFIER]
Name = Annotated[str | None, "Instead of the id: the name, or a unique part of it.", Length(1, 300), IDENTIFIER]
CreatedSince = Annotated[int | None, "Only objects created at or after this time, in milliseconds since 1970."]
CreatedUntil = Annotated[int | None, "Only objects created at or before this time, in milliseconds since 1970."]
SortOrder = Annotated[Literal["asc", "desc"] | None, "Ascending or descending."]

EpochMilliseconds = Annotated[int, "Milliseconds since 1970, UTC."]
