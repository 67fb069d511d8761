"""Dashboard: its contents and redaction, live updates, limits, and access from this machine only."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from doit_mcp.sandbox.accounts import ACME, GLOBEX, USERS
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.dashboard import Dashboard
from doit_mcp.sandbox.dashboard.active_tokens import TokenTracker, fingerprint
from doit_mcp.sandbox.dashboard.calls import redact_target
from doit_mcp.sandbox.dashboard.stream import Event, EventStream
from doit_mcp.sandbox.identity import IdentityProvider
from doit_mcp.sandbox.server import run_sandbox

from ..conftest import BASE, CALLBACK, SECRET, Clock, NoApi, Party
from ..identity.test_exchange import exchange_token, whoami

ADMIN, VIEWER, _, EMPLOYEE, *_others = USERS
# Only keeps a broken test from waiting forever.
LIMIT = 30.0

Shown = dict[str, Any]


class Watching:
    """A connected page, and the text of everything it received."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.text = ""

    async def event(self) -> tuple[str, str, Shown] | None:
        """Name, id and content of the next event; None at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(LIMIT):
            while line := (await self.response.content.readline()).decode():
                self.text += line
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    return fields["event"], fields.get("id", ""), json.loads(fields["data"])
        return None

    async def next(self, name: str) -> Shown:
        """The next event with this name."""
        while event := await self.event():
            if event[0] == name:
                return event[2]
        raise AssertionError(f"the stream ended before there was a {name}")

    async def call(self, path: str) -> Shown:
        """The next call with this path."""
        while (call := await self.next("call"))["target"].partition("?")[0] != path:
            pass
        return call


@asynccontextmanager
async def watching(url: str, http: aiohttp.ClientSession, last: str = "") -> AsyncIterator[Watching]:
    async with http.get(f"{url}/dashboard/events", headers={"Last-Event-ID": last} if last else {}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream"), await response.text()
        yield Watching(response)


async def state(party: Party) -> Shown:
    async with party.http.get(f"{party.url}/dashboard/state") as response:
        assert response.status == 200
        state_body: Shown = await response.json()
        return state_body


@asynccontextmanager
async def served(*, history: int = 200, watchers: int = 16, queue: int = 256) -> AsyncIterator[str]:
    """A sandbox with other limits, with a short shutdown timeout and small kernel buffers."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        identity = IdentityProvider(url, BASE, SECRET)
        app = web.Application()
        NoApi().register(app, identity.lookup)
        Dashboard(identity, history=history, watchers=watchers, queue=queue).register(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=10 * LIMIT)
        await runner.setup()
        try:
            await web.SockSite(runner, bound).start()
            yield url
        finally:
            async with asyncio.timeout(LIMIT):
                await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    # Each watcher needs a connection, which could exhaust a pool.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def ask(http: aiohttp.ClientSession, url: str, path: str = "/whoami") -> int:
    async with http.get(url + path, headers={"Authorization": f"Bearer {ADMIN.api_token}"}) as response:
        await response.read()
        return response.status


async def test_call_appears_with_its_user_and_customer(party: Party) -> None:
    async with watching(party.url, party.http) as page:
        hello = await page.next("hello")
        assert hello["reset"] and {user["email"] for user in hello["users"]} == {user.email for user in USERS}
        await whoami(party, ADMIN.api_token)
        call = await page.call("/whoami")
    assert (call["side"], call["method"], call["status"]) == ("api", "GET", 200)
    assert (call["user"], call["customer"]) == (ADMIN.email, ACME.id)
    assert call["token"] == fingerprint(ADMIN.api_token) and call["ms"] >= 0
    assert (await state(party))["calls"] == [call]


async def test_employee_acts_for_the_customer_in_the_header(party: Party) -> None:
    headers = {"Authorization": f"Bearer {EMPLOYEE.api_token}", "X-Tenant-Id": GLOBEX.id}
    async with party.http.get(f"{party.url}/whoami", headers=headers) as response:
        assert response.status == 200
    (call,) = (await state(party))["calls"]
    assert (call["user"], call["customer"]) == (EMPLOYEE.email, GLOBEX.id)


