"""What the Results page says of codecs, beside the paper's numbers. Every number of ours here is made up."""

from __future__ import annotations

from dataclasses import replace

import made_up_results as made_up
import pytest

from adastride.code_durations import DurationCount
from adastride.results.core import Spread, lasting, papers_of
from adastride.results.figures import MOST_LASTING, durations_chart
from adastride.results.reading import Run, _run
from adastride.results.report import codes_sentences, codes_table, phonemes_table


def run(method: str, seed: int = 0, task: str = "codec", size: int = 512, durations: dict[int, int] | None = None, **metrics: float) -> Run:
    metrics = {"mel_error": 0.5, "mel_error_db": 4.3, "step_error": 0.6, "distinct_codes": 300.0, "entropy_bits": 7.5, **metrics}
    row = made_up.row(task, method, seed, kind="codec", sigma_inv2=1.0 if method == "adastride" else "", accuracy="", accuracy_in_silence="")
    row = {name: str(cell) for name, cell in row.items() if not name.startswith(("accuracy", "shift_", "pooled_"))}
    empty = {f"shift_{n}": "" for n in range(11)} | {f"pooled_{n}": "" for n in range(17)} | {"pooled_entropy": ""}
    found = _run({**row, **empty, **{f"metric:{name}": str(value) for name, value in metrics.items()}})
    counts = tuple(DurationCount(found.run, size, frames, count) for frames, count in (durations or {}).items())
    return replace(found, durations=counts)


@pytest.fixture
def runs() -> list[Run]:
    return [
        run("strided-conv", 0, durations={8: 90, 16: 10}, distinct_codes=390), run("strided-conv", 1, durations={8: 10, 16: 10}, distinct_codes=410),
        run("adastride", 0, durations={4: 50, 60: 50}, distinct_codes=365, mel_error=0.4),
        run("strided-conv", 0, "codec-64", 64, {8: 1}, distinct_codes=64),
    ]


def test_means_over_seeds_and_codebooks_apart(runs: list[Run]):
    table = codes_table(runs)
    ours = [(row["Whose"], row["Method"], row["Runs"], row["Distinct codes"]) for row in table if row["Whose"].startswith("ours")]
    assert ours == [
        ("ours, Codec of one voice", "Strided convolution", "2", "400 ± 14 of 512"),
        ("ours, Codec of one voice", "AdaStride", "1", "365 of 512"),
        ("ours, Codec of one voice, 64 codes", "Strided convolution", "1", "64 of 64"),
    ]
    assert table[0]["Codes a second"] == "–", "nobody has counted them"
    assert Spread(1.0, 0.5).text(1) == "1.0 ± 0.5"


def test_shares_of_durations_are_means_over_runs(runs: list[Run]):
    found = lasting(runs, "codec", "strided-conv")
    assert found is not None
    assert found.shares == pytest.approx({8: 0.7, 16: 0.3})
    assert found.mean == pytest.approx(8 * 0.7 + 16 * 0.3)
    assert lasting(runs, "codec", "spectral-pool") is None
    chart = durations_chart(runs)
    assert [panel.title for panel in chart.panels] == ["512 codes, Strided convolution", "512 codes, AdaStride", "64 codes, Strided convolution"]
    points = {point.x: point.y for point in chart.panels[1].series[0].points}
    assert (points[4], points[MOST_LASTING]) == (50, 50), "what lasts longer stands in the last bar"
    assert not durations_chart([replace(one, durations=()) for one in runs]).panels


def test_the_order_is_compared_with_the_papers_where_the_codebook_is_as_large(runs: list[Run]):
    (sentence,) = codes_sentences(runs)
    assert "AdaStride 365, Strided convolution 400. The order is the paper’s." in sentence
    assert sentence.endswith("AdaStride, 0.400 nats; the mel averaged over 8 frames has 0.600, so it is better than that.")
    equal = [run("strided-conv", distinct_codes=365, durations={8: 1}), run("adastride", distinct_codes=365.2, mel_error=0.7, durations={8: 1})]
    (sentence,) = codes_sentences(equal)
    assert "Some are equal; the paper’s order is AdaStride before Strided convolution." in sentence
    other = [run("strided-conv", distinct_codes=300, durations={8: 1}), run("adastride", distinct_codes=350, durations={8: 1}, step_error=0.4)]
    assert "The order is not the paper’s" in codes_sentences(other)[0]


def test_the_papers_tables(runs: list[Run]):
    assert [row["Distinct codes"] for row in codes_table(runs)[3:]] == ["390 of 512", "383 of 512", "365 of 512"]
    rows = {row["Method"]: row for row in phonemes_table(runs)}
    assert (rows["Spectral pooling"]["PER-R (%)"], rows["AdaStride"]["PER-C without alignments (%)"]) == ("18.14", "26.76")
    classifiers = [_run({name: str(cell) for name, cell in {**made_up.row(), "kind": ""}.items()} | {"metric:accuracy": "0.8"})]
    assert papers_of(classifiers).codes == ()
    assert phonemes_table(classifiers) == []


@pytest.mark.parametrize(("rise", "said"), [(0.02, "as the paper supposes"), (0.3, "against what the paper supposes")])
def test_what_fewer_codes_cost(rise: float, said: str):
    """Means over seeds, each method against itself; nothing is said where one size alone is known."""
    large = [run("strided-conv", 0, durations={8: 1}), run("strided-conv", 1, durations={8: 1}, mel_error=0.6), run("adastride", durations={8: 1})]
    small = [run(name, 0, "codec-64", 64, {8: 1}, mel_error=value) for name, value in (("strided-conv", 0.65), ("adastride", 0.5 + rise))]
    assert codes_sentences(large)[-1].startswith("On **Codec")
    sentence = codes_sentences(large + small)[-1]
    assert sentence.startswith("With 64 codes instead of 512 the mel error changes, in nats: ")
    assert f"AdaStride +{rise:.3f}" in sentence
    assert "Strided convolution +0.100" in sentence
    assert f"; {said}: " in sentence
