"""Looking at networks: `trace` runs a clip through one and keeps what every layer did, and is the only door between models and what shows them.

`raster` makes pictures of alignments, `analysis` counts what a layer loses, `figures` draws for papers,
`charts` draws numbers described as data, and `export` writes files.
"""

from adastride.inspection.tracing import LayerTrace, Trace, trace

__all__ = ["LayerTrace", "Trace", "trace"]
