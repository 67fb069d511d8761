"""Arguments with a pattern: their descriptions show the form, because errors quote them in place of the pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from doit_mcp.protocol.schema_validator import SchemaValidator

from .caller import TOOLS

DATES = ("2026-10", "2026-10-01", "2026-10-01T00:00:00Z")


def patterns(schema: Any, path: str, description: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the path, the pattern and the nearest description of each text that has a pattern."""
    own = schema.get("description")
    description = own if isinstance(own, str) else description
    if isinstance(schema.get("pattern"), str):
        yield path, schema["pattern"], description
    for name, inner in schema.get("properties", {}).items():
        yield from patterns(inner, f"{path}.{name}", description)
    for part in [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]:
        yield from patterns(part, path, description)


FORMS = [form for tool in TOOLS.values() for form in patterns(tool.input_schema, tool.name)]


def test_patterns_are_detected() -> None:
    assert len(FORMS) > 10


@pytest.mark.parametrize(("path", "pattern", "description"), FORMS)
def test_a_pattern_has_a_description_of_its_form(path: str, pattern: str, description: str) -> None:
    assert description, f"{path} needs a description with an example: errors quote it"
    if re.search(pattern, "abc") is None and any(re.search(pattern, date) for date in DATES):
        assert re.search(r"\b20\d\d-\d\d", description), f"the description of {path} needs an example of a date"


@pytest.mark.parametrize(("path", "pattern", "description"), FORMS)
def test_no_error_shows_a_pattern(path: str, pattern: str, description: str) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern, "description": description}}}
    (problem,) = SchemaValidator(schema).problems({"x": "last month, in words!"})
    assert description.rstrip(".")[:100] in problem and pattern not in problem and "\\d" not in problem


async def test_words_in_a_date_argument_are_refused_with_an_example() -> None:
    tool = TOOLS["get_cloud_diagram_cost_snapshot"]
    arguments: dict[str, Any] = {"startDate": "last month", "endDate": "2026-10-15"}
    problems = tool.argument_problems(tool.coerce_arguments(arguments))
    assert 'startDate: does not have the expected form: First day, e.g. 2026-10-01 (got "last month")' in problems, (
        problems
    )
