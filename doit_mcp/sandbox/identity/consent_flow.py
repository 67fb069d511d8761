"""Browser flow: sign-in, consent, and the redirect back to the client."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Callable

from aiohttp import web

from ...observability.trace import TRACE_ID_HEADER, begin_trace
from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, User
from . import pages
from .authorize import DEVELOPER_ACTION, AuthorizationError, AuthorizationReader
from .clients import ClientRegistry
from .codes import AuthorizationCodes
from .metadata import AUTHORIZE_PATH
from .models import Approval, AuthorizationRequest
from .responses import Handler, OAuthError, read_form
from .signed_forms import FormSigner
from .ttl_store import TtlStore, hash_secret

log = logging.getLogger(__name__)

SESSION_SECONDS = 8 * 3600.0
SESSION_COOKIE = "sandbox_session"
BROWSER_COOKIE = "sandbox_browser"
# The email address of the signed-in user, set by the handlers for the dashboard.
SIGNED_IN_USER = web.RequestKey("visitor", str)
_BROWSER_ID = re.compile(r"[A-Za-z0-9_-]{40,64}")
EXPIRED_NOTICE = pages.Notice(
    "This page has expired",
    "A sign-in must be completed within half an hour, in the browser that started it.",
    "Return to your application and start the sign-in again. Your browser must allow cookies.",
)


def _redirect(location: str, status: int = 302) -> web.Response:
    # Not web.HTTPFound: it would normalize the URL, and clients compare URLs as text.
    return web.Response(status=status, headers={"Location": location, "Cache-Control": "no-store"})


class ConsentFlow:
    """The sign-in and consent pages. *auto_approve* is the email address of a user who approves every request without a
    page, for clients without a browser. *home* is the page of the MCP server that error pages link to.
    """

    def __init__(
        self,
        authorize: AuthorizationReader,
        clients: ClientRegistry,
        codes: AuthorizationCodes,
        clock: Callable[[], float],
        *,
        auto_approve: Callable[[], str | None],
        secure: bool,
        home: str,
        directory: AccountDirectory = DEFAULT_DIRECTORY,
        token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._authorize = authorize
        self._clients = clients
        self._codes = codes
        self._form_signer = FormSigner(clock)
        self._auto = auto_approve
        self._secure = secure
        self._home = home
        self._directory = directory
        self._token = token
        self._sessions: TtlStore[str] = TtlStore(5_000, clock)

    def register(self, app: web.Application) -> None:
        """Add the pages to *app*."""
        app.router.add_get(AUTHORIZE_PATH, self._with_error_pages(self.authorize))
        posts: dict[str, Handler] = {
            pages.SIGN_IN_PATH: self.sign_in,
            pages.CONSENT_PATH: self.consent,
            pages.SIGN_OUT_PATH: self.sign_out,
        }
        for path, handler in posts.items():
            app.router.add_post(path, self._with_error_pages(handler))
            app.router.add_get(path, self._with_error_pages(self.show_expired))

    def _with_error_pages(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except AuthorizationError as error:
                if error.location is not None:
                    return _redirect(error.location, 302 if request.method == "GET" else 303)
                return self._notice_page(request, pages.Notice(error.title, error.description, error.action))
            except OAuthError as error:
                notice = pages.Notice("This request is invalid", error.description, DEVELOPER_ACTION)
                return self._notice_page(request, notice, error.status)

        return handle

    async def show_expired(self, request: web.Request) -> web.StreamResponse:
        """Handle the reload of a submitted form."""
        return self._notice_page(request, EXPIRED_NOTICE)

    def _notice_page(self, request: web.Request, notice: pages.Notice, status: int = 400) -> web.Response:
        reference = _log_refusal(request, notice.title, status)
        response = pages.notice_page(notice, status=status, home=self._home, reference=reference)
        response.headers[TRACE_ID_HEADER] = reference
        return response

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Handle the authorization endpoint. Requests have no side effects, because some clients probe it first."""
        authorization = await self._authorize.read(request.rel_url.raw_query_string)
        if (email := self._auto()) is not None and (user := self._directory.user_by_email(email)) is not None:
            request[SIGNED_IN_USER] = user.email
            if not user.can_connect:
                return _redirect(self._refusal(authorization))
            return _redirect(self._approve(authorization, user, user.customer))
        user = self._session_user(request)
        if "none" in authorization.prompt:
            error = "login_required" if user is None else "consent_required"
            location = self._authorize.error_redirect(
                authorization.redirect_uri, authorization.state, error, "User interaction is required."
            )
            return _redirect(location)
        if user is None or authorization.prompt & {"login", "select_account"}:
            return self._sign_in_page(request, authorization)
        browser = self._browser_id(request)
        transaction = self._form_signer.sign("consent", browser, {"query": authorization.query, "email": user.email})
        if not user.can_connect:
            reference = _log_refusal(request, "the user lacks the permission to connect", 403)
            page = pages.refused_page(authorization, user, transaction, self._refusal(authorization), reference)
            page.headers[TRACE_ID_HEADER] = reference
        else:
            page = pages.consent_page(authorization, user, transaction)
        return self._bind_to_browser(page, browser)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Sign in with a password or by selecting a user, then redirect to the same authorization request."""
        form = await read_form(request)
        authorization = await self._restore_request(request, form, "sign-in")
        user = self._directory.user_by_email(form["user"]) if "user" in form else self._user_by_password(form)
        if user is None:
            return self._sign_in_page(request, authorization, email=form.get("email", ""), failed=True)
        request[SIGNED_IN_USER] = user.email
        session = self._token()
        self._sessions.put(hash_secret(session), user.email, SESSION_SECONDS)
        response = _redirect(f"{AUTHORIZE_PATH}?{pages.without_prompt(authorization.query)}", 303)
        self._set_cookie(response, SESSION_COOKIE, session)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the session and show the sign-in page."""
        form = await read_form(request)
        authorization = await self._restore_request(request, form, "consent")
        self._sessions.pop(hash_secret(request.cookies.get(SESSION_COOKIE, "")))
        return _redirect(f"{AUTHORIZE_PATH}?{authorization.query}", 303)

    async def consent(self, request: web.Request) -> web.StreamResponse:
        """Handle the user's decision; anything but "allow" denies access."""
        form = await read_form(request)
        authorization = await self._restore_request(request, form, "consent")
        content = self._form_signer.verify("consent", self._browser_id(request), form["transaction"]) or {}
        user = self._session_user(request)
        if user is None or user.email != content.get("email") or not user.can_connect:
            # The user signed out or switched since the page was shown, so the page no longer describes this user.
            return _redirect(f"{AUTHORIZE_PATH}?{authorization.query}", 303)
        if form.get("decision") != "allow":
            location = self._authorize.error_redirect(
                authorization.redirect_uri, authorization.state, "access_denied", "The user denied access."
            )
            return _redirect(location, 303)
        return _redirect(self._approve(authorization, user, self._chosen_customer(user, form)), 303)

    def _refusal(self, authorization: AuthorizationRequest) -> str:
        return self._authorize.error_redirect(
            authorization.redirect_uri,
            authorization.state,
            "access_denied",
            "The user needs the permission Billing Profiles Admin. An administrator can grant it in the DoiT console.",
        )

    def _approve(self, authorization: AuthorizationRequest, user: User, customer: str) -> str:
        self._clients.mark_used(authorization.client.id)
        approval = Approval(authorization.client.id, user.email, customer, authorization.scopes, authorization.resource)
        return self._authorize.success_redirect(authorization, self._codes.issue(authorization, approval))

    async def _restore_request(self, request: web.Request, form: dict[str, str], step: str) -> AuthorizationRequest:
        content = self._form_signer.verify(step, self._browser_id(request), form.get("transaction", ""))
        if content is None:
            raise AuthorizationError(EXPIRED_NOTICE.title, EXPIRED_NOTICE.text, action=EXPIRED_NOTICE.action)
        return await self._authorize.read(content["query"])

    def _sign_in_page(
        self, request: web.Request, authorization: AuthorizationRequest, *, email: str = "", failed: bool = False
    ) -> web.StreamResponse:
        browser = self._browser_id(request)
        transaction = self._form_signer.sign("sign-in", browser, {"query": authorization.query})
        return self._bind_to_browser(
            pages.sign_in_page(authorization, transaction, email=email, failed=failed), browser
        )

    def _session_user(self, request: web.Request) -> User | None:
        email = self._sessions.get(hash_secret(request.cookies.get(SESSION_COOKIE, "")))
        if email is None:
            return None
        request[SIGNED_IN_USER] = email
        return self._directory.user_by_email(email)

    def _browser_id(self, request: web.Request) -> str:
        # Without a cookie a new random value is set, and the form is signed for that value only.
        cookie = request.cookies.get(BROWSER_COOKIE, "")
        return cookie if _BROWSER_ID.fullmatch(cookie) else self._token()

    def _bind_to_browser(self, response: web.Response, browser: str) -> web.Response:
        self._set_cookie(response, BROWSER_COOKIE, browser)
        return response

    def _set_cookie(self, response: web.Response, name: str, value: str) -> None:
        response.set_cookie(name, value, path="/sign-in", httponly=True, samesite="Lax", secure=self._secure)

    def _user_by_password(self, form: dict[str, str]) -> User | None:
        user = self._directory.user_by_email(form.get("email", ""))
        password = form.get("password", "").encode("utf-8", "surrogatepass")
        return user if user is not None and hmac.compare_digest(user.password.encode(), password) else None

    def _chosen_customer(self, user: User, form: dict[str, str]) -> str:
        """The customer id to act for: employees choose one or none, other users have one. Raises OAuthError."""
        if not user.employee:
            return user.customer
        customer = form.get("customer", "")
        if customer and self._directory.customer_by_id(customer) is None:
            raise OAuthError("invalid_request", "This customer does not exist.")
        return customer


def _log_refusal(request: web.Request, reason: str, status: int) -> str:
    """Log why a sign-in was refused. Return the reference under which that is in the log."""
    trace = begin_trace(request.headers)
    log.info("sign-in refused: %s", reason, extra={"trace": trace.id, "status": status})
    return trace.id
