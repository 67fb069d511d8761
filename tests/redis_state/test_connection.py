"""The connection: its library is imported on demand, an outage logs one warning, and logs contain no secrets."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from doit_mcp import cli
from doit_mcp.cli import startup
from doit_mcp.redis_state import connection as module
from doit_mcp.redis_state.client import open_connection
from doit_mcp.redis_state.connection import RedisConnection
from doit_mcp.resilience.unavailable import StateUnavailable
from doit_mcp.settings import Settings
from tests.descriptor_shortage import no_descriptors
from tests.redis_state.redis_server import Server, wait_for_redis


class Refusal(Exception):
    """An error response of Redis."""


class Silent:
    """A client whose Redis responds only when the test lets it; records the commands."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open: dict[str, asyncio.Future[str]] = {}

    async def execute_command(self, *command: str) -> str:
        self.sent.append(command[0])
        waiting = self.open[command[0]] = asyncio.get_running_loop().create_future()
        return await waiting

    def pipeline(self, *, transaction: bool) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.sent.append("closed")

    async def asked(self, command: str) -> asyncio.Future[str]:
        while command not in self.open or self.open[command].done():
            await asyncio.sleep(0)
        return self.open[command]


@pytest.fixture
def silent() -> Silent:
    return Silent()


def connect(silent: Silent, timeout: float = 0.1) -> RedisConnection:
    return RedisConnection(lambda: silent, (TimeoutError, Refusal), "x", timeout, (Refusal,))


async def make_unavailable(link: RedisConnection, command: str = "GET") -> None:
    with pytest.raises(StateUnavailable):
        await link.execute(command)


async def test_only_the_first_requests_wait_for_a_silent_redis(silent: Silent) -> None:
    """Later commands fail at once, and a single probe detects when Redis is back."""
    link = connect(silent)
    await make_unavailable(link)
    for _ in range(100):
        await make_unavailable(link)
    assert silent.sent in (["GET"], ["GET", "DEL"]) and link.unavailable
    (await silent.asked("DEL")).set_result("0")
    await wait_for_redis(link)
    going = asyncio.create_task(link.execute("GET"))
    (await silent.asked("GET")).set_result("value")
    assert await going == "value" and silent.sent == ["GET", "DEL", "GET"]
    await link.close()


async def test_short_timeout_does_not_block_other_requests(silent: Silent) -> None:
    """Commands with a short timeout fail at once until the probe gets a response; others wait for their own."""
    link = connect(silent, 60)
    with pytest.raises(StateUnavailable):
        await link.execute("COUNT", max_wait=0.01)
    for _ in range(3):
        with pytest.raises(StateUnavailable):
            await link.execute("COUNT", max_wait=60)
    assert silent.sent.count("COUNT") == 1 and not link.unavailable
    going = asyncio.create_task(link.execute("GET"))
    (await silent.asked("GET")).set_result("value")
    assert await going == "value"
    again = asyncio.create_task(link.execute("COUNT", max_wait=60))
    (await silent.asked("COUNT")).set_result("1")
    assert await again == "1"
    await link.close()


