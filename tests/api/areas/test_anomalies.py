"""Reviews of anomalies: their request, and the rules that the API has for them."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from tests.api.recorder import Recorder

CONFIRMED = {"reviewStatus": "RESOLVED", "resolution": "ANOMALY_CONFIRMED"}


async def review(api: Recorder, **arguments: Any) -> Any:
    """Send the review of one anomaly."""
    return await Doit.for_sender(api).anomalies.update_anomaly_review(id="a/1", **arguments)


@pytest.mark.parametrize(
    ("arguments", "feedback"),
    [
        ({"reviewStatus": "UNDER_REVIEW"}, {"reviewStatus": "UNDER_REVIEW"}),
        (
            {"reviewStatus": "NEEDS_REVIEW", "comment": "c"},
            {"reviewStatus": "NEEDS_REVIEW", "resolutionNote": {"comment": "c"}},
        ),
        (CONFIRMED | {"reason": "MISCONFIGURATION"}, CONFIRMED | {"resolutionNote": {"reason": "MISCONFIGURATION"}}),
        # The stored fields may make these valid.
        ({"resolution": "NOT_ANOMALY"}, {"resolution": "NOT_ANOMALY"}),
        ({"reason": "LOW_IMPACT"}, {"resolutionNote": {"reason": "LOW_IMPACT"}}),
    ],
)
async def test_only_given_fields_are_sent(arguments: Any, feedback: Any) -> None:
    api = Recorder(None)
    await review(api, **arguments)
    (request,) = api.requests
    assert (request.method, request.path) == ("PATCH", "/anomalies/v1/a%2F1")
    assert request.body == {"customerFeedback": feedback}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"reviewStatus": "RESOLVED"}, "resolution is required"),
        ({"reviewStatus": "UNDER_REVIEW", "resolution": "NOT_ANOMALY"}, "resolution: only with"),
        ({"reviewStatus": "NEEDS_REVIEW", "reason": "LOW_IMPACT"}, "reason: only with"),
        (CONFIRMED | {"reason": "LOW_IMPACT"}, "with ANOMALY_CONFIRMED, one of SECURITY_BREACH"),
        (CONFIRMED | {"resolution": "NOT_ANOMALY", "reason": "SECURITY_BREACH"}, "with NOT_ANOMALY, one of FAULTY"),
    ],
)
async def test_contradictions_are_refused(arguments: Any, problem: str) -> None:
    api = Recorder(None)
    with pytest.raises(ApiError, match=problem) as caught:
        await review(api, **arguments)
    assert caught.value.kind == "argument" and not api.requests
