"""Looking at networks: tracing is the one door between models and everything that shows what they do; the other modules draw and count what it brings."""