async def test_sign_in_is_shown_without_its_secrets(party: Party, clock: Clock) -> None:
    async with watching(party.url, party.http) as page:
        client = await party.register(client_name="Cost Companion", token_endpoint_auth_method="client_secret_post")
        secret = client["client_secret"]
        wrong = Careless(party, client["client_id"])
        await wrong.mistakes()
        code = await party.code(client["client_id"], VIEWER.email, state="the-state-of-this-request")
        body = await (await party.redeem(client["client_id"], code, client_secret=secret)).json()
        again = await (await party.refresh(client["client_id"], body["refresh_token"], client_secret=secret)).json()
        api = (await exchange_token(party, clock, again["access_token"]))["access_token"]
        assert await whoami(party, api) == {"email": VIEWER.email, "customer": ACME.id}
        await party.get(f"{party.url}/whoami?token={api}&filter={api}&q={VIEWER.password}&maxResults=5")
        await party.get(f"{party.url}/nothing/{again['access_token']}/{api}")
        while "/nothing/" not in (await page.next("call"))["target"]:
            pass
        snapshot = await state(party)

    calls = snapshot["calls"]
    registered, *_, redeemed, refreshed, swapped, used, queried, lost = calls
    assert (registered["note"], registered["status"]) == ("Cost Companion", 201)
    assert [call["note"] for call in (redeemed, refreshed, swapped)] == ["signed in", "refreshed", "token exchange"]
    for call in (redeemed, refreshed, swapped, used):
        assert (call["user"], call["customer"]) == (VIEWER.email, ACME.id)
    assert used["token"] == swapped["token"] == fingerprint(api)
    assert queried["target"] == "/whoami?token=…&filter=…&q=…&maxResults=5"
    assert lost["target"].startswith("/nothing/…") and lost["status"] == 404
    (exchange_call, *_) = [call for call in calls if call["target"].startswith("/sign-in/oauth") and call["user"]]
    assert (exchange_call["user"], exchange_call["status"]) == (VIEWER.email, 200)
    assert "client_id=Cost Companion" in exchange_call["target"] and "state=…" in exchange_call["target"]

    tokens = {(token["kind"], token["fingerprint"]): token for token in snapshot["tokens"]}
    assert set(tokens) == {
        ("access", fingerprint(body["access_token"])),
        ("access", fingerprint(again["access_token"])),
        ("refresh", fingerprint(again["refresh_token"])),
        ("exchanged", fingerprint(api)),
    }
    access = tokens["access", fingerprint(body["access_token"])]
    assert (access["user"], access["customer"], access["client"]) == (VIEWER.email, ACME.id, "Cost Companion")
    assert access["scope"] == body["scope"] and access["expires"] == clock.now + 3600

    secrets = [code, secret, body["access_token"], body["refresh_token"], again["access_token"], api, SECRET]
    secrets += [again["refresh_token"], "the-state-of-this-request", party.verifier, party.challenge, *wrong.said]
    secrets += [part for token in (body["access_token"], again["access_token"]) for part in token.split(".")]
    document = await (await party.get(f"{party.url}/")).text()
    # The users' passwords and API tokens are published, but shown only in the list of users.
    passwords = [user.password for user in USERS]
    published = [*passwords, *(user.api_token for user in USERS)]
    for text in (json.dumps({**snapshot, "users": []}), page.text.partition("event: call")[2], document):
        assert not [item for item in (*secrets, *published) if item in text]
    assert not [item for item in secrets if item in json.dumps(snapshot["users"]) or item in page.text]
    assert [user["password"] for user in snapshot["users"]] == passwords
    assert [user["api_token"] for user in snapshot["users"]] == [user.api_token for user in USERS]


