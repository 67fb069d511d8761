"""Signup: requests for trials, without a credential: /signup/v1/requests. Nothing is created at other endpoints.

Every verification code is CODE, because the sandbox sends no email.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import jsonschema_rs
import orjson
from aiohttp import web

from ..accounts import AccountDirectory
from .costs.calendar_days import DAY_SECONDS, format_rfc3339
from .idempotency import HEADER
from .responses import JsonObject, json_response
from .schemas import BOOLEAN, EMAIL, TEXT, compile_object, enum_schema, object_schema, text_schema

PATH = "/signup/v1/requests"
CODE = "424242"
TERMS_VERSION = "2026-09"
CODE_SECONDS, RESEND_SECONDS, REQUEST_SECONDS = 900, 60, 7 * DAY_SECONDS
ACTIVATION_SECONDS, POLL_SECONDS = 600, 5
PROVISIONING_SECONDS = 10
MAX_SENDS, MAX_WRONG_CODES = 3, 5
MAX_REQUESTS = 1000  # the oldest are forgotten, to bound memory
MAX_KEY_LENGTH = 256
FREE_MAIL_DOMAINS = frozenset(("gmail.com", "outlook.com", "yahoo.com", "hotmail.com", "icloud.com"))
AGENT = "agent"
SHORT = text_schema(120)
SOURCE = object_schema(
    channel=enum_schema(AGENT, "console", "web"),
    agentClient=SHORT,
    campaign=SHORT,
    utmSource=SHORT,
    utmMedium=SHORT,
    utmCampaign=SHORT,
)
NEW_REQUEST = compile_object(
    "email companyName",
    email={**EMAIL, "maxLength": 120},
    companyName=text_schema(120, minLength=1),
    source=SOURCE,
    turnstileToken=text_schema(2048),
    termsConsent=object_schema("version accepted", version=TEXT, accepted=BOOLEAN),
)
VERIFICATION = compile_object("code", code={"type": "string", "pattern": "^[0-9]{6}$"})
ACTIVATION = compile_object("activationToken", activationToken=TEXT)


class SignupError(Exception):
    """An error of signup: its *code*, *detail*, and more members of its problem details."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after: int = 0, **members: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.retry_after, self.members = retry_after, members


