"""The weekly digest: each figure is that of the billing lines, in the customer's currency, and what is unread is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

import orjson
import pytest

from doit_mcp.catalog.digests.weekly import MAX_TOKENS
from doit_mcp.sandbox.accounts import ACME, GLOBEX, UMBRA, Customer
from doit_mcp.sandbox.api.costs.money import RATES, to_payable_amount
from scripts.finops.books import Books, right_sizing
from scripts.token_counts import make_tokenizer

from .figures import CENT, Figure, check_figures, under
from .world import MICROS, World, open_world, ordinal

COUNT = make_tokenizer()
SCOPES = {
    "All clouds": "1",
    "Amazon Web Services": "cloud_provider = 'amazon-web-services'",
    "Google Cloud": "cloud_provider = 'google-cloud'",
    "Microsoft Azure": "cloud_provider = 'microsoft-azure'",
    "Production": "label_env = 'production'",
}
COLUMNS = {"service": "service_description", "project": "project_id"}
MONDAY = "2026-11-30"
"""The weekend before is not final. On the other days, the week is a calendar week, or has a 29 February and monthly fees."""

Micros = dict[Any, int]


class Lines:
    """A copy of the billing lines of one customer, in SQL."""

    def __init__(self, world: World, customer: Customer) -> None:
        self.customer = customer
        self._copy = sqlite3.connect(":memory:")
        world.api.tenant(customer).ledger.copy_to(self._copy)
        self.unit = Decimal(1) if customer.currency == "JPY" else Decimal("0.01")

    def micros(self, column: str, first: str, last: str, where: str = "1", credits: str = "<> 'credit'") -> Micros:
        query = (
            f"SELECT {column}, SUM(cost) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ?"
            f" AND cost_type {credits} AND {where} GROUP BY 1"
        )
        return dict(self.rows(query, ordinal(first), ordinal(last)))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._copy.execute(query, values).fetchall()

    def close(self) -> None:
        self._copy.close()

    def cost(self, first: str, last: str, where: str = "1") -> float:
        return self.amount(sum(self.micros("''", first, last, where).values()))

    def amount(self, micros: int) -> float:
        """Return micro-dollars in the customer's currency, rounded to its minor unit."""
        exact = Decimal(micros) * RATES[self.customer.currency] / MICROS / MICROS
        return float(exact.quantize(self.unit, ROUND_HALF_UP))


async def ask(world: World, customer: Customer) -> Any:
    answer = await world.call("weekly_digest", {}, customer)
    assert not answer.get("isError"), answer
    return answer["structuredContent"]


@pytest.mark.parametrize(
    ("today", "customer"),
    [(MONDAY, ACME), (MONDAY, GLOBEX), (MONDAY, UMBRA), ("2026-12-02", ACME), ("2028-03-04", UMBRA)],
    ids=lambda value: value if isinstance(value, str) else value.currency,
)
async def test_each_figure_is_that_of_the_billing_lines(today: str, customer: Customer) -> None:
    async with open_world(today) as world:
        digest = await ask(world, customer)
        assert COUNT(orjson.dumps(digest).decode()) <= MAX_TOKENS
        assert digest == await ask(world, customer) and "failed" not in digest
        assert digest["currency"] == customer.currency and digest["basis"]["credits"] == "excluded"
        with closing(Lines(world, customer)) as lines:
            check_spend(digest, lines, date.fromisoformat(today))
            check_drivers(digest, lines)
            check_anomalies(digest, lines, today)
            check_budgets(digest, lines)
            check_invoices(digest, lines, date.fromisoformat(today))
            expected = spend_figures(digest, lines) | list_figures(digest, lines)
            expected |= await savings_figures(digest, world, lines) | await record_figures(digest, world, customer)
        check_figures(digest, expected)
        await check_lists(digest, world, customer)


