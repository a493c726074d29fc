"""The numbers that the papers print, from papers.toml beside the results file."""

from __future__ import annotations

import functools
import math
import tomllib
from dataclasses import dataclass

from adastride.results.reading import COSTS, FOLDER

PAPERS = FOLDER / "papers.toml"


@dataclass(frozen=True)
class PaperTable:
    """Numbers of one paper's table on one data set. task: ours with data of the same kind, None where there is none.

    runs: how many the numbers are of, 0 where the paper does not say. values: by method (or σ⁻² as text), mean and standard
    deviation, in percent for accuracies and error rates; the deviation is NaN where the paper prints none.
    """

    paper: str
    table: str
    data: str
    task: str | None
    runs: int
    values: dict[str, tuple[float, float]]

    @property
    def source(self) -> str:
        return f"{self.paper} paper, {self.table}: {self.data}" + (f", {self.runs} runs" if self.runs else "")

    def text(self, key: str) -> str:
        """One of its numbers as a table shows it: "95.9 ± 0.1", or "4.11" where there is no deviation."""
        mean, std = self.values[key]
        return f"{mean:.2f}" if math.isnan(std) else f"{mean:.1f} ± {std:.1f}"


SPEECH_SPLITS = ("dev-clean", "dev-other", "test-clean", "test-other")


@dataclass(frozen=True)
class PaperPictures(PaperTable):
    """Accuracies of one paper's networks of pictures. start: the strides that they begin with, as `adastride.image_runs` writes them."""

    start: str


@dataclass(frozen=True)
class PaperSpectrograms:
    """DiffStride's numbers of networks of spectrograms for a task, or their means under "All of them".

    single, together: accuracies in percent by method, of a network of this task alone and of one for all tasks (table 1). strides: of time
    and frequency of the first layer of the network of this task, or of the one for all; hertz, cycles: their cut-offs in Hz and in cycles
    per mel band (table 2).
    """

    task: str
    single: dict[str, float]
    together: dict[str, float]
    strides: tuple[float, float]
    hertz: float
    cycles: float


@dataclass(frozen=True)
class PaperErrors:
    """Error rates of one paper's recognisers on LibriSpeech, in percent.

    trained: on how much of it, "all" or "10 %". metric: "PER" for phonemes or "WER" for words. task: ours with data of the same kind,
    None where there is none. values: by method, for each of `SPEECH_SPLITS`.
    """

    paper: str
    table: str
    trained: str
    metric: str
    task: str | None
    values: dict[str, tuple[float, ...]]

    def on(self, split: str) -> PaperTable:
        """The numbers of one split. Its data has in short how much of LibriSpeech was learned from: a legend has little room."""
        data = f"LibriSpeech {split}, {self.metric}, {self.trained} of it"
        column = SPEECH_SPLITS.index(split)
        return PaperTable(
            self.paper, self.table, data, self.task, 0, {method: (rates[column], math.nan) for method, rates in self.values.items()},
        )


@dataclass(frozen=True)
class PaperCodes:
    """How many of a paper's codes are used on all of its data, by method. codes: how many the codebook has."""

    paper: str
    table: str
    data: str
    codes: int
    values: dict[str, int]


@dataclass(frozen=True)
class PaperPhonemes:
    """Phoneme error rates of a paper's codecs by method, in percent.

    per_r: of a recogniser that hears what is made of the codes. per_c: of one that is trained on the codes, with their durations where
    these vary. per_c_without_alignments: on the codes alone.
    """

    paper: str
    table: str
    data: str
    per_r: dict[str, float]
    per_c: dict[str, float]
    per_c_without_alignments: dict[str, float]


@dataclass(frozen=True)
class PaperCost:
    """Times and memory of one paper, relative to strided convolution, by kind of cost and method."""

    paper: str
    table: str
    data: str
    values: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Papers:
    """results/papers.toml. accuracy: or what else networks are compared by. strides: the first layer's over time, under the key
    "diffstride". notes: what figures show, in words. recognition: error rates of recognisers, those trained on the least first.
    codes, phonemes: of codecs. pictures, spectrograms: of networks of them."""

    accuracy: tuple[PaperTable, ...]
    sigma: tuple[PaperTable, ...]
    strides: tuple[PaperTable, ...]
    cost: tuple[PaperCost, ...]
    notes: dict[str, str]
    recognition: tuple[PaperErrors, ...] = ()
    codes: tuple[PaperCodes, ...] = ()
    phonemes: tuple[PaperPhonemes, ...] = ()
    pictures: tuple[PaperPictures, ...] = ()
    spectrograms: tuple[PaperSpectrograms, ...] = ()


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
    errors = tuple(
        PaperErrors(entry["paper"], entry["table"], entry["trained"], entry["metric"], entry.get("task"),
                    {method: tuple(rates) for method, rates in entry["values"].items()})
        for entry in reversed(read_in["recognition"])
    )
    codes = tuple(PaperCodes(**entry) for entry in read_in["codes"])
    phonemes = tuple(PaperPhonemes(**entry) for entry in read_in["phonemes"])
    pictures = tuple(
        PaperPictures(entry["paper"], entry["table"], entry["data"], None, entry["runs"], {key: tuple(value) for key, value in entry["values"].items()},
                      entry["start"])
        for entry in read_in["pictures"]
    )
    spectrograms = tuple(PaperSpectrograms(**{**entry, "strides": tuple(entry["strides"])}) for entry in read_in["spectrograms"])
    return Papers(tables("accuracy"), tables("sigma"), tables("strides"), cost, read_in["notes"], errors, codes, phonemes, pictures, spectrograms)
