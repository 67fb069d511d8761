"""The sandbox: a stand-in world on loopback; it never imports the product's DoiT client."""
