"""Tools that change something: confirmation, previews and protection against duplicates."""
