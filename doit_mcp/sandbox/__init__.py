"""Sandbox: a fake identity provider and a fake DoiT API on loopback, independent of the server's DoiT API client."""
