"""CloudFlow automations: checks of bundles before an import, and runs node by node."""
