"""The Compare page's component and links."""
