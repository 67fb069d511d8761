"""Safeguards for tools that change data: confirmation with a preview, and protection against duplicates."""
