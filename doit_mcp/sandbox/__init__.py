"""Sandbox: a fake identity provider and a fake DoiT API on loopback. It never imports the product's DoiT API client."""
