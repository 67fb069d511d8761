"""Allocations: rules that assign costs to teams, products or customers."""

from typing import Annotated, Literal, Required, TypedDict, Unpack, cast

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ComponentType, MatchMode
from ..facts import REVERSIBLE, Dependents, refused_while
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id
from ..parameters import (
    Id,
    MaxResults,
    Name,
    NameAlias,
    NameContains,
    ObjectName,
    OptionalId,
    PageToken,
    ParentFolderId,
    SortOrder,
)
from ..refusals import refuse_empty_conditions, refuse_first, refuse_preset
from ..report_config import normalize_provider
from .allocations_types import AllocationDetails, AllocationPage
from .labels import LOST_LABELS


class Component(TypedDict, total=False):
    """A condition on one dimension."""

    key: Required[Annotated[str, "Dimension id; allocation_rule for that type."]]
    type: Required[
        Annotated[
            ComponentType,
            "fixed for built-in dimensions; allocation_rule for other allocations. Former: attribution, "
            "attribution_group.",
        ]
    ]
    values: Required[
        Annotated[list[str], "As they occur in the data; for allocation_rule, allocation ids.", Length(maximum=5000)]
    ]
    mode: Required[MatchMode]
    inverse: Annotated[bool, "Exclude these values instead."]
    includeNull: bool
    caseInsensitive: Annotated[bool, "Only with starts_with, ends_with, contains."]
    inverse_selection: Annotated[bool, "Former name of inverse."]
    include_null: Annotated[bool, "Former name of includeNull."]


class ValidityPeriod(TypedDict, total=False):
    """Days on which a rule applies."""

    startDate: Annotated[str, "First day, YYYY-MM-DD; only the first period can omit it."]
    endDate: Annotated[str, "Last day; only the last period can omit it."]


class ExtractionSource(TypedDict, total=False):
    """Where a value comes from."""

    type: Required[Literal["label", "tag", "project_label", "system_label", "gke_label", "fixed"]]
    key: Required[str]
    providers: Annotated[list[str], "Only these clouds.", Length(maximum=100)]


class ValueExtraction(TypedDict, total=False):
    """How a rule splits its costs by a value, instead of its own name."""

    sources: Required[Annotated[list[ExtractionSource], "The first one with a value counts.", Length(1, 5)]]
    onMissing: Annotated[Literal["useFallback", "nextRule"], "Default: useFallback."]
    fallback: Annotated[str, "Required with useFallback."]


class Rule(TypedDict, total=False):
    """The costs that a single allocation includes."""

    components: Required[Annotated[list[Component], Length(1, 100)]]
    formula: Required[Annotated[str, "How to combine them, A being the first: A AND (B OR NOT C).", Length(1, 5000)]]
    validityPeriods: Annotated[
        list[ValidityPeriod], "In order, without overlap. Empty or omitted: always.", Length(maximum=100)
    ]


class Member(TypedDict, total=False):
    """One rule of a group."""

    action: Required[
        Annotated[
            Literal["create", "update", "select"],
            "create requires name, components and formula; update id and the changes; select (use as is) id.",
        ]
    ]
    id: Annotated[str, "Id of an existing allocation."]
    name: str
    description: str
    components: Annotated[list[Component], "Same as in rule.", Length(maximum=100)]
    formula: str
    validityPeriods: Annotated[list[ValidityPeriod], Length(maximum=100)]
    valueExtraction: Annotated[ValueExtraction, "Show its costs by a label's values, not under its name."]


class Allocation(TypedDict, total=False):
    """Fields of an allocation."""

    rule: Annotated[Rule, "Makes a single allocation. Give either this or rules."]
    rules: Annotated[list[Member], "Makes a group: two or more, in order of precedence.", Length(1, 500)]
    unallocatedCosts: Annotated[str, "Required for groups: name for costs that match no rule."]
    anomalyDetection: Annotated[bool, "Detect anomalies in its costs. Single only."]
    folderId: ParentFolderId


class NewAllocation(Allocation, total=False):
    """An allocation to create."""

    name: Required[ObjectName]
    description: Required[Annotated[str, "What it covers."]]


class AllocationChanges(Allocation, total=False):
    """Changes to an allocation."""

    name: ObjectName
    description: Annotated[str, "What it covers."]


ALLOCATION_TYPES = frozenset(("attribution", "attribution_group", "allocation", "allocation_rule"))
"""Types whose dimensions are allocations: filters name them by id or by name, and dimensions list their names."""
ALLOCATION_USERS = (
    Dependents("budget that uses it", "list_budgets", "scopes", named_in=ALLOCATION_TYPES),
    Dependents("alert that uses it", "list_alerts", "config", named_in=ALLOCATION_TYPES),
    Dependents("report that uses it", "list_reports", details_with="get_report_config", named_in=ALLOCATION_TYPES),
    Dependents("allocation that uses it", "list_allocations", details_with="get_allocation", named_in=ALLOCATION_TYPES),
)
"""Objects that select costs with an allocation: a change of its rules changes these, and its deletion is refused."""


