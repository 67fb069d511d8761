"""Savings summary: what could be saved, what is paid for and unused, and what is at stake, each on its own basis."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Annotated

from ...api import Doit
from ...api.pagination import iterate_rows, parse_page
from ...protocol.json_schema import Range
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..commitments.aws import (
    PER_MONTH,
    ROWS_PER_REQUEST,
    OwnedCommitment,
    RecommendedPurchase,
    list_organizations,
    read_recommended_purchases,
    read_reserved_instances,
    read_savings_plans,
)
from ..commitments.contract_periods import ContractPeriod, running_periods
from ..partial_results import FailedPart, PartialResults, failed_members, gather_partial
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from .overlaps import find_overlaps
from .recommendations import next_page_token
from .result_types import SavingsSummary
from .rows import anomaly_row, purchase_row, rank_rows, recommendation_row, shortfall_row, waste_row

AWS_PART = "AWS commitments"
BASES = MappingProxyType(
    {
        "save": f"saved {PER_MONTH}",
        "waste": f"unused {PER_MONTH}",
        "at_stake": "once: shortfalls until periodEnds, anomalies so far",
    }
)
MAX_RECOMMENDATION_PAGES = 4
ANOMALIES_PER_REQUEST = 200
NO_ORGANIZATION = (
    "unused commitments and purchases on AWS: no AWS organization is onboarded to PerfectScale for Commitments"
)


@dataclass(frozen=True, slots=True)
class AwsFindings:
    """The commitments of all AWS organizations, and the purchases recommended to them."""

    organization_names: Mapping[str, str]
    owned: Sequence[OwnedCommitment]
    purchases: Sequence[RecommendedPurchase]
    failures: Sequence[FailedPart]

    def organization_name(self, identifier: str) -> str:
        """Return the name of an organization, with its id."""
        name = self.organization_names.get(identifier)
        return f"{name} ({identifier})" if name else identifier


@composed_tool(
    area="insights",
    search_hint="How can we save money: savings, unused commitments, ranked",
    slow=True,
    default_list=True,
)
async def get_savings_summary(
    call: Call, *, top: Annotated[int, "How many rows of each list.", Range(1, 50)] = 7
) -> Annotated[JsonObject, SavingsSummary]:
    """Show where money can be saved, in lists that do not add up: save (recommendations, commitments to buy), waste
    (unused commitments) and at_stake (contracts that fall short, open anomalies). For coverage and utilization, use
    commitment_summary."""
    doit, today = call.doit, utc_date(call.now)
    work: dict[str, Awaitable[object]] = {
        "recommendation": _read_recommendations(doit),
        "commitment": _read_periods(doit, today),
        "anomaly": _read_open_anomalies(doit),
        AWS_PART: _read_aws(call),
    }
    parts = (await gather_partial(work)).raise_if_all_failed()
    aws: AwsFindings = parts.results.get(AWS_PART) or AwsFindings({}, (), (), ())
    unknown, failures = _unknown(parts, aws), [*parts.failures, *aws.failures]
    answer = {"asOf": today.isoformat(), **_lists(parts, aws, top)}
    return answer | ({"unknown": unknown} if unknown else {}) | failed_members(failures)


def _lists(parts: PartialResults, aws: AwsFindings, top: int) -> JsonObject:
    """Return the ranked lists of the answer, with what their amounts are, their counts and overlaps."""
    recommendations: list[JsonObject] = parts.results.get("recommendation", [])
    purchases = [purchase_row(item, aws.organization_name(item.organization)) for item in aws.purchases]
    lists = {
        "save": rank_rows([*map(recommendation_row, recommendations), *purchases]),
        "waste": rank_rows(filter(None, map(waste_row, aws.owned))),
        "at_stake": rank_rows(
            [
                *filter(None, map(shortfall_row, parts.results.get("commitment", ()))),
                *map(anomaly_row, parts.results.get("anomaly", ())),
            ]
        ),
    }
    return {
        **{name: [row.as_json for row in found[:top]] for name, found in lists.items()},
        "basis": dict(BASES),
        "counts": {name: len(found) for name, found in lists.items()},
        "overlaps": find_overlaps(recommendations, aws.purchases),
    }


def _unknown(parts: PartialResults, aws: AwsFindings) -> list[str]:
    """Return what may cost or save money but has no amount, as sentences: it is not zero."""
    periods: Sequence[ContractPeriod] = parts.results.get("commitment", ())
    unforecast = [
        f"shortfall of {item.title}: too little data for a forecast" for item in periods if item.forecast is None
    ]
    unmeasured = sum(item.utilization is None for item in aws.owned)
    noun = "commitment" if unmeasured == 1 else "commitments"
    unused = [f"unused part of {unmeasured} {noun}: AWS has not reported the utilization"] if unmeasured else []
    missing = [NO_ORGANIZATION] if AWS_PART in parts.results and not aws.organization_names else []
    return [*unforecast, *unused, *missing]


async def _read_recommendations(doit: Doit) -> list[JsonObject]:
    method = doit.insights.list_optimization_recommendations
    rows: list[JsonObject] = []
    token: str | None = None
    for _ in range(MAX_RECOMMENDATION_PAGES):
        answer = await method(displayStatus=["actionable"], maxResults=ROWS_PER_REQUEST, pageToken=token)
        rows += parse_page(answer, "results").rows
        token = next_page_token(answer)
        if token is None:
            break
    return rows


async def _read_periods(doit: Doit, today: date) -> list[ContractPeriod]:
    rows = iterate_rows(doit.commitments.list_commitments, maxResults=ROWS_PER_REQUEST)
    return list(running_periods([row async for row in rows], today))


async def _read_open_anomalies(doit: Doit) -> list[JsonObject]:
    # The newest first, because an anomaly that is open began lately.
    answer = await doit.anomalies.get_anomalies(maxResults=ANOMALIES_PER_REQUEST, sortBy="startTime", sortOrder="desc")
    return [row for row in parse_page(answer, "anomalies").rows if row.get("status") != "inactive"]


async def _read_aws(call: Call) -> AwsFindings:
    doit, organizations = call.doit, await list_organizations(call)
    work: dict[str, Awaitable[object]] = {}
    for identifier in organizations:
        work[f"waste: Savings Plans of {identifier}"] = read_savings_plans(doit, identifier)
        work[f"waste: Reserved Instances of {identifier}"] = read_reserved_instances(doit, identifier)
        work[f"save: purchases for {identifier}"] = read_recommended_purchases(doit, identifier)
    parts = await gather_partial(work)
    found = [item for rows in parts.results.values() for item in rows]
    return AwsFindings(
        organizations,
        [item for item in found if isinstance(item, OwnedCommitment)],
        [item for item in found if isinstance(item, RecommendedPurchase)],
        parts.failures,
    )