async def test_calls_for_one_tool_call_share_its_trace_and_name(party: Party) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    tracking = (
        "mcp=true&mcpVersion=0.1.0&mcpTool=list_budgets&mcpClient=cost-app&mcpClientVersion=1.2&mcpProtocolVersion=x"
    )
    for span in ("b7ad6b7169203331", "00f067aa0ba902b7"):
        headers = {"Authorization": f"Bearer {ADMIN.api_token}", "traceparent": f"00-{trace}-{span}-00"}
        async with party.http.get(f"{party.url}/whoami?maxResults=5&{tracking}", headers=headers) as response:
            assert response.status == 200
    await whoami(party, ADMIN.api_token)
    *for_tool, other = (await state(party))["calls"]
    assert [call["target"] for call in for_tool] == ["/whoami?maxResults=5"] * 2
    assert {(call["tool"], call["client"], call["trace"]) for call in for_tool} == {
        ("list_budgets", "cost-app 1.2", trace)
    }
    assert (other["tool"], other["client"], other["trace"]) == ("", "", "")


class Careless:
    """A client that puts secrets where they do not belong."""

    def __init__(self, party: Party, client_id: str) -> None:
        self.party = party
        self.client_id = client_id
        self.said = ["a-code-in-the-address", "a-word-nobody-knows", "s3cret-in-the-way-back", "not-the-password"]

    async def mistakes(self) -> None:
        code, word, back, password = self.said
        url = self.party.ask(self.client_id, redirect_uri=f"{CALLBACK}?key={back}", code=code)
        await self.party.get(f"{url}&{word}={word}&{word}")
        await self.party.post("/sign-in/user", {"email": ADMIN.email, "password": password, "transaction": code})
        await self.party.get(f"{self.party.url}/api/auth/token?code={code}&client_secret={word}")
        await self.party.get(f"{self.party.url}/whoami?apiKey={word}&clientSecret={back}&State={code}")


async def test_tokens_disappear_when_revoked_or_expired(party: Party, clock: Clock) -> None:
    client = (await party.register())["client_id"]
    async with watching(party.url, party.http) as page:
        first, second = await party.login(client), await party.login(client)
        api = (await exchange_token(party, clock, first["access_token"]))["access_token"]
        for expected in (2, 4, 5):
            assert len((await page.next("tokens"))["tokens"]) == expected
        await party.post("/api/auth/revoke", {"client_id": client, "token": first["refresh_token"]})
        tokens_shown = (await page.next("tokens"))["tokens"]
    assert {token["fingerprint"] for token in tokens_shown} == {
        fingerprint(second["access_token"]),
        fingerprint(second["refresh_token"]),
    }
    assert fingerprint(api) not in json.dumps(tokens_shown)
    clock.advance(3600)
    (remaining,) = (await state(party))["tokens"]
    assert remaining["kind"] == "refresh"


async def test_rejections_give_a_reason_and_failures_are_recorded(party: Party) -> None:
    await party.token(grant_type="authorization_code", client_id="nobody", code="x", code_verifier="y")
    await party.get(f"{party.url}/broken")
    await party.get(f"{party.url}/whoami")
    refused, failed, unauthenticated = (await state(party))["calls"]
    assert (refused["side"], refused["status"], refused["note"]) == ("identity", 401, "invalid_client")
    assert (failed["status"], unauthenticated["status"], unauthenticated["user"], unauthenticated["token"]) == (
        500,
        401,
        "",
        "",
    )


async def test_truncated_response_has_no_status(clock: Clock, http: aiohttp.ClientSession) -> None:
    api = Api(clock=clock)
    async with run_sandbox(resource_url=BASE, secret=SECRET, clock=clock, api=api) as sandbox:
        party = Party(sandbox, http)
        async with http.put(f"{sandbox.url}/sandbox/faults", json={"faults": [{"kind": "reset"}]}) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            # This client retries idempotent requests.
            await http.post(
                f"{sandbox.url}/analytics/v1/budgets", headers={"Authorization": f"Bearer {ADMIN.api_token}"}
            )
        assert await ask(http, sandbox.url, "/analytics/v1/budgets?maxResults=1&pageToken=abc") == 400
        cut, refused = (await state(party))["calls"]
    assert (cut["target"], cut["status"], cut["user"]) == ("/analytics/v1/budgets", 0, ADMIN.email)
    assert (refused["target"], refused["status"]) == ("/analytics/v1/budgets?maxResults=1&pageToken=…", 400)


