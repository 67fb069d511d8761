"""Results of the CloudFlow operations: runs and bundles of flows."""

from typing import Annotated, Required, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..common_types import AnyMembers, ListPage
from ..value_kinds import Label, Moment, Verbatim

RUN_STATUSES = "pending, running, complete, completed-with-errors, pending-approval, failed, sleeping, stopped"
SECTIONS = ("connections", "datastoreTables", "globalVariables")
"""The kinds of objects of a customer that a bundle can require."""


class RunSummary(TypedDict, total=False):
    """A run of a flow."""

    id: str
    flowId: str
    flowName: Annotated[str, Label]
    status: Annotated[str, f"{RUN_STATUSES}."]
    isTest: bool
    triggeredBy: str
    triggerTime: Annotated[str, Moment]
    startTime: Annotated[str, Moment]
    endTime: Annotated[str, Moment]
    error: str | None
    stoppedBy: str | None


class RunPage(ListPage, total=False):
    """A page of runs."""

    items: Annotated[list[JsonObject], "Each with id, status, isTest, triggeredBy, triggerTime, endTime, error."]


class Run(RunSummary, total=False):
    """A run with its nodes."""

    nodes: Annotated[list[JsonObject], "In execution order, each with status, error, input and output.", Verbatim]


class TestedFlow(RunSummary, total=False):
    """A test run that was started, or the result of a dry run."""

    valid: Annotated[bool, "Of a dry run: every node can run."]


class FlowBundle(TypedDict, total=False):
    """A flow and its subflows, for import_cloudflow."""

    kind: str
    schemaVersion: int
    exportedAt: Annotated[str | None, Moment]
    rootFlow: Annotated[str, "Its key in flows."]
    flows: Annotated[list[JsonObject], "Each with key, name, triggerType, firstNode, nodes, localVariables.", Verbatim]
    requirements: Annotated[
        JsonObject, "What the flows need from the customer: connections, datastoreTables, globalVariables.", Verbatim
    ]


class Bindings(TypedDict, total=False):
    """The objects of the customer that meet the requirements of a bundle: ids by requirement key."""

    connections: Annotated[AnyMembers, "Connection ids by key."]
    datastoreTables: AnyMembers
    globalVariables: AnyMembers


class ImportOptions(TypedDict, total=False):
    """How to import."""

    createMissingTables: Annotated[bool, "Create unbound tables, without rows."]
    namePrefix: Annotated[str, "Put before the names of the flows.", Length(maximum=100)]


class Import(TypedDict, total=False):
    """A bundle to import."""

    bundle: Required[
        Annotated[
            AnyMembers,
            "As export_cloudflow returns it: kind, schemaVersion, rootFlow, flows, requirements.",
        ]
    ]
    bindings: Annotated[Bindings, "Ids for the requirements, by their keys."]
    options: ImportOptions


class ImportPlan(TypedDict, total=False):
    """What an import creates, or would create."""

    valid: bool
    requirements: Annotated[
        list[JsonObject], "Each bound, suggested (with candidates), willCreate or unbound.", Verbatim
    ]
    flowsToCreate: Annotated[list[JsonObject], Verbatim]
    errors: Annotated[list[JsonObject], Verbatim]
    flows: Annotated[list[JsonObject], "The new drafts: id, name, incompleteNodes (with the reason).", Verbatim]
    createdTables: Annotated[list[JsonObject], Verbatim]
    createdGlobalVariables: Annotated[list[JsonObject], Verbatim]
    orphanedResources: Annotated[list[JsonObject], "Left by a failed import.", Verbatim]
