"""Scope of a cost query: cloud, filters and credits, and the check that their values exist in the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypedDict, cast

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.nearest import find_nearest, list_names, make_unknown_value
from ...api.report_config import QueryConfig, normalize_provider
from ...protocol.json_schema import JsonObject, Length, PublishedMembers, schema_of_type, short_json
from ...protocol.schema_validator import SchemaValidator
from ..call import Call
from ..known_names import (
    SINGLE_ALLOCATION_TYPES,
    DimensionCheck,
    Existence,
    ValueCheck,
    check_allocation_values,
    check_dimension,
    check_known_values,
    unknown_dimension_error,
)
from ..partial_results import gather_partial
from .projects import fetch_project_names

MAX_FILTERS = 10
CLOUD_DIMENSION = "cloud_provider"
COST_TYPE_DIMENSION = "cost_type"
CREDIT_DIMENSION = "credit"
CREDIT_COST_TYPE = "credit"
FOLDING_MODES = ("contains", "starts_with", "ends_with")
"""The modes in which the API supports caseInsensitive."""

CloudArgument = Annotated[
    str | None,
    "aws, gcp, azure, or another cloud in the data.",
    Length(1, 100),
]


class FilterMembers(TypedDict, total=False):
    """The members of Filter without their options, which would be most of the tokens of each cost tool."""

    id: str
    type: str
    mode: str
    inverse: bool
    values: Annotated[list[str], Length(maximum=5000)]
    caseInsensitive: bool
    includeNull: bool


FiltersArgument = Annotated[
    list[Annotated[JsonObject, PublishedMembers(FilterMembers)]] | None,
    "As in run_query. All must match.",
    Length(maximum=MAX_FILTERS),
]
IncludeCreditsArgument = Annotated[bool, "Subtract promotional credits."]
FILTERS_SCHEMA = SchemaValidator(schema_of_type(list[Filter]))
FILTER_MEMBERS = frozenset(Filter.__annotations__)

KIND_NAMES = MappingProxyType(
    {
        "cloud_provider": "cloud",
        "service_description": "service",
        "service_id": "service id",
        "project_id": "project",
        "project_name": "project",
        "sku_description": "SKU",
        "sku_id": "SKU id",
    }
)
"""The names of the values of a dimension in error messages."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which costs to count: those of a *cloud* that match all *filters*, with or without credits."""

    cloud: str | None = None
    filters: tuple[Filter, ...] = ()
    include_credits: bool = False

    @classmethod
    def from_arguments(
        cls, cloud: str | None = None, filters: Iterable[JsonObject] | None = None, include_credits: bool = False
    ) -> Scope:
        """Return the scope that the arguments of a tool describe. Raise ApiError for a malformed filter."""
        return cls(None if cloud is None else normalize_provider(cloud), parse_filters(filters), include_credits)

    @property
    def cloud_filter(self) -> Filter | None:
        """The filter for the cloud."""
        if self.cloud is None:
            return None
        return {"id": CLOUD_DIMENSION, "type": "fixed", "mode": "is", "values": [normalize_provider(self.cloud)]}

    @property
    def all_filters(self) -> list[Filter]:
        """The filters, including the one for the cloud."""
        return [*self.filters, *([self.cloud_filter] if self.cloud_filter else [])]

    @property
    def is_limited(self) -> bool:
        """Whether it excludes any costs."""
        return self.cloud is not None or bool(self.filters)

    @property
    def has_several_conditions(self) -> bool:
        """Whether costs must match more than one condition."""
        return len(self.filters) + (self.cloud is not None) > 1

    @property
    def is_of_credits(self) -> bool:
        """Whether it selects only promotional credits, whose costs are negative."""
        return any(map(_selects_credits, self.filters))

    @property
    def is_of_left_out_credits(self) -> bool:
        """Whether it selects only promotional credits, but the costs exclude credits."""
        return self.is_of_credits and not self.include_credits

    @property
    def has_partly_checked_values(self) -> bool:
        """Whether a filter has several values, so an unknown one does not make the answer empty."""
        return any(len(condition.get("values", ())) > 1 for condition in self.filters)

    def check_case(self) -> None:
        """Raise ApiError for a filter with caseInsensitive that the API would ignore."""
        for at, condition in enumerate(self.filters):
            if condition.get("caseInsensitive") and condition.get("mode", "is") not in FOLDING_MODES:
                raise ApiError(
                    f"filters[{at}]: caseInsensitive works with contains, starts_with and ends_with only. Use one of "
                    "these modes, or write the value exactly and leave out caseInsensitive",
                    kind="argument",
                )

    def apply(self, config: QueryConfig) -> QueryConfig:
        """Return *config* limited to this scope."""
        limited: QueryConfig = {**config}
        filters = [*self.filters, *([self.cloud_filter] if self.cloud_filter else [])]
        if filters:
            limited["filters"] = filters
        if self.include_credits:
            limited["includePromotionalCredits"] = True
        return limited


def parse_filters(filters: Iterable[JsonObject] | None, argument: str = "filters") -> tuple[Filter, ...]:
    """Return the filters of an argument; dimensions without a type are fixed ones. Raise ApiError."""
    typed = [{"type": "fixed", **item} for item in filters or ()]
    if problems := FILTERS_SCHEMA.problems(typed):
        example = '{"id": "service_description", "type": "fixed", "values": ["BigQuery"]}'
        raise ApiError(f"{argument}{problems[0]}. Example of a filter: {example}", kind="argument")
    return tuple(cast(Filter, item) for item in typed)


