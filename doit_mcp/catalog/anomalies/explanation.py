"""explain_anomaly: what happened, what drove the cost, which anomalies are the same spike, and how to review it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from ...api.areas.anomalies import CURRENCY, AnomalyDetails, Notice
from ...api.errors import ApiError, format_seconds
from ...api.parameters import Id
from ...api.value_kinds import CurrencyCode, Label, Members, Moment, UsDollars, Verbatim
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..comparisons.change import CostChange
from ..partial_results import (
    FailedPart,
    FailedParts,
    PartialResults,
    describe_error,
    gather_in_turns,
    gather_partial,
    make_failures_member,
)
from ..tools.composed import composed_tool
from .anomaly_change import fetch_anomaly_change
from .linked_anomalies import list_linked_anomaly_ids
from .owners import OWNER_SECONDS, Ownership, add_labeled_costs, fetch_names
from .tools import OwnedAnomaly, describe_anomaly, is_open

MAX_LINKED = 10
"""Maximum linked anomalies that are read."""
MAX_CONCURRENT_READS = 4
MAX_TEXT_CHARACTERS = 6_000
"""Maximum characters of the AI model's text."""
MAX_EVIDENCE = 20
EXPLANATION, DRIVERS, OWNERS, LINKED = "explanation", "drivers", "owners", "linked anomalies"
NAMES_UNKNOWN = "unknown, because the names of projects and accounts could not be read"
LINKED_NOTE = "These anomalies describe the same spike at other levels or in other scopes: their costs overlap. Do not add them up."
HOW_TO_ACKNOWLEDGE = "To acknowledge it, call update_anomaly_review with reviewStatus UNDER_REVIEW. "
HOW_TO_CLOSE = (
    "To close it, ask the user whether it was an anomaly and why, and call update_anomaly_review with reviewStatus "
    "RESOLVED, resolution and reason. "
)
REVIEW_PERMISSION = "This requires the permission Anomalies Manager."


class WrittenText(TypedDict, total=False):
    """A text by an AI model of DoiT, and what it is based on."""

    aiGenerated: Annotated[bool, "Always true: check it against the facts and drivers."]
    text: str
    generatedBy: str
    evidence: Annotated[list[JsonObject], Verbatim]


class LinkedAnomaly(TypedDict, total=False):
    """An anomaly about the same spike."""

    id: str
    serviceName: Annotated[str, Label]
    entityName: Annotated[str | None, Label]
    monitorLevel: str | None
    severityLevel: str
    open: bool
    costOfAnomaly: Annotated[float, UsDollars]
    startTime: Annotated[str, Moment]


class ReviewState(TypedDict, total=False):
    """Whether someone has looked at an anomaly, and how to do so."""

    acknowledged: bool
    acknowledgedAt: Annotated[str | None, Moment]
    acknowledgedBy: str | None
    next: str


class ExplainedAnomaly(AnomalyDetails, OwnedAnomaly, total=False):
    """One anomaly and its causes."""

    explanation: Annotated[
        JsonObject | None, "AI text, generated for each call: aiGenerated, text, evidence.", Members(WrittenText)
    ]
    drivers: Annotated[
        JsonObject | None,
        "Change of its project's cost on its days against the same weekdays before, as explain_cost_change: before, "
        "after, total, causes, by.",
        Members(CostChange),
    ]
    linked: Annotated[
        list[JsonObject], "Other anomalies about the same spike. Do not add up costs.", Members(LinkedAnomaly)
    ]
    linkedNote: str
    review: Annotated[JsonObject, "acknowledged, acknowledgedBy, next (how to review it).", Members(ReviewState)]
    notifications: Annotated[list[JsonObject], Members(Notice)]
    currency: Annotated[str, CurrencyCode]
    failed: FailedParts


