"""Queries and saved reports: run while a request waits, or in the background at the API."""
