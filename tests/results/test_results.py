"""The results file, the statistics, and the sentences and tables made of them."""

from __future__ import annotations

import csv
import io
import math
import statistics
from pathlib import Path

import made_up_results as made_up
import numpy as np
import pytest
import scipy.stats
from scipy.stats import binomtest

from adastride.intervals import normal, wilson
from adastride.results import core as results
from adastride.results import report as results_report
from adastride.results.paper_tables import papers
from adastride.results.reading import ResultsError, read
from adastride.results.significance import holm, paired, welch
from adastride.subjects import SUBJECTS

# ------------------------------------------------------------------ reading


def test_what_is_written_is_read(tmp_path: Path):
    """Every kind of cell, and a column nobody knows."""
    lines = [made_up.row(method="adastride", seed=3), made_up.row()]
    path = made_up.write(tmp_path / "results.csv", [{**line, "colour": "red"} for line in lines], (*made_up.COLUMNS, "colour"))
    adaptive, strided = read(path)
    assert (adaptive.task, adaptive.method, adaptive.seed, adaptive.fold, adaptive.clips_test) == ("commands", "adastride", 3, None, 500)
    assert adaptive.value == pytest.approx(0.824)
    assert len(adaptive.pooled) == 17
    assert len(adaptive.shifts) == 11
    assert (strided.sigma_inv2, strided.pooled, strided.pooled_entropy, strided.sigmas) == (None, (), None, (None, None, None))


def test_no_file_is_no_runs(tmp_path: Path):
    assert read(tmp_path / "results.csv") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"accuracy": "high"}, "accuracy = 'high'"),
        ({"accuracy": 1.2}, "not a number from 0 to 1"),
        ({"accuracy": ""}, "not a number from 0 to 1"),
        ({"accuracy": "nan"}, "not a number"),
        ({"seed": "1.5"}, "not a whole number"),
        ({"clips_test": 0}, "not a whole number from 1"),
        ({"learn_sigma": "perhaps"}, "not true or false"),
        ({"task": ""}, "nothing in the column task"),
        ({"shift_4": ""}, "shift_0 to shift_10"),
        ({"pooled_2": 3}, "pooled_0 to pooled_16"),
        ({"run": "one"}, "repeats the run one of line 2"),
    ],
)
def test_a_broken_line_gets_one_sentence(tmp_path: Path, change: dict, said: str):
    """It names the file and the line."""
    path = made_up.write(tmp_path / "results.csv", [made_up.row(run="one"), made_up.row(method="adastride", run="two") | change])
    with pytest.raises(ResultsError, match="line 3") as error:
        read(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_column_and_missing_cells(tmp_path: Path):
    path = made_up.write(tmp_path / "results.csv", [made_up.row()], made_up.COLUMNS[1:])
    with pytest.raises(ResultsError, match="line 1, lacks the column run"):
        read(path)
    path = made_up.write(tmp_path / "results.csv", [made_up.row()])
    path.write_text(path.read_text() + "cut,off\n")
    with pytest.raises(ResultsError, match="line 3, has another number of cells"):
        read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match="can't be read as a CSV file"):
        read(path)


def test_the_papers_numbers():
    """A few of them, as the tables print them; strided convolution is in every accuracy table."""
    printed = papers()
    tables = {(table.paper, table.data): table for table in printed.accuracy}
    assert tables["AdaStride", "IEMOCAP"].values["adastride"] == (52.2, 1.0)
    assert tables["DiffStride", "Speech commands, 35 classes"].values["diffstride"] == (90.5, 0.3)
    assert all(results.BASELINE in table.values for table in printed.accuracy)
    assert all(set(table.values) == {"0.1", "1", "5", "10"} for table in printed.sigma)
    assert printed.cost[0].values["training_memory"]["adastride"] == 2.53
    assert {table.task for table in (*printed.accuracy, *printed.sigma, *printed.strides)} <= {*SUBJECTS, None}


# ------------------------------------------------------------------ statistics


def test_welch_is_right_about_chance():
    """Of samples with equal means and unequal spreads one in twenty is below 0.05."""
    draw = np.random.default_rng(0)
    below = statistics.fmean(welch(draw.normal(0, 1, 5).tolist(), draw.normal(0, 3, 5).tolist()) < 0.05 for _ in range(2000))
    assert 0.03 < below < 0.07


