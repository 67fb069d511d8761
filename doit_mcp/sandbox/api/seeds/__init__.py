"""Initial data of each sandbox customer."""
