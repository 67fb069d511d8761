"""Cloud diagrams of the sandbox."""
