"""Results of recognisers: error rates, of which fewer are better, beside the paper's tables 3, 11 and 12."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import made_up_results as made_up
import pytest

from adastride.inspection import figures
from adastride.inspection.charts import export_figure, plotly_panel
from adastride.results import core as results
from adastride.results import report
from adastride.results.figures import accuracy_chart, shift_chart
from adastride.results.paper_tables import SPEECH_SPLITS, papers
from adastride.results.reading import FOLDER, ResultsError, Run, read, read_speakers
from adastride.results.speakers import CONDITIONS, basis_of, difference, rate, speakers_text
from adastride.speaker_counts import FILE, SpeakerCount
from adastride.subjects import SUBJECTS


def runs_of(folder: Path, seeds: int = 1, **options: object) -> list[Run]:
    return made_up.runs(folder, made_up.recognisers(seeds, **options), made_up.RECOGNISERS)


def test_the_papers_error_rates():
    """Tables 3, 11 and 12 as they are printed, the one trained on the least first."""
    tables = {(table.table, table.metric): table for table in papers().recognition}
    assert list(tables) == [(f"table {number}", metric) for number in (12, 11, 3) for metric in ("WER", "PER")]
    assert tables["table 3", "WER"].values["adastride"] == (4.05, 10.98, 4.11, 10.75)
    assert tables["table 3", "PER"].values["adastride-f"] == (1.38, 4.62, 1.53, 4.26)
    assert tables["table 11", "WER"].values["spectral-pool"] == (25.18, 40.68, 25.58, 41.31)
    assert tables["table 12", "PER"].values["diffstride"] == (34.06, 43.67, 33.78, 44.51)
    assert {table.task for table in tables.values()} == {"phonemes", None}
    for table in tables.values():
        assert set(table.values) == set(made_up.RECOGNISER_METHODS)
        assert all(len(rates) == len(SPEECH_SPLITS) for rates in table.values.values())
    printed = tables["table 12", "WER"].on("test-other")
    assert (printed.text("adastride"), printed.source) == ("75.10", "AdaStride paper, table 12: LibriSpeech test-other, WER, 1 % of it")


def test_a_width_is_chosen_only_where_a_task_has_several(tmp_path: Path):
    """Networks of read speech are wider than those of digits: a choice of the width would hide one or the other."""
    lines = [made_up.recogniser_row(task, width=width) for task, width in (("digits-string", 112), ("phonemes", 144))]
    assert results.widths_of(made_up.runs(tmp_path, lines, made_up.RECOGNISERS)) == []
    lines.append(made_up.recogniser_row("phonemes", "adastride", width=112))
    assert results.widths_of(made_up.runs(tmp_path, lines, made_up.RECOGNISERS)) == [112, 144]


def test_subjects_say_what_their_data_is():
    assert SUBJECTS["digits-string"].title == "Strings of digits"
    assert SUBJECTS["phonemes"].data == "LibriSpeech, excerpts of 3.7 hours, 39 phonemes"


def test_fewer_errors_are_better(tmp_path: Path):
    runs = runs_of(tmp_path, 3)
    text, _ = report.story(runs)
    assert text.startswith("On **digits-string**, AdaStride is 2.0 points better than strided convolution (7.1 ± 0.1 % against 9.1 ± 0.1 %; n = 3, p")
    assert text.endswith("Lowest mean: 7.1 %, AdaStride.")
    table = {row["Method"]: row for row in report.comparison_table(runs, "phonemes")}
    assert table["AdaStride"]["Better by (points)"] == "+2.0"
    assert table["AdaStride"]["Better by in the paper, LibriSpeech test-clean, PER, 1 % of it (points)"] == "+6.5"
    assert table["Spectral pooling"]["Better by in the paper, LibriSpeech test-clean, PER, 1 % of it (points)"] == "−4.4"


def test_the_order_is_compared_with_the_papers(tmp_path: Path):
    """Ours has spectral pooling before strided convolution, the paper's networks that learned from 1 % have it behind."""
    table = next(table for table in results.papers_of(runs_of(tmp_path)).accuracy if table.task)
    said = report.ranking(runs_of(tmp_path), table)
    assert "Spectral pooling better than Strided convolution (+0.6 points, in the paper −4.4)" in said
    assert said.endswith("That is one run each; how far the choice of test speakers alone moves an error rate, the file does not say.")
    assert "From run to run an error rate varies by ± 0.1 points" in report.ranking(runs_of(tmp_path, 3), table)


def test_one_run_has_no_interval_and_says_so(tmp_path: Path):
    runs = runs_of(tmp_path)
    (own,) = results.compared(runs, "digits-string", "adastride")
    assert all(map(math.isnan, results.summary([own]).bounds))
    assert "one run has no interval: the command line’s sweep works one out" in report.comparison_sentence(runs, "digits-string")
    assert "Without a bar: one run only" in accuracy_chart(runs).facts
    assert "Wilson" not in accuracy_chart(runs).facts
    assert report.basis(runs) == "10 runs on CPU x86_64, 1 thread; width 112 (the paper’s networks: 144); 1 seed each; no GPU."
    assert report.coverage(runs) == ["10 runs of this kind of network are finished: 5 methods on digits-string and phonemes."]
    assert list(report.coverage_table(runs)[0]) == ["Method", "digits-string", "phonemes"]


def test_all_tables_of_the_paper_stand_beside_ours(tmp_path: Path):
    runs = runs_of(tmp_path, 2)
    rows = report.recognition_table(runs)
    assert [row["Whose"] for row in rows[:10]] == ["ours, Strings of digits"] * 5 + ["ours, Read speech, phonemes"] * 5
    assert [column for column in rows[0] if "WER" in column] == [f"WER {split} (%)" for split in ("test-clean", "test-other", "dev-clean", "dev-other")]
    assert rows[0]["Ours (%)"] == str(results.summary(results.compared(runs, "digits-string", "strided-conv")))
    assert len(rows) == 2 * 5 + 3 * 5
    (row,) = [row for row in rows if row["Whose"] == "AdaStride paper, table 11" and row["Method"] == "AdaStride"]
    assert {column: text for column, text in row.items() if "(%)" in column} == {
        "Ours (%)": "–", "PER test-other (%)": "11.70", "WER test-other (%)": "29.97", "PER test-clean (%)": "4.66", "WER test-clean (%)": "15.51",
        "PER dev-other (%)": "11.65", "WER dev-other (%)": "29.27", "PER dev-clean (%)": "4.50", "WER dev-clean (%)": "15.47",
    }
    assert list(csv.DictReader(io.StringIO(report.to_csv(rows)))) == rows


def test_the_chart_of_errors(tmp_path: Path):
    """From none upwards, each task on its own axis, with the paper's marks beside the phonemes; it opens in all forms."""
    runs = runs_of(tmp_path, 2)
    chart = accuracy_chart(runs)
    digits, phonemes = chart.panels
    assert digits.x.low == phonemes.x.low == 0
    assert digits.x.high < 12 < 38 < phonemes.x.high
    assert digits.x.label.startswith("Error rate (% of ")
    (hollow,) = [series for series in phonemes.series if series.look == "hollow"]
    assert {point.x for point in hollow.points} == {28.33, 32.69, 33.78, 21.82, 21.46}
    assert not any("nan" in point.text for panel in chart.panels for series in panel.series for point in series.points)
    assert all(point.x <= phonemes.x.high for series in phonemes.series for point in series.points)
    assert not [series for series in digits.series if series.look == "hollow"]
    for made in (chart, shift_chart(runs, ["adastride", "strided-conv"])):
        assert all(plotly_panel(panel) for panel in made.panels)
        assert figures.render(export_figure(made), "png").startswith(b"\x89PNG")


def test_classifiers_keep_their_own_papers(tmp_path: Path):
    own = made_up.runs(tmp_path, [made_up.row()])
    assert not results.papers_of(own).recognition
    assert not any("LibriSpeech" in column for column in report.overview_table(own)[0])


@pytest.mark.parametrize("seeds", [1, 3])
def test_no_sentence_has_a_number_that_is_none(tmp_path: Path, seeds: int):
    runs = runs_of(tmp_path, seeds)
    texts = [*report.story(runs), report.basis(runs), report.data_of(runs), *(report.shift_rank(runs, task) for task in results.tasks_of(runs))]
    texts += [report.comparison_sentence(runs, task) for task in results.tasks_of(runs)]
    assert not any("nan" in text.split() or "None" in text for text in texts)


# --- errors by speaker


