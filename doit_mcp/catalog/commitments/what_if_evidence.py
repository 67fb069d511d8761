"""What a modeled purchase is based on: usage, active commitments and known discounts of one AWS organization or Google
Cloud billing account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, cast

from ...api.errors import ApiError
from ...api.nearest import list_names, unknown_value_error
from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import FailedPart, PartialResults, gather_partial
from ..tools.tool import ToolError
from .account_names import ROWS_PER_REQUEST
from .aws import list_organizations, parse_savings_plan
from .discounts import DiscountEvidence, Terms, read_advised_terms
from .eligible_usage import MIN_DAYS, MIN_WEEKS, UsageReading, read_billed_usage, read_reported_weeks
from .google import list_billing_accounts, parse_spend_cud
from .planned_purchases import PlannedStep
from .what_if_owned import (
    CUDS,
    INSTANCES,
    LATER_CUDS,
    LATER_PLANS,
    PLANNED,
    PLANS,
    RESOURCES,
    OwnedCommitments,
    OwnedRows,
    parse_owned,
    read_aws_parts,
    read_google_parts,
)

GOOGLE_TERMS = MappingProxyType({"P1Y": "one_year", "P3Y": "three_year"})
DISCOUNT_PARTS = ("billed usage", "recommendation", "purchase settings")
"""Parts that can show a discount."""
CLOUD_SQL: Literal["cloud_sql"] = "cloud_sql"
AwsService = Literal["compute", "database"]


class CommitmentScope(NamedTuple):
    """The usage to commit for: a *service* of an *account*, in a *region* if the cloud's commitments have one."""

    cloud: str
    service: str
    account: str
    name: str
    region: str | None = None


class Evidence(NamedTuple):
    """What is known about a scope: *usage*, commitments (*owned*), discounts, and what could not be read.

    *reported* is the usage that DoiT reports, if *usage* is from the bill; None if it is unknown.
    """

    scope: CommitmentScope
    usage: UsageReading
    owned: OwnedCommitments
    discounts: DiscountEvidence
    failures: Sequence[FailedPart]
    reported: UsageReading | None = None


async def read_aws_evidence(call: Call, service: str, account: str | None, today: date) -> Evidence:
    """Return the evidence of an AWS organization. Raise ApiError or ToolError."""
    names = await list_organizations(call)
    organization = pick_account(names, account, "AWS organization")
    api = call.doit.aws_commitments
    parts = await gather_partial(
        {
            "billed usage": read_billed_usage(call, organization, service, today),
            **read_aws_parts(call, organization, service),
            "recommendation": _read_optional_answer(
                api.get_aws_recommendation(
                    managementAccountId=organization, serviceId=cast(AwsService, service), granularity="week"
                )
            ),
            "purchase settings": _read_settings(
                iterate_rows(api.list_aws_organizations_settings, maxResults=ROWS_PER_REQUEST),
                {"managementAccountId": organization},
                {"service": service},
            ),
        }
    )
    parts.require(PLANS)
    rows: list[JsonObject] = parts.results[PLANS]
    answer: JsonObject = parts.results.get("recommendation") or {}
    scope = CommitmentScope("amazon-web-services", service, organization, names[organization])
    reported = read_reported_weeks(answer.get("eligibleUsage"), today)
    usage = _choose_sufficient_reading([parts.results.get("billed usage"), reported], scope)
    discounts = _collect_discounts(parts, usage, [_plan_terms(row) for row in rows])
    owned = _read_owned_plans(parts, scope)
    return Evidence(scope, usage, owned, discounts, parts.failures, None if reported is usage else reported)


def _read_owned_plans(parts: PartialResults, scope: CommitmentScope) -> OwnedCommitments:
    return parse_owned(
        OwnedRows(
            parse_savings_plan,
            _plan_terms,
            # Plans for EC2 instances cover one family in one region.
            lambda row: row.get("savingsPlanType") == scope.service,
            parts.results[PLANS],
            parts.results.get(LATER_PLANS, []),
            parts.results.get(INSTANCES, []),
            _select_planned_steps(scope, parts.results.get(PLANNED, [])),
        )
    )


