"""CloudFlow templates."""

from __future__ import annotations

from .conftest import Party

TEMPLATES = "/cloudflow/v1/templates"


async def test_templates_are_listed_and_read(party: Party) -> None:
    templates = (await party.get(TEMPLATES))["items"]
    assert await party.walk(TEMPLATES, "items", 1) == templates and len(templates) == 3
    for item in templates:
        assert await party.get(f"{TEMPLATES}/{item['id']}") == item
    assert "not found" in await party.expect_error(404, "GET", f"{TEMPLATES}/none")
    assert "maxResults" in await party.expect_error(400, "GET", TEMPLATES, maxResults=501)