def spend_figures(digest: Any, lines: Lines) -> dict[str, Figure]:
    """Return the figures of spend, causes and drivers."""
    sides = [(each["from"], each["to"]) for each in (digest["comparedWith"], digest["period"])]
    before, after = (lines.cost(*side) for side in sides)
    error = float(lines.unit) / 2 + 1e-6
    figures: dict[str, Figure] = {"period.days": 7, "comparedWith.days": 7}
    figures |= under("spend", {"week": after, "weekBefore": before, "change": after - before})
    figures["spend.changePercent"] = (100 * (after - before) / before, 0.05001)
    # What rounding leaves is part of the largest cause.
    figures |= under(
        "causes", {name: (amount, 6 * error) for name, amount in causes(lines, sides).items() if abs(amount) > error}
    )
    for at, drivers in enumerate(digest["drivers"]):
        week_before, week = (lines.micros(COLUMNS[drivers["by"]], *side) for side in sides)
        rest = after - before
        for place, row in enumerate(drivers["rows"]):
            key = row.get("id", row["name"])
            old, new = lines.amount(week_before.get(key, 0)), lines.amount(week.get(key, 0))
            changed = {"week": new, "weekBefore": old, "change": new - old}
            figures |= under(f"drivers[{at}].rows[{place}]", changed)
            rest -= new - old
        figures[f"drivers[{at}].otherChange"] = rest
    return figures


USAGE_TYPES = ("Usage", "regular")
COVERED_TYPES = ("SavingsPlanCoveredUsage", "DiscountedUsage")
COMMITMENT_TYPES = (*COVERED_TYPES, "SavingsPlanNegation", "SavingsPlanRecurringFee", "RIFee")
FEE_TYPES = ("Fee", "Tax", "tax", "Refund")


class Sku:
    """What one SKU cost in a week, in the customer's currency, and how much of it was used."""

    def __init__(self, rows: list[tuple[str, int, int]], rate: Decimal, fee_types: tuple[str, ...]) -> None:
        def total(at: int, *kinds: str) -> Decimal:
            return Decimal(sum(row[at] for row in rows if row[0] in kinds)) / MICROS

        assert {row[0] for row in rows} <= {*USAGE_TYPES, *COMMITMENT_TYPES, *FEE_TYPES}
        self.is_there = bool(rows)
        lasting = tuple(kind for kind in COMMITMENT_TYPES if kind not in fee_types)
        self.cost, self.fees, self.commitments = (
            total(1, *kinds) * rate / MICROS for kinds in (USAGE_TYPES, fee_types, lasting)
        )
        self.usage, self.covered = total(2, *USAGE_TYPES), total(2, *COVERED_TYPES)


def causes(lines: Lines, sides: list[tuple[str, str]]) -> dict[str, float]:
    """Return the change of each cause, SKU by SKU, for two weeks: both have seven days, so the calendar has no part.

    At the price before, usage is what all usage of a SKU would have cost more with the same share under commitments;
    commitments are usage that moved to them, and their fees; price is the rest of the change. Monthly fees of reservations
    are fees if only one of the weeks has the first day of a month.
    """
    query = (
        "SELECT sku_id, cost_type, SUM(cost), SUM(usage) FROM lines JOIN series USING (series) WHERE day BETWEEN ? AND ?"
        " AND cost_type <> 'credit' GROUP BY 1, 2"
    )
    found = [lines.rows(query, *map(ordinal, side)) for side in sides]
    starts = [any(day.endswith("-01") for day in (days_before(last, back) for back in range(7))) for _, last in sides]
    fee_types = FEE_TYPES if starts[0] == starts[1] else (*FEE_TYPES, "RIFee")
    parts = dict.fromkeys(("usage", "price", "new", "gone", "fees", "commitments", "untold"), Decimal(0))
    rate = RATES[lines.customer.currency]
    for sku in {row[0] for rows in found for row in rows}:
        old, new = (Sku([row[1:] for row in rows if row[0] == sku], rate, fee_types) for rows in found)
        parts["commitments"] += new.commitments - old.commitments
        parts["fees"] += new.fees - old.fees
        change = new.cost - old.cost
        if not old.is_there or not new.is_there:
            parts["gone" if old.is_there else "new"] += change
        elif old.cost > 0 and old.usage > 0:
            price = old.cost / old.usage
            same_share = old.usage * (new.usage + new.covered) / (old.usage + old.covered)
            parts["usage"] += (same_share - old.usage) * price
            parts["commitments"] += (new.usage - same_share) * price
            parts["price"] += change - (new.usage - old.usage) * price
        else:
            parts["untold"] += change
    return {name: float(amount) for name, amount in parts.items()}


def list_figures(digest: Any, lines: Lines) -> dict[str, Figure]:
    """Return the figures of anomalies and invoices; check_anomalies() and check_invoices() have computed their amounts."""
    anomalies, invoices = digest["anomalies"], digest["invoices"]
    excess = anomalies["rows"][0]["costAboveExpected"]
    figures = under(
        "anomalies",
        {"count": 1, "openFromBefore": 0, "costAboveExpected": excess, "rows[0].costAboveExpected": excess},
    )
    balances = {f"rows[{at}].balance": row["balance"] for at, row in enumerate(invoices["rows"])}
    return figures | under("invoices", {"count": len(invoices["rows"]), **balances})


