"""Allocations: rules that select billing lines, and groups of rules that partition all lines.

A stored allocation is either single, with a ``rule`` {components, formula}, or a group, with ``rules`` (ids of single
allocations, in order) and ``unallocatedCosts`` (the name of the remainder). In a group a line belongs to the first rule
that selects it, so the values of a group partition the costs. Components apply to series, not to days.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..responses import JsonObject, bad_request
from .dimensions import GROUP, RULE, CustomDimensions, Dimension
from .filters import compile_filters, select_lines
from .formula import parse_formula
from .ledger import DerivedColumn, Ledger, SeriesGroup

MAX_DEPTH = 3  # nesting of rules that refer to rules
UNALLOCATED = "Unallocated"

Allocations = Mapping[str, JsonObject]
SeriesByRule = dict[str, frozenset[int]]


def allocation_dimensions(allocations: Allocations, ledger: Ledger) -> CustomDimensions:
    """The dimensions defined by the allocations: one of all rules, and one for each group."""
    known: SeriesByRule = {}
    rules = {
        key: SeriesGroup(key, item["name"], _rule_series(key, allocations, ledger, known))
        for key, item in _single_allocations(allocations)
    }
    found = {(RULE, RULE): Dimension(RULE, RULE, "Allocation rule", DerivedColumn(tuple(rules.values())))}
    for key, item in allocations.items():
        if item["allocationType"] == "group":
            parts = _make_disjoint([rules[identifier] for identifier in item["rules"]])
            column = DerivedColumn(parts, item["unallocatedCosts"] or UNALLOCATED)
            found[GROUP, key] = Dimension(GROUP, key, item["name"], column)
    return found


def check_rule(rule: JsonObject, allocations: Allocations, where: str, own: str = "") -> None:
    """Raise 400 for an invalid rule. *own* is the id of its allocation, if it exists already."""
    components = rule["components"]
    if not components:
        raise bad_request(f"{where}.components must not be empty", field=f"{where}.components")
    for index, item in enumerate(components):
        place = f"{where}.components[{index}]"
        if item["type"] == "datetime":
            raise bad_request(f"{place}: rules by date are not supported in the sandbox", field=place)
        if item.get("caseInsensitive") and item["mode"] in ("is", "regexp"):
            raise bad_request(
                f"{place}: caseInsensitive cannot be combined with mode {item['mode']}",
                field=f"{place}.caseInsensitive",
            )
        if item["type"] == "allocation_rule":
            _check_nested(item, allocations, place)
        else:
            compile_filters([_component_filter(item)], place)
    parse_formula(rule["formula"], len(components), f"{where}.formula")
    _check_depth(rule, allocations, where, own, MAX_DEPTH)
    # Rules that refer to this one become deeper by the same amount.
    after = {**allocations, own: {**allocations[own], "rule": rule}} if own else allocations
    for key, other in _single_allocations(after) if own else ():
        _check_depth(other["rule"], after, where, key, MAX_DEPTH)


def _check_nested(component: JsonObject, allocations: Allocations, where: str) -> None:
    if component["key"] != "allocation_rule":
        raise bad_request(f"{where}: key must be allocation_rule with this type", field=f"{where}.key")
    if component["mode"] not in ("is", "contains"):
        raise bad_request(f"{where}: mode must be is or contains with type allocation_rule", field=f"{where}.mode")
    if not component["values"]:
        raise bad_request(f"{where}: values must not be empty", field=f"{where}.values")
    for identifier in component["values"]:
        found = allocations.get(identifier)
        if found is None or found["allocationType"] != "single":
            raise bad_request(f"{where}: no allocation rule {identifier[:80]!r}", field=f"{where}.values")


def _check_depth(rule: JsonObject, allocations: Allocations, where: str, own: str, left: int) -> None:
    for identifier in list_nested_rules(rule):
        if identifier == own:
            raise bad_request(f"{where}: the rules refer to each other in a circle", field=where)
        if left == 1:
            raise bad_request(f"{where}: rules refer to rules more than {MAX_DEPTH} levels deep", field=where)
        _check_depth(allocations[identifier]["rule"], allocations, where, own, left - 1)


def list_nested_rules(rule: JsonObject) -> list[str]:
    """The ids of the rules that a rule refers to."""
    return [value for item in rule["components"] if item["type"] == "allocation_rule" for value in item["values"]]


def _single_allocations(allocations: Allocations) -> list[tuple[str, JsonObject]]:
    return [(key, item) for key, item in allocations.items() if item["allocationType"] == "single"]


def _make_disjoint(parts: list[SeriesGroup]) -> tuple[SeriesGroup, ...]:
    seen: frozenset[int] = frozenset()
    found = []
    for part in parts:
        found.append(part._replace(series=part.series - seen))
        seen |= part.series
    return tuple(found)


def _rule_series(identifier: str, allocations: Allocations, ledger: Ledger, known: SeriesByRule) -> frozenset[int]:
    """The series that a single allocation selects."""
    if identifier not in known:
        rule = allocations[identifier]["rule"]
        sets = [_component_series(item, allocations, ledger, known) for item in rule["components"]]
        known[identifier] = parse_formula(rule["formula"], len(sets)).evaluate(sets, _list_series(ledger))
    return known[identifier]


def _list_series(ledger: Ledger) -> frozenset[int]:
    return frozenset(series for series, _ in ledger.members("series", "sku_id"))


def _component_series(
    component: JsonObject, allocations: Allocations, ledger: Ledger, known: SeriesByRule
) -> frozenset[int]:
    everything = _list_series(ledger)
    if component["type"] != "allocation_rule":
        kept = select_lines(ledger, compile_filters([_component_filter(component)]), credits=True).series
        return everything if kept is None else kept
    found: frozenset[int] = frozenset()
    for identifier in component["values"]:
        found |= _rule_series(identifier, allocations, ledger, known)
    return everything - found if component.get("inverse") else found


def _component_filter(component: JsonObject) -> JsonObject:
    """A component as a report filter."""
    kept = ("type", "values", "mode", "inverse", "includeNull", "caseInsensitive")
    return {"id": component["key"], **{name: component[name] for name in kept if name in component}}
