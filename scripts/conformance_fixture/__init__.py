"""Records that the official conformance suite expects of a server, for the product's own registries."""
