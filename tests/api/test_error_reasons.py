"""Reasons in error responses of the API: found in every shape, and sanitized for display."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.error_reasons import MAX_CONFLICT_REASON_CHARACTERS, MAX_REASON_CHARACTERS, clean_text, extract_reason
from doit_mcp.api.errors import MAX_EXPLAINED_CHARACTERS, ApiError, explain


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "no such budget"}, "no such budget"),
        ({"message": "wrong"}, "wrong"),
        ({"title": "Bad request", "detail": "month is missing", "code": "x"}, "month is missing"),
        ({"title": "Bad request", "status": 400}, "Bad request"),
        ({"code": "tenant_id_required"}, "tenant_id_required"),
        ({"error": {"code": "c", "message": "inner"}}, "inner"),
        ({"detail": "d", "details": [{"issue": "invalid", "field": "month"}]}, "d; month: invalid"),
        ({"title": "t", "invalidItems": [{"id": 3, "reason": "gone"}, "odd"]}, "t; 3: gone; odd"),
        ([{"type": "budget", "id": "b", "error": "uses it"}], "budget b uses it"),
        ({"error": ""}, ""),
        ([1, "x"], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_parses_every_error_shape_of_the_api(body: Any, expected: str) -> None:
    assert extract_reason(400, json.dumps(body).encode()) == expected


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("status", [200, 302, 401, 403, 500, 503])
def test_statuses_whose_bodies_are_not_shown(status: int) -> None:
    assert extract_reason(status, b'{"error": "secret plumbing"}') == ""


def batch_reason(items: Any) -> str:
    """Return the reason of a 422 with these invalid items of a batch."""
    problem = {"title": "Invalid batch", "code": "billing-transfer.batch_validation_failed", "invalidItems": items}
    return extract_reason(422, json.dumps(problem).encode())


def test_batch_errors_are_listed_by_position_and_code() -> None:
    items = [
        {"index": 0, "code": "duplicate_pma", "resellerCustomerId": "c7", "reason": "The account comes twice."},
        {"index": 12, "code": "duplicate_ec_account"},
    ]
    assert batch_reason(items) == (
        "Invalid batch; items[0]: c7: duplicate_pma: The account comes twice.; items[12]: duplicate_ec_account"
    )


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"code": "c"}], "Invalid batch; c"),
        ([{"index": True, "code": "c"}], "Invalid batch; c"),
        ([{"index": 3}], "Invalid batch; items[3]"),
        ([{"index": 3, "code": 7, "reason": " "}], "Invalid batch; items[3]"),
        ([{"index": 1, "code": "c", "reason": "see https://in.example/x"}], "Invalid batch; items[1]: c: see [link]"),
        ("odd", "Invalid batch"),
        ([], "Invalid batch"),
    ],
)
def test_malformed_batch_items_are_ignored(items: Any, expected: str) -> None:
    assert batch_reason(items) == expected


def test_large_batch_errors_are_truncated_and_counted() -> None:
    message = batch_reason([{"index": n, "code": f"code_{n}", "reason": "too " * 99} for n in range(100)])
    assert len(message) <= MAX_CONFLICT_REASON_CHARACTERS
    assert all(f"items[{n}]: code_{n}: too" in message for n in range(10)) and "items[10]" not in message
    assert message.endswith("; and 90 more items")


def conflict_reason(**resources: Any) -> str:
    """Return the reason of a 409 in which these resources block a deletion."""
    blocker = {"id": "a1", "type": "single", "error": "Prod is in use", "resources": resources}
    return extract_reason(409, json.dumps([blocker]).encode())


def test_deletion_conflicts_are_named() -> None:
    budgets = [{"id": f"b{n}", "name": f"Budget {n}"} for n in range(5)]
    assert conflict_reason(budgets=budgets, reports=[{"id": "r1"}], alerts=[]) == (
        "single a1 Prod is in use, used by budgets: Budget 0 (id b0), Budget 1 (id b1), Budget 2 (id b2) and 2 more, "
        "reports: r1"
    )


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"budgets": [{"name": "Ads", "owner": "ann@acme.example"}]}, "budgets: Ads"),
        ({"budgets": [{"owner": "ann@acme.example"}, {"owner": "bob"}]}, "budgets: 2"),
        ({"budgets": ["odd", 5, None, {"id": 7}, {"id": "b", "name": ["x"]}]}, "budgets: 5"),
        ({"reports": [{"name": "see https://inner.example/x"}]}, "reports: see [link]"),
        ({"budgets": [{"name": "Ads\u202e\nBearer abc.def"}]}, "budgets: Ads [removed]"),
    ],
)
def test_deletion_conflicts_are_sanitized_and_hide_owners(resources: Any, expected: str) -> None:
    assert conflict_reason(**resources) == f"single a1 Prod is in use, used by {expected}"


@pytest.mark.parametrize("resources", [{}, {"budgets": []}, {"budgets": None}, {"budgets": {"id": "b"}}])
def test_empty_conflicts_are_not_mentioned(resources: Any) -> None:
    assert conflict_reason(**resources) == "single a1 Prod is in use"


def test_long_conflict_list_is_shortened() -> None:
    conflicts = {f"kind{n}" * 40: [{"id": "i" * 999, "name": "word " * 999}] * 9 for n in range(99)}
    assert len(conflict_reason(**conflicts)) == MAX_CONFLICT_REASON_CHARACTERS
    bare = [{"resources": {"alerts": [{"id": "a9"}]}}, {"resources": 1}]
    assert extract_reason(409, json.dumps(bare).encode()) == "used by alerts: a9"
    body = {"error": "in use", "resources": {"flows": [{"id": "f1", "name": "Nightly stop"}]}}
    assert extract_reason(409, json.dumps(body).encode()) == "in use; used by flows: Nightly stop (id f1)"
    assert len(extract_reason(400, json.dumps({"error": "word " * 999}).encode())) == MAX_REASON_CHARACTERS


def test_non_json_body_has_no_reason() -> None:
    assert extract_reason(404, b"<html>not found</html>") == ""


@pytest.mark.requirement("F6")
@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("see https://internal.example/x?token=1 now", "internal"),
        ("mail ann.lee@acme.example", "acme.example"),
        ("Bearer abc.def", "abc"),
        ("token=hunter2 is bad", "hunter2"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.x1", "eyJ"),
        ("key " + "A1b2" * 12, "A1b2"),
        ("<script>alert(1)</script>hello", "alert"),
        ("<b>bold</b>", "<"),
        ("failed\n    at run (/srv/app/index.js:10:2)", "index.js"),
        ("Traceback (most recent call last): x", "Traceback"),
        ("a\u202eb\u200bc\U000e0041", "\u202e"),
    ],
)
def test_sensitive_text_is_removed(text: str, gone: str) -> None:
    assert gone not in clean_text(text)


@given(st.text(max_size=2000))
def test_any_text_becomes_short_and_visible(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= MAX_REASON_CHARACTERS and (cleaned.isprintable() or cleaned == "")


def test_long_reason_is_truncated() -> None:
    assert clean_text("word " * 1000).endswith("…")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ApiError("id: no", kind="argument"), ["Could not run t: id: no.", "Correct the argument"]),
        (ApiError("", kind="credential", status=401), ["(HTTP 401)", "sign in again"]),
        (ApiError("x.", kind="missing", status=404), ["x. This customer has no object"]),
        (ApiError("", kind="rate", status=429, retry_after=12.3), ["Try again in 12 seconds"]),
        (ApiError("", kind="fault", status=503), ["Wait a minute"]),
        (ApiError("", kind="fault", status=500, maybe_applied=True), ["check the current state before repeating"]),
        (ApiError("", kind="timeout"), ["Ask for less"]),
    ],
)
def test_errors_suggest_a_next_step(error: ApiError, words: list[str]) -> None:
    text = explain(error, "t")
    assert all(word in text for word in words), text


def test_a_long_reason_is_cut() -> None:
    text = explain(ApiError("x" * 100_000, kind="argument"), "run_query")
    assert text.startswith("Could not run run_query: xxx") and text.endswith("…. Correct the argument and call again.")
    assert len(text) < MAX_EXPLAINED_CHARACTERS + 100
