"""Variables and fields of the settings, and the problems of an environment."""

from __future__ import annotations

import pytest

from doit_mcp.settings import Settings
from doit_mcp.settings.errors import BadSettings

VARIABLES = {declared.name: declared for declared in Settings.variables().values()}
FIELDS = {declared.name: field for field, declared in Settings.variables().items()}


def problems(environment: dict[str, str]) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        Settings.from_environment(environment)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems
