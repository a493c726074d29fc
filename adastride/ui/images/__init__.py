"""The Images page: its links, its pickers, the live picture, and networks side by side."""
