"""Money and days for people: beside an answer's plain numbers and ISO dates the same as its reader writes them, where
the client says which locale that is (ChatGPT does, as openai/locale in each request's _meta)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .locales import Locale, finite, locale_of
from .tool import Content, Tool

HINT = "openai/locale"
DISPLAY = "display"
MOST = 80
"""Values that are written out; what comes first matters most."""
DEEPEST = 5
TOOLS = frozenset(
    "get_cloud_overview cost_breakdown cost_trend compare_spend explain_cost_change forecast_spend"
    " get_savings_summary list_optimization_recommendations".split()
)
"""Whose answers are about money, with amounts under the names below."""
MONEY = frozenset(
    "cost totalCost all shown other before after change perDayBefore perDayAfter byUsage byPrice usage price new gone"
    " untold spent ahead expected amount period1 period2 committed attained forecast"
    " potentialDailySavings potentialMonthlySavings totalDailySavings".split()
)
PERCENT = frozenset("changePercent share".split())
DAYS = frozenset("from to first last month ends breaksOn".split())
LABELS = frozenset("name title dimension kind label currency".split())
"""What is repeated, to tell the rows apart."""
IN_DOLLARS = frozenset("list_optimization_recommendations".split())


def displaying(tool: Tool) -> Tool:
    """*tool*, whose answers have a member more where the client told a locale that is known."""
    if tool.name not in TOOLS:
        return tool
    usual = "USD" if tool.name in IN_DOLLARS else ""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        result = await tool.run(call, arguments)
        locale = told(call)
        return result if locale is None or isinstance(result, Content) else displayed(result, locale, usual)

    return replace(tool, run=run)


def told(call: Call) -> Locale | None:
    """The locale that the client hints at; None without, or for one that is not known."""
    tag = call.hints.get(HINT)
    return locale_of(tag) if isinstance(tag, str) else None


def displayed(result: JsonObject, locale: Locale, currency: str = "") -> JsonObject:
    """*result* with its amounts, percentages and days written out, in the same places under "display"."""
    found = _Writer(locale).object(result, currency, 0)
    return {**result, DISPLAY: {"locale": locale.tag, **found}} if found else result


@dataclass(slots=True)
class _Writer:
    """Writes what is to be read by people, as long as there is room."""

    locale: Locale
    left: int = MOST

    def object(self, value: JsonObject, currency: str, depth: int) -> JsonObject:
        """The members that can be written out, and names where there are such."""
        own = value.get("currency")
        currency = own if isinstance(own, str) else currency
        written = {}
        for name, item in value.items():
            text = self.one(name, item, currency, depth)
            if text:
                written[name] = text
        labels = {name: value[name] for name in LABELS if isinstance(value.get(name), str)} if depth and written else {}
        return {**labels, **written}

    def one(self, name: str, item: Any, currency: str, depth: int) -> Any:
        """One member; nothing where it is none of money, percent, days, or holds none."""
        if isinstance(item, dict) and depth < DEEPEST:
            return self.object(item, currency, depth + 1)
        if isinstance(item, list) and depth < DEEPEST:
            rows = (self.object(row, currency, depth + 1) for row in item if isinstance(row, dict))
            return [row for row in rows if row]
        text = self._text(name, item, currency) if self.left else ""
        self.left -= bool(text)
        return text

    def _text(self, name: str, item: Any, currency: str) -> str:
        if isinstance(item, str):
            return self.locale.day(item) if name in DAYS else ""
        number = finite(item)
        if number is None:
            return ""
        if name in PERCENT:
            return self.locale.percent(number)
        return self.locale.money(number, currency) if name in MONEY else ""