async def savings_figures(digest: Any, world: World, lines: Lines) -> dict[str, Figure]:
    """Return the figures of savings: from the records of the sandbox, and of contracts, from the billing lines."""

    async def read(name: str, **arguments: Any) -> Any:
        return (await world.call(name, arguments, lines.customer))["structuredContent"]

    save: dict[str, float] = {}
    unused: dict[str, float] = {}
    for row in (await read("list_optimization_recommendations", pageSize=100))["insights"]:
        save[f"recommendation:{row['source']}/{row['key']}"] = row["potentialDailySavings"] * 730 / 24
    for organization in (await read("list_aws_organizations"))["items"]:
        id = organization["managementAccountId"]
        for service, advice in (await read("list_aws_recommendations", managementAccountId=id)).items():
            save[f"purchase:{id}/{service}"] = advice["potentialAdditionalSavings"]
        for plan in (await read("list_aws_savings_plans", managementAccountId=id, status="active"))["items"]:
            share, hourly = 1 - plan["lastMonthUtilization"], float(plan["commitment"]["amount"])
            unused[f"savings-plan:{plan['commitmentId']}"] = hourly * 730 * share
    for account in (await read("list_gcp_billing_accounts"))["items"]:
        id = account["billingAccountId"]
        for advice in (await read("list_gcp_recommendations", billingAccountId=id))["items"]:
            save[f"purchase:{id}/{advice['service']}/{advice['region']}"] = advice["potentialAdditionalSavings"]
    owed = {}
    for contract in (await read("list_commitments"))["commitments"]:
        owed[f"commitment:{contract['id']}"] = shortfall(contract, lines, world.today)
    figures: dict[str, Figure] = {}
    for counted, listed, wanted in (
        ("count", "rows", save),
        ("unusedCount", "unused", unused),
        ("shortfallCount", "shortfalls", owed),
    ):
        positive = {identifier: amount for identifier, amount in wanted.items() if amount >= 0.005}
        figures[counted] = len(positive)
        for at, row in enumerate(digest["savings"][listed]):
            figures[f"{listed}[{at}].amount"] = (positive[row["id"]], CENT)
    return under("savings", figures)


def shortfall(contract: Any, lines: Lines, today: date) -> float:
    """Return what a contract is short of at the end of its running period if it goes on at the rate of the days so far."""
    period = next(
        each for each in contract["periods"] if each["startDate"][:10] <= today.isoformat() < each["endDate"][:10]
    )
    # A period ends at the start of the day that endDate names.
    first, end = (date.fromisoformat(period[name][:10]) for name in ("startDate", "endDate"))
    where = f"cloud_provider = '{contract['cloudProvider']}'"
    micros = sum(lines.micros("''", first.isoformat(), today.isoformat(), where).values())
    rate = micros / MICROS / ((today - first).days + 1)
    return float(period["commitmentValue"] - rate * (end - first).days)


async def record_figures(digest: Any, world: World, customer: Customer) -> dict[str, Figure]:
    """Return the figures of budgets and tickets, from the records of the sandbox; check_budgets() has what is spent."""
    today = world.today.isoformat()
    budgets = (await world.call("list_budgets", {"maxResults": 100}, customer))["structuredContent"]["budgets"]
    tickets = (await world.call("list_tickets", {}, customer))["structuredContent"]["tickets"]
    known = {f"budget:{row['id']}": row for row in budgets}
    running = [row for row in budgets if not row.get("endPeriod") or row["endPeriod"][:10] >= today]
    over = [row for row in running if max(row["currentUtilization"], row["forecastedUtilization"]) > row["amount"]]
    figures: dict[str, Figure] = {"budgets.checked": len(running), "budgets.count": len(over)}
    for at, row in enumerate(digest["budgets"]["rows"]):
        budget = known[row["id"]]
        numbers: dict[str, Figure] = {
            "spent": row["spent"],
            "amount": budget["amount"],
            "percentUsed": (100 * row["spent"] / budget["amount"], 0.051),
            "expected": budget["forecastedUtilization"],
        }
        figures |= under(f"budgets.rows[{at}]", numbers)
    states = [row["status"] for row in tickets if row["status"] not in ("solved", "closed")]
    return figures | under("tickets", {"count": len(states), "waitingForYou": states.count("pending")})


