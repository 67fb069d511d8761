"""Runs nginx as a reverse proxy on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

PROGRAM = "nginx"
CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {upstream};
      proxy_http_version {version};
      proxy_set_header Host {host};
      {extra}
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(
    folder: Path, port: int, upstream: str, extra: str = "", host: str = "$http_host", version: str = "1.1"
) -> AsyncIterator[None]:
    """nginx at *port* in front of *upstream*, which gets *host*, with *extra* directives for the location.

    It buffers responses only of HTTP *version* 1.0; with 1.1, it forwards each chunk.
    """
    path = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")
    if path is None:
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{PROGRAM} is not installed"
        pytest.skip(f"{PROGRAM} is not installed")
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=folder, port=port, upstream=upstream, extra=extra, host=host, version=version)
    )
    process = await asyncio.create_subprocess_exec(
        path, "-c", str(config), "-p", str(folder), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _until_it_listens(process, port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert process.returncode is None, "nginx ended"
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