def counted(folder: Path, seeds: int = 1, tasks: tuple[str, ...] = ("phonemes",), **options: float) -> list[Run]:
    """Runs with errors by speaker. Their own rates are what these say."""
    lines = made_up.recognisers(seeds, tasks)
    made_up.write_speakers(folder, lines, **options)
    plain = made_up.runs(folder, lines, made_up.RECOGNISERS)
    rates = {run.run: rate(run.counts) for run in plain}
    return made_up.runs(folder, [{**line, "metric:error_rate": rates[str(line["run"])]} for line in lines], made_up.RECOGNISERS)


def test_rates_have_intervals_over_speakers_and_say_what_they_stand_on(tmp_path: Path):
    runs = counted(tmp_path)
    row = report.recognition_table(runs, {})[0]
    assert (row["Whose"], row["Method"]) == ("ours, Read speech, phonemes", "Strided convolution")
    summary = results.summary(results.compared(runs, "phonemes", "strided-conv"))
    assert summary.interval[0] < summary.mean < summary.interval[1]
    assert row["Ours (%)"] == f"{100 * summary.mean:.1f} ({100 * summary.interval[0]:.1f}–{100 * summary.interval[1]:.1f})"
    said = report.recognition_sentence(runs)
    assert said.startswith("Tested on 5,000 phonemes of 9 speakers (Read speech, phonemes). The 95 % interval, in brackets, is ")
    assert math.isclose(summary.mean, 0.3 * (0.5 + 0.7 + 0.9 + 1.1 + 1.3 + 1.4 + 1.5 + 1.6 + 1.7 + 1.8) / 10)
    comparison = {row["Method"]: row for row in report.comparison_table(runs, "phonemes")}
    assert comparison["AdaStride"]["95 % interval, test speakers (%)"] != "–"
    low, high = comparison["AdaStride"]["95 % interval of that, test speakers (points)"].split(" to ")
    assert low.startswith("−")
    assert high.startswith("+")
    assert comparison["Strided convolution"]["95 % interval of that, test speakers (points)"] == "–"
    assert "bootstrap’s over speakers" in report.comparison_sentence(runs, "phonemes")
    assert "Thin bars: one run only, a bootstrap’s 95 % interval over its test speakers." in accuracy_chart(runs).facts
    assert "the choice of test speakers alone moves an error rate by ±" in report._noise(runs, "phonemes")


def test_clean_and_other_speech_stand_apart(tmp_path: Path):
    """Four speakers are too few for an interval."""
    runs = counted(tmp_path)
    row = report.recognition_table(runs, {})[0]
    assert [column for column in row if column.startswith("Ours")] == ["Ours (%)", *(f"Ours, {condition} (%)" for condition in CONDITIONS)]
    assert row["Ours, clean (%)"] == "24.0 (4 speakers)"
    assert row["Ours, other (%)"].startswith("46.5 (")
    assert "–" in row["Ours, other (%)"]


def test_several_seeds_have_a_mean_with_its_spread_and_its_interval(tmp_path: Path):
    runs = counted(tmp_path, 2)
    row, summary = report.recognition_table(runs, {})[0], results.summary(results.compared(runs, "phonemes", "strided-conv"))
    assert row["Ours (%)"].startswith(f"{summary} (")
    assert row["Ours, clean (%)"] == "24.5 ± 0.7 (4 speakers)"
    assert "5,000 phonemes of 9 speakers (" in report.recognition_sentence(runs), "both seeds, and both parts, are of the same speakers"
    one = results.summary(results.compared(counted(tmp_path), "phonemes", "strided-conv"))
    assert summary.interval[1] - summary.interval[0] == pytest.approx(one.interval[1] - one.interval[0], rel=0.02)


def test_one_speaker_has_no_interval(tmp_path: Path):
    runs = counted(tmp_path, most=1)
    row = report.recognition_table(runs, {})[0]
    assert row["Ours (%)"] == row["Ours, clean (%)"] == "15.0 (one speaker)"
    assert "Ours, other (%)" not in row, "nobody speaks there"
    assert results.summary(runs[:1]).interval is None


