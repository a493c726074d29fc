"""Trained networks in numbers: `read` reads a results file, a line for each training run, and `papers` the tables of the papers beside it.

`core` counts and compares, `report` says it in sentences and tables, `figures` draws it.
"""

from adastride.results.core import ResultsError, Run, papers, read

__all__ = ["ResultsError", "Run", "papers", "read"]
