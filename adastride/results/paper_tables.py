"""The numbers that the papers print, from papers.toml beside the results file."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass

from adastride.results.reading import COSTS, FOLDER

PAPERS = FOLDER / "papers.toml"


@dataclass(frozen=True)
class PaperTable:
    """Numbers of one paper's table on one data set. task: ours with data of the same kind, None where there is none.

    values: by method (or σ⁻² as text), mean and standard deviation, in percent for accuracies.
    """

    paper: str
    table: str
    data: str
    task: str | None
    runs: int
    values: dict[str, tuple[float, float]]

    @property
    def source(self) -> str:
        return f"{self.paper} paper, {self.table}: {self.data}, {self.runs} runs"


@dataclass(frozen=True)
class PaperCost:
    """Times and memory of one paper, relative to strided convolution, by kind of cost and method."""

    paper: str
    table: str
    data: str
    values: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Papers:
    """results/papers.toml. strides: the first layer's over time, under the key "diffstride". notes: what figures show, in words."""

    accuracy: tuple[PaperTable, ...]
    sigma: tuple[PaperTable, ...]
    strides: tuple[PaperTable, ...]
    cost: tuple[PaperCost, ...]
    notes: dict[str, str]


@functools.cache
def papers() -> Papers:
    """The papers' numbers."""
    read_in = tomllib.loads(PAPERS.read_text(encoding="utf-8"))

    def tables(kind: str) -> tuple[PaperTable, ...]:
        return tuple(
            PaperTable(entry["paper"], entry["table"], entry["data"], entry.get("task"), entry["runs"],
                       {key: tuple(value) for key, value in entry.get("values", {"diffstride": entry.get("value")}).items()})
            for entry in read_in[kind]
        )

    kinds = (*COSTS, "inference_memory")
    cost = tuple(PaperCost(entry["paper"], entry["table"], entry["data"], {kind: entry[kind] for kind in kinds}) for entry in read_in["cost"])
    return Papers(tables("accuracy"), tables("sigma"), tables("strides"), cost, read_in["notes"])