def _selects_credits(condition: Filter) -> bool:
    """Return whether a filter matches promotional credits only."""
    if condition["type"] != "fixed" or condition.get("inverse") or condition.get("mode", "is") == "regexp":
        return False
    values = [str(value).casefold() for value in condition.get("values", ())]
    if condition["id"] == COST_TYPE_DIMENSION:
        return bool(values) and all(value == CREDIT_COST_TYPE for value in values)
    # Only credits have a credit name.
    return condition["id"] == CREDIT_DIMENSION and bool(values)


def read_filters(filters: Any, source: str) -> tuple[Filter, ...]:
    """Return the filters in a response of the API, without members that are null or unknown.

    Raise ApiError that names their *source* if one cannot be read: leaving it out would select different costs.
    """
    rows = filters or ()
    if not isinstance(rows, list | tuple) or not all(isinstance(row, dict) for row in rows):
        raise ApiError(f"{source} of the response cannot be read", kind="answer")
    known = [
        {name: value for name, value in row.items() if name in FILTER_MEMBERS and value is not None} for row in rows
    ]
    try:
        return parse_filters(known, source)
    except ApiError as error:
        raise ApiError(f"{source} of the response cannot be read: {error.reason}", kind="answer") from error


async def check_values(call: Call, scope: Scope, argument: str = "filters") -> bool:
    """Raise ApiError for a dimension or value in *scope* that is not in the data; it names the nearest real ones.

    *argument* is the one that the filters come from. Return whether all could be checked: the API may refuse to list
    a dimension, and patterns are not checked.
    """
    work = {f"filters[{at}]": _check_filter(call, one) for at, one in enumerate(scope.filters)}
    conditions = dict(zip(work, scope.filters))
    if scope.cloud_filter is not None:
        work["cloud"], conditions["cloud"] = _check_filter(call, scope.cloud_filter), scope.cloud_filter
    parts = await gather_partial(work)
    for error in parts.errors.values():
        if error.kind == "argument":
            raise error
    checks: dict[str, FilterCheck] = dict(parts.results)
    for name, check in checks.items():
        if check.existence is Existence.ABSENT:
            raise await _explain_absence(call, "cloud" if name == "cloud" else argument, conditions[name], check)
    return not parts.errors and all(check.existence is Existence.FOUND for check in checks.values())


FilterCheck = ValueCheck | DimensionCheck


async def _check_filter(call: Call, condition: Filter) -> FilterCheck:
    """Return whether the dimension and the values of one filter exist. Raise ApiError."""
    if condition["type"] == "datetime":
        return ValueCheck(Existence.FOUND)
    try:
        details = await call.doit.dimensions.get_dimension(type=condition["type"], id=condition["id"])
    except ApiError as error:
        if error.kind not in ("missing", "refused"):
            raise
        return await check_dimension(call, condition["type"], condition["id"])
    wanted = list(map(str, condition.get("values", ())))
    if condition["id"] == CLOUD_DIMENSION:
        wanted = list(map(normalize_provider, wanted))
    mode, folds = condition.get("mode", "is"), condition.get("caseInsensitive", False)
    check = await check_known_values(details, wanted, mode, folds=folds)
    if check.existence is Existence.ABSENT and mode == "is" and condition["type"] in SINGLE_ALLOCATION_TYPES:
        return await check_allocation_values(call, check, wanted)
    return check


async def _explain_absence(call: Call, argument: str, condition: Filter, check: FilterCheck) -> ApiError:
    if isinstance(check, DimensionCheck):
        return await unknown_dimension_error(argument, (condition["type"], condition["id"]), check.known)
    return await _unknown_value_error(call, argument, condition, check.absent, check.known)


async def _unknown_value_error(
    call: Call, argument: str, condition: Filter, wanted: str, known: Sequence[str]
) -> ApiError:
    """Return the error for a value that is not in the data, with the nearest ones."""
    kind = KIND_NAMES.get(condition["id"], f"{condition['id']} value")
    if condition["id"] == CLOUD_DIMENSION:
        return ApiError(
            f"{argument}: the data has no cloud {short_json(wanted)}. Clouds with costs: {list_names(sorted(set(known)))}",
            kind="argument",
        )
    if condition["id"] != "project_id":
        return await make_unknown_value(argument, kind, wanted, known)
    try:
        names = await fetch_project_names(call)
    except ApiError as error:
        if error.kind == "credential":
            raise
        # The ids are known even without the names.
        names = {}
    ids = {**{name: identifier for identifier, name in names.items()}, **{value: value for value in known}}
    suggested = list(dict.fromkeys(ids[value] for value in await find_nearest(wanted, ids)))
    if not suggested:
        return await make_unknown_value(argument, kind, wanted, known)
    listed = ", ".join(
        f"{short_json(value)} ({short_json(names[value])})" if value in names else short_json(value)
        for value in suggested
    )
    return ApiError(
        f"{argument}: the data has no project with the id {short_json(wanted)}. Did you mean {listed}?",
        kind="argument",
    )
