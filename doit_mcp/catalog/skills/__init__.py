"""Skills and guides: methods and reference texts for models."""