def student(t: float) -> float:
    """The two-sided p-value of Student's t with four degrees of freedom, which has a closed form."""
    s = t / math.sqrt(4 + t * t)
    return 1 - 1.5 * s + 0.5 * s**3


def test_welch_of_two_samples():
    """By hand: means 2 and 4, variances 1 of three each: t = 2 / sqrt(2/3), four degrees of freedom."""
    assert welch([1, 2, 3], [3, 4, 5]) == pytest.approx(student(2 / math.sqrt(2 / 3)))
    assert welch([1, 2, 3], [3, 5, 7]) > welch([1, 2, 3], [4, 5, 6]), "a wider spread is less sure"


def test_the_paired_test():
    assert paired([1.0, 2.0, 2.0, 2.0, 3.0]) == pytest.approx(student(2 / math.sqrt(0.1)))


def test_what_can_not_be_tested():
    assert welch([0.5], [0.4, 0.5]) is None
    assert welch([0.5, 0.5], [0.4, 0.4]) is None
    assert welch([0.5, 0.5], [0.5, 0.5]) == 1.0
    assert paired([0.1]) is None
    assert paired([0.1, 0.1]) is None


def test_holm():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_wilson():
    """All right is not certain; the interval holds the share."""
    low, high = wilson(1.0, 100)
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(0.963, abs=1e-3)
    assert wilson(0.3, 40) == pytest.approx(tuple(binomtest(12, 40).proportion_ci(method="wilson")), abs=1e-6)


def test_the_interval_of_a_mean():
    assert normal(5.0, 2.0, 16) == pytest.approx(scipy.stats.norm.interval(0.95, 5.0, 0.5), abs=1e-6)


def test_a_summary(tmp_path: Path):
    """Several seeds have a spread, one has the interval of its test clips; groups held out are averaged over seeds first."""
    several = results.summary(made_up.runs(tmp_path, [made_up.row(seed=seed) for seed in range(5)]))
    assert str(several) == "80.0 ± 0.6"
    assert (several.runs, several.clips, several.unit) == (5, 500, "runs")
    one = results.summary(made_up.runs(tmp_path, [made_up.row()]))
    assert one.std is None
    assert one.bounds == one.interval == pytest.approx(wilson(0.808, 500))
    lines = [made_up.row(fold=fold, seed=seed, accuracy=value + seed / 10) for fold, value in (("a", 0.5), ("b", 0.7)) for seed in range(2)]
    held_out = results.summary(made_up.runs(tmp_path, lines))
    assert (held_out.clips, held_out.unit) == (1000, "held-out groups")
    assert held_out.std == pytest.approx(statistics.stdev([0.55, 0.75]))


def test_differences(tmp_path: Path):
    """Unequal numbers of seeds are fine; p-values are Welch's, adjusted; only the usual σ counts."""
    lines = [made_up.row(seed=seed) for seed in range(5)] + [made_up.row(method="adastride", seed=seed) for seed in range(3)]
    lines += [made_up.row(method="cif"), made_up.row(method="adastride", sigma_inv2=0.1, accuracy=0.1)]
    adastride, cif = results.differences(made_up.runs(tmp_path, lines), "commands")
    assert adastride.points == pytest.approx(100 * (statistics.fmean([0.812, 0.816, 0.82]) - 0.8))
    assert adastride.runs == (3, 5)
    assert adastride.p == adastride.adjusted == pytest.approx(welch([0.812, 0.816, 0.82], [0.808, 0.804, 0.8, 0.796, 0.792]))
    assert results_report.verdict(cif) == "one run: difference untested"


def test_held_out_groups_are_compared_with_themselves(tmp_path: Path):
    """Groups that are hard for both do not hide a small difference; a group that one lacks does not count."""
    lines = [made_up.row("digits-speakers", fold=fold, accuracy=value) for fold, value in zip("abcd", (0.5, 0.6, 0.7, 0.95), strict=True)]
    lines += [made_up.row("digits-speakers", "adastride", fold=fold, accuracy=value) for fold, value in zip("abc", (0.52, 0.62, 0.723), strict=True)]
    (found,) = results.differences(made_up.runs(tmp_path, lines), "digits-speakers")
    assert found.points == pytest.approx(2.1)
    assert found.p < 0.01


