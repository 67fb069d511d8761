"""What the official conformance suite expects a server to offer: records for the product's own registries."""