async def test_redis_is_probed_repeatedly_but_rarely(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PROBE_SECONDS", 0.02)
    monkeypatch.setattr(module, "FIRST_PROBE_SECONDS", 0.001)
    link = connect(silent, 0.001)
    await make_unavailable(link)
    while silent.sent.count("DEL") < 5:
        await make_unavailable(link)
        await asyncio.sleep(0)
    # The connections of before the outage are closed, once.
    assert set(silent.sent[1:]) - {"closed"} == {"DEL"} and silent.sent.count("closed") <= 1
    await link.close()
    assert silent.sent[-1] == "closed"


async def test_answered_blocking_read_counts_as_a_success(silent: Silent) -> None:
    link = connect(silent)
    reading = asyncio.create_task(link.execute("XREAD", extra_seconds=60))
    waiting = await silent.asked("XREAD")
    await make_unavailable(link)
    assert link.unavailable and not reading.done()
    waiting.set_result("entries")
    assert await reading == "entries" and not link.unavailable
    going = asyncio.create_task(link.execute("GET", max_wait=60))
    (await silent.asked("GET")).set_result("value")
    assert await going == "value"
    await link.close()


async def test_one_slow_command_is_not_an_outage(silent: Silent) -> None:
    link = connect(silent)
    slow = asyncio.create_task(link.execute("SLOW"))
    await silent.asked("SLOW")
    quick = asyncio.create_task(link.execute("GET"))
    (await silent.asked("GET")).set_result("value")
    assert await quick == "value"
    with pytest.raises(StateUnavailable):
        await slow
    assert not link.unavailable and "DEL" not in silent.sent
    await link.close()


async def test_error_reply_counts_as_a_response(silent: Silent, caplog: pytest.LogCaptureFixture) -> None:
    """Metrics show the failure until a command works, but no command is refused."""
    link = connect(silent)
    await make_unavailable(link)
    (await silent.asked("DEL")).set_exception(Refusal("a secret"))
    await asyncio.sleep(0)
    while link._probe_task is not None:
        await asyncio.sleep(0)
    assert link.unavailable
    going = asyncio.create_task(link.execute("GET"))
    (await silent.asked("GET")).set_result("value")
    assert await going == "value" and not link.unavailable
    assert [record.levelname for record in caplog.records].count("WARNING") == 1 and "secret" not in caplog.text
    await link.close()


def test_redis_is_imported_only_when_used() -> None:
    code = (
        "import sys; from doit_mcp.settings import Settings; from doit_mcp.transports.http.main_app import make_main_app;"
        "make_main_app(Settings()); print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("command", ["serve", "sandbox"])
def test_missing_extra_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(startup, "find_spec", lambda name: None)
    # It would stay set for all later tests in this process.
    monkeypatch.setattr("doit_mcp.observability.logging_setup.configure", lambda level, **streams: None)
    monkeypatch.setenv("DOIT_MCP_REDIS_URL", "redis://:hush@host")
    monkeypatch.setenv("MCP_TOKEN_EXCHANGE_SECRET", "s" * 32)
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    stderr = capsys.readouterr().err
    assert ended.value.code == 2 and "doit-mcp[redis]" in stderr and "hush" not in stderr
    assert "redis" not in " ".join(option for option in stderr.split() if option.startswith("--"))


async def test_outage_logs_one_warning(link: RedisConnection, redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "doit_mcp.redis_state.connection")
    redis.kill()
    for _ in range(3):
        with pytest.raises(StateUnavailable):
            await link.execute("GET", "a secret")
    redis.start()
    await wait_for_redis(link)
    for _ in range(3):
        assert await link.execute("PING")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "secret" not in caplog.text


@pytest.mark.requirement("N24")
async def test_n24_descriptor_exhaustion_does_not_close_the_connection(
    link: RedisConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with no_descriptors():
        await make_unavailable(link)
    assert not link.unavailable and "Redis is unavailable" not in caplog.text
    assert await link.execute("GET", link.key("a")) is None


async def test_hanging_or_refusing_server(link: RedisConnection, redis: Server) -> None:
    redis.pause()
    with pytest.raises(StateUnavailable):
        await link.execute("PING")
    redis.resume()
    await wait_for_redis(link)
    assert await link.execute("PING")
    with pytest.raises(StateUnavailable):
        await link.execute("NO-SUCH-COMMAND")
    assert isinstance((await link.execute_all([("NO-SUCH-COMMAND",), ("PING",)]))[0], Exception)


async def test_wrong_password_is_an_outage_and_is_not_shown(redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    url = redis.url.replace("unix://", "unix://user:hush-hush@")
    assert "hush" not in repr(Settings(redis_url=url))
    wrong = open_connection(url, "x", timeout=0.5)
    with pytest.raises(StateUnavailable):
        await wrong.execute("PING")
    await wrong.close()
    assert "hush" not in caplog.text and "hush" not in "".join(str(record.__dict__) for record in caplog.records)
