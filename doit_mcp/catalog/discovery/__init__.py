"""Tools that find and call any other tool."""
