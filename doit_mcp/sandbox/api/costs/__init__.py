"""Costs: estates, billing lines, and the query engine for reports."""
