"""The principal and its owner key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doit_mcp.auth.principal import Principal

ONE = Principal("a@acme.example", "acme", False, "jwt", "secret-token", 1.0)


def test_owner_is_equal_for_all_tokens_of_a_user_at_a_customer() -> None:
    assert replace(ONE, token="another", expires=9.0, employee=True).owner == ONE.owner
    assert len(ONE.owner) == 32 and "acme" not in ONE.owner


@pytest.mark.parametrize(
    "change", [{"subject": "b@acme.example"}, {"customer": ""}, {"customer": "globex"}, {"kind": "api"}]
)
def test_owner_differs_between_users(change: dict[str, str]) -> None:
    assert replace(ONE, **change).owner != ONE.owner  # type: ignore[arg-type]  # every field is a text


@pytest.mark.requirement("N9")
def test_n9_owner_of_an_api_token_includes_the_unsent_domain() -> None:
    first = Principal("a@acme.example", "", False, "api", "one", 1.0, domain="acme.example")
    assert replace(first, token="two").owner == first.owner
    assert replace(first, domain="globex.example").owner != first.owner
    assert (first.customer, first.tenant) == ("", "acme.example") and ONE.tenant == "acme"


def test_subject_and_customer_cannot_be_confused() -> None:
    first, second = replace(ONE, subject='a","b', customer="c"), replace(ONE, subject="a", customer='b","c')
    assert first.owner != second.owner


@pytest.mark.requirement("X6")
def test_x6_token_is_not_in_the_repr() -> None:
    assert "secret-token" not in repr(ONE) and "secret-token" not in f"{[ONE]}"


def test_principal_is_immutable() -> None:
    with pytest.raises(AttributeError):
        ONE.customer = "globex"  # type: ignore[misc]  # frozen


@pytest.mark.requirement("C2")
def test_only_employees_act_for_other_customers() -> None:
    """The same user and token have a different owner for each customer."""
    employee = Principal("e", "own", True, "jwt", "t", 10.0)
    acting = employee.for_customer("other")
    assert (acting.customer, acting.subject, acting.token, acting.expires) == ("other", "e", "t", 10.0)
    assert acting.tenant == "other" and acting.employee and acting.owner != employee.owner
    with pytest.raises(PermissionError):
        Principal("u", "own", False, "jwt", "t", 10.0).for_customer("other")
