"""Tools: how they are built, validated, named, and limited in size."""
