"""The sandbox keeps its secret in the directory that it is given, readable by its owner only."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from doit_mcp.sandbox.state_directory import FILE_NAME, keep_secret


def test_secret_is_kept(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    secret = keep_secret(directory)
    assert keep_secret(directory) == secret and len(secret) >= 32
    assert keep_secret(tmp_path / "other") != secret
    assert stat.S_IMODE((directory / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in directory.iterdir()] == [FILE_NAME]


def test_sandboxes_that_start_together_use_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(keep_secret, [tmp_path] * 50))) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 44, b"\xff" * 43])
def test_damaged_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(ValueError):
        keep_secret(tmp_path)