def test_what_needs_no_network_stands_under_ours(tmp_path: Path):
    runs = counted(tmp_path)
    rows = report.recognition_table(runs, read_speakers(tmp_path / "results.csv"))
    empty, frequent = [row for row in rows if row["Whose"] == "no network, Read speech, phonemes"]
    assert rows.index(empty) == 5, "under ours"
    assert (empty["Method"], frequent["Method"]) == ("Always empty", "The most frequent phoneme alone")
    assert empty["Ours (%)"] == "100.0 (9 speakers)", "all of it wrong, for everybody"
    assert frequent["Ours (%)"].startswith("86.1 (")
    assert frequent["Ours, clean (%)"] == "88.5 (4 speakers)"
    assert empty["Trained on"] == empty["PER test-clean (%)"] == "–"


def test_without_errors_by_speaker_nothing_is_new(tmp_path: Path):
    assert not any("clean (%)" in column and "ER" not in column for column in report.recognition_table(runs_of(tmp_path))[0])
    assert report.recognition_sentence(runs_of(tmp_path)) == ""
    assert report.little_data(runs_of(tmp_path)) == []


def test_a_broken_file_of_speakers_is_one_sentence(tmp_path: Path):
    runs_of(tmp_path)
    (tmp_path / FILE).write_text("colour\nblue\n", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"speakers\.csv is no file of errors by speaker of this version"):
        read(tmp_path / "results.csv")


def test_our_counts_are_those_of_our_error_rates():
    """The two files of the repository are of the same networks."""
    counted_runs = [run for run in read(FOLDER / "results.csv") if run.counts]
    assert counted_runs
    for run in counted_runs:
        assert rate(run.counts) == pytest.approx(run.value, rel=1e-5)
        assert sum(count.clips for count in run.counts) == run.clips_test


def test_clips_of_nobody_in_particular_are_counted_apart():
    one = [SpeakerCount("r", "x", "", "ann", "", 4, 1, 9, "words"), SpeakerCount("r", "x", "", "", "a.wav", 1, 1, 9, "words")]
    assert speakers_text(one) == "one speaker and one clip of several speakers"
    assert speakers_text(one[1:] * 2) == "one clip of unknown speakers"
    assert speakers_text([]) == ""


def test_a_difference_is_that_of_the_speakers_that_both_have(tmp_path: Path):
    runs = counted(tmp_path)
    ours, base = (results.compared(runs, "phonemes", method)[0].counts for method in ("adastride", "strided-conv"))
    value, ends = difference(ours[:8], base)
    assert value == pytest.approx(rate(base[:8]) - rate(ours[:8]))
    assert ends == difference(tuple(reversed(ours[:8])), base)[1], "whatever their order"
    assert basis_of(runs[:1]) == "5,000 phonemes of 9 speakers"


LITTLE = ("phonemes", "phonemes-third", "phonemes-tenth")


def test_little_data_is_compared_at_each_share(tmp_path: Path):
    """Speakers gain and lose as much, and nothing is claimed."""
    runs = counted(tmp_path, 2, LITTLE)
    texts = report.little_data(runs)
    assert [text.split(" (")[0] for text in texts] == [
        "**phonemes**, all of it", "**phonemes**, a third of it", "**phonemes**, a tenth of it"
    ]
    for text in texts:
        assert "strided convolution (" in text
        assert "n = 2; 95 % interval of the difference over 9 speakers: −" in text
        assert text.endswith("no difference that these speakers could show.")


def test_little_data_with_a_clear_difference(tmp_path: Path):
    lines = made_up.recognisers(1, ("phonemes", "phonemes-tenth"))
    made_up.write_speakers(tmp_path, lines, gain=0.03, swing=0.01)
    runs = made_up.runs(tmp_path, lines, made_up.RECOGNISERS)
    assert [said.split(": ", 1)[1][:26] for said in report.little_data(runs)] == ["AdaStride is 2.0 points be"] * 2
    assert all(said.endswith("more than the choice of the speakers explains.") for said in report.little_data(runs))


def test_little_data_without_speakers_says_so(tmp_path: Path):
    lines = made_up.recognisers(1, LITTLE)
    runs = made_up.runs(tmp_path, lines, made_up.RECOGNISERS)
    assert all(text.endswith("how far other speakers could move that, the file does not say.") for text in report.little_data(runs))
    one = [run for run in runs if run.method != "adastride" or run.task == "phonemes"]
    assert report.little_data(one) == [], "of a share alone there must be both"
    few = report.little_data(counted(tmp_path, 1, LITTLE, most=3))
    assert all(text.endswith("too little to say how far other speakers could move that.") for text in few)
    assert len(few) == 3
