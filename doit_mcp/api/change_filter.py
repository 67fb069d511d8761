"""The query filter for rows by how much they changed, which the API calls limitByChange."""

from typing import Annotated, Literal, TypedDict

from ..protocol.json_schema import FormerOptions, Length


class NamedMetric(TypedDict, total=False):
    """A reference to a metric. Only the member metrics lists the types, to save tokens."""

    type: str
    value: str


OPERATOR_NAMES = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "between": "b", "not_between": "nb"}
"""The operators of limitByChange, by their former names in the API."""


class ChangeFilter(TypedDict):
    """Selects rows by how much they changed."""

    metric: NamedMetric
    changeType: Literal["percentage", "absolute"]
    operator: Annotated[Literal["gt", "gte", "lt", "lte", "b", "nb"], FormerOptions(tuple(OPERATOR_NAMES))]
    values: Annotated[list[float], Length(maximum=100)]
    includeIncompleteData: bool
