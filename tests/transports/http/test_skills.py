"""The skills of the server over HTTP: declared, listed and read in every revision that has them, with true digests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml

from doit_mcp.catalog.skills.collection import GUIDES, IMPORT_SET, SKILLS
from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import META, STATELESS_REVISION, Json, Session, Site, serving

SCOPE = "module"
SKILL_REVISIONS = ("2025-06-18", "2025-11-25", STATELESS_REVISION)

pytestmark = pytest.mark.asyncio(loop_scope=SCOPE)


@pytest_asyncio.fixture(scope=SCOPE, loop_scope=SCOPE, name="site")  # type: ignore[untyped-decorator]  # pytest-asyncio types no decorator with a name
async def product_site() -> AsyncIterator[Site]:
    async with serving(make=catalog_factory(), api=Api()) as site:
        yield site


class Client:
    """Sends requests of one revision."""

    def __init__(self, site: Site, revision: str) -> None:
        self.site, self.revision = site, revision
        self.session: Session | None = None

    async def capabilities(self) -> Json:
        if self.revision == STATELESS_REVISION:
            found: Json = (await self.site.send_stateless("server/discover")).result["capabilities"]
            return found
        self.session = await self.site.initialize(revision=self.revision)
        welcomed: Json = self.session.welcome["capabilities"]
        return welcomed

    async def ask(self, method: str, params: Json | None = None) -> Json:
        if self.session is not None:
            return (await self.session.ask(method, params or {})).result
        return (await self.site.send_stateless(method, params or {})).result

    async def read(self, uri: str) -> Json:
        (contents,) = (await self.ask("resources/read", {"uri": uri}))["contents"]
        assert contents["uri"] == uri and contents["mimeType"] == "text/markdown"
        return contents


@pytest.mark.parametrize("revision", SKILL_REVISIONS)
async def test_skills_are_declared_listed_and_read_with_true_digests(site: Site, revision: str) -> None:
    client = Client(site, revision)
    declared = await client.capabilities()
    assert declared["extensions"][f"{META}skills"] == {"directoryRead": True} and "resources" in declared
    listed = (await client.ask("skills/list"))["skills"]
    assert [entry["frontmatter"]["name"] for entry in listed] == [skill.name for skill in SKILLS]
    for entry in listed:
        assert (await client.ask("skills/get", {"uri": entry["uri"]}))["skill"] == entry
        assert entry["resources"][0]["uri"] == entry["uri"]
        for file in entry["resources"]:
            content = (await client.read(file["uri"]))["text"].encode()
            assert file["size"] == len(content)
            assert file["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        front = (await client.read(entry["uri"]))["text"].split("---\n")[1]
        assert yaml.safe_load(front) == entry["frontmatter"]
    resources = {row["uri"]: row for row in (await client.ask("resources/list"))["resources"]}
    for entry in listed:
        described = resources[entry["uri"]]
        assert {name: described[name] for name in ("name", "description")}.items() <= entry["frontmatter"].items()


async def test_the_first_skill_has_a_folder(site: Site) -> None:
    root = (await site.send_stateless("resources/directory/read", {"uri": f"skill://{SKILLS[0].name}"})).result
    assert [child["mimeType"] for child in root["resources"]] == ["text/markdown", "inode/directory"]
    references = {"uri": root["resources"][1]["uri"]}
    inside = (await site.send_stateless("resources/directory/read", references)).result["resources"]
    assert [child["name"].removesuffix(".md") for child in inside] == ["reading-answers", "terms"]


async def test_skills_stay_within_the_limits_of_importers(site: Site) -> None:
    listed = (await site.send_stateless("skills/list")).result["skills"]
    marked = [entry for entry in listed if IMPORT_SET in entry["frontmatter"].get("metadata", {})]
    assert len(marked) == 5 and listed[:5] == marked
    for entry in listed:
        assert len(entry["resources"]) <= 100 and sum(file["size"] for file in entry["resources"]) < 256 << 10


@pytest.mark.parametrize("path", ["/mcp", "/mcp/readonly", "/mcp/x/discovery"])
async def test_models_find_skills_and_guides_with_search_and_fetch(site: Site, path: str) -> None:
    async def call(name: str, **arguments: str) -> Json:
        params = {"name": name, "arguments": arguments}
        return (await site.send_stateless("tools/call", params, path=path)).result["structuredContent"]

    found = {hit["id"] for hit in (await call("search", query="skills and guides"))["results"]}
    assert found >= {f"skill:{skill.name}" for skill in SKILLS} | {f"guide:{guide.name}" for guide in GUIDES}
    for query, id in (
        ("month-end review", "skill:month-end-review"),
        ("set up a budget", "skill:budget-setup"),
        ("savings plan of the week", "skill:weekly-savings-plan"),
        ("how to write queries", "guide:queries"),
    ):
        assert (await call("search", query=query))["results"][0]["id"] == id
    # Nothing of the customer matches these.
    for query, id in (
        ("commitments", "skill:commitment-decision"),
        ("commitment planning", "skill:commitment-decision"),
    ):
        assert id in {hit["id"] for hit in (await call("search", query=query))["results"]}
    hits = (await call("search", query="monthly review"))["results"]
    assert "skill:month-end-review" in {hit["id"] for hit in hits}
    assert (await call("search", query="anomalies"))["results"][0]["id"].startswith("anomaly:")
    # These words ask for what the customer has.
    assert not (await call("search", query="savings plan"))["results"][0]["id"].startswith("skill:")
    for guide in GUIDES:
        document = await call("fetch", id=f"guide:{guide.name}")
        read = await site.send_stateless("resources/read", {"uri": f"doit://guide/{guide.name}"}, path=path)
        assert document["text"] == guide.text == read.result["contents"][0]["text"]
    document = await call("fetch", id="skill:budget-setup")
    assert document["text"].startswith("# Budget set-up") and document["metadata"] == {"kind": "skill"}


async def test_an_unknown_guide_is_answered_with_those_that_exist(site: Site) -> None:
    params = {"name": "fetch", "arguments": {"id": "guide:query"}}
    result = (await site.send_stateless("tools/call", params)).result
    assert result["isError"] and "guide:queries" in result["content"][0]["text"]
