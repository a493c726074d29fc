"""Results of audio transformers are held against ElasticAST, since none of them is a strided convolution."""

from __future__ import annotations

from pathlib import Path

import made_up_lengths as made_up
import made_up_results
import pytest

from adastride.results import core as results
from adastride.results import report
from adastride.results.figures import cost_chart
from adastride.results.reading import Run, read


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    lines = [made_up.row("speakers", made_up.TRANSFORMER, method, seed) for method in ("elastic", "ast-2s", "elastic-adastride") for seed in (0, 1)]
    for line in lines:
        line["accuracy"] = {"elastic": 0.8, "ast-2s": 0.7, "elastic-adastride": 0.75}[str(line["method"])] + 0.01 * int(str(line["seed"]))
    return read(made_up_results.write(tmp_path / "results.csv", lines, made_up.COLUMNS))


def test_the_sentence_compares_adastride_in_front_with_nothing_in_front(runs: list[Run]):
    assert results.question_of(runs) == ("elastic-adastride", "elastic")
    (sentence,) = report.story(runs)[:1]
    assert sentence.startswith("On **speakers**, AdaStride + ElasticAST is 5.0 points below ElasticAST (")
    assert "strided convolution" not in " ".join([*report.story(runs), report.comparison_sentence(runs, "speakers")])


def test_the_table_has_differences_to_elasticast(runs: list[Run]):
    rows = {row["Method"]: row for row in report.comparison_table(runs, "speakers")}
    assert rows["ElasticAST"]["Test"] == "compared with"
    assert rows["AST of 2 s"]["Difference (points)"] == "−10.0"
    assert {difference.method for difference in results.differences(runs, "speakers")} == {"ast-2s", "elastic-adastride"}


def test_costs_are_relative_to_elasticast(runs: list[Run]):
    assert {cost.method for cost in results.costs(runs, runs[0].machine)} == {"ast-2s", "elastic-adastride"}
    assert cost_chart(runs, runs[0].machine).title == "Time and memory relative to ElasticAST"


def test_nothing_of_the_classifiers_plan_is_missed_here(runs: list[Run]):
    assert report.coverage(runs) == ["6 runs of this kind of network are finished: 3 methods on speakers."]
    assert list(report.coverage_table(runs)[0]) == ["Method", "speakers"]


def test_the_basis_says_what_the_networks_began_with(runs: list[Run]):
    assert "; trained from scratch, where the papers begin with pretrained weights." in report.basis(runs)
