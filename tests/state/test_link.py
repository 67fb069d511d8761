"""The link: imported only when wanted, one warning for an outage, and no secret in any word."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from doit_mcp import cli
from doit_mcp.settings import Settings
from doit_mcp.state.away import Away
from doit_mcp.state.link import Link, open_link
from tests.state.redis_server import Server


def test_nothing_is_imported_unless_it_is_wanted() -> None:
    code = (
        "import sys; from doit_mcp.settings import Settings; from doit_mcp.web.site import site;"
        "site(Settings()); print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("command", ["serve", "sandbox"])
def test_the_extra_is_asked_for(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    # It would hold for all tests that follow in this process.
    monkeypatch.setattr("doit_mcp.log.configure", lambda level, **streams: None)
    monkeypatch.setenv("DOIT_MCP_REDIS_URL", "redis://:hush@host")
    monkeypatch.setenv("MCP_TOKEN_EXCHANGE_SECRET", "secret")
    with pytest.raises(SystemExit) as ended:
        cli.main([command])
    shown = capsys.readouterr().err
    assert ended.value.code == 2 and "doit-mcp[redis]" in shown and "hush" not in shown
    assert "redis" not in " ".join(option for option in shown.split() if option.startswith("--"))


async def test_an_outage_is_one_warning(link: Link, redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "doit_mcp.state.link")
    redis.kill()
    for _ in range(3):
        with pytest.raises(Away):
            await link.run("GET", "a secret")
    redis.start()
    for _ in range(3):
        assert await link.run("PING")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "secret" not in caplog.text


async def test_a_server_that_hangs_or_refuses(link: Link, redis: Server) -> None:
    redis.pause()
    with pytest.raises(Away):
        await link.run("PING")
    redis.resume()
    assert await link.run("PING")
    with pytest.raises(Away):
        await link.run("NO-SUCH-COMMAND")
    assert isinstance((await link.all([("NO-SUCH-COMMAND",), ("PING",)]))[0], Exception)


async def test_a_wrong_password_is_an_outage_and_is_not_shown(redis: Server, caplog: pytest.LogCaptureFixture) -> None:
    url = redis.url.replace("unix://", "unix://user:hush-hush@")
    assert "hush" not in repr(Settings(redis_url=url))
    wrong = open_link(url, "x", timeout=0.5)
    with pytest.raises(Away):
        await wrong.run("PING")
    await wrong.close()
    assert "hush" not in caplog.text and "hush" not in "".join(str(record.__dict__) for record in caplog.records)
