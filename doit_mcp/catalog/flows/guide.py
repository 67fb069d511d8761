"""The tool that returns the guide to writing CloudFlow automations, which is also a skill."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..skills.collection import CLOUDFLOW_GUIDE
from ..tools.composed import composed_tool


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
    return {"guide": CLOUDFLOW_GUIDE.text}
