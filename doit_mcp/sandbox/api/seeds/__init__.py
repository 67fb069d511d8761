"""The data that each sandbox customer starts with."""
