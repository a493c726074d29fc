"""Looks at networks: `trace` runs a clip through a network and keeps what every layer did.

It is the only door between networks and what shows them. `raster` makes pictures of alignments, `analysis` measures what a layer
loses, `figures` draws traces for papers, `charts` draws numbers that are described as data, and `export` writes files.
"""

from adastride.inspection.tracing import LayerTrace, Trace, trace

__all__ = ["LayerTrace", "Trace", "trace"]
