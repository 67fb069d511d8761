"""The filter of queries by how much rows changed; the API calls it limitByChange."""

from typing import Annotated, Literal, TypedDict

from ..protocol.json_schema import FormerOptions, Length


class NamedMetric(TypedDict, total=False):
    """A metric, as in metrics, which list the types once to save tokens."""

    type: str
    value: str


OPERATOR_NAMES = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "between": "b", "not_between": "nb"}
"""The operators of limitByChange, by the names that the API had for them before."""


class ChangeFilter(TypedDict):
    """The rows to show by how much they changed."""

    metric: NamedMetric
    changeType: Literal["percentage", "absolute"]
    operator: Annotated[Literal["gt", "gte", "lt", "lte", "b", "nb"], FormerOptions(tuple(OPERATOR_NAMES))]
    values: Annotated[list[float], Length(maximum=100)]
    includeIncompleteData: bool
