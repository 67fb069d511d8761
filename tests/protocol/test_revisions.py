"""The five revisions against the published schemas, and version negotiation."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

import doit_mcp
from doit_mcp.protocol.revisions import (
    DEFAULT_REVISION,
    REVISIONS,
    REVISIONS_BY_NAME,
    STATEFUL_REVISIONS,
    STATELESS_REVISIONS,
    negotiate_revision,
)
from tests import published_schemas

# Experimental in one revision and not offered.
EXPERIMENTAL = {"tasks/get", "tasks/result", "tasks/cancel", "tasks/list", "notifications/tasks/status"}
# Methods of the extensions io.modelcontextprotocol/tasks and io.modelcontextprotocol/skills.
TASKS = {"tasks/get", "tasks/update", "tasks/cancel"}
SKILLS = {"skills/list", "skills/get", "resources/directory/read"}
EXTENSIONS = {"2025-06-18": SKILLS, "2025-11-25": SKILLS, "2026-07-28": SKILLS | TASKS}
# The extension io.modelcontextprotocol/events, in all revisions.
EVENTS = {"events/list", "events/subscribe", "events/unsubscribe", "events/poll"}


def test_supported_revisions() -> None:
    assert tuple(REVISIONS_BY_NAME) == published_schemas.NAMES
    assert tuple(STATEFUL_REVISIONS) == published_schemas.NAMES[:4]
    assert tuple(STATELESS_REVISIONS) == published_schemas.NAMES[4:]
    assert [revision.era.stateless for revision in REVISIONS] == [False] * 4 + [True]


@pytest.mark.parametrize("name", published_schemas.NAMES)
def test_methods_match_the_published_ones(name: str) -> None:
    revision, ours = REVISIONS_BY_NAME[name], EVENTS | EXTENSIONS.get(name, set())
    assert revision.requests - ours == published_schemas.members(name, "ClientRequest").keys() - EXPERIMENTAL
    assert ours <= revision.requests
    assert revision.notifications == published_schemas.members(name, "ClientNotification").keys() - EXPERIMENTAL


@pytest.mark.parametrize("name", published_schemas.NAMES[:4])
def test_supported_stateful_revision_is_negotiated_unchanged(name: str) -> None:
    """A stateful revision is negotiated as requested (MCP 2025-11-25, Lifecycle, Version Negotiation)."""
    assert negotiate_revision(name) is REVISIONS_BY_NAME[name]


@pytest.mark.parametrize("name", ["2026-07-28", "1900-01-01", "2099-01-01", "", "DRAFT-2026-v1", "2025-11-25 "])
def test_unknown_revision_negotiates_the_newest_stateful_one(name: str) -> None:
    assert negotiate_revision(name).name == "2025-11-25"


def test_request_without_a_version_is_2025_03_26() -> None:
    """Requests without a version header use 2025-03-26 (MCP 2025-11-25, Transports, Protocol Version Header)."""
    assert DEFAULT_REVISION.name == "2025-03-26"


def test_only_one_revision_has_batches() -> None:
    """Only 2025-03-26 has batches (MCP 2026-07-28, Streamable HTTP, Sending Messages)."""
    assert [revision.name for revision in REVISIONS if revision.supports("batches")] == ["2025-03-26"]


def test_invalid_amendment_is_rejected() -> None:
    first = REVISIONS[0]
    for wrong in ({"drop_methods": "no/such"}, {"drop_features": "nothing"}, {"add_methods": "tools/list"}):
        with pytest.raises(ValueError, match="tools/list|no/such|nothing"):
            first.amend("next", **wrong)
    with pytest.raises(ValueError, match="batches"):
        REVISIONS[1].amend("next", add_features="batches")


def test_revisions_are_hashable_and_compare_by_identity() -> None:
    assert len(set(REVISIONS)) == 5
    assert all(older != newer for older, newer in pairwise(REVISIONS))


def test_every_feature_is_used() -> None:
    """The package checks every feature that a revision lists; one that is never checked belongs in a comment."""
    package = Path(doit_mcp.__file__).parent
    published = {
        node.value
        for path in package.rglob("*.py")
        if path.name != "revisions.py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    features = frozenset().union(*(revision.features for revision in REVISIONS))
    assert features - published == set()
