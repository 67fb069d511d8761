"""Labels: names that group reports, budgets, alerts and other objects."""

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage
from ..facts import REVERSIBLE, Dependents, Reader
from ..markers import IDENTIFIER
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id
from ..parameters import Id, MaxResults, Name, NameContains, OptionalId, PageToken, Rfc3339, SortOrder
from ..refusals import refuse_preset

PAGE_SIZE = 500

Color = Literal[
    "blue",
    "skyBlue",
    "teal",
    "mint",
    "lime",
    "softYellow",
    "apricot",
    "lavender",
    "purple",
    "rosePink",
    "slateGrey",
]
LabelName = Annotated[str, "Name of the label.", Length(1, 300), IDENTIFIER]
LabelId = Annotated[Id, "Label id, from list_labels."]


OBJECT_READERS: Mapping[str, Reader] = {
    "alert": "get_alert",
    "allocation": "get_allocation",
    "annotation": "get_annotation",
    "budget": "get_budget",
    "report": "get_report_config",
}
"""The tools that show the objects that have labels, by their types. No tool shows one metric."""


LOST_LABELS = (Dependents("label that it has", "list_labels", details_with="get_label_assignments"),)
"""The labels of an object whose own result does not list them. A replacement of the object does not get them."""


class LabelPage(ListPage, total=False):
    """A page of labels."""

    labels: Annotated[list[JsonObject], "Each with id, name, color and type (custom, preset)."]


class LabelDetails(TypedDict, total=False):
    """One label."""

    id: str
    name: str
    color: Color
    type: Annotated[Literal["custom", "preset"], "preset: defined by DoiT."]
    createTime: Rfc3339
    updateTime: Rfc3339


class LabelAssignments(TypedDict, total=False):
    """Objects that have a label."""

    assignments: Annotated[list[JsonObject], "Each with objectId and objectType."]


class NewLabel(TypedDict, total=False):
    """A label to create."""

    name: Required[LabelName]
    color: Required[Color]


class LabelChanges(TypedDict, total=False):
    """Changes to a label."""

    name: LabelName
    color: Color


class LabeledObject(TypedDict):
    """An object that can have labels."""

    objectId: Annotated[str, "Id, from the object's list.", Length(1, 500)]
    objectType: Literal["alert", "allocation", "budget", "metric", "report", "annotation"]


class AssignmentChanges(TypedDict, total=False):
    """Objects to label and objects to remove the label from."""

    add: Annotated[list[LabeledObject], "Objects to add the label to.", Length(maximum=1000)]
    remove: Annotated[list[LabeledObject], "Objects to remove it from.", Length(maximum=1000)]


class Labels(Area):
    """Labels: names that group reports, budgets, alerts, allocations and annotations, and the objects that have them."""

    @get("/analytics/v1/labels", items="labels", page_size=PAGE_SIZE)
    async def list_labels(
        self,
        *,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}."] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: name, type. Repeated keys mean OR, different keys AND.",
        ] = None,
        nameContains: NameContains = None,
        sortBy: Literal["id", "name", "type", "createTime", "updateTime"] | None = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, LabelPage]:
        """List labels of reports, budgets, alerts and other objects, newest first. Tags of cloud resources are not
        labels but dimensions."""
        ...

    @get("/analytics/v1/labels/{id}")
    async def _label(self, *, id: Id) -> JsonObject: ...

    @offers(_label)
    async def get_label(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, LabelDetails]:
        """Show one label: name, color and type. Give its id or its name. For the objects that have it, use
        get_label_assignments."""
        return await self._label(id=id or await find_id(name or "", self.list_labels, "name", nameContains=name))

    @post("/analytics/v1/labels", confirm=False, verify_with=get_label, open_world=False)
    async def create_label(self, **label: Unpack[NewLabel]) -> Annotated[JsonObject, LabelDetails]:
        """Create a label. To assign it to objects, use assign_objects_to_label."""
        ...

    @patch(
        "/analytics/v1/labels/{id}", confirm=REVERSIBLE, preview_with=get_label, refusal=refuse_preset, open_world=False
    )
    async def update_label(
        self, *, id: LabelId, **changes: Unpack[LabelChanges]
    ) -> Annotated[JsonObject, LabelDetails]:
        """Rename a label or change its color; omitted fields stay unchanged."""
        ...

    @delete(
        "/analytics/v1/labels/{id}",
        confirm=True,
        preview_with=get_label,
        restore_with=create_label,
        dependents=(
            Dependents(
                "object with it",
                "get_label_assignments",
                arguments={"id": "{id}"},
                row_id="objectId",
                names_with=OBJECT_READERS,
            ),
        ),
        refusal=refuse_preset,
        open_world=False,
    )
    async def delete_label(self, *, id: LabelId) -> None:
        """Delete a label and remove it from all objects. Confirm its name with the user first."""
        ...

    @get("/analytics/v1/labels/{id}/assignments", items="assignments")
    async def get_label_assignments(self, *, id: LabelId) -> Annotated[JsonObject, LabelAssignments]:
        """List the objects that have a label: kind and id of each report, budget, alert, allocation, metric or
        annotation."""
        ...

    @post(
        "/analytics/v1/labels/{id}/assignments",
        destructive=True,
        confirm=True,
        preview_with=get_label,
        verify_with=get_label_assignments,
        adds="add",
        removes="remove",
        undo_with="assign_objects_to_label",
        names_with=dict.fromkeys(("add", "remove"), OBJECT_READERS),
        open_world=False,
    )
    async def _assign(self, *, id: Id, **assignment: Unpack[AssignmentChanges]) -> JsonObject: ...

    @offers(_assign)
    async def assign_objects_to_label(self, *, id: LabelId, **assignment: Unpack[AssignmentChanges]) -> JsonObject:
        """Add a label to reports, budgets, alerts, allocations, metrics or annotations, or remove it, several at once.
        Other objects stay unchanged. The label must exist: see list_labels and create_label."""
        changes: AssignmentChanges = {}
        if add := assignment.get("add"):
            changes["add"] = add
        if remove := assignment.get("remove"):
            changes["remove"] = remove
        return await self._assign(id=id, **changes)
