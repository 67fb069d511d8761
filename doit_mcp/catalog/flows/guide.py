"""The guide to writing CloudFlow automations, and the tool that returns it to models whose client reads no resources."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..tools.composed import composed_tool

FLOW_GUIDE = """\
# How to write CloudFlow automations

A flow is a chain of nodes: a trigger, then actions in cloud accounts, code, filters and more. Builds and imports make
drafts. Publishing a draft, which turns on its schedule, is possible in the DoiT console only.

## Steps

1. Look at what exists: list_cloudflows, list_cloudflow_connections, list_cloudflow_templates.
2. Start from the most similar flow: export_cloudflow returns its bundle. Without one, build_cloud_flow makes a draft from
   a description. A description with trigger, names and the mapping of fields avoids questions.
3. Export the draft and read what was saved. refine_cloudflow may answer without saving: compare the exports before and
   after.
4. import_cloudflow with dryRun checks a bundle, lists what it needs from this customer, and warns of probable mistakes.
   Without dryRun it makes new drafts. No operation changes a flow in place, except refine_cloudflow.
5. test_cloudflow with dryRun checks that every node can run.
6. With the user's approval, test_cloudflow runs the draft. It performs real actions, and waits at approvals.
7. get_cloudflow_run shows the result of each node. A flow works once these results are right, not before: code that
   returns nothing passes every check above.

build_cloud_flow and refine_cloudflow take up to a few minutes. If a build is interrupted, do not build again: a draft
already exists. Look for it in list_cloudflows, and continue with refine_cloudflow.

## Bundles

- Copy the shapes of parameters from an export. Never invent them.
- An action: `{"provider": ..., "operation": {"id", "provider", "service", "version"}, "configurationValues": {...},
  "formValues": {...}}`.
- A value of an earlier node: `{"referencedNodeId": "<node key>", "referencedField": ["results", ...], "type": "output"}`.
- Objects of the customer: `$req:connections/<key>`, `$req:datastoreTables/<key>`, `$req:globalVariables/<key>`, each
  listed in requirements. Bind the keys to ids in bindings. A subflow: `$bundle:flows/<key>`.
- Node types: manualTrigger, triggerNode, actionNode, filterNode, transformation, codeNode, httpNode, datastoreNode.
- A bundle has no credentials, ids of the customer, active schedules or state. Slack channels and policies are listed as
  unsupportedReferences; nodes that need them, or an unbound connection, stay incomplete.
- At most 20 flows, 150 nodes and 50 variables.

## Code (codeNode)

- JavaScript is the default: `$nodes["<node name>"][0].results[0]` and `$variables`. In Python:
  `nodes["<node name>"][0]["results"][0]` and `variables`. Both variables have globalVariables and localVariables.
- Nodes are found by their name, not by their key, and every value is a list.
- End with a return at the top level, outside functions: `return {total: rows.length};`. The result of the node is
  then `{message: {total: ...}}`. Without it the result is `{}` in JavaScript and `{message: null}` in Python, without an
  error. A function that nothing calls does not run.
- There is no variable input.
- schema is required: the JSON Schema of the result, as text.

## Safety

- Check the given ids before anything else, put reversible steps first, and set approval.required on steps that change or
  delete something.
- Never put secrets into code, parameters or payloads: use connections and variables of the console.

## Runs

- One run at a time: a second one is refused and names the active run. stop_cloudflow_run stops it.
- input is shown for action nodes only, so null elsewhere is expected. Each payload has at most 64 KB; truncated and
  totalBytes say what is missing. Of parallel branches, only the last is shown.
- After an unclear failure of test_cloudflow, look into list_cloudflow_runs (mode test) before starting another run.
"""


class FlowGuide(TypedDict):
    """The guide."""

    guide: Annotated[str, "Markdown."]


@composed_tool(
    area="cloudflow",
    search_hint="How to write a CloudFlow: bundle, nodes, code, references, testing, automation authoring",
    slow=False,
    default_list=False,
)
async def get_cloudflow_guide(call: Call) -> Annotated[JsonObject, FlowGuide]:
    """Show how to write CloudFlow automations: the steps from draft to test, the form of bundles, and the rules for
    code, which fails silently if they are broken. Read it before import_cloudflow."""
    return {"guide": FLOW_GUIDE}
