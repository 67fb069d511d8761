"""The user's browser without a display: follows an authorization request to the client's redirect URI.

``python sign_in.py URL`` also serves as ``xdg-open`` for clients that start a browser; it visits the loopback callback
too.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

HOPS = 8
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
REDIRECTS = (301, 302, 303, 307, 308)


def parameters(url: str) -> dict[str, str]:
    """Return the query of *url*. Raises ValueError on a repeated name."""
    values = parse_qs(urlsplit(url).query, keep_blank_values=True)
    doubled = [name for name, items in values.items() if len(items) > 1]
    if doubled:
        raise ValueError(f"{doubled} came more than once in {url}")
    return {name: items[0] for name, items in values.items()}


async def follow(url: str, redirect_uri: str) -> str:
    """Follow redirects from *url* as a browser; return the first URL at *redirect_uri*, which is not visited.

    Raises RuntimeError if they end elsewhere, such as at a page that needs a user or an error.
    """
    urls = [url]
    async with aiohttp.ClientSession(headers={"User-Agent": BROWSER, "Accept": "text/html"}) as http:
        for _ in range(HOPS):
            async with http.get(urls[-1], allow_redirects=False) as answer:
                if answer.status not in REDIRECTS:
                    raise RuntimeError(f"{urls} ended with {answer.status}: {(await answer.text())[:800]}")
                urls.append(urljoin(urls[-1], answer.headers["Location"]))
            if urls[-1].partition("?")[0] == redirect_uri:
                return urls[-1]
    raise RuntimeError(f"no way from {url} to {redirect_uri}: {urls}")


async def visit(url: str) -> None:
    """Follow *url* to its end, including the callback; retry while the client is not listening yet."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": BROWSER}) as http:
        redirect_uri = parameters(url)["redirect_uri"]
        back = await follow(url, redirect_uri)
        for _ in range(100):
            try:
                async with http.get(back) as answer:
                    await answer.read()
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
    raise RuntimeError(f"nobody listens at {redirect_uri}")


if __name__ == "__main__":
    asyncio.run(visit(sys.argv[1]))
