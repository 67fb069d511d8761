"""MCP Events: what happens at a customer, delivered to webhooks of subscribers (SEP-3415)."""
