"""Parameters that many operations share, described once. All are optional unless the method says otherwise."""

from typing import Annotated, Literal

from ..protocol.json_schema import Length, Range
from .markers import IDENTIFIER

MAX_PAGE_TOKEN_CHARACTERS = 4096

MaxResults = Annotated[
    int | None, "Rows in the answer, 50 if left out. Ask for few: what matters usually comes first.", Range(1, 10_000)
]
PageToken = Annotated[
    str | None,
    "Goes on where an answer ended: the pageToken of that answer, all other arguments unchanged.",
    Length(1, MAX_PAGE_TOKEN_CHARACTERS),
    IDENTIFIER,
]
NameContains = Annotated[str | None, "Only what has this text in its name, any case.", Length(1, 300)]
Id = Annotated[str, "Its id, as the list shows it.", Length(1, 500), IDENTIFIER]
OptionalId = Annotated[str | None, "Its id, as the list shows it.", Length(1, 500), IDENTIFIER]
Name = Annotated[
    str | None, "Instead of the id: its name or a part of it that only it has.", Length(1, 300), IDENTIFIER
]
CreatedSince = Annotated[int | None, "Only what was created at this moment or later, in milliseconds since 1970."]
CreatedUntil = Annotated[int | None, "Only what was created at this moment or earlier, in milliseconds since 1970."]
SortOrder = Annotated[Literal["asc", "desc"] | None, "Ascending or descending."]

EpochMilliseconds = Annotated[int, "Milliseconds since 1970, UTC."]
