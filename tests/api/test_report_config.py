"""Names of clouds in queries."""

from __future__ import annotations

import pytest

from doit_mcp.api.report_config import PROVIDER_ALIASES, normalize_provider, provider_code


@pytest.mark.parametrize("provider", PROVIDER_ALIASES)
def test_every_name_of_a_cloud_has_its_code(provider: str) -> None:
    for name in (provider, *PROVIDER_ALIASES[provider], f" {provider_code(provider).upper()} "):
        assert provider_code(name) == provider_code(provider) in ("aws", "gcp", "azure")
        assert normalize_provider(name) == provider


def test_unknown_clouds_stay_unchanged() -> None:
    assert provider_code("Snowflake") == normalize_provider("Snowflake") == "Snowflake"
