"""Commitment summary: coverage, utilization, savings rate, expiry, next purchase and contract shortfall by cloud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from typing import Annotated

from ...api.nearest import unknown_value_error
from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import amount_as_json
from ..costs.groups import find_fixed_group
from ..costs.query_config import cost_config
from ..costs.scope import CloudArgument, Scope
from ..costs.statement import cost_basis
from ..partial_results import PartialResults, gather_partial, make_failures_member
from ..periods.period import Period, ReportedPeriod, utc_date
from ..report_runs.queries import fetch_query
from ..tables import sum_by_columns
from ..tools.composed import composed_tool
from ..tools.series import ResultWithSeries, Row, Series, make_columns, make_series_set
from .account_readings import read_aws, read_google
from .aws import AWS
from .contract_periods import ContractPeriod, read_running_periods
from .figures import USD, Figures, cloud_figures, coverage_period, failed_figures, unknown_figures
from .google import GOOGLE
from .summary_types import CommitmentSummary

SUMMARY_DAYS = 30
PERCENTS = ("coveragePercent", "utilizationPercent", "effectiveSavingsRatePercent")
AMOUNTS = ("savings30d", "onDemandUncovered30d")
METRIC = "eligible AWS and Google Cloud spend at on-demand rates; commitments at amortized cost"
NOT_MANAGED = (
    "known for AWS and Google Cloud only: the DoiT API has no coverage, utilization or purchases for this cloud"
)
MANAGED_CLOUDS = MappingProxyType({AWS: "aws", GOOGLE: "gcp"})
"""The clouds whose commitments PerfectScale manages, and the names of the parts that are read for them."""
NO_CONTRACT = "no commitment contract with this cloud is active"
NO_FORECAST = "too little data for a forecast of the contract period"


@composed_tool(
    area="commitments",
    search_hint="Savings Plans, Reserved Instances, committed use discounts (CUDs): coverage, utilization, expiry",
    slow=True,
    default_list=True,
)
async def commitment_summary(
    call: Call, *, cloud: CloudArgument = None
) -> Annotated[ResultWithSeries, CommitmentSummary]:
    """Show by cloud how well commitments work: coverage, utilization, effective savings rate, cost still on demand,
    what expires, what to buy next, and contract shortfalls."""
    doit, today = call.doit, utc_date(call.now)
    usual = Period(today - timedelta(days=SUMMARY_DAYS), today - timedelta(days=1))
    parts = (
        await gather_partial(
            {
                "contracts": read_running_periods(doit, today),
                MANAGED_CLOUDS[AWS]: read_aws(call, today),
                MANAGED_CLOUDS[GOOGLE]: read_google(call, today),
                "clouds": _read_clouds(call, usual),
            }
        )
    ).raise_if_all_failed()
    periods = [coverage_period(parts.results[part]) for part in MANAGED_CLOUDS.values() if part in parts.results]
    covered = next(filter(None, periods), None)
    answer: JsonObject = {
        "period": ReportedPeriod(covered or usual, today).as_json,
        "currency": USD,
        "basis": cost_basis(Scope(), MANAGED_CLOUDS, METRIC),
        "clouds": [_summarize_cloud(name, parts, today) for name in _select_clouds(cloud, parts)],
    }
    series = make_series_set(answer, [_commitment_series(answer["clouds"])])
    return ResultWithSeries(answer | make_failures_member(parts.failures), series)


def _commitment_series(clouds: Iterable[JsonObject]) -> Series:
    """Return the figures of each cloud that are known for it."""
    columns = [
        *make_columns("id", "name"),
        *make_columns(*PERCENTS, unit="percent"),
        *make_columns(*AMOUNTS, unit="money"),
    ]
    rows: list[Row] = [
        [cloud["cloud"], cloud["cloud"], *(cloud.get(name) for name in (*PERCENTS, *AMOUNTS))] for cloud in clouds
    ]
    return {"name": "commitments by cloud", "kind": "bars", "columns": columns, "rows": rows}


def _select_clouds(cloud: str | None, parts: PartialResults) -> list[str]:
    """Return *cloud*, by default all clouds. Raise ApiError for a cloud without costs, contracts and commitments."""
    known = _cloud_names(parts)
    if cloud is None:
        return known
    wanted = normalize_provider(cloud)
    # Without the list of clouds with costs, an unknown cloud looks like a cloud without contracts.
    if wanted not in known and "clouds" in parts.results:
        raise unknown_value_error("cloud", "cloud", cloud, known)
    return [wanted]


def _cloud_names(parts: PartialResults) -> list[str]:
    """Return the clouds that have costs, contracts or commitments, by cost."""
    costs: Mapping[str, float] = parts.results.get("clouds", {})
    periods: Sequence[ContractPeriod] = parts.results.get("contracts", ())
    managed = [cloud for cloud, part in MANAGED_CLOUDS.items() if part in parts.errors or parts.results[part].names]
    others = [*(item.cloud for item in periods), *managed]
    return list(dict.fromkeys([*sorted(costs, key=lambda name: -costs[name]), *sorted(others)]))


def _summarize_cloud(cloud: str, parts: PartialResults, today: date) -> JsonObject:
    if cloud not in MANAGED_CLOUDS:
        figures = unknown_figures(NOT_MANAGED)
    elif (part := MANAGED_CLOUDS[cloud]) in parts.errors:
        figures = failed_figures(parts.errors[part])
    else:
        figures = cloud_figures(parts.results[part], today)
    contract = _contract_figures([item for item in parts.results.get("contracts", ()) if item.cloud == cloud])
    if "contracts" in parts.errors:
        contract = Figures({"shortfall": None}, {"shortfall": "the contracts could not be read"})
    reasons = {**figures.reasons, **contract.reasons}
    unknown = [
        {"members": [name for name, own in reasons.items() if own == why], "why": why}
        for why in dict.fromkeys(reasons.values())
    ]
    summary = {"cloud": cloud, "currency": USD, **figures.members, **contract.members}
    return summary | ({"unknown": unknown} if unknown else {})


def _contract_figures(periods: Iterable[ContractPeriod]) -> Figures:
    """Return the shortfall of a cloud's contract, and those of others if there are several."""
    ranked = sorted(periods, key=lambda item: (item.shortfall is None, -(item.shortfall or 0), item.contract))
    if not ranked:
        return Figures({"shortfall": None}, {"shortfall": NO_CONTRACT})
    known = [_shortfall_as_json(item) for item in ranked if item.shortfall is not None]
    if not known:
        return Figures({"shortfall": None}, {"shortfall": NO_FORECAST})
    return Figures({"shortfall": known[0], **({"otherShortfalls": known[1:]} if known[1:] else {})})


def _shortfall_as_json(period: ContractPeriod) -> JsonObject:
    amounts = {
        "amount": period.shortfall,
        "committed": period.committed,
        "forecast": period.forecast,
        "attained": period.attained,
    }
    return {
        "id": f"commitment:{period.contract}",
        "title": period.title,
        "currency": period.currency,
        **{name: amount_as_json(value, period.currency) for name, value in amounts.items() if value is not None},
        "periodStarts": period.starts.isoformat(),
        "periodEnds": period.ends.isoformat(),
    }


async def _read_clouds(call: Call, period: Period) -> dict[str, float]:
    """Return the cost of each cloud in the data."""
    clouds = find_fixed_group("cloud")
    config = cost_config(Scope(), period, USD, interval="year", groups=[clouds])
    answer = await fetch_query(call, config)
    return {str(key[0]): cost for key, cost in sum_by_columns(answer, [clouds.column]).items() if key[0]}