async def test_page_and_control_requests_are_not_recorded(party: Party) -> None:
    async with watching(party.url, party.http):
        for path in ("/", "/dashboard", "/dashboard/state", "/sandbox/calls"):
            await party.get(party.url + path)
        assert (await state(party))["calls"] == []


async def test_history_is_bounded_and_resumes_after_the_last_event(http: aiohttp.ClientSession) -> None:
    async with served(history=3) as url:
        async with watching(url, http) as page:
            await page.next("hello")
            ids = []
            for number in range(5):
                await ask(http, url, f"/whoami?number={number}")
                event = await page.event()
                assert event is not None
                ids.append(event[1])
        assert len(set(ids)) == 5

        async def resume(last: str) -> tuple[bool, list[str]]:
            async with watching(url, http, last) as page:
                hello = await page.next("hello")
                await ask(http, url, "/nothing")
                targets = []
                while (target := (await page.next("call"))["target"]) != "/nothing":
                    targets.append(target)
                return hello["reset"], targets

        assert await resume(ids[3]) == (False, ["/whoami?number=4"])
        # The call made by the line above is one of the three by now.
        assert (await resume(ids[0]))[0] is True
        for unknown in ("x-1", f"{ids[0].partition('-')[0]}-99", "nonsense", "9" * 5000):
            reset, targets = await resume(unknown)
            assert reset and len(targets) <= 3


async def test_paused_page_resumes_from_its_url(party: Party) -> None:
    async with watching(party.url, party.http) as page:
        await whoami(party, ADMIN.api_token)
        while (event := await page.event()) and event[0] != "call":
            pass
        assert event is not None
    await party.get(f"{party.url}/nothing")
    async with party.http.get(f"{party.url}/dashboard/events", params={"after": event[1]}) as response:
        later = Watching(response)
        assert (await later.next("hello"))["reset"] is False
        assert (await later.next("call"))["target"] == "/nothing"


async def test_watchers_are_bounded_and_departed_ones_are_replaced(http: aiohttp.ClientSession) -> None:
    async with served(watchers=2) as url:
        async with watching(url, http) as first, watching(url, http):
            async with http.get(f"{url}/dashboard/events") as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "5")
                assert "too many" in (await response.json())["error"]
            await first.next("hello")
            await ask(http, url)
            assert (await first.next("call"))["user"] == ADMIN.email
        async with asyncio.timeout(LIMIT):
            await until_accepted(http, url)


async def until_accepted(http: aiohttp.ClientSession, url: str) -> None:
    # The server notices a closed connection only in its next loop iteration.
    while True:
        async with http.get(f"{url}/dashboard/events") as response:
            if response.status == 200:
                return


