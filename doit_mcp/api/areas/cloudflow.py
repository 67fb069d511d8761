"""CloudFlow: automations that act on cloud accounts."""

import re
from collections.abc import AsyncGenerator
from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import AnyMembers, ListPage
from ..errors import ApiError
from ..markers import IDENTIFIER, TEXT_WITH_LINKS
from ..operation import Area, get, offers, post
from ..parameters import Id, MaxResults, PageToken, Rfc3339

Instruction = Annotated[str, "What to change, in plain language.", Length(1, 20_000), TEXT_WITH_LINKS]
RowLimit = Annotated[MaxResults, Range(1, 500)]
ConversationId = Annotated[str, "Continues the conversation of an earlier answer. Default: a new one.", IDENTIFIER]

MAX_FLOW_ID_CHARACTERS = 1_500
TRIGGER_URL = re.compile(
    r"https?://[A-Za-z0-9.:-]{1,255}(?:/[\w.~-]{1,100}){0,8}/cloudflow/v1/trigger/([^/?#%\s\\]+)", re.ASCII
)
"""The trigger URL of a flow, as CloudFlow shows it to users."""


class FlowPage(ListPage, total=False):
    """A page of flows."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, description, published, triggerType, lastExecutedTime, nextRun (null: no schedule) and "
        "lastExecutionStatus (pending, running, complete, pending-approval, failed, sleeping, stopped).",
    ]


class TemplatePage(ListPage, total=False):
    """A page of templates."""

    items: Annotated[list[JsonObject], "Each with id, name, description and instructions."]


class TemplateDetails(TypedDict, total=False):
    """One template."""

    id: str
    name: str
    description: str
    instructions: Annotated[str, "How to set it up and use it."]
    createTime: Rfc3339
    updateTime: Rfc3339


class StartedRun(TypedDict, total=False):
    """A started run."""

    executionLink: Annotated[str, "Link to the run's progress."]


class FlowInstruction(TypedDict, total=False):
    """An instruction to the assistant that builds and changes flows."""

    question: Required[Instruction]
    conversationId: ConversationId


def parse_flow_id(text: str) -> str:
    """Return the flow id in *text*: the id itself or, as the previous server accepted it, the flow's trigger URL.

    Only the id of a URL is used; nothing is ever sent to its host. Raises ApiError ("argument") for any other text.
    """
    text = text.strip()
    match = TRIGGER_URL.fullmatch(text)
    flow_id = match[1] if match else text
    if "/" in flow_id or "%" in flow_id or len(flow_id) > MAX_FLOW_ID_CHARACTERS:
        raise ApiError("flowID: must be the id alone, as list_cloudflows shows it", kind="argument")
    return flow_id


class Cloudflow(Area):
    """CloudFlow: automations, workflows, flows that act on cloud accounts, and templates for them."""

    @get("/cloudflow/v1/flows", items="items")
    async def list_cloudflows(
        self, *, maxResults: RowLimit = None, pageToken: PageToken = None
    ) -> Annotated[JsonObject, FlowPage]:
        """List CloudFlow automations: what each does, what triggers it, and its last run and outcome."""
        ...

    @get("/cloudflow/v1/templates", items="items")
    async def list_cloudflow_templates(
        self, *, maxResults: RowLimit = None, pageToken: PageToken = None
    ) -> Annotated[JsonObject, TemplatePage]:
        """List the templates for CloudFlow automations."""
        ...

    @get("/cloudflow/v1/templates/{templateId}")
    async def get_cloudflow_template(
        self, *, templateId: Annotated[Id, "Template id, from list_cloudflow_templates."]
    ) -> Annotated[JsonObject, TemplateDetails]:
        """Show one CloudFlow template with its instructions."""
        ...

    @post(
        "/cloudflow/v1/trigger/{flowId}",
        body_argument="payload",
        title="Trigger CloudFlow",
        destructive=True,
        open_world=True,
        confirm=True,
        preview_with=list_cloudflows,
        preview_arguments={"flowID": "id"},
        undone_by="nothing",
        targets=("flowID",),
        canonical_arguments={"flowID": parse_flow_id},
    )
    async def _trigger(self, *, flowId: Id, payload: JsonObject) -> JsonObject: ...

    @offers(_trigger)
    async def trigger_cloud_flow(
        self,
        *,
        flowID: Annotated[str, "Flow id, from list_cloudflows.", Length(1, 2 * MAX_FLOW_ID_CHARACTERS), IDENTIFIER],
        requestBodyJson: Annotated[
            AnyMembers | None, "Payload for the flow's webhook, in the form that the flow expects. Default: {}."
        ] = None,
    ) -> Annotated[JsonObject, StartedRun]:
        """Run a published CloudFlow automation that has a webhook trigger. It acts on cloud accounts: use it only on
        request. Returns a link immediately; for the outcome of the run, use list_cloudflows. Refused while a run is in
        progress."""
        return await self._trigger(flowId=parse_flow_id(flowID), payload=requestBodyJson or {})

    @post("/cloudflow/v1/flows/actions/build", stream=True)
    def build_cloud_flow(self, **body: Unpack[FlowInstruction]) -> AsyncGenerator[JsonObject, None]:
        """Create a CloudFlow automation by describing what it should do: an assistant builds its steps. Takes a few
        minutes and may ask a question; answer it with the same conversationId. To change a flow, use refine_cloudflow.
        """
        ...

    @post("/cloudflow/v1/flows/{flowId}/actions/refine", stream=True)
    def refine_cloudflow(self, *, flowId: str, **body: Unpack[FlowInstruction]) -> AsyncGenerator[JsonObject, None]:
        """Change a CloudFlow automation by describing what it should do: an assistant edits its steps. Takes a minute
        or more and may ask a question; answer it with the same conversationId. The flow changes while the assistant
        works."""
        ...
