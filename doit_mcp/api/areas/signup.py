"""Signup: trials of DoiT for organizations that are not customers yet. The API requires no credential for them."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..markers import EXTERNAL_TARGET, IDENTIFIER, SECRET
from ..operation import Area, get, post
from ..parameters import Rfc3339

REQUESTS = "/signup/v1/requests"
REQUEST = f"{REQUESTS}/{{signupRequestId}}"
Text120 = Annotated[str, Length(maximum=120)]
RequestId = Annotated[str, "Id from create_signup_request.", Pattern("^sr_[0-9a-f]{32}$"), IDENTIFIER]


class Source(TypedDict, total=False):
    """Where a request comes from."""

    channel: Annotated[Literal["agent", "console", "web"], "Default: agent."]
    agentClient: Annotated[Text120, "Name and version of the agent."]
    campaign: Text120
    utmSource: Text120
    utmMedium: Text120
    utmCampaign: Text120


class TermsConsent(TypedDict, total=False):
    """Consent to the terms, only for the channels console and web."""

    version: Required[str]
    accepted: Required[bool]


class NewSignup(TypedDict, total=False):
    """A trial to request."""

    email: Required[
        Annotated[str, "Work address of the future administrator.", Length(3, 120), EXTERNAL_TARGET, IDENTIFIER]
    ]
    companyName: Required[Annotated[str, "Name of the organization.", Length(1, 120), IDENTIFIER]]
    source: Annotated[Source, "Where the request comes from."]
    turnstileToken: Annotated[str, "Only for the channels console and web.", Length(maximum=2048), SECRET]
    termsConsent: Annotated[TermsConsent, "Only for the channels console and web."]


class VerificationCode(TypedDict):
    """The code that the administrator received."""

    code: Annotated[str, "Six digits, from the email to the administrator.", Pattern("^[0-9]{6}$"), SECRET]


class ActivationToken(TypedDict):
    """The token of a verified request."""

    activationToken: Annotated[str, "From verify_signup_request, valid for ten minutes.", Length(1, 4096), SECRET]


class SignupRequest(TypedDict, total=False):
    """The state of a request."""

    id: str
    status: Literal["pending_consent", "consented", "provisioning", "completed", "rejected", "expired", "failed"]
    companyName: str
    consentUrl: Annotated[str, "Give it to the administrator."]
    verification: Annotated[JsonObject, "required, expiresAt, resendAfterSeconds and sendsRemaining."]
    expiresAt: Rfc3339
    pollAfterSeconds: Annotated[int, "Wait before the next get_signup_request."]
    customerId: Annotated[str, "Once completed."]
    consoleUrl: str
    signInUrl: str
    tier: str
    trialEndDate: Rfc3339
    nextSteps: list[str]
    reason: Annotated[JsonObject, "Why it failed: code, detail and retryable."]


class VerifiedRequest(SignupRequest, total=False):
    """The state of a request after its verification."""

    activationToken: Annotated[str, "A secret, shown only once, for create_signup_session."]


class SignupSession(TypedDict, total=False):
    """A session of the new administrator."""

    customToken: Annotated[str, "A secret that signs the administrator in, shown only once."]
    tenantId: str
    customerId: str
    consoleUrl: str


class Signup(Area):
    """Signup: trials for organizations that are not DoiT customers yet, new accounts."""

    @get(REQUEST, unauthenticated=True)
    async def get_signup_request(self, *, signupRequestId: RequestId) -> Annotated[JsonObject, SignupRequest]:
        """Show the state of a request for a trial of DoiT. Call it again after pollAfterSeconds until the status is
        completed, rejected, expired or failed."""
        ...

    @post(
        REQUESTS,
        unauthenticated=True,
        needs_idempotency_key=True,
        open_world=True,
        confirm=True,
        verify_with=None,
        undone_by="nothing",
        no_undo="The email cannot be recalled.",
    )
    async def create_signup_request(self, **signup: Unpack[NewSignup]) -> Annotated[JsonObject, SignupRequest]:
        """Request a trial of DoiT for an organization that is not a customer yet. It sends a code to the administrator
        by email, and creates nothing until they confirm it: give them consentUrl. Use it only on request, after the
        user approves the address."""
        ...

    @post(
        f"{REQUEST}/verification",
        unauthenticated=True,
        destructive=False,
        open_world=True,
        confirm=True,
        preview_with=get_signup_request,
        undone_by="nothing",
        no_undo="The email cannot be recalled.",
    )
    async def resend_signup_verification(self, *, signupRequestId: RequestId) -> Annotated[JsonObject, SignupRequest]:
        """Send the code of a request for a trial again, at most three times and once a minute."""
        ...

    @post(
        f"{REQUEST}/verify",
        unauthenticated=True,
        destructive=False,
        open_world=True,
        confirm=True,
        preview_with=get_signup_request,
        undone_by="nothing",
        no_undo="An account that was created cannot be deleted with these tools.",
        secrets=("activationToken",),
    )
    async def verify_signup_request(
        self, *, signupRequestId: RequestId, **verification: Unpack[VerificationCode]
    ) -> Annotated[JsonObject, VerifiedRequest]:
        """Confirm a request for a trial with the code that the administrator received. This accepts the terms for the
        organization and creates the account: only with a code that the user gives you."""
        ...

    @post(
        f"{REQUEST}/session",
        unauthenticated=True,
        destructive=False,
        open_world=False,
        confirm=True,
        preview_with=get_signup_request,
        undone_by="nothing",
        no_undo="The activation token works once, and the session cannot be ended with these tools.",
        secrets=("customToken",),
    )
    async def create_signup_session(
        self, *, signupRequestId: RequestId, **activation: Unpack[ActivationToken]
    ) -> Annotated[JsonObject, SignupSession]:
        """Exchange the activation token of a confirmed request for a token that signs the new administrator in. The
        activation token works once. Give the result to the user, and do not write it anywhere else."""
        ...
