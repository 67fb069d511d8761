"""Outgoing objects fit the revision: every kind of object against the published schemas."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.protocol.content_blocks import DEFINITION_NAMES, downgrade_blocks
from doit_mcp.protocol.downgrade import MEMBER_FEATURES, NESTED_DEFINITIONS, downgrade
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME
from tests import published_schemas

# Members of the schemas that this server never sends here, with the reason where it is not obvious.
NEVER = {
    "Tool": {"execution"},  # experimental tasks
    "CallToolResult": {"resultType"},  # set when the result is completed
    "ServerCapabilities": {"tasks"},
    "CreateMessage": {"_meta", "task"},
    "ElicitForm": {"_meta", "task"},
    "ElicitURL": {"_meta", "task"},
    "LoggingMessage": {"_meta"},  # a member of every notification's params
    "Progress": {"_meta"},
    "Cacheable": {"_meta", "resultType"},
}
# Members that no schema has.
OURS = {"Tool": {"securitySchemes"}}
# Revision -> kind -> its published members, for the kinds that the revision has.
PUBLISHED = {
    name: {kind: found for kind in MEMBER_FEATURES if (found := published_schemas.properties(name, kind)) is not None}
    for name in published_schemas.NAMES
}
EACH = [(name, kind) for name, kinds in PUBLISHED.items() for kind in kinds]


def test_every_kind_is_published_in_some_revision() -> None:
    assert {kind for _, kind in EACH} == set(MEMBER_FEATURES)


@pytest.mark.requirement("M22", "M44")
@pytest.mark.parametrize(("name", "kind"), EACH)
def test_kept_members_match_the_published_schema(name: str, kind: str) -> None:
    every = {member for kinds in PUBLISHED.values() for member in kinds.get(kind, ())}
    members_sent = every - NEVER.get(kind, set())
    value: dict[str, Any] = {
        member: {} if member in NESTED_DEFINITIONS.get(kind, {}) else member for member in members_sent
    }
    revision = REVISIONS_BY_NAME[name]
    downgraded = downgrade(kind, value, revision)
    # The extension for skills is declared before extensions were published.
    early = {"extensions"} if kind == "ServerCapabilities" and revision.supports("skills") else set()
    assert downgraded.keys() == (set(PUBLISHED[name][kind]) | early) - NEVER.get(kind, set())
    assert all(downgraded[member] == value[member] for member in downgraded)


@pytest.mark.requirement("M44")
@pytest.mark.parametrize("kind", OURS)
def test_custom_members_accompany_meta(kind: str) -> None:
    for revision in REVISIONS_BY_NAME.values():
        downgraded = downgrade(kind, dict.fromkeys(OURS[kind] | {"_meta"}), revision)
        assert set(downgraded) in (set(), OURS[kind] | {"_meta"})


def test_nested_parts_are_downgraded() -> None:
    prompt = {"name": "p", "title": "P", "arguments": [{"name": "a", "title": "A", "required": True}]}
    old = downgrade("Prompt", prompt, REVISIONS_BY_NAME["2025-03-26"])
    assert old == {"name": "p", "arguments": [{"name": "a", "required": True}]}
    resource = {"uri": "u", "annotations": {"priority": 1, "lastModified": "2026-01-01T00:00:00Z"}}
    assert downgrade("Resource", resource, REVISIONS_BY_NAME["2025-03-26"])["annotations"] == {"priority": 1}
    assert downgrade("Resource", resource, REVISIONS_BY_NAME["2025-06-18"]) == resource


TEXT = {"type": "text", "text": "hello", "_meta": {"a.b/c": 1}}
AUDIO = {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}
LINK = {"type": "resource_link", "uri": "doit://budgets/1", "name": "b1", "title": "Budget 1", "icons": []}
EMBEDDED = {"type": "resource", "resource": {"uri": "doit://budgets/1", "text": "…", "_meta": {}}}


def test_every_content_block_type_has_a_kind() -> None:
    assert set(DEFINITION_NAMES.values()) <= set(MEMBER_FEATURES)
    for name in published_schemas.NAMES:
        for block in (TEXT, AUDIO, LINK, EMBEDDED):
            block_sent = downgrade_blocks([block], REVISIONS_BY_NAME[name])[0]
            assert block_sent["type"] == "text" or DEFINITION_NAMES[block_sent["type"]] in PUBLISHED[name]


def test_unsupported_block_becomes_text_for_old_clients() -> None:
    oldest, next_, third, fourth = (REVISIONS_BY_NAME[name] for name in published_schemas.NAMES[:4])
    audio, link = downgrade_blocks([AUDIO, LINK], oldest)
    assert audio["type"] == link["type"] == "text"
    assert "audio/wav" in audio["text"]
    assert LINK["title"] in link["text"] and LINK["uri"] in link["text"]
    assert downgrade_blocks([AUDIO], next_) == [AUDIO]
    assert downgrade_blocks([LINK], next_)[0]["type"] == "text"
    assert downgrade_blocks([LINK], third) == [{name: item for name, item in LINK.items() if name != "icons"}]
    assert downgrade_blocks([LINK], fourth) == [LINK]


def test_blocks_lose_newer_members() -> None:
    assert downgrade_blocks([TEXT], REVISIONS_BY_NAME["2025-03-26"]) == [{"type": "text", "text": "hello"}]
    assert "_meta" not in downgrade_blocks([EMBEDDED], REVISIONS_BY_NAME["2025-03-26"])[0]["resource"]
    assert downgrade_blocks([TEXT, EMBEDDED], REVISIONS_BY_NAME["2025-06-18"]) == [TEXT, EMBEDDED]
