"""Stores for state between calls: large results, and receipts of writes."""
