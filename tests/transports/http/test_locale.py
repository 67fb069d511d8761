"""Clients that send the user's locale (OpenAI, openai/locale) also receive amounts and dates in its format."""

from __future__ import annotations

import json

import pytest

from doit_mcp.protocol.revisions import STATEFUL_REVISIONS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import STATELESS_REVISION, Json, Site, serving

SPEND: Json = {"name": "cost_breakdown", "arguments": {"groupBy": "service", "months": 1}}


async def read_spending(site: Site, revision: str, meta: Json) -> Json:
    """The result as the model reads it."""
    if revision == STATELESS_REVISION:
        message = site.stateless_request("tools/call", SPEND)
        message["params"]["_meta"] |= meta
        headers = {name.replace("-", "_"): value for name, value in site.stateless_headers(message).items()}
        answer = await site.post(message, revision=STATELESS_REVISION, **headers)
    else:
        answer = await (await site.initialize(revision)).ask("tools/call", SPEND | {"_meta": meta})
    assert not answer.result.get("isError"), answer.text
    content: Json = json.loads(answer.result["content"][0]["text"])
    return content


@pytest.mark.parametrize("revision", [*STATEFUL_REVISIONS, STATELESS_REVISION])
async def test_costs_follow_the_locale(revision: str) -> None:
    async with serving(make=catalog_factory(), api=Api()) as site:
        plain = await read_spending(site, revision, {})
        german = await read_spending(site, revision, {"openai/locale": "de-DE"})
        odd = await read_spending(site, revision, {"openai/locale": ["de-DE"]})
    assert plain == odd and "display" not in plain
    display = german.pop("display")
    assert german == plain and display["locale"] == "de-DE"
    amount = f"{plain['total']['all']:,.2f}".translate(str.maketrans(",.", ".,"))
    assert display["total"]["all"].startswith(amount)
