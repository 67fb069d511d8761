"""Cloud Diagrams: diagrams of cloud accounts and their changes.

The API calls a diagram a scheme. A layer (statussheet) is the part of a diagram that shows one account.
"""

from typing import Annotated, Any, Literal, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern, Range
from ..markers import IDENTIFIER
from ..operation import Area, get, offers, post
from ..parameters import DATE_PATTERN, Id
from .cloud_diagrams_types import (
    ActivityGroups,
    ComponentIds,
    Components,
    CostSnapshot,
    Diagrams,
    DiagramSelection,
    DiagramStats,
    DiagramUrls,
    Export,
    NodeActivities,
    Relationships,
    ResourceIds,
    Search,
    SearchHits,
    Snapshot,
    Snapshots,
)

TIMESTAMP_PATTERN = Pattern(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$")
NARROW_HINT = "Use a smaller limit, and offset for the next ones."

LayerId = Annotated[Id, "Layer (statussheet) id, from search_cloud_diagrams or get_cloud_diagrams_stats."]
Limit = Annotated[int | None, Range(1, 10_000)]
Offset = Annotated[int | None, "Number to skip.", Range(0)]
DiagramType = Literal["application", "infrastructure", "network", "template"]
NodeType = Literal["app_component", "app_group", "app_link", "attachment", "group", "host", "link", "service"]
Ids = Annotated[list[str] | None, Length(maximum=500)]
Interval = Literal["day", "week", "month"]
Direction = Literal["downstream", "upstream", "both"]
Depth = Literal["direct", "transitive"]
RelationshipKind = Literal["edges", "group_members", "both"]
IncludeKind = Annotated[bool | None, "Include components of this kind."]


class CloudDiagrams(Area):
    """Cloud diagrams: architecture, infrastructure maps, resources and how they are connected, changes over time."""

    # It stores a filter for these resources and queues the rendering of images, so it is a write.
    @post(
        "/clouddiagrams/v1/scheme/find",
        items="diagrams",
        confirm=False,
        verify_with=None,
        no_undo="No tool deletes the stored filter. It changes no diagram.",
        open_world=False,
    )
    async def find_cloud_diagrams(self, **body: Unpack[ResourceIds]) -> Annotated[list[JsonObject], DiagramUrls]:
        """Find the diagrams that contain given cloud resources, with links. Stores a filter for the resources and
        renders images. To search by keywords without that, use search_cloud_diagrams."""
        ...

    @get("/clouddiagrams/v1/scheme/stats", items="diagrams", narrow_hint="Ask for a shorter period.")
    async def get_cloud_diagrams_stats(
        self,
        *,
        start: Annotated[str, "Start of the period, e.g. 2026-10-01T00:00:00Z.", TIMESTAMP_PATTERN],
        end: Annotated[str, "End of the period, e.g. 2026-10-15T23:59:59Z.", TIMESTAMP_PATTERN],
    ) -> Annotated[list[JsonObject], DiagramStats]:
        """List all diagrams with their layers and the number of resources created, changed and deleted in a period."""
        ...

    @post(
        "/clouddiagrams/v1/scheme/get",
        read_only=True,
        narrow_hint="Ask for fewer layers (layer_ids), or for single components with get_statussheet_components.",
        slow=False,
    )
    async def _components(
        self,
        *,
        components: bool | None = None,
        external: bool | None = None,
        element: bool | None = None,
        link: bool | None = None,
        group: bool | None = None,
        note: bool | None = None,
        combiner: bool | None = None,
        type: list[DiagramType] | None = None,
        node_type: NodeType | None = None,
        alarms_count: bool | None = None,
        issues_count: bool | None = None,
        skip_empty: bool | None = None,
        exclude_default_vpc: bool | None = None,
        exclude_empty_subnets: bool | None = None,
        **body: Unpack[DiagramSelection],
    ) -> JsonObject: ...

    @offers(_components)
    async def get_cloud_diagram_components(
        self,
        *,
        scheme_ids: Annotated[Ids, "Ids of diagrams to load.", IDENTIFIER] = None,
        layer_ids: Annotated[Ids, "Ids of layers to load.", IDENTIFIER] = None,
        template: Annotated[
            Literal["component", "statussheet"] | Annotated[list[str], Length(maximum=500)] | None,
            "Templates to load: a kind, or layer ids.",
        ] = None,
        include_components: Annotated[bool | None, "Include the components of the layers."] = None,
        external: Annotated[bool | None, "Include linked components of other diagrams."] = None,
        element: IncludeKind = None,
        link: IncludeKind = None,
        group: IncludeKind = None,
        note: IncludeKind = None,
        combiner: IncludeKind = None,
        type: Annotated[list[DiagramType] | None, "Only diagrams of these types.", Length(1, 4)] = None,
        node_type: Annotated[NodeType | None, "Only components of this type."] = None,
        alarms_count: Annotated[bool | None, "Include the number of alarms of each. Default: true."] = None,
        issues_count: Annotated[bool | None, "Include the number of issues of each."] = None,
        skip_empty: Annotated[bool | None, "Exclude diagrams without components."] = None,
        exclude_default_vpc: Annotated[bool | None, "Exclude the default VPC. Default: true."] = None,
        exclude_empty_subnets: Annotated[bool | None, "Exclude empty subnets. Default: true."] = None,
    ) -> Annotated[JsonObject, Diagrams]:
        """List all diagrams with their layers, or load some of them with their components (include_components, element,
        link …). Whole layers are large: for one resource, use search_cloud_diagrams."""
        selection = {"scheme": scheme_ids, "statussheet": layer_ids, "template": template}
        body: Any = {name: value for name, value in selection.items() if value is not None}
        return await self._components(
            components=include_components,
            external=external,
            element=element,
            link=link,
            group=group,
            note=note,
            combiner=combiner,
            type=type,
            node_type=node_type,
            alarms_count=alarms_count,
            issues_count=issues_count,
            skip_empty=skip_empty,
            exclude_default_vpc=exclude_default_vpc,
            exclude_empty_subnets=exclude_empty_subnets,
            **body,
        )

    @post(
        "/clouddiagrams/v1/scheme/search",
        read_only=True,
        narrow_hint="Use a smaller size, and from for the next ones.",
        slow=False,
    )
    async def search_cloud_diagrams(self, **body: Unpack[Search]) -> Annotated[JsonObject, SearchHits]:
        """Search layers and resources of all diagrams by keywords, in names and property values. Returns the ids that
        the other diagram tools take."""
        ...

    @post(
        "/clouddiagrams/v1/statussheet/{id}/get",
        title="Get diagram components",
        read_only=True,
        narrow_hint="Request fewer ids, or only the fields you need (p).",
        slow=False,
    )
    async def get_statussheet_components(
        self,
        *,
        id: LayerId,
        p: Annotated[
            str | None, "Only these fields, separated by spaces, e.g. name cld_id props tags.", Length(1, 2000)
        ] = None,
        **components: Unpack[ComponentIds],
    ) -> Annotated[JsonObject, Components]:
        """Show components of a layer by id; give ids of at least one kind. Ids come from search_cloud_diagrams, where
        type is the kind. Returns the components by kind and id."""
        ...

    @get(
        "/clouddiagrams/v1/statussheet/{id}/export-json", narrow_hint="Use get_statussheet_components for a part of it."
    )
    async def export_cloud_diagram_json(self, *, id: LayerId) -> Annotated[JsonObject, Export]:
        """Export a whole layer as JSON: all resources, groups and links. It is large; for a part of it, use
        search_cloud_diagrams or get_statussheet_components."""
        ...

    @get("/clouddiagrams/v1/statussheet/{id}/costs", slow=True)
    async def _costs(self, *, id: Id, startDate: str, endDate: str, interval: Interval | None = None) -> JsonObject: ...

    @offers(_costs)
    async def get_cloud_diagram_cost_snapshot(
        self,
        *,
        layerId: LayerId,
        startDate: Annotated[str, "First day, e.g. 2026-10-01.", DATE_PATTERN],
        endDate: Annotated[str, "Last day, e.g. 2026-10-15.", DATE_PATTERN],
        interval: Annotated[Interval | None, "Interval of the trend. Default: day."] = None,
    ) -> Annotated[JsonObject, CostSnapshot]:
        """Show the cost of the resources on a layer in a period: total, change, trend, and the most expensive resources
        and services. For other cost questions, use run_query."""
        return await self._costs(id=layerId, startDate=startDate, endDate=endDate, interval=interval)

    @get("/clouddiagrams/v1/statussheet/{id}/snapshots", items="snapshots", narrow_hint=NARROW_HINT)
    async def list_cloud_diagram_layer_snapshots(
        self,
        *,
        id: LayerId,
        offset: Offset = None,
        limit: Annotated[Limit, "Default: 10."] = None,
        sort: Annotated[
            str | None, "Field to sort by; prefix - for descending, e.g. -createdAt.", Length(1, 100)
        ] = None,
    ) -> Annotated[list[JsonObject], Snapshots]:
        """List the snapshots of a layer and when each was taken. For what changed between them, use
        list_cloud_diagram_activity_groups."""
        ...

    @get("/clouddiagrams/v1/statussheet/{id}/snapshot")
    async def get_cloud_diagram_layer_snapshot(
        self,
        *,
        id: LayerId,
        snapshot_id: Annotated[
            str, "Snapshot _id, from list_cloud_diagram_layer_snapshots.", Length(1, 500), IDENTIFIER
        ],
    ) -> Annotated[JsonObject, Snapshot]:
        """Show one snapshot of a layer: its name, when it was taken, and the previous snapshot."""
        ...

    @get("/clouddiagrams/v1/statussheet/{id}/resources/{rid}/relationships")
    async def _relationships(
        self,
        *,
        id: Id,
        rid: Id,
        direction: Direction | None = None,
        depth: Depth | None = None,
        kind: RelationshipKind | None = None,
    ) -> JsonObject: ...

    @offers(_relationships)
    async def get_cloud_diagram_resource_relationships(
        self,
        *,
        layerId: LayerId,
        resourceId: Annotated[Id, "Id of a node, element or group on the layer, from search_cloud_diagrams."],
        direction: Annotated[Direction | None, "Default: both."] = None,
        depth: Annotated[Depth | None, "Default: direct. transitive: everything reachable."] = None,
        kind: Annotated[
            RelationshipKind | None,
            "Default: edges (links). group_members: members of a group, or the groups it belongs to.",
        ] = None,
    ) -> Annotated[JsonObject, Relationships]:
        """Show how a resource is connected: its dependents, its dependencies and its group."""
        return await self._relationships(id=layerId, rid=resourceId, direction=direction, depth=depth, kind=kind)

    @get("/clouddiagrams/v1/activity", items="groups", narrow_hint=NARROW_HINT)
    async def list_cloud_diagram_activity_groups(
        self,
        *,
        ss_id: LayerId,
        limit: Annotated[Limit, "Default: 10."] = None,
        offset: Offset = None,
        tags: Annotated[list[str] | None, "Only changes with these tags.", Length(maximum=100)] = None,
    ) -> Annotated[list[JsonObject], ActivityGroups]:
        """List what changed on a layer, newest first: resources created, changed and deleted."""
        ...

    @get("/clouddiagrams/v1/activity/node-activities", items="activities", narrow_hint=NARROW_HINT)
    async def list_cloud_diagram_node_activities(
        self,
        *,
        ss_id: LayerId,
        nodeId: Annotated[str, "Component id, from search_cloud_diagrams.", Length(1, 500), IDENTIFIER],
        limit: Annotated[Limit, "Default: 50."] = None,
        offset: Offset = None,
    ) -> Annotated[list[JsonObject], NodeActivities]:
        """List the changes of one component, newest first: created, changed, deleted, when and by whom. For a whole
        layer, use list_cloud_diagram_activity_groups."""
        ...
