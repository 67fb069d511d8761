"""Assigns tests that share an expensive fixture to one worker. Other tests are assigned one by one."""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # xdist has no types

# Directories whose tests share a browser.
DIRECTORIES = ("tests/browser",)
# Directories and files whose tests share servers or clients by file.
FILES = (
    "tests/e2e",
    "tests/redis_state/test_shared_redis.py",
    "tests/test_examples.py",
    "tests/test_mcpb_bundle.py",
    "tests/transports/http/test_event_loop.py",
    "tests/transports/http/test_landing_page.py",
    "tests/transports/http/test_random_messages.py",
    "tests/transports/http/test_skills.py",
)


class SharedFixtureScheduling(LoadScopeScheduling):
    """Starts with the largest groups, so that none is left for the end."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group of a test: the documented way to define groups."""
        path = nodeid.partition("::")[0]
        places = (path, *map(str, PurePosixPath(path).parents))
        for place in places:
            if place in DIRECTORIES:
                return place
        return path if any(place in FILES for place in places) else nodeid