def refuse_other_type(arguments: JsonObject, current: JsonObject) -> str:
    """Return why a change of a single allocation into a group, or of a group into a single one, is refused."""
    if current.get("allocationType") == "single" and "unallocatedCosts" in arguments:
        return "Only groups have unallocatedCosts, and this is a single allocation."
    type, unusable = current.get("allocationType"), {"single": "rules", "group": "rule"}
    if unusable.get(str(type)) not in arguments:
        return ""
    usable = {"single": "rule", "group": "rules"}[str(type)]
    return f"An allocation of type {type} stays one: change {usable} instead of {unusable[str(type)]}."


class Allocations(Area):
    """Allocations (attributions): which costs belong to a team, product or environment; chargeback, showback."""

    @get("/analytics/v1/allocations", items="allocations")
    async def _allocations(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        nameContains: NameContains = None,
        sortBy: str | None = None,
        sortOrder: SortOrder = None,
    ) -> JsonObject: ...

    @offers(_allocations)
    async def list_allocations(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: type (custom, preset), owner, name, folderId. Repeated keys "
            "mean OR, different keys AND.",
        ] = None,
        nameContains: NameContains = None,
        name: NameAlias = None,
        sortBy: Literal["id", "name", "owner", "description", "type", "createTime", "updateTime"] | None = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, AllocationPage]:
        """List allocations, newest first: the teams, products or environments that costs are split into. For their
        rules, use get_allocation; for their costs, use run_query (type allocation_rule, or allocation for groups)."""
        return await self._allocations(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            nameContains=nameContains or name,
            sortBy=sortBy,
            sortOrder=sortOrder,
        )

    @get("/analytics/v1/allocations/{id}")
    async def _allocation(self, *, id: Id) -> JsonObject: ...

    @offers(_allocation)
    async def get_allocation(
        self, *, id: OptionalId = None, name: Name = None
    ) -> Annotated[JsonObject, AllocationDetails]:
        """Show one allocation with the rules that select its costs. Give its id or its name."""
        return await self._allocation(id=id or await find_id(name or "", self._allocations, "name", nameContains=name))

    @post(
        "/analytics/v1/allocations",
        confirm=False,
        verify_with=get_allocation,
        writes_members="rules",
        open_world=False,
    )
    async def _create(self, **allocation: Unpack[NewAllocation]) -> JsonObject: ...

    @offers(_create)
    async def create_allocation(self, **allocation: Unpack[NewAllocation]) -> Annotated[JsonObject, AllocationDetails]:
        """Create an allocation: a single one with rule, or a group with rules. Check keys and values with
        list_dimensions and get_dimension first."""
        return await self._create(**cast(NewAllocation, with_api_names(cast(JsonObject, allocation))))

    @patch(
        "/analytics/v1/allocations/{id}",
        confirm=REVERSIBLE,
        preview_with=get_allocation,
        writes_members="rules",
        dependents=ALLOCATION_USERS,
        refusal=refuse_first(refuse_preset, refuse_other_type, refuse_empty_conditions),
        open_world=False,
    )
    async def _update(self, *, id: Id, **changes: Unpack[AllocationChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_allocation(
        self, *, id: Id, **changes: Unpack[AllocationChanges]
    ) -> Annotated[JsonObject, AllocationDetails]:
        """Change an allocation; omitted fields stay unchanged. A single allocation cannot become a group. rule and
        rules are replaced as a whole (read get_allocation first), which also changes the reports and budgets that use
        it."""
        return await self._update(id=id, **cast(AllocationChanges, with_api_names(cast(JsonObject, changes))))

    @delete(
        "/analytics/v1/allocations/{id}",
        confirm=True,
        preview_with=get_allocation,
        restore_with=create_allocation,
        shared_as="allocations",
        dependents=(*refused_while(ALLOCATION_USERS), *LOST_LABELS),
        refusal=refuse_preset,
        open_world=False,
    )
    async def delete_allocation(self, *, id: Id) -> None:
        """Delete an allocation. Refused while reports, budgets or other allocations use it. Confirm its name with the
        user first."""
        ...


API_NAMES = {"inverse_selection": "inverse", "include_null": "includeNull"}
"""The API's names of component fields, by their former names."""


def with_api_names(allocation: JsonObject) -> JsonObject:
    """Return an allocation whose rules use the API's names, not former ones. If both are given, the API's wins."""
    body = dict(allocation)
    if "rule" in body:
        body["rule"] = _rule_with_api_names(body["rule"])
    if "rules" in body:
        body["rules"] = [_rule_with_api_names(rule) for rule in body["rules"]]
    return body


def _rule_with_api_names(rule: JsonObject) -> JsonObject:
    body = dict(rule)
    if "components" in rule:
        body["components"] = [_component_with_api_names(component) for component in rule["components"]]
    if extraction := rule.get("valueExtraction"):
        body["valueExtraction"] = {**extraction, "sources": [_with_providers(one) for one in extraction["sources"]]}
    return body


def _with_providers(source: JsonObject) -> JsonObject:
    """Return a source of values with providers as billing data names them."""
    if "providers" not in source:
        return source
    return {**source, "providers": [normalize_provider(name) for name in source["providers"]]}


def _component_with_api_names(component: JsonObject) -> JsonObject:
    renamed: JsonObject = {API_NAMES[name]: value for name, value in component.items() if name in API_NAMES}
    body = renamed | {name: value for name, value in component.items() if name not in API_NAMES}
    if body["type"] != "attribution":
        return body
    key = body["key"]
    return {**body, "type": "allocation_rule", "key": "allocation_rule" if key == "attribution" else key}
