"""The HTTP transports, built on aiohttp."""