def days_before(text: str, days: int) -> str:
    return (date.fromisoformat(text) - timedelta(days=days)).isoformat()


def days_of(period: Any) -> list[str]:
    return [days_before(period["from"], -day) for day in range(period["days"])]


def check_spend(digest: Any, lines: Lines, today: date) -> None:
    """The week has each weekday once, ends on the last final day, and is compared with the seven days before."""
    period, before, spend = digest["period"], digest["comparedWith"], digest["spend"]
    last = (today - timedelta(days=3)).isoformat()
    for days, end in ((period, last), (before, days_before(last, 7))):
        facts = {"from": days_before(end, 6), "to": end, "days": 7, "complete": True, "finalThrough": end}
        assert days == facts
    week, earlier = (lines.cost(days["from"], days["to"]) for days in (period, before))
    assert (spend["week"], spend["weekBefore"]) == (week, earlier)
    assert spend["change"] == pytest.approx(week - earlier, abs=0.001)
    assert spend["changePercent"] == pytest.approx(100 * (week - earlier) / earlier, abs=0.05001)
    assert sum(digest["causes"].values()) == pytest.approx(spend["change"], abs=0.001)
    assert f"Costs from {days_before(last, -1)} on are still arriving" in digest["note"]
    starts = [sum(day.endswith("-01") for day in days_of(each)) for each in (before, period)]
    assert ("First days of months" in digest["note"]) == (starts[0] != starts[1])


def check_drivers(digest: Any, lines: Lines) -> None:
    spend, period, earlier = digest["spend"], digest["period"], digest["comparedWith"]
    for drivers in digest["drivers"]:
        column = COLUMNS[drivers["by"]]
        week = lines.micros(column, period["from"], period["to"])
        before = lines.micros(column, earlier["from"], earlier["to"])
        fees = lines.micros(column, period["from"], period["to"], "cost_type IN ('Fee', 'Tax')")
        for row in drivers["rows"]:
            key = row.get("id", row["name"])
            assert row["week"] == lines.amount(week.get(key, 0)) and row["weekBefore"] == lines.amount(
                before.get(key, 0)
            )
            assert row["change"] == pytest.approx(row["week"] - row["weekBefore"], abs=0.001)
            # Monthly fees and taxes are not new.
            expected = "gone" if key not in week else "new" if key not in before and key not in fees else None
            assert row.get("status") == expected
        changes = sorted(
            (abs(lines.amount(week.get(key, 0) - before.get(key, 0))) for key in week | before), reverse=True
        )
        shown = [abs(row["change"]) for row in drivers["rows"]]
        assert len(shown) >= 2 and shown == pytest.approx(changes[: len(shown)], abs=1.01 * float(lines.unit))
        assert sum(row["change"] for row in drivers["rows"]) + drivers["otherChange"] == pytest.approx(
            spend["change"], abs=0.001
        )


def check_anomalies(digest: Any, lines: Lines, today: str) -> None:
    anomalies = digest["anomalies"]
    assert anomalies["since"] == digest["period"]["from"] and anomalies["currency"] == "USD"
    assert anomalies["count"] == len(anomalies["rows"]) == 1 and anomalies["openFromBefore"] == 0
    (row,) = anomalies["rows"]
    daily = lines.micros(
        "day", "2026-01-01", today, f"project_name = '{row['project']}' AND service_description = '{row['service']}'"
    )
    excess = 0
    for day in range(ordinal(row["started"]), ordinal(today) + 1):
        usual = median([daily.get(day - 7 * week, 0) for week in range(1, 5)])
        excess += daily[day] - round(1.4 * usual / 10_000) * 10_000
    assert row["costAboveExpected"] == anomalies["costAboveExpected"] == pytest.approx(excess / MICROS, abs=0.006)


def check_budgets(digest: Any, lines: Lines) -> None:
    assert digest["budgets"]["checked"] == len(SCOPES) and digest["budgets"]["count"] >= 1
    for row in digest["budgets"]["rows"]:
        spent = lines.cost(row["from"], row["to"], SCOPES[row["name"]])
        assert row["spent"] == spent and row["currency"] == lines.customer.currency
        assert row["percentUsed"] == pytest.approx(100 * spent / row["amount"], abs=0.051)
        assert (
            row["status"] == ("exceeded" if spent > row["amount"] else "at_risk")
            and row["from"] <= row["on"] <= row["to"]
        )


