"""The forecast of costs to the end of a period, and scenarios of it."""
