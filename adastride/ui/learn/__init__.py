"""The Learn page's component and links."""
