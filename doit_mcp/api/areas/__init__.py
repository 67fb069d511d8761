"""One module for each area of the DoiT API."""
