"""Ten questions of FinOps practitioners, asked in the sandbox. See ``scripts/finops10 --help``."""
