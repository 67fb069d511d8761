"""Grouping of costs: what the argument groupBy accepts, and the dimensions that it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, NamedTuple, cast

import orjson

from ...api.common_types import DimensionType
from ...api.errors import ApiError
from ...api.nearest import MAX_LISTED_VALUES, make_unknown_value, nearest_values
from ...api.report_config import Group
from ...protocol.json_schema import Length, short_json
from ..call import Call
from ..known_names import Allocation, AllocationReader, KnownAllocations, KnownNames, read_allocations, read_dimensions

MAX_GROUP_DIMENSIONS = 2
DIMENSIONS_FACT = "dimensions"
ALL_DIMENSIONS_FACT = "all_dimensions"

FIXED_DIMENSIONS = MappingProxyType(
    {
        "service": "service_description",
        "project": "project_id",
        "cloud": "cloud_provider",
        "region": "region",
        "sku": "sku_description",
    }
)
"""The built-in dimensions by their names in groupBy."""
COST_TYPE_COLUMN = "cost_type"
NAME_COLUMNS = MappingProxyType({"project_id": "project_name", "sku_id": "sku_description"})
"""Dimensions whose values are ids, and the dimensions of their names."""
KIND_COLUMNS = MappingProxyType({"sku_id": COST_TYPE_COLUMN})
"""Dimensions whose values have several names, and the dimension that shows which of them is the usual one."""
SYNONYMS = MappingProxyType(
    {
        "account": "project",
        "subscription": "project",
        "provider": "cloud",
        "vendor": "cloud",
        "product": "service",
        "location": "region",
    }
)
"""Other names that callers use for built-in dimensions. Only suggested, because labels can have these names."""
LABEL_TYPES = MappingProxyType({"label": ("label", "project_label", "system_label"), "tag": ("tag",)})
"""The types of dimensions that a prefix in groupBy stands for."""
VALUE_TYPES = ("fixed", "optional", *LABEL_TYPES["label"], *LABEL_TYPES["tag"], "gke", "gke_label")
"""The types of dimensions that split costs by a value of each line. Others are times and allocations."""
GROUP_FORMS = "service, project, cloud, region, sku, label:KEY, tag:KEY, allocation:NAME"

GroupByArgument = Annotated[
    Annotated[str, Length(1, 300)] | Annotated[list[str], Length(1, MAX_GROUP_DIMENSIONS)],
    f"{GROUP_FORMS}, any dimension's id; or a list of two.",
]


class GroupDimension(NamedTuple):
    """A dimension to group by: the *argument* that names it, its *id* and *type*, and its *column* in results."""

    argument: str
    id: str
    type: DimensionType
    column: str

    @property
    def name_column(self) -> str | None:
        """The column with the names of its values, if these are ids."""
        return NAME_COLUMNS.get(self.id) if self.type == "fixed" else None

    @property
    def kind_column(self) -> str | None:
        """The column that shows which of several names of a value is the usual one."""
        return KIND_COLUMNS.get(self.id) if self.type == "fixed" else None

    @property
    def as_groups(self) -> list[Group]:
        """The groups of a query: the dimension, followed by those of its names."""
        extra: list[Group] = [{"id": name, "type": "fixed"} for name in (self.name_column, self.kind_column) if name]
        return [{"id": self.id, "type": self.type}, *extra]


SKU = GroupDimension("sku", "sku_id", "fixed", "sku_id")
"""SKUs by id: AWS writes prices and discounts into the descriptions, so one SKU has several."""


async def resolve_groups(
    call: Call, group_by: str | Sequence[str] | None, argument: str = "groupBy"
) -> list[GroupDimension]:
    """Return the dimensions that *group_by* names, in its order. Raise ApiError that names the nearest real ones."""
    names = _read_list(group_by) if isinstance(group_by, str) else list(group_by or ())
    if len(names) > MAX_GROUP_DIMENSIONS:
        raise ApiError(
            f"{argument}: group by at most {MAX_GROUP_DIMENSIONS} dimensions, not {len(names)}", kind="argument"
        )
    groups = await resolve_all(call, names, argument)
    if len({(group.type, group.id) for group in groups}) < len(groups):
        raise ApiError(f"{argument}: {short_json(names[1])} is named twice", kind="argument")
    return groups


async def resolve_all(call: Call, names: Iterable[str], argument: str = "groupBy") -> list[GroupDimension]:
    """Return the dimensions that *names* name, from one list of the allocations. Raise ApiError."""
    allocations = AllocationReader(call)
    return [await resolve_group(call, name, argument, allocations) for name in names]


def _read_list(text: str) -> list[str]:
    """Return the names in a JSON list, which some clients send as text; otherwise the text itself."""
    if text.lstrip().startswith("["):
        try:
            names = orjson.loads(text)
        except orjson.JSONDecodeError:
            return [text]
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
    return [text]


async def resolve_group(
    call: Call, name: str, argument: str = "groupBy", allocations: AllocationReader | None = None
) -> GroupDimension:
    """Return the dimension that *name* names. Raise ApiError that names the nearest real ones."""
    folded = name.strip().casefold()
    if folded == SKU.argument:
        return SKU
    if folded in FIXED_DIMENSIONS:
        return find_fixed_group(folded)
    kind, colon, key = name.strip().partition(":")
    kind, key = kind.strip().casefold(), key.strip()
    if colon and key and kind in LABEL_TYPES:
        return await _find_label(call, kind, key, argument)
    if colon and key and kind == "allocation":
        return await _find_allocation(call, allocations or AllocationReader(call), key, argument)
    return await _find_dimension(call, name.strip(), argument)


def find_fixed_group(name: str) -> GroupDimension:
    """Return a built-in dimension by its name in groupBy, such as service. SKUs are those of one description."""
    identifier = FIXED_DIMENSIONS[name]
    return GroupDimension(name, identifier, "fixed", identifier)


async def _find_dimension(call: Call, name: str, argument: str) -> GroupDimension:
    """Return the dimension with an id, alone or after its type. Raise ApiError that names the nearest ones."""
    known: list[tuple[str, str]] = []
    for dimensions in (call.facts.get(ALL_DIMENSIONS_FACT), None):
        known = [(str(type_), str(id_)) for type_, id_ in dimensions or await _fetch_dimensions(call)]
        names = [(f"{type_}:{id_}", id_, type_, id_) for type_, id_ in known if type_ in VALUE_TYPES]
        equal = [own for own in names if name in own[:2]] or [
            own for own in names if name.casefold() in (own[0].casefold(), own[1].casefold())
        ]
        if len(equal) > 1:
            several = ", ".join(own[0] for own in equal[:MAX_LISTED_VALUES])
            raise ApiError(
                f"{argument}: {short_json(name)} is several dimensions. Use one of {several}", kind="argument"
            )
        if equal:
            return _value_dimension(*equal[0][2:])
        if dimensions is None:
            break
    raise _unknown_dimension_error(name, known, argument)


def _value_dimension(type_: str, identifier: str) -> GroupDimension:
    if type_ == "fixed":
        named = [SKU, *(find_fixed_group(name) for name in FIXED_DIMENSIONS if name != SKU.argument)]
        described = GroupDimension(identifier, identifier, "fixed", identifier)
        return next((group for group in named if group.id == identifier), described)
    return GroupDimension(
        f"{_dimension_prefix(type_)}:{identifier}", identifier, cast(DimensionType, type_), identifier
    )


def _unknown_dimension_error(name: str, known: list[tuple[str, str]], argument: str) -> ApiError:
    """Return the error for a dimension that is not *known*, with the nearest ones."""
    problem = f"{argument}: {short_json(name)} is not one of {GROUP_FORMS}, or the id of another dimension."
    key = name.rpartition(":")[2].casefold()
    if any(type_ == "datetime" and key == id_.casefold() for type_, id_ in known):
        return ApiError(f"{problem} For costs by {key}, use cost_trend or run_query", kind="argument")
    forms = {
        id_: id_ if type_ == "fixed" else f"{_dimension_prefix(type_)}:{id_}"
        for type_, id_ in known
        if type_ in VALUE_TYPES
    }
    synonym = [SYNONYMS[key]] if key in SYNONYMS else []
    similar = synonym or nearest_values(name, FIXED_DIMENSIONS) or [forms[one] for one in nearest_values(key, forms)]
    hint = f" Did you mean {', '.join(similar)}?" if similar else " list_dimensions lists all dimensions"
    return ApiError(f"{problem}{hint}", kind="argument")


async def _fetch_dimensions(call: Call) -> list[tuple[str, str]]:
    """Return the type and id of all dimensions, and remember them. Raise ApiError."""
    dimensions = list((await read_dimensions(call)).names)
    call.facts.put(ALL_DIMENSIONS_FACT, dimensions)
    return dimensions


async def _find_label(call: Call, kind: str, key: str, argument: str) -> GroupDimension:
    remembered = call.facts.get(DIMENSIONS_FACT)
    complete = True
    for known in (remembered, None):
        if known is None:
            read = await read_labels(call)
            labels, complete = list(read.names), read.complete
        else:
            labels = [(str(type_), str(id_)) for type_, id_ in known]
        own = [label for label in labels if label[0] in LABEL_TYPES[kind]]
        equal = [label for label in own if label[1] == key] or [
            label for label in own if label[1].casefold() == key.casefold()
        ]
        if equal:
            type_, identifier = equal[0]
            return GroupDimension(f"{kind}:{identifier}", identifier, cast(DimensionType, type_), identifier)
        if remembered is None:
            break
    if not complete:
        raise ApiError(
            f"{argument}: {short_json(f'{kind}:{key}')} is not among the first {len(labels):,} labels and tags, and"
            " there are more. run_query can group by it with its id and type",
            kind="argument",
        )
    raise await make_unknown_value(
        argument, kind, f"{kind}:{key}", [f"{_dimension_prefix(type_)}:{id_}" for type_, id_ in labels]
    )


def _dimension_prefix(type_: str) -> str:
    return next((prefix for prefix, types in LABEL_TYPES.items() if type_ in types), type_)


async def fetch_labels(call: Call) -> list[tuple[str, str]]:
    """Return the type and id of all labels and tags of cloud resources, and remember them. Raise ApiError."""
    return list((await read_labels(call)).names)


async def read_labels(call: Call) -> KnownNames[tuple[str, str]]:
    """Return the type and id of the labels and tags of cloud resources, and remember them. Raise ApiError."""
    types = [type_ for kinds in LABEL_TYPES.values() for type_ in kinds]
    # The API refuses a filter that repeats a key, so a request cannot select several types.
    known = await read_dimensions(call)
    labels = [dimension for dimension in known.names if dimension[0] in types]
    call.facts.put(DIMENSIONS_FACT, labels)
    return KnownNames(labels, known.complete)


async def _find_allocation(call: Call, allocations: AllocationReader, name: str, argument: str) -> GroupDimension:
    async for known in allocations.versions():
        if group := known.find(name, is_group=True):
            return _allocation_group(group)
    if not known.complete:
        # The list was cut, but the API can search names.
        named = await read_allocations(call, nameContains=name)
        if group := named.find(name, is_group=True):
            return _allocation_group(group)
        known = KnownAllocations([*known.rows, *named.rows], known.complete)
    if single := known.find(name, is_group=False):
        raise ApiError(
            f"{argument}: the allocation {short_json(single.name)} is not a group of allocations, so it cannot split costs. To see "
            'its cost, use filters [{"type": "attribution", "id": "attribution", "values": '
            f"[{short_json(single.id)}]}}]",
            kind="argument",
        )
    names = [row.name for row in known.rows if row.is_group]
    raise await make_unknown_value(argument, "group of allocations", name, names)


def _allocation_group(group: Allocation) -> GroupDimension:
    return GroupDimension(f"allocation:{group.name}", group.id, "attribution_group", group.id)
