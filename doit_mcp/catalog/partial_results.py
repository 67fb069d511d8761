"""Concurrent API requests in which one failure does not fail the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from ..api.errors import ApiError
from ..api.value_kinds import Members
from ..protocol.jsonrpc import JsonObject


class FailedPart(TypedDict):
    """A part that failed, and why."""

    part: str
    why: str


FailedParts = Annotated[list[JsonObject], "Parts not read, and why.", Members(FailedPart)]
"""The member of a result about parts that failed."""


@dataclass(frozen=True, slots=True)
class PartialResults:
    """Results and errors, both by the name of the part."""

    results: Mapping[str, Any]
    errors: Mapping[str, ApiError] = field(default_factory=dict)

    @property
    def failures(self) -> list[FailedPart]:
        """The parts that failed, and why, as an answer shows them."""
        return [{"part": name, "why": describe_error(error)} for name, error in self.errors.items()]

    def require(self, *names: str) -> None:
        """Raise the error of the first part that failed among *names*, by default among all parts."""
        for name, error in self.errors.items():
            if not names or name in names:
                raise error

    def raise_if_all_failed(self) -> PartialResults:
        """Return itself if any part succeeded; otherwise raise the most informative error."""
        if self.results or not self.errors:
            return self
        raise next(
            (error for error in self.errors.values() if error.kind != "forbidden"), next(iter(self.errors.values()))
        )


async def gather_partial(parts: Mapping[str, Awaitable[Any]], timeout_seconds: float | None = None) -> PartialResults:
    """Run all *parts* concurrently; those that take longer than *timeout_seconds* fail with a timeout.

    Raise ApiError if the credential is no longer accepted, even if other parts succeeded, so that the user signs in
    again. Any other exception, such as the refusal of a call without a customer, cancels all parts and is raised
    itself.
    """
    found: dict[str, Any] = {}
    failed: dict[str, ApiError] = {}

    async def one(name: str, work: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                found[name] = await work
        except ApiError as error:
            failed[name] = error
        except TimeoutError:
            failed[name] = ApiError("the request took too long", kind="timeout")

    try:
        async with asyncio.TaskGroup() as group:
            for name, work in parts.items():
                group.create_task(one(name, work))
    except ExceptionGroup as ended_by:
        raise ended_by.exceptions[0] from None
    if (ended := next((error for error in failed.values() if error.kind == "credential"), None)) is not None:
        raise ended
    # Keep the order of *parts*, whichever finished first.
    return PartialResults(
        {name: found[name] for name in parts if name in found}, {name: failed[name] for name in parts if name in failed}
    )


async def gather_in_turns(
    parts: Mapping[str, Callable[[], Awaitable[Any]]], max_concurrent: int, timeout_seconds: float
) -> PartialResults:
    """Do the same as :func:`gather_partial`, but for at most *max_concurrent* parts at a time.

    Those that are not finished after *timeout_seconds* fail, even if they have not started yet.
    """
    free = asyncio.Semaphore(max_concurrent)

    async def wait_for_turn(start: Callable[[], Awaitable[Any]]) -> Any:
        async with free:
            return await start()

    return await gather_partial({name: wait_for_turn(start) for name, start in parts.items()}, timeout_seconds)


def make_failures_member(failures: Iterable[FailedPart]) -> JsonObject:
    """Return the member of a result that lists the parts that failed; empty if none did."""
    listed = list(failures)
    return {"failed": listed} if listed else {}


ERROR_DESCRIPTIONS = {
    "forbidden": "the signed-in user lacks the permission",
    "missing": "not found for this customer",
    "early": "not ready yet",
    "rate": "too many requests",
    "timeout": "the request timed out",
    "network": "the API could not be reached",
}


def describe_error(error: ApiError) -> str:
    """Return a short description of an error."""
    said = error.reason.rstrip(".") or ERROR_DESCRIPTIONS.get(error.kind, "the API failed")
    return f"{said} (HTTP {error.status})" if error.status else said
