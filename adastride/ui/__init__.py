"""What the pages share: the source picker, cached resources, links, and the linked viewer component."""
