"""Allocations: rules that pick billing lines, and groups of rules that share all lines out among them.

A stored allocation is single, with a ``rule`` {components, formula}, or a group, with ``rules`` (ids of single ones, in
order) and ``unallocatedCosts`` (the name of what is left over). A line of a group belongs to the first rule that takes
it, so that a group's values partition the costs. Components look at series, not at days.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..responses import JsonObject, bad
from .dimensions import GROUP, RULE, Dimension, Made
from .filters import compiled, selection
from .formula import parsed
from .ledger import Ledger, Part, Parts

DEPTH = 3  # of rules that refer to rules
LEFT_OVER = "Unallocated"

Stored = Mapping[str, JsonObject]
Known = dict[str, frozenset[int]]


def made_of(allocations: Stored, ledger: Ledger) -> Made:
    """The dimensions that the allocations make: one of all the rules, and one for each group."""
    known: Known = {}
    rules = {key: Part(key, one["name"], _of(key, allocations, ledger, known)) for key, one in _single(allocations)}
    found = {(RULE, RULE): Dimension(RULE, RULE, "Allocation rule", Parts(tuple(rules.values())))}
    for key, one in allocations.items():
        if one["allocationType"] == "group":
            parts = _disjoint([rules[identifier] for identifier in one["rules"]])
            column = Parts(parts, one["unallocatedCosts"] or LEFT_OVER)
            found[GROUP, key] = Dimension(GROUP, key, one["name"], column)
    return found


def check(rule: JsonObject, allocations: Stored, where: str, own: str = "") -> None:
    """400 for a rule that makes no sense. *own* is the id of the allocation that gets it, if it has one yet."""
    components = rule["components"]
    if not components:
        raise bad(f"{where}.components must not be empty", field=f"{where}.components")
    for index, one in enumerate(components):
        place = f"{where}.components[{index}]"
        if one["type"] == "datetime":
            raise bad(f"{place}: rules by date are not modelled in the sandbox", field=place)
        if one.get("caseInsensitive") and one["mode"] in ("is", "regexp"):
            raise bad(f"{place}: caseInsensitive does not go with mode {one['mode']}", field=f"{place}.caseInsensitive")
        if one["type"] == "allocation_rule":
            _check_nested(one, allocations, place)
        else:
            compiled([_filter(one)], place)
    parsed(rule["formula"], len(components), f"{where}.formula")
    _check_depth(rule, allocations, where, own, DEPTH)
    # What refers to this one becomes as much deeper.
    after = {**allocations, own: {**allocations[own], "rule": rule}} if own else allocations
    for key, other in _single(after) if own else ():
        _check_depth(other["rule"], after, where, key, DEPTH)


def _check_nested(component: JsonObject, allocations: Stored, where: str) -> None:
    if component["key"] != "allocation_rule":
        raise bad(f"{where}: key must be allocation_rule with this type", field=f"{where}.key")
    if component["mode"] not in ("is", "contains"):
        raise bad(f"{where}: mode must be is or contains with type allocation_rule", field=f"{where}.mode")
    if not component["values"]:
        raise bad(f"{where}: values must not be empty", field=f"{where}.values")
    for identifier in component["values"]:
        found = allocations.get(identifier)
        if found is None or found["allocationType"] != "single":
            raise bad(f"{where}: no allocation rule {identifier[:80]!r}", field=f"{where}.values")


def _check_depth(rule: JsonObject, allocations: Stored, where: str, own: str, left: int) -> None:
    for identifier in nested(rule):
        if identifier == own:
            raise bad(f"{where}: the rules refer to each other in a circle", field=where)
        if left == 1:
            raise bad(f"{where}: rules refer to rules more than {DEPTH} levels deep", field=where)
        _check_depth(allocations[identifier]["rule"], allocations, where, own, left - 1)


def nested(rule: JsonObject) -> list[str]:
    """The ids of the rules that a rule refers to."""
    return [value for one in rule["components"] if one["type"] == "allocation_rule" for value in one["values"]]


def _single(allocations: Stored) -> list[tuple[str, JsonObject]]:
    return [(key, one) for key, one in allocations.items() if one["allocationType"] == "single"]


def _disjoint(parts: list[Part]) -> tuple[Part, ...]:
    seen: frozenset[int] = frozenset()
    found = []
    for part in parts:
        found.append(part._replace(series=part.series - seen))
        seen |= part.series
    return tuple(found)


def _of(identifier: str, allocations: Stored, ledger: Ledger, known: Known) -> frozenset[int]:
    """The series that a single allocation takes."""
    if identifier not in known:
        rule = allocations[identifier]["rule"]
        sets = [_component(one, allocations, ledger, known) for one in rule["components"]]
        known[identifier] = parsed(rule["formula"], len(sets)).of(sets, _everything(ledger))
    return known[identifier]


def _everything(ledger: Ledger) -> frozenset[int]:
    return frozenset(series for series, _ in ledger.members("series", "sku_id"))


def _component(component: JsonObject, allocations: Stored, ledger: Ledger, known: Known) -> frozenset[int]:
    everything = _everything(ledger)
    if component["type"] != "allocation_rule":
        kept = selection(ledger, compiled([_filter(component)]), credits=True).series
        return everything if kept is None else kept
    found: frozenset[int] = frozenset()
    for identifier in component["values"]:
        found |= _of(identifier, allocations, ledger, known)
    return everything - found if component.get("inverse") else found


def _filter(component: JsonObject) -> JsonObject:
    """A component as a filter of reports."""
    kept = ("type", "values", "mode", "inverse", "includeNull", "caseInsensitive")
    return {"id": component["key"], **{name: component[name] for name in kept if name in component}}
