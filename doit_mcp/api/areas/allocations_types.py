"""Allocations as the API returns them."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..common_types import ListPage
from ..parameters import EpochMilliseconds


class AllocationPage(ListPage, total=False):
    """A page of allocations."""

    allocations: Annotated[
        list[JsonObject],
        "Each with id, name, description, owner, type (custom, preset), allocationType (single, group), folderId, "
        "anomalyDetection, createTime, updateTime and urlUI.",
    ]


class AllocationDetails(TypedDict, total=False):
    """One allocation."""

    id: str
    name: str
    description: str
    type: Annotated[str, "custom or preset."]
    allocationType: Annotated[str, "single or group."]
    rule: Annotated[JsonObject | None, "Single only: components and formula."]
    rules: Annotated[
        list[JsonObject],
        "Groups only; each cost goes to the first rule that matches: id, name, components, formula, validityPeriods, "
        "valueExtraction.",
    ]
    unallocatedCosts: Annotated[str | None, "Groups only: name for costs that match no rule."]
    anomalyDetection: bool
    folderId: Annotated[str, "root if in no folder."]
    createTime: EpochMilliseconds
    updateTime: EpochMilliseconds
