"""The Explore page's component and links."""
