"""Tools that compare the costs of two periods and explain the change."""
