"""Types of the tags of support tickets."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import Length


class TagList(TypedDict, total=False):
    """The tags of a ticket."""

    tags: list[str]


class Tags(TypedDict):
    """Tags to add or remove."""

    tags: Annotated[list[Annotated[str, Length(1, 80)]], "Tags to add or remove.", Length(1, 50)]


class AppliedTags(TypedDict, total=False):
    """Tags that were added or removed."""

    applied_tags: Annotated[list[str], "As stored: lowercase, with prefix customer_tag/ for customers."]