# ------------------------------------------------------------------ sentences and tables


def test_the_story(tmp_path: Path):
    lines = [made_up.row(seed=seed) for seed in range(5)] + [made_up.row(method="adastride", seed=seed) for seed in range(5)]
    (text,) = results_report.story(made_up.runs(tmp_path, lines))
    assert text.startswith("On **commands**, AdaStride is 2.0 points above strided convolution (82.0 ± 0.6 % against 80.0 ± 0.6 %; n = 5, p = 0.001")
    assert "chance" not in text
    lines[-5:] = [made_up.row(method="adastride", seed=seed, accuracy=0.75) for seed in range(1)]
    text, why = results_report.story(made_up.runs(tmp_path, lines))
    assert "5.0 points below" in text
    assert "one run: difference untested" in text
    assert why == (
        "Why on **commands**? 5.0 points are 25 of 500 test clips; its training loss is higher, 0.90 against 0.80, so it has learned the training clips "
        "less well; with silence around the same clips, which its strides can skip, it is 5.2 points above (80.2 % against 75.0 %)."
    )
    lines[-1] |= {"train_loss": 0.5, "accuracy_in_silence": ""}
    assert results_report.story(made_up.runs(tmp_path, lines))[1].endswith("0.50 against 0.80, so it has learned the training clips better, by heart.")
    for loss in (0.73, 0.87):
        lines[-1] |= {"train_loss": loss}
        why = results_report.story(made_up.runs(tmp_path, lines))[1]
        assert why.endswith(f"its training loss says nothing of it, {loss:.2f} against 0.80: another seed may differ by as much.")


def test_another_order_than_the_papers_is_said(tmp_path: Path):
    """Computed: turning our two accuracies round turns the sentence round."""
    table = papers().accuracy[0]
    same = results_report.ranking(made_up.runs(tmp_path, [made_up.row(), made_up.row(method="adastride")]), table)
    assert same.startswith("**commands**: The one pair of methods that differs stands in the order of the AdaStride paper (table 1, Speech commands)")
    other = results_report.ranking(made_up.runs(tmp_path, [made_up.row(), made_up.row(method="adastride", accuracy=0.7)]), table)
    assert "1 of 1 pairs of methods stands the other way round" in other
    assert "Strided convolution above AdaStride (+10.8 points, in the paper −0.7)" in other
    assert "the choice of test clips alone moves an accuracy by ±" in other
    assert results_report.ranking(made_up.runs(tmp_path, [made_up.row()]), table) == ""


def test_the_best_sigma(tmp_path: Path):
    runs = made_up.runs(tmp_path, made_up.many(seeds=1, tasks=("commands",), methods=("adastride",)))
    said = results_report.sigma_ranking(runs, papers().sigma[0])
    assert "of σ⁻² = 0.1, 1, 5, 10 the highest mean is at 10, as in the AdaStride paper" in said


def test_the_highest_of_several(tmp_path: Path):
    """Level methods are told apart, also one whose name has a comma."""
    lines = [made_up.row(method=method, accuracy=value) for method, value in
             (("strided-conv", 0.8), ("adastride", 0.81), ("adastride-f", 0.85), ("adastride-sigma", 0.85))]
    (said, *_) = results_report.story(made_up.runs(tmp_path, lines))
    assert said.endswith("Highest mean: 85.0 %, AdaStride-F; AdaStride, learned σ.")


def test_the_sigma_that_networks_learn(tmp_path: Path):
    """From the lowest to the highest of the runs, layer by layer; nothing is said where no network learns it."""
    usual, learned = made_up.row(method="adastride"), made_up.row(method="adastride-sigma")
    wide = made_up.row(method="adastride-sigma", task="scenes", sigma_3=0.625)
    assert results_report.sigma_learned(made_up.runs(tmp_path, [usual])) == ""
    assert results_report.sigma_learned(made_up.runs(tmp_path, [usual, learned])) == (
        "Networks that learn σ end with σ⁻² = 4.0 in layer 1, 6.2 in layer 2 and 11.1 in layer 3 (1 run on commands); "
        "the uppermost layer has the widest σ in 0 of 1."
    )
    assert results_report.sigma_learned(made_up.runs(tmp_path, [usual, learned, wide])) == (
        "Networks that learn σ end with σ⁻² = 4.0 in layer 1, 6.2 in layer 2 and 2.6 to 11.1 in layer 3 (2 runs on commands, scenes); "
        "the uppermost layer has the widest σ in 1 of 2."
    )


