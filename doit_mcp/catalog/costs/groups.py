"""Grouping of costs: what the argument groupBy accepts, and the dimensions that it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, cast

import orjson

from ...api.common_types import DimensionType
from ...api.errors import ApiError
from ...api.nearest import make_unknown_value, nearest_values
from ...api.report_config import Group
from ...protocol.json_schema import Length, short_json
from ..call import Call
from ..known_names import Allocation, AllocationReader, KnownAllocations, KnownNames, read_allocations, read_dimensions

MAX_GROUP_DIMENSIONS = 2
DIMENSIONS_FACT = "dimensions"

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
NAME_COLUMNS = MappingProxyType({"project_id": "project_name"})
"""Dimensions whose values are ids, and the dimensions of their names."""
LABEL_TYPES = MappingProxyType({"label": ("label", "project_label", "system_label"), "tag": ("tag",)})
"""The types of dimensions that a prefix in groupBy stands for."""
GROUP_FORMS = "service, project, cloud, region, sku, label:KEY, tag:KEY, allocation:NAME"

GroupByArgument = Annotated[
    Annotated[str, Length(1, 300)] | Annotated[list[str], Length(1, MAX_GROUP_DIMENSIONS)],
    f"{GROUP_FORMS}; or a list of two.",
]


@dataclass(frozen=True, slots=True)
class GroupDimension:
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
    def as_groups(self) -> list[Group]:
        """The groups of a query: the dimension, followed by that of its names."""
        names: list[Group] = [{"id": self.name_column, "type": "fixed"}] if self.name_column else []
        return [{"id": self.id, "type": self.type}, *names]


async def resolve_groups(
    call: Call, group_by: str | Sequence[str] | None, argument: str = "groupBy"
) -> list[GroupDimension]:
    """Return the dimensions that *group_by* names, in its order. Raise ApiError that names the nearest real ones."""
    names = _read_list(group_by) if isinstance(group_by, str) else list(group_by or ())
    if len(names) > MAX_GROUP_DIMENSIONS:
        raise ApiError(f"{argument}: at most {MAX_GROUP_DIMENSIONS} dimensions", kind="argument")
    groups = await resolve_all(call, names, argument)
    if len({(group.type, group.id) for group in groups}) < len(groups):
        raise ApiError(f"{argument}: {short_json(names[1])} is named twice", kind="argument")
    return groups


async def resolve_all(call: Call, names: Iterable[str], argument: str = "groupBy") -> list[GroupDimension]:
    """Return the dimensions that *names* name, from one list of the allocations. Raise ApiError."""
    allocations = AllocationReader(call)
    return [await resolve_group(call, name, argument, allocations) for name in names]


def _read_list(text: str) -> list[str]:
    """Return the names in a JSON list, which some clients send as text; or else the text itself."""
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
    if folded in FIXED_DIMENSIONS:
        return fixed_group(folded)
    kind, colon, key = name.strip().partition(":")
    kind, key = kind.strip().casefold(), key.strip()
    if colon and key and kind in LABEL_TYPES:
        return await _find_label(call, kind, key, argument)
    if colon and key and kind == "allocation":
        return await _find_allocation(call, allocations or AllocationReader(call), key, argument)
    similar = nearest_values(name, FIXED_DIMENSIONS)
    hint = f" Did you mean {', '.join(similar)}?" if similar else ""
    raise ApiError(f"{argument}: {short_json(name)} is not one of {GROUP_FORMS}.{hint}", kind="argument")


def fixed_group(name: str) -> GroupDimension:
    """Return a built-in dimension by its name in groupBy, such as service."""
    identifier = FIXED_DIMENSIONS[name]
    return GroupDimension(name, identifier, "fixed", identifier)


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
        argument, kind, f"{kind}:{key}", [f"{_prefix(type_)}:{id_}" for type_, id_ in labels]
    )


def _prefix(type_: str) -> str:
    return next(prefix for prefix, types in LABEL_TYPES.items() if type_ in types)


async def fetch_labels(call: Call) -> list[tuple[str, str]]:
    """Return the type and id of all labels and tags of cloud resources, and remember them. Raise ApiError."""
    return list((await read_labels(call)).names)


async def read_labels(call: Call) -> KnownNames[tuple[str, str]]:
    """Return the type and id of the labels and tags of cloud resources, and remember them. Raise ApiError."""
    types = [type_ for kinds in LABEL_TYPES.values() for type_ in kinds]
    known = await read_dimensions(call, filter="|".join(f"type:{type_}" for type_ in types))
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
            f"{argument}: the allocation {short_json(single.name)} is a single one, which cannot split costs. To see "
            'its cost, use filters [{"type": "attribution", "id": "attribution", "values": '
            f"[{short_json(single.id)}]}}]",
            kind="argument",
        )
    names = [row.name for row in known.rows if row.is_group]
    raise await make_unknown_value(argument, "group of allocations", name, names)


def _allocation_group(group: Allocation) -> GroupDimension:
    return GroupDimension(f"allocation:{group.name}", group.id, "attribution_group", group.id)
