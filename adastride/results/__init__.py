"""Trained networks in numbers: `read` reads a results file, a line for each training run, and `papers` the tables of the papers beside it.

`reading` and `paper_tables` read, `core` counts and compares, `report` says it in sentences and tables, `figures` draws it.
"""

from adastride.results.paper_tables import papers
from adastride.results.reading import ResultsError, Run, read

__all__ = ["ResultsError", "Run", "papers", "read"]
