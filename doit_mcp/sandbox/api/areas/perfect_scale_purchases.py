"""PerfectScale for Commitments: what an AWS organization has bought, what it should buy, and what is planned."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from statistics import median

from aiohttp import web

from .. import listing
from ..commitment_plans import SWING, Advice, active, advice, committed, dropped, hourly, iso_day, money, state
from ..costs.calendar_days import DAY_SECONDS, months_on, moved, rfc3339, seconds_of, start_of, today_of
from ..costs.coverage import INSTANCE_PRICE, RESERVED_RATE, coverage
from ..costs.money import MICRO
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..seeds.perfect_scale import INSTANCE_TYPE, SERVICES, TERMS, plans, preferences, reservations
from ..tenants import Ask
from .perfect_scale import ONE, organization_of, paged, ready

PLAN_TYPES = ("compute", "ec2_instance", "sagemaker", "database")
PLAN_STATES = tuple(
    "pending_return returning active expired queued queued_returning payment_failed payment_pending".split()
)
INSTANCE_STATES = ("active", "retired", "payment_pending", "payment_failed", "queued", "queued_deleted")
SPANS = {"day": 21, "week": 16, "month": 6}  # of each granularity, whole ones
HOURS = 24
UPFRONT = {"no_upfront": 0.0, "partial_upfront": 0.5, "all_upfront": 1.0}
WINDOW, UNITS = 30, 8  # days of reported reservation usage, normalized units of an xlarge instance
CYCLE, STEPS, BOOTSTRAP = 56, 4, 0.4  # days of a planning cycle, steps of it a week apart, share of the first


async def list_plans(ask: Ask) -> web.Response:
    """GET …/savings-plans, the latest first."""
    organization = organization_of(ask)["id"]
    wanted = _wanted(ask, savingsPlanType=("type", PLAN_TYPES), state=("status", PLAN_STATES))
    found = sorted(ask.tenant.collection("savings plans", plans).values(), key=lambda one: -float(one["start"]))
    rows = [_plan(ask, one) for one in found if one["organization"] == organization]
    return paged(ask, _fitting(rows, wanted), "commitmentId")


async def list_reservations(ask: Ask) -> web.Response:
    """GET …/reserved-instances, the latest first."""
    organization = organization_of(ask)["id"]
    wanted = _wanted(
        ask,
        state=("status", INSTANCE_STATES),
        offeringClass=("offeringClass", ("standard", "convertible")),
        instanceType=("instanceType", ()),
        region=("region", ()),
    )
    family = ask.query.get("instanceFamily", "")
    found = ask.tenant.collection("reserved instances", reservations).values()
    rows = [
        _reservation(ask, one)
        for one in sorted(found, key=lambda one: -float(one["start"]))
        if one["organization"] == organization and (not family or one["type"].partition(".")[0] == family)
    ]
    return paged(ask, _fitting(rows, wanted), "commitmentId")


async def list_recommendations(ask: Ask) -> web.Response:
    """GET …/recommendations, by type of commitment."""
    organization = organization_of(ask)
    found = {service: advice(ask, organization["id"], service) for service in ready(organization)}
    return answer({service: _recommendation(one) for service, one in found.items() if one is not None})


async def get_recommendation(ask: Ask) -> web.Response:
    """GET …/recommendations/{serviceId}, with the eligible spend that it rests on."""
    organization, service = organization_of(ask), ask.part("serviceId")
    if service not in SERVICES:
        raise bad(f"serviceId must be one of {', '.join(SERVICES)}", field="serviceId")
    granularity = listing.chosen(ask.query, "granularity", ("hour", *SPANS), "day")
    found = advice(ask, organization["id"], service) if service in ready(organization) else None
    if found is None:
        raise Refusal(404, f"there is no recommendation: {service} is not onboarded or has no eligible spend")
    usage = _hours if granularity == "hour" else partial(_periods, granularity=granularity)
    points = list(usage(ask, organization["id"], service))
    return answer({"recommendation": _recommendation(found), "eligibleUsage": points})


async def list_purchases(ask: Ask) -> web.Response:
    """GET …/planned-purchases: what leads from what is committed to what is recommended, a step a week."""
    organization = organization_of(ask)
    chosen = listing.chosen(ask.query, "service", SERVICES, "") if ask.query.get("service") else ""
    found = ((one, advice(ask, organization["id"], one)) for one in ready(organization) if chosen in ("", one))
    rows = (_purchase(ask, organization["id"], service, one) for service, one in found if one is not None)
    return paged(ask, [row for row in rows if row is not None], "service")


def _wanted(ask: Ask, **names: tuple[str, tuple[str, ...]]) -> dict[str, str]:
    """What members of rows have to be, by parameters of the query; 400 for a word that is not allowed."""
    found = {}
    for member, (name, allowed) in names.items():
        value = ask.query.get(name, "")
        if value:
            found[member] = listing.chosen(ask.query, name, allowed, "") if allowed else value
    return found


def _fitting(rows: list[JsonObject], wanted: dict[str, str]) -> list[JsonObject]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _plan(ask: Ask, plan: JsonObject) -> JsonObject:
    organization, service, hour = plan["organization"], plan["service"], plan["commitment"]
    upfront = UPFRONT[plan["payment"]]
    last = months_on(start_of("month", ask.today), -1)
    whole = active(ask, organization, service, seconds_of(last), seconds_of(months_on(last, 1)) - 1)
    shown: JsonObject = {
        "commitmentId": plan["id"],
        "savingsPlanArn": f"arn:aws:savingsplans::{organization}:savingsplan/{plan['id']}",
        "savingsPlanType": service,
        "state": state(plan, ask.now),
        "paymentOption": plan["payment"],
        "termDuration": plan["term"],
        "commitment": money(hour),
        "recurringPaymentAmount": money(hour * (1 - upfront)),
        "ec2InstanceFamily": None,
        "region": None,
        "startTime": rfc3339(plan["start"]),
        "endTime": rfc3339(plan["end"]),
        "lastMonthUtilization": None,
    }
    if upfront:
        shown["upfrontPaymentAmount"] = money(hour * HOURS * TERMS[plan["term"]] * upfront)
    if plan in whole:
        spent = ask.tenant.reckoned(coverage)
        members = [one.id for one in spent.members(organization)]
        month = spent.total(service, members, last, months_on(last, 1) - 1)
        hours = (months_on(last, 1) - last) * HOURS
        shown["lastMonthUtilization"] = round(min(1.0, month.plan_cost / MICRO / hours / committed(whole)), 4)
        shown["lastMonthSavings"] = money(month.by_plans / MICRO * hour / committed(whole))
    return shown


def _reservation(ask: Ask, one: JsonObject) -> JsonObject:
    price = INSTANCE_PRICE / MICRO
    fee = price * (100 - RESERVED_RATE) / 100
    now = state(one, ask.now, "retired")
    runs = now == "active" and one["type"] == INSTANCE_TYPE
    bought = one["count"] * HOURS * WINDOW if runs else 0
    used = min(bought, _used(ask, one, ask.today - WINDOW, ask.today - 1)) if runs else 0
    this = start_of("month", ask.today)
    so_far = one["count"] * HOURS * (ask.today - this + 1)
    month = min(so_far, _used(ask, one, this, ask.today)) if runs else 0
    days = TERMS[one["term"]]
    return {
        "commitmentId": one["id"],
        "accountId": one["account"],
        "state": now,
        "instanceType": one["type"],
        "reservedInstanceArn": f"arn:aws:ec2:{one['region']}:{one['account']}:reserved-instances/{one['id']}",
        "instanceCount": one["count"],
        "instanceTenancy": "default",
        "availabilityZone": None,
        "region": one["region"],
        "platform": "Linux/UNIX",
        "description": "Linux/UNIX",
        "scope": "Region",
        "offeringClass": one["offering"],
        "offeringType": "No Upfront",
        "termDuration": one["term"],
        "durationSeconds": days * DAY_SECONDS,
        "startTime": rfc3339(one["start"]),
        "endTime": rfc3339(one["end"]),
        "currencyCode": "USD",
        "fixedPrice": money(0),
        "usagePrice": money(0),
        "upfrontFee": money(0),
        "hourlyRecurringFee": money(fee),
        "totalAssetValue": money(fee * HOURS * days * one["count"]),
        "averageOnDemandHourlyRate": money(price),
        "amortizedRecurringFee": money(fee * bought),
        "amortizedUpfrontFee": money(0),
        "totalAmortizedFee": money(fee * bought),
        "netRiSavings": money(price * used - fee * bought),
        "realizedSavings": money((price - fee) * used),
        "unrealizedSavings": money((price - fee) * (bought - used)),
        "totalPotentialRiSavings": money((price - fee) * bought),
        "onDemandCostOfRiHoursUsed": money(price * used),
        "riCostForUnusedHours": money(fee * (bought - used)),
        "purchasedHours": bought,
        "purchasedUnits": bought * UNITS,
        "totalActualHours": used,
        "totalNormalizedUnits": used * UNITS,
        "unusedHours": bought - used,
        "unusedNormalizedUnits": (bought - used) * UNITS,
        "utilizationPercentage": round(used / bought, 4) if bought else None,
        "utilizationPercentageInUnits": round(used / bought, 4) if bought else None,
        "mtdSavings": money((price - fee) * month),
        "mtdUtilization": round(month / so_far, 4) if month else None,
        "updatedAt": rfc3339(ask.now - ask.now % 3600),
        "recurringCharges": [{"amount": round(fee, 4), "frequency": "Hourly"}],
    }


def _used(ask: Ask, reservation: JsonObject, first: int, last: int) -> int:
    """Instance hours that reservations of an account covered."""
    spend = ask.tenant.reckoned(coverage).total("compute", [reservation["account"]], first, last)
    return spend.reserved // INSTANCE_PRICE


def _recommendation(found: Advice) -> JsonObject:
    return {
        "policy": found.policy,
        "currentCommitment": found.current,
        "recommendedCommitment": found.recommended,
        "potentialAdditionalSavings": found.saves,
        "estimatedAverageCoverage": found.average,
        "estimatedEquivalentRecommendedCommitment": found.equivalent,
    }


def _hours(ask: Ask, organization: str, service: str) -> Iterator[JsonObject]:
    """The last whole hours."""
    rates = hourly(ask, organization, service, ask.today - 1, ask.today)
    last = int(ask.now // 3600)
    for at in range(last - HOURS, last):
        if (rate := rates.get(today_of(at * 3600))) is not None:
            yield {"usageTime": rfc3339(at * 3600), "totalUsage": round(rate * SWING[at % HOURS], 4)}


def _periods(ask: Ask, organization: str, service: str, granularity: str) -> Iterator[JsonObject]:
    """The last whole days, weeks or months."""
    unit = "isoweek" if granularity == "week" else granularity
    end = start_of(unit, ask.today)
    rates = hourly(ask, organization, service, moved(unit, end, -SPANS[granularity]), end - 1)
    for start, days in groupby(rates, lambda day: start_of(unit, day)):
        usage = [rates[day] * swing for day in days for swing in SWING]
        yield {
            "usageTime": rfc3339(seconds_of(start)),
            "minUsage": round(min(usage), 4),
            "maxUsage": round(max(usage), 4),
            "medianUsage": round(median(usage), 4),
        }


def _purchase(ask: Ask, organization: str, service: str, found: Advice) -> JsonObject | None:
    """What is planned for a type of commitment; None if that would be too little to buy."""
    preference = ask.tenant.collection("commitment preferences", preferences)[service]
    wanted = preference["settings"]
    if found.gap < wanted["minimumCommitment"]:
        return None
    born = today_of(ask.tenant.born)
    start = born + (ask.today - born) // CYCLE * CYCLE
    steps = list(_steps(found, start, wanted["lastDayOfMonthForPurchase"], preference["ceiling"]))
    approved = preference["approval"] == "approved"
    return {
        "managementAccountId": organization,
        "service": service,
        "status": "valid",
        "purchaseApprovalStatus": preference["approval"],
        "pauseNote": None,
        "requiresApproval": not approved or found.recommended > preference["ceiling"],
        "wowViolation": dropped(ask, organization, service),
        "profile": found.policy,
        "term": wanted["term"],
        "paymentOption": wanted["paymentOption"],
        "finalCommitment": money(found.recommended),
        "weeksToTarget": sum(one["scheduledDate"] >= iso_day(ask.today) for one in steps),
        "planningCycleStartDate": iso_day(start),
        "planningCycleEndDate": iso_day(start + CYCLE - 1),
        "estimatedSavings": money(found.saves),
        "steps": steps,
    }


def _steps(found: Advice, start: int, latest: int, ceiling: float) -> Iterator[JsonObject]:
    """A large step and equal ones after it; none after day *latest* of a month."""
    sizes = [BOOTSTRAP, *((1 - BOOTSTRAP) / (STEPS - 1) for _ in range(STEPS - 1))]
    # Differences of rounded sums: so the steps come to exactly what they lead to.
    parts = [sum(sizes[:at]) for at in range(STEPS)] + [1.0]
    reached = [round(found.current + found.gap * part, 2) for part in parts]
    saved = [round(found.saves * part, 2) for part in parts]
    for at in range(STEPS):
        day = start + 7 * (at + 1)
        month = start_of("month", day)
        yield {
            "order": at + 1,
            "scheduledDate": iso_day(day if day - month < latest else months_on(month, 1)),
            "purchaseAmount": money(reached[at + 1] - reached[at]),
            "cumulativeCommitment": money(reached[at + 1]),
            "estimatedSavings": money(saved[at + 1] - saved[at]),
            "isBootstrap": at == 0,
            "isFinal": at == STEPS - 1,
            "requiresApproval": reached[at + 1] > ceiling,
        }


ROUTES = (
    Route("GET", ONE + "/savings-plans", list_plans, "costs.read"),
    Route("GET", ONE + "/reserved-instances", list_reservations, "costs.read"),
    Route("GET", ONE + "/recommendations", list_recommendations, "costs.read"),
    Route("GET", ONE + "/recommendations/{serviceId}", get_recommendation, "costs.read"),
    Route("GET", ONE + "/planned-purchases", list_purchases, "costs.read"),
)
