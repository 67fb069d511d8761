"""Signup: a request, its code, the activation, and everything that can go wrong. No credential is sent."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.sandbox.api.signup import CODE, MAX_REQUESTS, TERMS_VERSION

from ..conftest import Clock
from .conftest import ADMIN, Answer, Party

PATH = "/signup/v1/requests"
NEW = {"email": "cto@initech.example", "companyName": "Initech"}


async def send(party: Party, status: int, path: str = "", body: object = None, key: str = "one") -> Any:
    """The JSON of a POST, which must have this *status*."""
    answer = await party.send("POST", f"{PATH}{path}", body, who=None, headers={"Idempotency-Key": key})
    assert answer.status == status, answer
    return answer.json


async def fail(party: Party, status: int, path: str = "", body: object = None, key: str = "one") -> str:
    """The code of an error."""
    code: str = (await send(party, status, path, body, key))["code"]
    return code


async def show(party: Party, made: Any) -> Any:
    answer: Answer = await party.send("GET", f"{PATH}/{made['id']}", who=None)
    assert answer.status == 200
    return answer.json


async def test_request_lifecycle(party: Party, clock: Clock) -> None:
    made = await send(party, 201, body=NEW)
    assert await send(party, 200, body=NEW) == made, "the same key returns the same request"
    assert (made["status"], made["channel"]) == ("pending_consent", "agent") and made["consentUrl"]
    assert "email" not in str(made) and made["verification"]["sendsRemaining"] == 2
    path = f"/{made['id']}"
    verified = await send(party, 200, f"{path}/verify", {"code": CODE})
    token = verified.pop("activationToken")
    assert verified["status"] == "consented" and "activationToken" not in await show(party, made)
    assert "activationToken" not in await send(party, 200, f"{path}/verify", {"code": CODE})
    assert await fail(party, 409, f"{path}/session", {"activationToken": token}) == "activation_not_ready"
    clock.advance(6)
    assert (await show(party, made))["status"] == "provisioning"
    clock.advance(6)
    completed = await show(party, made)
    assert completed["status"] == "completed" and completed["customerId"] and completed["trialEndDate"]
    assert await fail(party, 400, f"{path}/session", {"activationToken": "x"}) == "activation_token_invalid"
    session = await send(party, 200, f"{path}/session", {"activationToken": token})
    assert session["customToken"] and session["tenantId"] == completed["customerId"]
    assert await fail(party, 409, f"{path}/session", {"activationToken": token}) == "activation_token_used"
    clock.advance(600)
    assert await fail(party, 410, f"{path}/session", {"activationToken": token}) == "activation_token_expired"
    assert await fail(party, 409, body=NEW, key="two") == "trial_already_used"


@pytest.mark.parametrize(
    ("status", "code", "changes"),
    [
        (400, "invalid_request", {"email": "x"}),
        (400, "invalid_request", {"companyName": ""}),
        (400, "corporate_email_required", {"email": "me@gmail.com"}),
        (400, "bot_check_failed", {"source": {"channel": "web"}}),
        (400, "terms_consent_required", {"source": {"channel": "web"}, "turnstileToken": "t"}),
        (
            400,
            "terms_version_outdated",
            {
                "source": {"channel": "web"},
                "turnstileToken": "t",
                "termsConsent": {"version": "old", "accepted": True},
            },
        ),
        (409, "email_already_registered", {"email": ADMIN.email}),
        (409, "domain_already_registered", {"email": "new@acme.example"}),
    ],
)
async def test_refused_requests(party: Party, status: int, code: str, changes: Any) -> None:
    assert await fail(party, status, body={**NEW, **changes}) == code


async def test_requests_of_a_page(party: Party) -> None:
    terms = {"version": TERMS_VERSION, "accepted": True}
    body = {**NEW, "source": {"channel": "console"}, "turnstileToken": "t", "termsConsent": terms}
    assert (await send(party, 201, body=body))["channel"] == "console"
    no_key = await party.send("POST", PATH, NEW, who=None)
    assert (no_key.status, no_key.json["code"]) == (400, "idempotency_key_required")
    pending = await send(party, 409, body={**NEW, "email": "ceo@initech.example"}, key="two")
    assert pending["code"] == "signup_already_pending" and pending["signupRequestId"].startswith("sr_")


async def test_codes(party: Party, clock: Clock) -> None:
    made = await send(party, 201, body=NEW)
    path = f"/{made['id']}"
    early = await party.send("POST", f"{PATH}{path}/verification", who=None)
    assert (early.status, early.json["code"]) == (429, "verification_resend_too_soon")
    assert early.headers["Retry-After"] and early.json["retryable"]
    for remaining in (1, 0):
        clock.advance(61)
        assert (await send(party, 200, f"{path}/verification"))["verification"]["sendsRemaining"] == remaining
    clock.advance(61)
    assert await fail(party, 429, f"{path}/verification") == "verification_locked"
    assert await fail(party, 400, f"{path}/verify", {"code": "x"}) == "invalid_request"
    clock.advance(900)
    assert await fail(party, 400, f"{path}/verify", {"code": CODE}) == "verification_code_expired"
    for _ in range(5):
        assert await fail(party, 400, f"{path}/verify", {"code": "000000"}) == "verification_code_invalid"
    assert await fail(party, 429, f"{path}/verify", {"code": CODE}) == "verification_locked"
    clock.advance(7 * 24 * 3600)
    assert (await show(party, made))["status"] == "expired"
    for action, body in (("verification", None), ("verify", {"code": CODE})):
        assert await fail(party, 409, f"{path}/{action}", body) == "consent_conflict"


async def test_unknown_requests(party: Party) -> None:
    unknown = f"/sr_{'0' * 32}"
    for action, body in (("verification", None), ("verify", {"code": CODE}), ("session", {"activationToken": "a"})):
        assert await fail(party, 404, f"{unknown}/{action}", body) == "not_found"
    assert (await party.send("GET", f"{PATH}{unknown}", who=None)).status == 404


async def test_old_requests_are_forgotten(party: Party) -> None:
    first = await send(party, 201, body=NEW)
    for number in range(MAX_REQUESTS):
        await send(party, 201, body={"email": f"a@company{number}.example", "companyName": "A"}, key=str(number))
    assert (await party.send("GET", f"{PATH}/{first['id']}", who=None)).status == 404
