"""The API document in a file: read at start, or refused with the reason."""

from __future__ import annotations

import logging
from pathlib import Path

import orjson
import pytest

from doit_mcp.settings.errors import BadSettings
from doit_mcp.transports.api_document import load_api_document
from tests.api.test_openapi_document import DOCUMENT


def test_file_is_read_and_its_operations_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "openapi.json"
    path.write_bytes(orjson.dumps(DOCUMENT))
    with caplog.at_level(logging.INFO):
        document = load_api_document(str(path))
    assert document is not None and [one.operation.name for one in document.operations] == [
        "get_recipe",
        "update_recipe",
    ]
    (record,) = (one for one in caplog.records if one.name == "doit_mcp.transports.api_document")
    assert record.__dict__["count"] == 2
    assert load_api_document("") is None


@pytest.mark.parametrize(("text", "problem"), [(b"a: b", "is not JSON"), (b"{}", "has no paths")])
def test_other_files_are_refused(tmp_path: Path, text: bytes, problem: str) -> None:
    path = tmp_path / "openapi.json"
    path.write_bytes(text)
    with pytest.raises(BadSettings, match=f"DOIT_MCP_OPENAPI: the file .*{problem}"):
        load_api_document(str(path))
    with pytest.raises(BadSettings, match="cannot be read"):
        load_api_document(str(tmp_path / "missing.json"))
    with pytest.raises(BadSettings, match="cannot be read"):
        load_api_document(str(tmp_path))