def test_what_it_stands_on(tmp_path: Path):
    """Devices, width and seeds, and where that is less than the paper's."""
    runs = made_up.runs(tmp_path, [made_up.row(), made_up.row(seed=1), made_up.row(method="cif", device="NVIDIA", threads=2)])
    assert results_report.basis(runs) == (
        "3 runs on CPU x86_64, 1 thread and NVIDIA, 2 threads; width 128 (the paper’s networks: 256); 1 to 2 seeds each (the paper: 5)."
    )
    assert results_report.basis(runs[:2]).endswith("; no GPU.")
    assert results_report.data_of(runs).endswith("12 classes (500 test clips).")


def test_what_is_missing(tmp_path: Path):
    texts = results_report.coverage(made_up.runs(tmp_path, made_up.many(2, tuple(made_up.TASKS)[:2], tuple(made_up.METHODS)[:-1])))
    assert texts[0].startswith("44 of 240 planned runs are finished")
    assert texts[1:] == ["Missing on commands: CIF.", "Missing on emotion: CIF.", "Nothing yet on digits.", "Nothing yet on scenes."]
    done = [method for method in made_up.METHODS if method not in ("adastride-sigma", "cif")]
    assert "Missing on commands: AdaStride, learned σ; CIF." in results_report.coverage(made_up.runs(tmp_path, made_up.many(1, ("commands",), tuple(done))))


def test_costs_need_the_same_machine(tmp_path: Path):
    lines = [made_up.row(), made_up.row(method="adastride"), made_up.row(device="NVIDIA", seconds_per_epoch=1), made_up.row("emotion", "cif")]
    runs = made_up.runs(tmp_path, lines)
    (cost,) = results.costs(runs, results.machines(runs)[0])
    assert (cost.task, cost.method, cost.ratios) == ("commands", "adastride", {"training_time": 1.5, "training_memory": 2.5, "inference_time": 1.5})
    assert results.costs(runs, "NVIDIA, 1 thread, width 128") == []


def test_shifts_and_pooled_frames(tmp_path: Path):
    runs = made_up.runs(tmp_path, [made_up.row(method="adastride", seed=seed) for seed in range(2)])
    shifted = results.shifted(runs, "commands", "adastride")
    assert sum(shifted.changes) == pytest.approx(0, abs=1e-9)
    assert shifted.std == pytest.approx(np.std([-0.05 * (n % 3) for n in range(11)]))
    pooled = results.pooled(runs, "commands", "adastride")
    assert (sum(pooled.shares), pooled.entropy, pooled.runs) == (pytest.approx(1), pytest.approx(1.665), 2)
    assert results.pooled(runs, "commands", "strided-conv") is None


def test_learned_values(tmp_path: Path):
    runs = made_up.runs(tmp_path, [made_up.row(method="diffstride", seed=seed) for seed in range(2)] + [made_up.row(method="adastride-sigma")])
    assert results.layer_values(runs[:2], 0, "strides") == (pytest.approx(1.705), pytest.approx(statistics.stdev([1.7, 1.71])))
    assert results.layer_values(runs[2:], 0, "sigmas") == (pytest.approx(4.0), None)


def test_every_table_is_a_csv_file(tmp_path: Path):
    runs = made_up.runs(tmp_path, made_up.many(2))
    machine = results.machines(runs)[0]
    tables = [
        results_report.coverage_table(runs), results_report.overview_table(runs), results_report.comparison_table(runs, "emotion"),
        results_report.sigma_table(runs), results_report.pooled_table(runs), results_report.shift_table(runs),
        results_report.cost_table(runs, machine), results_report.stride_table(runs),
    ]
    for rows in tables:
        assert list(csv.DictReader(io.StringIO(results_report.to_csv(rows)))) == rows
        assert len({tuple(row) for row in rows}) == 1
