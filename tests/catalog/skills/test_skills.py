"""The skills of this server: their form, and whether their methods work: names, arguments, and calls in the sandbox."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from doit_mcp.catalog.skills.collection import GUIDES, IMPORT_SET, SKILLS
from doit_mcp.catalog.skills.frontmatter import split_document
from doit_mcp.catalog.skills.skill import MANIFEST, Skill
from doit_mcp.catalog.tools.tool import Tool
from tests.answers.world import World, open_world
from tests.sandbox.steps import pick

from ..caller import TOOLS
from .methods import FOUND, calls_in, with_values

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CODE = re.compile(r"`([a-zA-Z_][a-zA-Z0-9_]*)`")
MAX_IMPORTED_SKILLS, MAX_SKILL_FILES = 5, 100
MAX_MANIFEST_BYTES, MAX_DESCRIPTION, MAX_MANIFEST_LINES = 256 << 10, 1024, 500
DAY = "2026-11-30"
FIXED = {
    "MONTH": "2026-10",
    "MONTH_START": "2026-10-01",
    "MONTH_END": "2026-10-31T23:59:59Z",
    "NEXT_START": "2026-11-01",
    "NEXT_END": "2026-11-30T23:59:59Z",
    "RECIPIENT": "admin@acme.example",
    "BUDGET_NAME": "Largest service",
    "AMOUNT": 20_000.0,
}
OTHER_WORDS = {"schema", "input", "team", "chatgpt"}
"""Words in code style that are neither tools nor in their schemas: members of bundles, labels."""

every_skill = pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)


def manifest(skill: Skill) -> str:
    return skill.files[MANIFEST].decode()


@every_skill
def test_form_follows_agent_skills(skill: Skill) -> None:
    _, front, body = manifest(skill).split("---\n", 2)
    assert yaml.safe_load(front) == skill.frontmatter
    assert skill.frontmatter.keys() <= {"name", "description", "metadata"}
    assert NAME.fullmatch(skill.name) and len(skill.name) <= 64
    assert "Use it " in skill.frontmatter["description"] and len(skill.frontmatter["description"]) <= MAX_DESCRIPTION
    assert len(skill.files) <= MAX_SKILL_FILES and len(skill.files[MANIFEST]) < MAX_MANIFEST_BYTES
    assert len(body.splitlines()) < MAX_MANIFEST_LINES
    assert all(path in body for path in skill.files if path != MANIFEST)
    assert "## Deliver" in body


def test_five_skills_are_marked_for_clients_that_import_five() -> None:
    marked = [skill.name for skill in SKILLS if skill.frontmatter.get("metadata", {}).get(IMPORT_SET)]
    assert len(SKILLS) == 6 and len(marked) == MAX_IMPORTED_SKILLS
    assert [skill.name for skill in SKILLS] == [*marked, "cloudflow-authoring"]
    assert len({len(guide.text) for guide in GUIDES}) == len(GUIDES) == 4


@pytest.mark.parametrize(
    "text",
    [
        "# no front matter\n",
        "---\nname: x\n",
        "---\n- a\n---\n",
        "---\n  a: b\n---\n",
        "---\nname: 3\n---\n",
        "---\nname: a: b\n---\n",
        "---\nname: a #b\n---\n",
        "---\nname:x\n---\n",
    ],
)
def test_front_matter_that_yaml_reads_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        split_document(text)


def schema_names(schema: Any) -> set[str]:
    """Return the names of members, and the fixed values, anywhere in a schema."""
    if isinstance(schema, list):
        return {name for item in schema for name in schema_names(item)}
    if not isinstance(schema, dict):
        return set()
    names = set(schema.get("properties", {})) | {value for value in schema.get("enum", ()) if isinstance(value, str)}
    names |= set(re.findall(r"\w+", str(schema.get("description", ""))))
    return names | {name for value in schema.values() for name in schema_names(value)}


def known_words(tool: Tool) -> set[str]:
    return {tool.name, *schema_names(tool.input_schema), *schema_names(tool.output_schema)}


@every_skill
def test_names_in_the_text_exist(skill: Skill) -> None:
    text = manifest(skill)
    mentioned = {word for word in CODE.findall(text) if word in TOOLS} | {call.tool for call in calls_in(text)}
    known = {word for name in mentioned for word in known_words(TOOLS[name])} | OTHER_WORDS
    assert set(CODE.findall(text)) - known == set()
    assert len(list(calls_in(text))) >= 5


@every_skill
async def test_calls_of_the_method_work_in_order(skill: Skill) -> None:
    values: dict[str, Any] = dict(FIXED)
    async with open_world(DAY) as world:
        try:
            for call in calls_in(manifest(skill)):
                arguments = with_values(call.arguments, values)
                assert TOOLS[call.tool].argument_problems(arguments) == [], call
                answer = await world.ask(call.tool, **arguments)
                assert "failed" not in answer, call
                values |= {
                    name: pick(answer, path) if path else answer
                    for name, (tool, path) in FOUND.items()
                    if tool == call.tool and name not in values
                }
                if call.tool == "get_dimension":
                    values["SERVICE"] = "BigQuery"
                    assert any(value["value"] == "BigQuery" for value in answer["values"])
        finally:
            await delete_budget(world)


async def test_invoices_of_a_month_are_those_issued_in_the_next() -> None:
    """The month-end review reads the invoices of its month only, though later ones exist."""
    (skill,) = (skill for skill in SKILLS if skill.name == "month-end-review")
    (call,) = (call for call in calls_in(manifest(skill)) if call.tool == "list_invoices")
    months = {"NEXT_START": "2026-10-01", "NEXT_END": "2026-10-31T23:59:59Z"}
    async with open_world(DAY) as world:
        found = (await world.ask("list_invoices", **with_values(call.arguments, months)))["invoices"]
        everything = (await world.ask("list_invoices"))["invoices"]
    days = {str(invoice["invoiceDateFormatted"])[:10] for invoice in found}
    assert found and all("2026-10-01" <= day <= "2026-10-31" for day in days)
    assert any(str(invoice["invoiceDateFormatted"])[:10] > "2026-10-31" for invoice in everything)


async def delete_budget(world: World) -> None:
    for budget in (await world.ask("list_budgets"))["budgets"]:
        if budget["budgetName"] == FIXED["BUDGET_NAME"]:
            await world.ask("delete_budget", id=budget["id"])