async def read_google_evidence(
    call: Call, service: str, account: str | None, region: str | None, today: date
) -> Evidence:
    """Return the evidence of a Google Cloud billing account. Raise ApiError or ToolError."""
    names = await list_billing_accounts(call)
    billing_account = pick_account(names, account, "Google Cloud billing account")
    place = await _pick_region(call, billing_account, region) if service == CLOUD_SQL else None
    api = call.doit.gcp_commitments
    where: dict[str, Any] = {"billingAccountId": billing_account, "gcp_service": service, "region": place}
    parts = await gather_partial(
        {
            **read_google_parts(call, billing_account, where, service),
            "recommendation": _read_optional_answer(api.get_gcp_recommendation(granularity="week", **where)),
            "purchase settings": _read_settings(
                iterate_rows(api.list_gcp_billing_accounts_settings, maxResults=ROWS_PER_REQUEST),
                {"billingAccountId": billing_account},
                {"service": service, "region": place or "global"},
            ),
        }
    )
    parts.require(CUDS, "recommendation")
    rows: list[JsonObject] = parts.results[CUDS]
    answer: JsonObject = parts.results.get("recommendation") or {}
    scope = CommitmentScope("google-cloud", service, billing_account, names[billing_account], place)
    usage = _choose_sufficient_reading([read_reported_weeks(answer.get("eligibleUsage"), today)], scope)
    discounts = _collect_discounts(parts, usage, [_cud_terms(row) for row in rows])
    later, other = parts.results.get(LATER_CUDS, []), parts.results.get(RESOURCES, [])
    planned = _select_planned_steps(scope, parts.results.get(PLANNED, []))
    owned = parse_owned(OwnedRows(parse_spend_cud, _cud_terms, lambda row: True, rows, later, other, planned))
    return Evidence(scope, usage, owned, discounts, parts.failures)


def _plan_terms(row: JsonObject) -> Terms:
    return str(row.get("termDuration")), str(row.get("paymentOption"))


def _cud_terms(row: JsonObject) -> Terms:
    return GOOGLE_TERMS.get(str(row.get("term")), ""), None


def _select_planned_steps(scope: CommitmentScope, steps: Sequence[PlannedStep]) -> list[PlannedStep]:
    """Return the planned purchases for the usage of a scope, the earliest first."""
    wanted = [step for step in steps if step.service == scope.service and scope.region in (None, step.region)]
    return sorted(wanted, key=lambda step: step.scheduled_on)


def pick_account(names: Mapping[str, str], wanted: str | None, kind: str) -> str:
    """Return the account that is *wanted*, or the only one. Raise ApiError or ToolError."""
    if not names:
        raise ToolError(
            f"No {kind} of this customer is onboarded to PerfectScale for Commitments, so there is no usage."
        )
    if wanted is not None:
        if wanted not in names:
            raise unknown_value_error("account", kind, wanted, list(names))
        return wanted
    if len(names) > 1:
        raise ApiError(f"account: required, because there are several: {list_names(list(names)[:10])}", kind="argument")
    return next(iter(names))


async def _pick_region(call: Call, account: str, wanted: str | None) -> str:
    """Return the region of Cloud SQL commitments that is *wanted*, or the only one. Raise ApiError or ToolError."""
    method = call.doit.gcp_commitments.list_gcp_recommendations
    answer = await method(billingAccountId=account, gcp_service=CLOUD_SQL)
    items = answer.get("items")
    regions = [str(row.get("region")) for row in (items if isinstance(items, list) else ()) if isinstance(row, dict)]
    if not regions:
        raise ToolError("This billing account has no Cloud SQL usage that commitments can cover.")
    if wanted is None and len(regions) > 1:
        raise ApiError(f"region: required for cloud_sql, one of {list_names(regions)}", kind="argument")
    if wanted is not None and wanted not in regions:
        raise unknown_value_error("region", "region", wanted, regions)
    return wanted or regions[0]


def _choose_sufficient_reading(readings: Sequence[UsageReading | None], scope: CommitmentScope) -> UsageReading:
    """Return the first reading with enough usage. Raise ToolError without one."""
    for reading in readings:
        if reading is not None and reading.is_enough:
            return reading
    raise ToolError(
        f"Too little usage: {scope.service} in {scope.account} has less than {MIN_DAYS} days and less than {MIN_WEEKS} "
        "whole weeks of usage that a commitment can cover, which is too little to estimate from."
    )


async def _read_settings(
    rows: AsyncIterator[JsonObject], owner: Mapping[str, str], service: Mapping[str, str]
) -> JsonObject | None:
    """Return the settings of a service; None without any. *owner* and *service* are the members to look for."""
    async for row in rows:
        services = row.get("services") if owner.items() <= row.items() else None
        for item in services if isinstance(services, list) else ():
            if isinstance(item, dict) and service.items() <= item.items() and isinstance(item.get("settings"), dict):
                return dict(item["settings"])
    return None


async def _read_optional_answer(answer: Any) -> JsonObject | None:
    """Return an answer of the API; None if it has no data of this service."""
    try:
        found: JsonObject = await answer
    except ApiError as error:
        if error.kind != "missing":
            raise
        return None
    return found


def _collect_discounts(parts: PartialResults, usage: UsageReading, owned_terms: Sequence[Terms]) -> DiscountEvidence:
    """Return what *usage* and *parts* show about discounts."""
    advice = (parts.results.get("recommendation") or {}).get("recommendation")
    settings: JsonObject | None = parts.results.get("purchase settings")
    return DiscountEvidence(
        usage.discount,
        owned_terms,
        advice if isinstance(advice, dict) else None,
        None if settings is None else read_advised_terms(settings),
        [part for part in parts.failures if part["part"] in DISCOUNT_PARTS],
    )
