"""The next step after the import or check of a bundle: pass missing bindings, correct it, create it or test it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ...protocol.jsonrpc import JsonObject
from .bundle_lint import BundleWarning, select_objects

MAX_LISTED = 20
MAX_KEY_CHARACTERS = 100
OPEN_RESOLUTIONS = frozenset(("suggested", "unbound"))
"""Resolutions of requirements that no object of the customer meets yet."""


def suggest_next_step(plan: JsonObject, warnings: Sequence[BundleWarning], *, is_dry_run: bool) -> str:
    """Return the next step for a *plan* of the API, or for the result of an import."""
    if is_dry_run and plan.get("valid") is False:
        return "Correct the errors and check again."
    steps = ["Correct the warnings, or find out why they do not apply, before a test run."] if warnings else []
    if is_dry_run:
        steps += _missing_bindings(plan)
        return " ".join(steps) or "Call again without dryRun to create the drafts."
    incomplete = sum(len(nodes) for flow in select_objects(plan.get("flows")) if (nodes := flow.get("incompleteNodes")))
    if incomplete:
        steps.append(
            f"Nodes without what they need: {incomplete}, see incompleteNodes. They cannot run: complete them in the"
            " DoiT console, or import the bundle again with bindings."
        )
    if not steps:
        steps = ["Check each draft with test_cloudflow and dryRun."]
    return " ".join([*steps, "A test run performs real actions: ask the user first."])


def _missing_bindings(plan: JsonObject) -> list[str]:
    """Return sentences on the bindings to pass, if nodes of the drafts would be incomplete without them."""
    flows = select_objects(plan.get("flowsToCreate"))
    incomplete = sum(count for flow in flows if isinstance(count := flow.get("incompleteNodeCount"), int))
    needed = [item for item in select_objects(plan.get("requirements")) if item.get("resolution") in OPEN_RESOLUTIONS]
    if not incomplete and not needed:
        return []
    bindings: dict[str, dict[str, str]] = {}
    for item in needed[:MAX_LISTED]:
        section, key = (str(item.get(name))[:MAX_KEY_CHARACTERS] for name in ("section", "key"))
        bindings.setdefault(section, {})[key] = "id"
    steps = [f"Do not create the drafts yet: {incomplete} nodes would be incomplete." if incomplete else ""]
    if bindings:
        more = f" and {len(needed) - MAX_LISTED} more," if len(needed) > MAX_LISTED else ""
        steps.append(
            f"Call again with dryRun and bindings {orjson.dumps(bindings).decode()},{more} with an id from the candidates"
            " of each requirement; ask the user if there are several."
        )
    if any(not item.get("candidates") for item in needed):
        steps.append(
            "Without candidates, the object must be created first: connections with create_cloudflow_connection, tables"
            " with options.createMissingTables."
        )
    return [step for step in steps if step]
