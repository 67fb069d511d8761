"""Anomalies: their review and explanation."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Clock
from .conftest import ADMIN, VIEWER, Party

PATH = "/anomalies/v1"


@pytest.fixture
async def place(party: Party) -> str:
    """The path of an anomaly."""
    return f"{PATH}/{(await party.get(PATH))['anomalies'][0]['id']}"


async def review(party: Party, place: str, status: int = 200, **feedback: Any) -> str:
    """Send a review and return the error, "" without one."""
    answer = await party.send("PATCH", place, {"customerFeedback": feedback})
    assert answer.status == status, answer
    return str(answer.json["error"]) if answer.body else ""


async def test_first_review_acknowledges(party: Party, place: str, clock: Clock) -> None:
    assert (await party.get(place))["acknowledged"] is False
    await review(party, place, reviewStatus="NEEDS_REVIEW")
    assert (await party.get(place))["acknowledged"] is False
    await review(party, place, reviewStatus="UNDER_REVIEW")
    first = await party.get(place)
    assert (first["acknowledged"], first["acknowledgedBy"]) == (True, ADMIN.email)
    clock.advance(60)
    await review(
        party, place, reviewStatus="RESOLVED", resolution="NOT_ANOMALY", resolutionNote={"reason": "LOW_IMPACT"}
    )
    assert await party.get(place) == first


async def test_fields_of_a_review_agree(party: Party, place: str) -> None:
    assert "required" in await review(party, place, 400, reviewStatus="RESOLVED")
    assert "RESOLVED only" in await review(party, place, 400, resolution="NOT_ANOMALY")
    confirmed = {"reviewStatus": "RESOLVED", "resolution": "ANOMALY_CONFIRMED"}
    assert "is not valid for" in await review(party, place, 400, **confirmed, resolutionNote={"reason": "LOW_IMPACT"})
    await review(party, place, **confirmed)
    await review(party, place, resolutionNote={"reason": "MISCONFIGURATION", "comment": "x"})
    # Fields that are left out keep their values.
    await review(party, place, resolutionNote={"comment": "y"})
    await review(party, place, reviewStatus="UNDER_REVIEW")
    assert "is not valid for" in await review(party, place, 400, resolutionNote={"reason": "MISCONFIGURATION"})
    for body in ({}, {"customerFeedback": {"reviewStatus": "DONE"}}, {"customerFeedback": None}):
        assert (await party.send("PATCH", place, body)).status == 400


async def test_review_needs_permission(party: Party, place: str) -> None:
    body = {"customerFeedback": {"reviewStatus": "UNDER_REVIEW"}}
    assert (await party.send("PATCH", place, body, who=VIEWER)).status == 403
    assert (await party.send("PATCH", f"{PATH}/nothing", body)).status == 404


async def test_explanation_has_the_facts_of_the_anomaly(party: Party, place: str) -> None:
    anomaly, explained = await party.get(place), await party.get(f"{place}/explanation")
    assert explained["explanation"]["aiGenerated"] is True and anomaly["entityName"] in explained["explanation"]["text"]
    assert explained["facts"] == {name: anomaly[name] for name in explained["facts"]}
    assert (await party.send("GET", f"{PATH}/nothing/explanation")).status == 404