@composed_tool(
    area="anomalies",
    search_hint="Why did this anomaly happen, root cause of a spike, acknowledge",
    slow=True,
    default_list=False,
)
async def explain_anomaly(
    call: Call, *, id: Annotated[Id, "Anomaly id, from get_anomalies."]
) -> Annotated[JsonObject, ExplainedAnomaly]:
    """Explain one cost anomaly: DoiT's explanation (AI text) beside the facts, what drove the cost of its project on
    these days, linked anomalies about the same spike, who owns it, and how to acknowledge or resolve it."""
    anomaly = await call.doit.anomalies.get_anomaly(id=id)
    known = await fetch_names(call, [anomaly])
    linked_ids = list_linked_anomaly_ids(anomaly)
    parts = await gather_partial(
        {
            EXPLANATION: call.doit.anomalies.explain_anomaly(id=id),
            DRIVERS: _fetch_drivers(call, anomaly, known),
            OWNERS: add_labeled_costs(call, [anomaly], known),
            LINKED: fetch_linked(call, linked_ids[:MAX_LINKED]),
        }
    )
    ownership: Ownership = parts.results.get(OWNERS, known)
    linked: PartialResults = parts.results.get(LINKED, PartialResults({}))
    failures = [*_describe_failures(parts), *ownership.failures, *linked.failures]
    return {
        **describe_anomaly(anomaly, ownership),
        "explanation": mark_ai_text(parts.results.get(EXPLANATION)),
        "drivers": parts.results.get(DRIVERS),
        **make_linked_members(linked_ids, linked.results.values()),
        "review": review_state(anomaly),
        "currency": CURRENCY,
        **make_failures_member(failures),
    }


async def _fetch_drivers(call: Call, anomaly: JsonObject, known: Ownership) -> JsonObject:
    """Return the drivers of the change of cost. Raise ApiError if the scope is not known to be a project."""
    if not known.names:
        raise ApiError(NAMES_UNKNOWN, kind="answer")
    project = known.project_of(anomaly)["id"]
    if project not in known.names:
        scope = anomaly.get("entityName") or anomaly.get("scope") or "its scope"
        raise ApiError(f"{scope} is not a project or account in the billing data", kind="answer")
    return await fetch_anomaly_change(call, anomaly, str(project), CURRENCY)


async def fetch_linked(call: Call, identifiers: Sequence[str]) -> PartialResults:
    """Return the anomalies with these ids, by id."""
    read = call.doit.anomalies.get_anomaly
    work = {one: lambda one=one: read(id=one) for one in identifiers}
    return await gather_in_turns(work, MAX_CONCURRENT_READS, OWNER_SECONDS)


def make_linked_members(identifiers: Sequence[str], anomalies: Any) -> JsonObject:
    """Return the members of a result about linked anomalies: those that were read, and a note that costs overlap."""
    if not identifiers:
        return {"linked": []}
    rows = [
        {
            **{name: row.get(name) for name in LinkedAnomaly.__annotations__ if name in row},
            "open": is_open(row),
        }
        for row in anomalies
    ]
    rest = len(identifiers) - MAX_LINKED
    more = f" {rest} more are not shown." if rest > 0 else ""
    return {"linked": rows, "linkedNote": LINKED_NOTE + more}


def mark_ai_text(answer: JsonObject | None) -> JsonObject | None:
    """Return the text in an explanation by the API, marked as written by an AI model; None without one."""
    explanation = answer.get("explanation") if answer else None
    text = explanation.get("text") if isinstance(explanation, dict) else None
    if answer is None or not isinstance(explanation, dict) or not isinstance(text, str):
        return None
    evidence = answer.get("evidence")
    rows = [row for row in evidence if isinstance(row, dict)] if isinstance(evidence, list) else []
    return {
        "aiGenerated": True,
        "text": text[:MAX_TEXT_CHARACTERS],
        "generatedBy": str(explanation.get("generatedBy") or ""),
        "evidence": [{name: str(row.get(name)) for name in ("type", "id")} for row in rows[:MAX_EVIDENCE]],
    }


def review_state(anomaly: JsonObject) -> JsonObject:
    """Return whether someone has reviewed an anomaly, and how to do so."""
    is_acknowledged = anomaly.get("acknowledged") is True
    return {
        "acknowledged": is_acknowledged,
        "acknowledgedAt": anomaly.get("acknowledgedAt"),
        "acknowledgedBy": anomaly.get("acknowledgedBy"),
        "next": f"{'' if is_acknowledged else HOW_TO_ACKNOWLEDGE}{HOW_TO_CLOSE}{REVIEW_PERMISSION}",
    }


def _describe_failures(parts: PartialResults) -> list[FailedPart]:
    """Return the parts that failed, and why; if the API states a wait, also when to try again."""
    failures: list[FailedPart] = []
    for name, error in parts.errors.items():
        wait = f"; try again in {format_seconds(error.retry_after)}" if error.retry_after else ""
        failures.append({"part": name, "why": f"{describe_error(error)}{wait}"})
    return failures