class SignupRequests:
    """All requests for trials. *clock* returns epoch seconds, *directory* has the customers that exist."""

    def __init__(self, clock: Callable[[], float], directory: AccountDirectory, seed: int) -> None:
        self._clock, self._directory, self._seed = clock, directory, seed
        self._requests: dict[str, JsonObject] = {}
        self._created = 0

    def register(self, app: web.Application) -> None:
        """Add the operations to *app*."""
        for method, path, handle in ROUTES:
            app.router.add_route(method, path, self._handler(handle))

    def _handler(
        self, handle: Callable[[SignupRequests, web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            try:
                return await handle(self, request)
            except SignupError as error:
                return _error_response(error)

        return respond

    async def create(self, request: web.Request) -> web.Response:
        """POST: a request that waits for its administrator; the earlier one for an idempotency key that was used."""
        key = request.headers.get(HEADER, "")
        if not key or len(key) > MAX_KEY_LENGTH:
            raise SignupError(400, "idempotency_key_required", f"{HEADER} is required")
        body = await _read_body(request, NEW_REQUEST)
        if earlier := next((one for one in self._requests.values() if one["key"] == key), None):
            return json_response(self._show(earlier))
        _check_channel(body)
        self._check_address(body["email"])
        self._created += 1
        identifier = f"sr_{self._make_secret('request', str(self._created))[:32]}"
        now = self._clock()
        made = self._requests[identifier] = {
            "id": identifier,
            "key": key,
            "email": body["email"].lower(),
            "companyName": body["companyName"],
            "channel": body.get("source", {}).get("channel", AGENT),
            "created": now,
            "sent": now,
            "sends": 1,
            "wrong_codes": 0,
        }
        while len(self._requests) > MAX_REQUESTS:
            del self._requests[next(iter(self._requests))]
        return json_response(self._show(made), 201)

    async def get(self, request: web.Request) -> web.Response:
        """GET a request, without email address and secrets."""
        return json_response(self._show(self._find(request)))

    async def resend(self, request: web.Request) -> web.Response:
        """POST verification: the code again, at most three times and once a minute."""
        found = self._find(request)
        if self._status(found) != "pending_consent":
            raise SignupError(409, "consent_conflict", "the request does not wait for a code")
        if found["sends"] >= MAX_SENDS:
            raise SignupError(429, "verification_locked", "the code was sent three times")
        wait = found["sent"] + RESEND_SECONDS - self._clock()
        if wait > 0:
            raise SignupError(429, "verification_resend_too_soon", "wait a minute", retry_after=int(wait) + 1)
        found.update(sent=self._clock(), sends=found["sends"] + 1)
        return json_response(self._show(found))

    async def verify(self, request: web.Request) -> web.Response:
        """POST verify: the right code confirms the request; only this response has the activation token."""
        found = self._find(request)
        body = await _read_body(request, VERIFICATION)
        if "consented" in found:
            return json_response(self._show(found))
        if self._status(found) != "pending_consent":
            raise SignupError(409, "consent_conflict", "the request has expired")
        if found["wrong_codes"] >= MAX_WRONG_CODES:
            raise SignupError(429, "verification_locked", "too many wrong codes")
        if body["code"] != CODE:
            found["wrong_codes"] += 1
            raise SignupError(400, "verification_code_invalid", "the code is wrong")
        if self._clock() >= found["sent"] + CODE_SECONDS:
            raise SignupError(400, "verification_code_expired", "the code has expired")
        found["consented"] = self._clock()
        return json_response({**self._show(found), "activationToken": self._make_secret("activation", found["id"])})

    async def open_session(self, request: web.Request) -> web.Response:
        """POST session: exchanges the activation token, once, for one that signs in."""
        found = self._find(request)
        body = await _read_body(request, ACTIVATION)
        if "consented" not in found or body["activationToken"] != self._make_secret("activation", found["id"]):
            raise SignupError(400, "activation_token_invalid", "the activation token is not valid")
        if self._clock() >= found["consented"] + ACTIVATION_SECONDS:
            raise SignupError(410, "activation_token_expired", "the activation token has expired")
        if self._status(found) != "completed":
            raise SignupError(409, "activation_not_ready", "the account is not ready yet", retry_after=POLL_SECONDS)
        if found.get("session"):
            raise SignupError(409, "activation_token_used", "the activation token was used")
        found["session"] = True
        shown = self._show(found)
        return json_response(
            {
                "customToken": self._make_secret("session", found["id"]),
                "tenantId": shown["customerId"],
                "customerId": shown["customerId"],
                "consoleUrl": shown["consoleUrl"],
            }
        )

    def _find(self, request: web.Request) -> JsonObject:
        found = self._requests.get(request.match_info["signupRequestId"])
        if found is None:
            raise SignupError(404, "not_found", "signup request not found")
        return found

    def _check_address(self, email: str) -> None:
        domain = email.rpartition("@")[2].lower()
        sign_in = "https://console.doit.com/sign-in"
        if domain in FREE_MAIL_DOMAINS:
            raise SignupError(400, "corporate_email_required", "use a work address")
        if self._directory.user_by_email(email) is not None:
            raise SignupError(409, "email_already_registered", "the address has an account", signInUrl=sign_in)
        if self._directory.customer_by_domain(domain) is not None:
            raise SignupError(409, "domain_already_registered", "the organization is a customer", signInUrl=sign_in)
        for other in self._requests.values():
            if other["email"].rpartition("@")[2] != domain:
                continue
            if "consented" in other:
                raise SignupError(409, "trial_already_used", "the organization had a trial")
            if self._status(other) == "pending_consent":
                detail = "a request for the organization waits for its administrator"
                raise SignupError(409, "signup_already_pending", detail, signupRequestId=other["id"])

    def _status(self, found: JsonObject) -> str:
        now = self._clock()
        if "consented" not in found:
            return "expired" if now >= found["created"] + REQUEST_SECONDS else "pending_consent"
        age = now - found["consented"]
        return "consented" if age < POLL_SECONDS else "provisioning" if age < PROVISIONING_SECONDS else "completed"

    def _show(self, found: JsonObject) -> JsonObject:
        status = self._status(found)
        shown = {name: found[name] for name in ("id", "channel", "companyName")}
        shown |= {"status": status, "expiresAt": format_rfc3339(found["created"] + REQUEST_SECONDS)}
        if status == "pending_consent":
            shown["consentUrl"] = f"https://console.doit.com/signup/{found['id']}"
            shown["verification"] = {
                "required": True,
                "expiresAt": format_rfc3339(found["sent"] + CODE_SECONDS),
                "resendAfterSeconds": max(0, int(found["sent"] + RESEND_SECONDS - self._clock())),
                "sendsRemaining": MAX_SENDS - found["sends"],
            }
        if status == "completed":
            return shown | {
                "customerId": self._make_secret("customer", found["id"])[:20],
                "consoleUrl": "https://console.doit.com",
                "signInUrl": "https://console.doit.com/sign-in",
                "tier": "trial",
                "trialEndDate": format_rfc3339(found["consented"] + 30 * DAY_SECONDS),
                "nextSteps": ["Connect a cloud account."],
            }
        return shown if status == "expired" else {**shown, "pollAfterSeconds": POLL_SECONDS}

    def _make_secret(self, *parts: str) -> str:
        return hashlib.sha256("/".join((str(self._seed), *parts)).encode()).hexdigest()


ROUTES: tuple[tuple[str, str, Callable[[SignupRequests, web.Request], Awaitable[web.Response]]], ...] = (
    ("POST", PATH, SignupRequests.create),
    ("GET", PATH + "/{signupRequestId}", SignupRequests.get),
    ("POST", PATH + "/{signupRequestId}/verification", SignupRequests.resend),
    ("POST", PATH + "/{signupRequestId}/verify", SignupRequests.verify),
    ("POST", PATH + "/{signupRequestId}/session", SignupRequests.open_session),
)


async def _read_body(request: web.Request, schema: jsonschema_rs.Validator) -> JsonObject:
    try:
        body: JsonObject = orjson.loads(await request.read())
    except ValueError:
        raise SignupError(400, "invalid_request", "the body is not JSON") from None
    for error in schema.iter_errors(body):
        place = ".".join(map(str, error.instance_path)) or "body"
        raise SignupError(400, "invalid_request", f"{place}: {error.message[:200]}")
    return body


def _check_channel(body: JsonObject) -> None:
    """Raise SignupError unless requests of users at a page have passed the bot check and accepted the terms."""
    if body.get("source", {}).get("channel", AGENT) == AGENT:
        return
    if not body.get("turnstileToken"):
        raise SignupError(400, "bot_check_failed", "turnstileToken is required")
    terms = body.get("termsConsent", {})
    if not terms.get("accepted"):
        raise SignupError(400, "terms_consent_required", "the terms must be accepted")
    if terms["version"] != TERMS_VERSION:
        raise SignupError(400, "terms_version_outdated", f"the version of the terms is {TERMS_VERSION}")


def _error_response(error: SignupError) -> web.Response:
    body: JsonObject = {
        "type": f"https://developer.doit.com/errors/{error.code}",
        "title": error.detail.capitalize(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "retryable": bool(error.retry_after),
        **error.members,
    }
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    return web.Response(
        body=orjson.dumps(body), status=error.status, headers=headers, content_type="application/problem+json"
    )
