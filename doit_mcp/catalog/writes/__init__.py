"""Safeguards for tools that change data: confirmation, previews and protection against duplicates."""
