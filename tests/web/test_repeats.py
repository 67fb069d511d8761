"""Equal writes a short while apart, and what a colleague at the same customer did in between, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doit_mcp.catalogue.repeats import NOTE
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.people import User
from doit_mcp.server.product import product
from tests.web.serving import ADMIN, EMPLOYEE, Json, Site, serving

LABEL = {"name": "Quarter", "color": "blue"}


@pytest.fixture
async def there() -> AsyncIterator[Site]:
    """The product over the sandbox's API."""
    async with serving(make=product(), api=Api()) as site:
        yield site


async def done(site: Site, name: str, arguments: Json, user: User = ADMIN) -> Json:
    answer = await site.call(name, arguments, user=user)
    assert not answer.result.get("isError"), answer
    found: Json = answer.result["structuredContent"]
    return found


async def test_n16_what_a_colleague_deleted_is_made_again(there: Site) -> None:
    first = await done(there, "create_label", LABEL)
    assert (await done(there, "create_label", LABEL))[NOTE]
    assert EMPLOYEE.customer == ADMIN.customer
    await done(there, "delete_label", {"id": first["id"]}, EMPLOYEE)
    second = await done(there, "create_label", LABEL)
    assert NOTE not in second and second["id"] != first["id"]
    assert (await done(there, "get_label", {"id": second["id"]}))["name"] == LABEL["name"]


async def test_n16_what_a_colleague_changed_is_set_again(there: Site) -> None:
    made = await done(there, "create_label", LABEL)
    change = {"id": made["id"], "color": "teal"}
    await done(there, "update_label", change)
    assert (await done(there, "update_label", change))[NOTE]
    await done(there, "update_label", change | {"color": "mint"}, EMPLOYEE)
    assert NOTE not in await done(there, "update_label", change)
    assert (await done(there, "get_label", {"id": made["id"]}))["color"] == "teal"
