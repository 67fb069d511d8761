"""The aiohttp shell: sockets in, answers out."""
