"""Reasons in error responses of the API: found in every shape, and sanitized for display."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.error_reasons import MAX_CONFLICT_REASON_CHARACTERS, MAX_REASON_CHARACTERS, clean_text, extract_reason
from doit_mcp.api.errors import ApiError, explain


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
def test_every_shape_of_the_api_is_read(body: Any, expected: str) -> None:
    assert extract_reason(400, json.dumps(body).encode()) == expected


@pytest.mark.requirement("F6")
@pytest.mark.parametrize("status", [200, 302, 401, 403, 500, 503])
def test_statuses_whose_bodies_are_nobodys_business(status: int) -> None:
    assert extract_reason(status, b'{"error": "secret plumbing"}') == ""


def refused(items: Any) -> str:
    """Return the reason of a 422 with these invalid items of a batch."""
    problem = {"title": "Invalid batch", "code": "billing-transfer.batch_validation_failed", "invalidItems": items}
    return extract_reason(422, json.dumps(problem).encode())


def test_what_is_wrong_in_a_batch_is_named_by_place_and_code() -> None:
    items = [
        {"index": 0, "code": "duplicate_pma", "resellerCustomerId": "c7", "reason": "The account comes twice."},
        {"index": 12, "code": "duplicate_ec_account"},
    ]
    assert refused(items) == (
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
def test_odd_items_of_a_batch_do_no_harm(items: Any, expected: str) -> None:
    assert refused(items) == expected


def test_a_large_batch_is_named_up_to_a_bound_and_counted() -> None:
    said = refused([{"index": n, "code": f"code_{n}", "reason": "too " * 99} for n in range(100)])
    assert len(said) <= MAX_CONFLICT_REASON_CHARACTERS
    assert all(f"items[{n}]: code_{n}: too" in said for n in range(10)) and "items[10]" not in said
    assert said.endswith("; and 90 more items")


def blocked(**resources: Any) -> str:
    """Return the reason of a 409 in which these resources block a deletion."""
    blocker = {"id": "a1", "type": "single", "error": "Prod is in use", "resources": resources}
    return extract_reason(409, json.dumps([blocker]).encode())


def test_what_is_in_the_way_of_a_deletion_is_named() -> None:
    budgets = [{"id": f"b{n}", "name": f"Budget {n}"} for n in range(5)]
    assert blocked(budgets=budgets, reports=[{"id": "r1"}], alerts=[]) == (
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
def test_what_is_in_the_way_is_cleaned_and_tells_no_owner(resources: Any, expected: str) -> None:
    assert blocked(**resources) == f"single a1 Prod is in use, used by {expected}"


@pytest.mark.parametrize("resources", [{}, {"budgets": []}, {"budgets": None}, {"budgets": {"id": "b"}}])
def test_nothing_in_the_way_is_not_spoken_of(resources: Any) -> None:
    assert blocked(**resources) == "single a1 Prod is in use"


def test_much_in_the_way_stays_short() -> None:
    many = {f"kind{n}" * 40: [{"id": "i" * 999, "name": "word " * 999}] * 9 for n in range(99)}
    assert len(blocked(**many)) == MAX_CONFLICT_REASON_CHARACTERS
    bare = [{"resources": {"alerts": [{"id": "a9"}]}}, {"resources": 1}]
    assert extract_reason(409, json.dumps(bare).encode()) == "used by alerts: a9"
    body = {"error": "in use", "resources": {"flows": [{"id": "f1", "name": "Nightly stop"}]}}
    assert extract_reason(409, json.dumps(body).encode()) == "in use; used by flows: Nightly stop (id f1)"
    assert len(extract_reason(400, json.dumps({"error": "word " * 999}).encode())) == MAX_REASON_CHARACTERS


def test_what_is_no_json_says_nothing() -> None:
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
def test_what_must_not_be_shown_is_taken_out(text: str, gone: str) -> None:
    assert gone not in clean_text(text)


@given(st.text(max_size=2000))
def test_any_text_comes_out_short_and_visible(text: str) -> None:
    found = clean_text(text)
    assert len(found) <= MAX_REASON_CHARACTERS and (found.isprintable() or found == "")


def test_a_long_reason_is_cut() -> None:
    assert clean_text("word " * 1000).endswith("…")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ApiError("id: no", kind="argument"), ["t failed: id: no.", "Correct the argument"]),
        (ApiError("", kind="credential", status=401), ["(HTTP 401)", "sign in again"]),
        (ApiError("x.", kind="missing", status=404), ["x. This customer has no object"]),
        (ApiError("", kind="rate", status=429, retry_after=12.3), ["Try again in 12 seconds"]),
        (ApiError("", kind="fault", status=503), ["Wait a minute"]),
        (ApiError("", kind="fault", status=500, maybe_applied=True), ["check the current state before repeating"]),
        (ApiError("", kind="timeout"), ["Ask for less"]),
    ],
)
def test_errors_are_told_with_what_to_do(error: ApiError, words: list[str]) -> None:
    text = explain(error, "t")
    assert all(word in text for word in words), text
