"""CloudFlow: automations that act on cloud accounts."""

import re
from collections.abc import AsyncGenerator
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import AnyMembers, ListPage
from ..errors import ApiError
from ..markers import IDENTIFIER, TEXT_WITH_LINKS
from ..operation import Area, get, offers, post
from ..parameters import DryRun, Id, MaxResults, PageToken, Rfc3339
from .cloudflow_types import FlowBundle, Import, ImportPlan, Run, RunPage, RunSummary, TestedFlow

Instruction = Annotated[str, "What to change, in plain language.", Length(1, 20_000), TEXT_WITH_LINKS]
RowLimit = Annotated[MaxResults, Range(1, 500)]
ConversationId = Annotated[str, "Continues the conversation of an earlier answer. Default: a new one.", IDENTIFIER]

FlowId = Annotated[Id, "Flow id, from list_cloudflows."]
Payload = Annotated[AnyMembers | None, "Payload for the flow's first node, in the form that it expects. Default: {}."]

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
        no_undo="A run cannot be undone. What it has done in cloud accounts stays done.",
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

    @get("/cloudflow/v1/flows/{flowId}/runs", items="items")
    async def list_cloudflow_runs(
        self,
        *,
        flowId: FlowId,
        mode: Annotated[Literal["test", "standard"] | None, "Default: both."] = None,
        maxResults: RowLimit = None,
        pageToken: PageToken = None,
    ) -> Annotated[JsonObject, RunPage]:
        """List the runs of a CloudFlow automation, newest first, with status and error."""
        ...

    @get("/cloudflow/v1/flows/{flowId}/runs/{runId}")
    async def get_cloudflow_run(
        self, *, flowId: FlowId, runId: Annotated[Id, "Run id, from list_cloudflow_runs."]
    ) -> Annotated[JsonObject, Run]:
        """Show a run of a CloudFlow automation, node by node."""
        ...

    @post(
        "/cloudflow/v1/flows/{flowId}/actions/trigger",
        body_argument="payload",
        destructive=True,
        open_world=True,
        confirm=True,
        preview_with=list_cloudflows,
        preview_arguments={"flowId": "id"},
        verify_with=None,
        irreversible=True,
        no_undo="stop_cloudflow_run stops the run. What it has done stays done.",
    )
    async def _start(self, *, flowId: Id, payload: JsonObject) -> JsonObject: ...

    @offers(_start)
    async def start_cloudflow_run(
        self, *, flowId: FlowId, payload: Payload = None
    ) -> Annotated[JsonObject, RunSummary]:
        """Run a published CloudFlow automation that starts manually, on a schedule or by a webhook. It acts on cloud
        accounts: use it only on request. Returns the run's id immediately; get_cloudflow_run shows its progress.
        Refused while a run is in progress."""
        return await self._start(flowId=flowId, payload=payload or {})

    @post(
        "/cloudflow/v1/flows/{flowId}/actions/test-run",
        body_argument="payload",
        destructive=True,
        open_world=True,
        confirm=True,
        preview_with=list_cloudflows,
        preview_arguments={"flowId": "id"},
        verify_with=None,
        irreversible=True,
        no_undo="stop_cloudflow_run stops the run. What it has done stays done.",
        needs_idempotency_key=True,
    )
    async def _test(self, *, flowId: Id, payload: JsonObject, dryRun: bool | None = None) -> JsonObject: ...

    @offers(_test)
    async def test_cloudflow(
        self,
        *,
        flowId: FlowId,
        payload: Payload = None,
        dryRun: Annotated[DryRun, "true only checks whether every node can run."] = None,
    ) -> Annotated[JsonObject, TestedFlow]:
        """Test a CloudFlow automation, including a draft. The run performs REAL actions in cloud accounts and never
        skips approvals: call with dryRun first, then show the user what the flow does. It is not in the flow's history,
        but blocks other runs. get_cloudflow_run shows its progress. After an unclear failure, look for the run in
        list_cloudflow_runs (mode test) before you start another."""
        return await self._test(flowId=flowId, payload=payload or {}, dryRun=dryRun)

    @post(
        "/cloudflow/v1/flows/{flowId}/actions/stop",
        destructive=True,
        open_world=False,
        confirm=True,
        preview_with=list_cloudflows,
        preview_arguments={"flowId": "id"},
        verify_with=None,
        no_undo="A stopped run does not continue. start_cloudflow_run starts another one.",
    )
    async def stop_cloudflow_run(self, *, flowId: FlowId) -> Annotated[JsonObject, RunSummary]:
        """Stop the current run of a CloudFlow automation, including a test run. What it has done so far stays done.
        Refused if no run is active."""
        ...

    @get("/cloudflow/v1/flows/{flowId}/export")
    async def export_cloudflow(
        self,
        *,
        flowId: FlowId,
        includeVariableValues: Annotated[
            bool | None, "false leaves out the values of variables, which can be secret."
        ] = None,
    ) -> Annotated[JsonObject, FlowBundle]:
        """Export a CloudFlow automation and its subflows as a bundle, without credentials: to read its nodes and code,
        or to change and import it as a new flow with import_cloudflow."""
        ...

    @post(
        "/cloudflow/v1/flows/actions/import",
        open_world=False,
        confirm=False,
        verify_with=None,
        undone_by="nothing",
        no_undo="No tool deletes a flow. Imported flows are drafts: they do nothing until they are published.",
        needs_idempotency_key=True,
    )
    async def import_cloudflow(
        self, *, dryRun: DryRun = None, **request: Unpack[Import]
    ) -> Annotated[JsonObject, ImportPlan]:
        """Create CloudFlow automations from a bundle, as drafts with new ids."""
        ...
