"""The Learn page's component (viewer.py), what it sends for each step's picture (pictures.py), and the page's links (link.py)."""
