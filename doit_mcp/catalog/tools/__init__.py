"""Tools: declarations, arguments, results and names."""
