"""Event loop lag is measured, counted and occasionally logged."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from doit_mcp.transports.http import event_loop_lag
from doit_mcp.transports.http.event_loop_lag import LARGE_DELAY_SECONDS, LagMonitor

from .serving import Site

NAME = "doit_mcp_event_loop_delay_seconds"


async def wait_for_delays(delays: list[float], count: int) -> None:
    while len(delays) < count:
        await asyncio.sleep(0.01)


async def test_lag_is_measured() -> None:
    delays: list[float] = []
    watching = LagMonitor(delays.append)
    await wait_for_delays(delays, 1)
    before = len(delays)
    time.sleep(0.4)
    await wait_for_delays(delays, before + 1)
    watching.stop()
    # The timer was due within the first 0.1 s.
    assert max(delays[before:]) >= 0.25
    after = len(delays)
    await asyncio.sleep(0.25)
    assert len(delays) == after


async def test_large_lags_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    delays: list[float] = []
    watching = LagMonitor(delays.append)
    with caplog.at_level(logging.WARNING, event_loop_lag.__name__), pytest.MonkeyPatch.context() as patch:
        for _ in range(3):
            count = len(delays)
            time.sleep(LARGE_DELAY_SECONDS + 0.15)
            await wait_for_delays(delays, count + 1)
        lines = [record for record in caplog.records if record.name == event_loop_lag.__name__]
        assert [vars(line)["unlogged_delays"] for line in lines] == [0]
        assert vars(lines[0])["delay_ms"] >= LARGE_DELAY_SECONDS * 1000
        patch.setattr(watching, "_quiet_until", 0.0)
        count = len(delays)
        time.sleep(LARGE_DELAY_SECONDS + 0.15)
        await wait_for_delays(delays, count + 1)
    watching.stop()
    lines = [record for record in caplog.records if record.name == event_loop_lag.__name__]
    assert [vars(line)["unlogged_delays"] for line in lines] == [0, 2]


async def test_metrics_include_the_lag(site: Site) -> None:
    """The histogram exists from the start, with a bucket boundary at 0.1 s."""
    samples: dict[str, float] = {}
    while not samples.get(f"{NAME}_count"):
        await asyncio.sleep(0.05)
        text = (await site.send("GET", "/metrics", {})).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        assert families[NAME].type == "histogram"
        samples = {f"{sample.name}{sample.labels.get('le', '')}": sample.value for sample in families[NAME].samples}
    assert samples[f"{NAME}_bucket0.1"] <= samples[f"{NAME}_bucket+Inf"] == samples[f"{NAME}_count"]
    assert samples[f"{NAME}_sum"] >= 0
