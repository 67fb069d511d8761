"""Old names of tools: they are not listed, but a call by one of them reaches the tool."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "datahub_events_csv_file": "upload_datahub_csv",
        "id_of_asset": "update_asset",
    }
)
"""A tool's name by its old name."""
