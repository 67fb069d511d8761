"""Money and days for people: beside an answer's plain numbers and ISO dates the same as its reader writes them, where
the client says which locale that is (ChatGPT does, as openai/locale in each request's _meta)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from .locale_format import LocaleFormat, to_finite_number
from .locales import find_locale
from .tool import ContentResult, Tool

LOCALE_META_KEY = "openai/locale"
DISPLAY_KEY = "display"
MAX_DISPLAY_VALUES = 80
"""Values that are written out; what comes first matters most."""
MAX_DISPLAY_DEPTH = 5
LOCALIZED_TOOLS = frozenset(
    "get_cloud_overview cost_breakdown cost_trend compare_spend explain_cost_change forecast_spend"
    " get_savings_summary list_optimization_recommendations".split()
)
"""Whose answers are about money, with amounts under the names below."""
MONEY_FIELDS = frozenset(
    "cost totalCost all shown other before after change perDayBefore perDayAfter byUsage byPrice usage price new gone"
    " untold spent ahead expected amount period1 period2 committed attained forecast"
    " potentialDailySavings potentialMonthlySavings totalDailySavings".split()
)
PERCENT_FIELDS = frozenset("changePercent share".split())
DAY_FIELDS = frozenset("from to first last month ends breaksOn".split())
LABEL_FIELDS = frozenset("name title dimension kind label currency".split())
"""What is repeated, to tell the rows apart."""
USD_TOOLS = frozenset("list_optimization_recommendations".split())


def with_localized_display(tool: Tool) -> Tool:
    """*tool*, whose answers have a member more where the client told a locale that is known."""
    if tool.name not in LOCALIZED_TOOLS:
        return tool
    usual = "USD" if tool.name in USD_TOOLS else ""

    async def run(call: Call, arguments: JsonObject) -> JsonObject | ContentResult:
        result = await tool.run(call, arguments)
        locale = client_locale(call)
        return result if locale is None or isinstance(result, ContentResult) else localize_result(result, locale, usual)

    return replace(tool, run=run)


def client_locale(call: Call) -> LocaleFormat | None:
    """The locale that the client hints at; None without, or for one that is not known."""
    tag = call.request_meta.get(LOCALE_META_KEY)
    return find_locale(tag) if isinstance(tag, str) else None


def localize_result(result: JsonObject, locale: LocaleFormat, currency: str = "") -> JsonObject:
    """*result* with its amounts, percentages and days written out, in the same places under "display"."""
    found = _DisplayFormatter(locale).format_object(result, currency, 0)
    return {**result, DISPLAY_KEY: {"locale": locale.tag, **found}} if found else result


@dataclass(slots=True)
class _DisplayFormatter:
    """Writes what is to be read by people, as long as there is room."""

    locale: LocaleFormat
    remaining: int = MAX_DISPLAY_VALUES

    def format_object(self, value: JsonObject, currency: str, depth: int) -> JsonObject:
        """The members that can be written out, and names where there are such."""
        own = value.get("currency")
        currency = own if isinstance(own, str) else currency
        written = {}
        for name, item in value.items():
            text = self.format_member(name, item, currency, depth)
            if text:
                written[name] = text
        labels = (
            {name: value[name] for name in LABEL_FIELDS if isinstance(value.get(name), str)}
            if depth and written
            else {}
        )
        return {**labels, **written}

    def format_member(self, name: str, item: Any, currency: str, depth: int) -> Any:
        """One member; nothing where it is none of money, percent, days, or holds none."""
        if isinstance(item, dict) and depth < MAX_DISPLAY_DEPTH:
            return self.format_object(item, currency, depth + 1)
        if isinstance(item, list) and depth < MAX_DISPLAY_DEPTH:
            rows = (self.format_object(row, currency, depth + 1) for row in item if isinstance(row, dict))
            return [row for row in rows if row]
        text = self._format_value(name, item, currency) if self.remaining else ""
        self.remaining -= bool(text)
        return text

    def _format_value(self, name: str, item: Any, currency: str) -> str:
        if isinstance(item, str):
            return self.locale.format_date(item) if name in DAY_FIELDS else ""
        number = to_finite_number(item)
        if number is None:
            return ""
        if name in PERCENT_FIELDS:
            return self.locale.format_percent(number)
        return self.locale.format_money(number, currency) if name in MONEY_FIELDS else ""