def check_invoices(digest: Any, lines: Lines, today: date) -> None:
    found = digest["invoices"]
    assert found["dueBy"] == (today + timedelta(days=14)).isoformat() and found["count"] == len(found["rows"])
    for row in found["rows"]:
        # Invoices are issued on the first day of the next month, and due 30 days later.
        issued = date.fromisoformat(row["due"]) - timedelta(days=30)
        last = issued - timedelta(days=1)
        first = last.replace(day=1)
        query = (
            "SELECT CASE cost_type WHEN 'credit' THEN sku_description ELSE service_description END, project_name,"
            " cost_type = 'credit', SUM(cost) FROM lines JOIN series USING (series)"
            " WHERE day BETWEEN ? AND ? AND cloud_provider = ? GROUP BY 1, 2, 3"
        )
        rows = lines.rows(query, first.toordinal(), last.toordinal(), row["platform"])
        total = sum(Decimal(repr(to_payable_amount(int(micros), lines.customer.currency))) for *_, micros in rows)
        assert row["balance"] == float(total) and row["currency"] == lines.customer.currency
        assert row["status"] == ("OPEN" if today <= date.fromisoformat(row["due"]) else "PAST DUE")


async def check_lists(digest: Any, world: World, customer: Customer) -> None:
    """The other lists say what the tools say that have more of each."""
    savings = digest["savings"]
    summary = (await world.call("get_savings_summary", {"top": 50}, customer))["structuredContent"]
    owed = [row for row in summary["at_stake"] if row["kind"] == "commitment"]
    assert (savings["count"], savings["unusedCount"]) == (summary["counts"]["save"], summary["counts"]["waste"])
    assert savings["shortfallCount"] == len(owed) and "per month" in savings["basis"]
    for shown, rows in (
        (savings["rows"], summary["save"]),
        (savings["unused"], summary["waste"]),
        (savings["shortfalls"], owed),
    ):
        assert [(row["id"], row["amount"], row["currency"]) for row in shown] == [
            (row["id"], row["amount"], row["currency"]) for row in rows[: len(shown)]
        ]
    # Both of AWS are among the first three: a purchase, and a smaller size of the same instances.
    shown = {row["id"] for row in savings["rows"]}
    assert {frozenset(one["ids"]) for one in savings["overlaps"]} == {
        frozenset(one["ids"]) for one in summary["overlaps"] if not shown.isdisjoint(one["ids"])
    }
    if customer is ACME:
        # On Google Cloud, the purchase is not among the first three.
        assert [[one.split("/")[-1] for one in each["ids"]] for each in savings["overlaps"]] == [
            ["compute", "aws-rightsizing"],
            ["global", "gcp-rightsizing"],
        ]
        with closing(Books(world.today)) as books:
            truth = right_sizing(books)
        sized = {row["title"]: row["amount"] for row in savings["rows"] if row["title"] in truth}
        assert sized and sized == {title: float(truth[title]) for title in sized}
    tickets = (await world.call("list_tickets", {}, customer))["structuredContent"]["tickets"]
    unsolved = [row for row in tickets if row["status"] not in ("solved", "closed")]
    assert digest["tickets"]["count"] == len(unsolved) == len(digest["tickets"]["rows"])
    assert digest["tickets"]["waitingForYou"] == sum(row["status"] == "pending" for row in unsolved)


async def test_parts_that_a_viewer_may_not_read_are_named() -> None:
    async with open_world(MONDAY) as world:
        answer = await world.call("weekly_digest", {}, user="viewer@acme.example")
        digest, whole = answer["structuredContent"], await ask(world, ACME)
    assert [part["part"] for part in digest["failed"]] == ["invoices"] and "permission" in digest["failed"][0]["why"]
    assert "invoices" not in digest
    for name in ("spend", "drivers", "anomalies", "budgets", "tickets"):
        assert digest[name] == whole[name]
    # Without invoices, more of the unused commitments fit.
    count = len(whole["savings"]["unused"])
    assert digest["savings"] | {"unused": digest["savings"]["unused"][:count]} == whole["savings"]


async def test_links_lead_on() -> None:
    """Ids of rows can be fetched."""
    async with open_world(MONDAY) as world:
        digest = await ask(world, ACME)
        for section in ("anomalies", "budgets", "invoices", "tickets"):
            identifier = digest[section]["rows"][0]["id"]
            assert (await world.ask("fetch", id=identifier))["id"] == identifier
