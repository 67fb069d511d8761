"""Terms of the anomaly filter: short names of clouds become full ones, and an error explains why nothing matches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...api.nearest import nearest_values
from ...api.report_config import normalize_provider
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject

PLATFORM = "platform"
MAX_NAMED_VALUES = 8


def with_full_names(expression: str | None) -> str | None:
    """Return a filter with the API's names of clouds: platform:aws becomes platform:amazon-web-services."""
    if expression is None:
        return None
    return "|".join(_with_full_name(term) for term in expression.split("|"))


def _with_full_name(term: str) -> str:
    key, colon, value = term.partition(":")
    return f"{key}{colon}{normalize_provider(value.strip())}" if key.strip() == PLATFORM else term


def explain_no_match(expression: str, anomalies: Sequence[JsonObject], *, is_complete: bool) -> str:
    """Return why no anomaly matches a filter: the values that no anomaly has, and the existing values, nearest first.

    *anomalies* are those without the filter, all of them if *is_complete*.
    """
    if not anomalies:
        return "There are no anomalies, even without the filter."
    problems = []
    for key, wanted in _split_terms(expression):
        known = sorted({str(row[key]) for row in anomalies if row.get(key)})
        if wanted not in known:
            among = "" if is_complete else f" of the last {len(anomalies)}"
            problems.append(
                f"No anomaly{among} has {key} {short_json(wanted)}; they have {_list_values(wanted, known)}."
            )
    return " ".join(problems) or "Anomalies have each of these values, but none has all of them in this time."


def _split_terms(expression: str) -> Iterable[tuple[str, str]]:
    for term in expression.split("|"):
        key, _, value = term.partition(":")
        yield key.strip(), value.strip()


def _list_values(wanted: str, known: Sequence[str]) -> str:
    nearest = nearest_values(wanted, known)
    ordered = [*nearest, *(value for value in known if value not in nearest)]
    more = f" and {len(ordered) - MAX_NAMED_VALUES} more" if len(ordered) > MAX_NAMED_VALUES else ""
    return (", ".join(map(short_json, ordered[:MAX_NAMED_VALUES])) or "none at all") + more
