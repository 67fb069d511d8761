"""Cost anomalies and who owns them."""
