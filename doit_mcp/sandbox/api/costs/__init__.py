"""Costs: the estates, their billing lines, and the engine that answers report queries from them."""
