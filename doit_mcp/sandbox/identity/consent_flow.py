"""Owns what a person goes through in the browser: sign-in, consent, and the way back to the client."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable

from aiohttp import web

from ..accounts import NAMED, People, User
from . import pages
from .authorize import AskError, Authorize
from .clients import Clients
from .codes import Codes
from .metadata import AUTHORIZE
from .models import Approval, Ask
from .responses import Handler, OAuthError, read_form
from .signed_forms import Seals
from .ttl_store import Bounded, digest

SESSION_LIFE = 8 * 3600.0
SESSION = "sandbox_session"
BROWSER = "sandbox_browser"
# The e-mail address of the person at the browser, for whoever looks on: once the handler knows it.
VISITOR = web.RequestKey("visitor", str)
_BROWSER_ID = re.compile(r"[A-Za-z0-9_-]{40,64}")
EXPIRED = pages.Notice(
    "This page has expired", "Go back to your application and start the sign-in again. Cookies have to be allowed."
)


def _redirect(location: str, status: int = 302) -> web.Response:
    # Not web.HTTPFound: it would put the address in a normal form, and clients compare theirs as text.
    return web.Response(status=status, headers={"Location": location, "Cache-Control": "no-store"})


class Interaction:
    """The pages. *auto* names the user (e-mail) who approves everything unseen, for clients without a person."""

    def __init__(
        self,
        authorize: Authorize,
        clients: Clients,
        codes: Codes,
        clock: Callable[[], float],
        *,
        auto: Callable[[], str | None],
        secure: bool,
        people: People = NAMED,
        token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._authorize = authorize
        self._clients = clients
        self._codes = codes
        self._seals = Seals(clock)
        self._auto = auto
        self._secure = secure
        self._people = people
        self._token = token
        self._sessions: Bounded[str] = Bounded(5_000, clock)

    def register(self, app: web.Application) -> None:
        """Add the pages."""
        app.router.add_get(AUTHORIZE, self._shown(self.show))
        posts: dict[str, Handler] = {
            pages.SIGN_IN: self.sign_in,
            pages.CONSENT: self.consent,
            pages.SIGN_OUT: self.sign_out,
        }
        for path, handler in posts.items():
            app.router.add_post(path, self._shown(handler))
            app.router.add_get(path, self._shown(self.lost))

    def _shown(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except AskError as error:
                if error.location is not None:
                    return _redirect(error.location, 302 if request.method == "GET" else 303)
                return pages.notice(pages.Notice(error.title, error.description), status=400)
            except OAuthError as error:
                return pages.notice(pages.Notice("This request is not valid", error.description), status=error.status)

        return handle

    async def lost(self, request: web.Request) -> web.StreamResponse:
        """Somebody reloaded the answer to a form."""
        return pages.notice(EXPIRED, status=400)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The authorization endpoint. Asking twice changes nothing: some clients look before they send the user."""
        ask = await self._authorize.read(request.rel_url.raw_query_string)
        if (email := self._auto()) is not None and (user := self._people.user(email)) is not None:
            request[VISITOR] = user.email
            return _redirect(self._approve(ask, user, user.customer))
        user = self._signed_in(request)
        if "none" in ask.prompt:
            error = "login_required" if user is None else "consent_required"
            location = self._authorize.refusal(ask.redirect_uri, ask.state, error, "The user has to act.")
            return _redirect(location)
        if user is None or ask.prompt & {"login", "select_account"}:
            return self._sign_in_page(request, ask)
        browser = self._browser(request)
        seal = self._seals.close("consent", browser, {"query": ask.query, "email": user.email})
        return self._bind(pages.consent(ask, user, seal), browser)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Credentials, or a click on a ready user; then the same request again, now with a session."""
        form = await read_form(request)
        ask = await self._opened(request, form, "sign-in")
        user = self._people.user(form["user"]) if "user" in form else self._by_password(form)
        if user is None:
            return self._sign_in_page(request, ask, email=form.get("email", ""), failed=True)
        request[VISITOR] = user.email
        session = self._token()
        self._sessions.put(digest(session), user.email, SESSION_LIFE)
        response = _redirect(f"{AUTHORIZE}?{pages.without_prompt(ask.query)}", 303)
        self._set_cookie(response, SESSION, session)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """Forget the session and ask who it is."""
        form = await read_form(request)
        ask = await self._opened(request, form, "consent")
        self._sessions.pop(digest(request.cookies.get(SESSION, "")))
        return _redirect(f"{AUTHORIZE}?{ask.query}", 303)

    async def consent(self, request: web.Request) -> web.StreamResponse:
        """The person's decision; anything but the word "allow" is a no."""
        form = await read_form(request)
        ask = await self._opened(request, form, "consent")
        content = self._seals.open("consent", self._browser(request), form["transaction"]) or {}
        user = self._signed_in(request)
        if user is None or user.email != content.get("email"):
            # Signed out or switched since the page was shown: what it said about the user is not true any more.
            return _redirect(f"{AUTHORIZE}?{ask.query}", 303)
        if form.get("decision") != "allow":
            location = self._authorize.refusal(ask.redirect_uri, ask.state, "access_denied", "The user said no.")
            return _redirect(location, 303)
        return _redirect(self._approve(ask, user, self._customer(user, form)), 303)

    def _approve(self, ask: Ask, user: User, customer: str) -> str:
        self._clients.used(ask.client.id)
        approval = Approval(ask.client.id, user.email, customer, ask.scopes, ask.resource)
        return self._authorize.success(ask, self._codes.issue(ask, approval))

    async def _opened(self, request: web.Request, form: dict[str, str], step: str) -> Ask:
        content = self._seals.open(step, self._browser(request), form.get("transaction", ""))
        if content is None:
            raise AskError(EXPIRED.title, EXPIRED.text)
        return await self._authorize.read(content["query"])

    def _sign_in_page(
        self, request: web.Request, ask: Ask, *, email: str = "", failed: bool = False
    ) -> web.StreamResponse:
        browser = self._browser(request)
        seal = self._seals.close("sign-in", browser, {"query": ask.query})
        return self._bind(pages.sign_in(ask, seal, email=email, failed=failed), browser)

    def _signed_in(self, request: web.Request) -> User | None:
        email = self._sessions.get(digest(request.cookies.get(SESSION, "")))
        if email is None:
            return None
        request[VISITOR] = email
        return self._people.user(email)

    def _browser(self, request: web.Request) -> str:
        # A new random value where there is none: a seal is then for a cookie that only this answer sets.
        known = request.cookies.get(BROWSER, "")
        return known if _BROWSER_ID.fullmatch(known) else self._token()

    def _bind(self, response: web.Response, browser: str) -> web.Response:
        self._set_cookie(response, BROWSER, browser)
        return response

    def _set_cookie(self, response: web.Response, name: str, value: str) -> None:
        response.set_cookie(name, value, path="/sign-in", httponly=True, samesite="Lax", secure=self._secure)

    def _by_password(self, form: dict[str, str]) -> User | None:
        user = self._people.user(form.get("email", ""))
        given = form.get("password", "").encode("utf-8", "surrogatepass")
        return user if user is not None and hmac.compare_digest(user.password.encode(), given) else None

    def _customer(self, user: User, form: dict[str, str]) -> str:
        """The tenant to act for: employees choose one or none, everybody else has one. Raises OAuthError."""
        if not user.employee:
            return user.customer
        chosen = form.get("customer", "")
        if chosen and self._people.customer(chosen) is None:
            raise OAuthError("invalid_request", "This customer does not exist.")
        return chosen