async def test_stalled_watcher_is_dropped_without_affecting_others(http: aiohttp.ClientSession) -> None:
    async with served(watchers=2, queue=8) as url:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            where = urlsplit(url)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, (where.hostname, where.port))
            await loop.sock_sendall(slow, f"GET /dashboard/events HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            assert (await loop.sock_recv(slow, 12)) == b"HTTP/1.1 200"
            async with watching(url, http) as page:
                await page.next("hello")
                number = 0
                status = 503
                while status == 503:
                    path = f"/whoami?number={number}&long={'long text ' * 20}"
                    await ask(http, url, path)
                    assert (await page.next("call"))["target"].startswith(f"/whoami?number={number}&")
                    number += 1
                    async with http.get(f"{url}/dashboard/events") as response:
                        status = response.status
                assert status == 200 and number > 8


async def test_full_queue_ends_only_its_watcher() -> None:
    stream, cut = EventStream(queue=2), list[str]()
    slow = stream.subscribe(lambda: cut.append("slow"), lambda: False)
    other = stream.subscribe(lambda: cut.append("other"), lambda: False)
    assert slow is not None and other is not None
    events = other.events()
    for number in range(3):
        stream.publish(Event("call", str(number)))
        assert (await anext(events)).data == str(number)
    assert cut == ["slow"]
    stream.close()
    assert [event async for event in events] == []
    assert cut == ["slow"] and stream.subscribe(lambda: None, lambda: False) is None


async def test_shutdown_ends_the_stream(http: aiohttp.ClientSession) -> None:
    # The server would wait for its handlers ten times as long as this test.
    async with served() as url:
        response = await http.get(f"{url}/dashboard/events")
        page = Watching(response)
        await page.next("hello")
    assert await page.event() is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/dashboard/state", "/dashboard/events"])
async def test_cross_site_access_is_rejected(party: Party, path: str, headers: dict[str, str], status: int) -> None:
    async with party.http.get(party.url + path, headers=headers) as response:
        assert response.status == status
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        if status != 200:
            assert ADMIN.password not in await response.text()


@pytest.mark.parametrize("path", ["/", "/dashboard", "/dashboard/state", "/dashboard/events"])
async def test_endpoints_are_read_only(party: Party, path: str) -> None:
    async with party.http.post(party.url + path, headers={"Origin": "https://evil.example"}) as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET")
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_page_is_one_document_with_a_strict_policy(party: Party) -> None:
    pages = []
    for path in ("/", "/dashboard"):
        async with party.http.get(party.url + path, headers={"Sec-Fetch-Site": "cross-site"}) as response:
            assert (response.status, response.content_type) == (200, "text/html")
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert "Access-Control-Allow-Origin" not in response.headers
            pages.append(await response.text())
    assert pages[0] == pages[1]
    assert f'href="{BASE}/"' in pages[0] and f'href="{BASE}/try"' in pages[0]
    assert "innerHTML" not in pages[0] and "src=" not in pages[0]
    assert not [user for user in USERS if user.password in pages[0] or user.email in pages[0]]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            "/sign-in/oauth?state=x&code=y&scope=mcp%3Atools&client_id=id&nonsense-name=1",
            "/sign-in/oauth?state=…&code=…&scope=mcp:tools&client_id=App&…",
        ),
        (
            "/sign-in/oauth?redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fback%3Fkey%3Dsecret",
            "/sign-in/oauth?redirect_uri=http://127.0.0.1:1/back",
        ),
        ("/api/auth/token?client_id=" + "a" * 43, "/api/auth/token?client_id=…"),
        (
            "/analytics/v1/reports?filter=owner:a%40b.c&maxResults=5",
            "/analytics/v1/reports?filter=owner:a@b.c&maxResults=5",
        ),
        ("/x?Access_Token=1&pageToken=2&api.key=3&a=%00%0a%1b", "/x?Access_Token=…&pageToken=…&api.key=…&a=   "),
        ("/x/eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.?" + "sandbox-api-token-x", "/x/…?…=…"),
    ],
)
def test_urls_are_shown_without_secrets(raw: str, expected: str) -> None:
    assert redact_target(raw, {"id": "App"}) == expected


def test_urls_are_shortened() -> None:
    assert len(redact_target("/x" + "/y" * 5000 + "?" + "&a=b" * 5000, {})) == 300


def test_token_record_is_bounded(clock: Clock) -> None:
    identity = IdentityProvider("http://127.0.0.1:1", BASE, SECRET, clock=clock)
    book = TokenTracker(identity, clock, limit=3)
    for number in range(5):
        book.track_client({"client_id": f"id-{number}", "client_name": f"App {number}"})
        book.track_tokens({"access_token": identity.mint(ADMIN, ttl=100 + number), "token_type": "Bearer"})
    assert list(book.clients) == ["id-2", "id-3", "id-4"]
    assert [token["expires"] - clock.now for token in book.active_tokens()] == [104, 103, 102]
