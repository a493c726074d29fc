"""The Length page's links."""
