"""Stores of state that outlives a call: large results, and receipts of writes."""
