"""The grid: which runs it has and in which order, one line for each, and that nothing is lost or done twice."""

from __future__ import annotations

import csv
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from adastride import checkpoints, cli
from adastride.clips import Clip, DataError
from adastride.downsampling import METHODS, build
from adastride.models import Classifier, ClassifierConfig
from adastride.run_columns import columns_for
from adastride.training import evaluate as evaluation
from adastride.training import grid, processes
from adastride.training.datasets import default_data_root
from adastride.training.evaluate import Prepared, shifted
from adastride.training.grid import Options, append_row, execute, finished_runs, read_grid, run_grid, selected

COLUMNS = columns_for(("accuracy", "loss", "accuracy_in_silence", "valid_accuracy"), 3)
ROOT = Path(cli.__file__).resolve().parent.parent
GRID = """
[tasks.tones]
preset = "digits"
data = ["tones"]
settings = {epochs = EPOCHS, batch_size = 16, window_seconds = [0.4, 0.5]}

[tasks.speakers]
preset = "digits"
data = ["tones"]
leave_one_out = true
settings = {epochs = 4, batch_size = 4, learning_rate = 0.01, window_seconds = [0.4, 0.5]}
[[tasks.speakers.extra]]
folder = "made"
script = "make.py"

[[blocks]]
tasks = ["tones"]
methods = ["strided-conv", "adastride-s"]
seeds = [0, 1]
width = 8

[[blocks]]
tasks = ["tones"]
methods = ["adastride", "strided-conv"]
sigma_inv2 = [5, 0.1]
seeds = [0]
width = 8

[[blocks]]
tasks = ["speakers"]
methods = ["adastride-sigma"]
seeds = [0]
width = 8
"""
MAKE = """
import pathlib, shutil, sys
shutil.copytree(pathlib.Path(__file__).parent / "tones", sys.argv[1])
"""


@pytest.fixture(autouse=True)
def _plain_main(monkeypatch: pytest.MonkeyPatch):
    """A new process begins by importing the main module, and a test of a page may have put that page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A grid file, a data set of low and high tones by two speakers, and a script that makes another one."""
    rows = [("path", "label", "speaker", "split")]
    (tmp_path / "tones").mkdir()
    generator = np.random.default_rng(0)
    for split, count in {"train": 4, "valid": 2, "test": 3}.items():
        for label, pitch in {"low": 200, "high": 3000}.items():
            for number in range(count):
                name = f"{split}-{label}-{number}.wav"
                tone = np.sin(2 * np.pi * pitch * generator.uniform(0.9, 1.1) * np.arange(4000 + 100 * number) / 16_000)
                soundfile.write(tmp_path / "tones" / name, 0.3 * tone, 16_000)
                rows.append((name, label, "ann" if number % 2 else "bob", split))
    with (tmp_path / "tones" / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "make.py").write_text(MAKE, encoding="utf-8")
    (tmp_path / "grid.toml").write_text(GRID.replace("EPOCHS", "2"), encoding="utf-8")
    return tmp_path


def runs_of(folder: Path, *patterns: str) -> list[grid.Run]:
    return selected(read_grid(folder / "grid.toml", folder), patterns)


def options_of(folder: Path, **changes: float) -> Options:
    (folder / "runs").mkdir(exist_ok=True)
    return Options(folder / "results.csv", folder / "runs", **changes)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- which runs


def test_runs_go_by_block_then_seed_then_method_and_come_once(folder: Path):
    assert [run.id for run in runs_of(folder)] == [
        "tones-strided-conv-w8-s0", "tones-adastride-s-w8-s0", "tones-strided-conv-w8-s1", "tones-adastride-s-w8-s1",
        "tones-adastride-w8-s0", "tones-adastride-sigma_inv2=0.1-w8-s0",
        "speakers=ann-adastride-sigma-w8-s0", "speakers=bob-adastride-sigma-w8-s0",
    ]


def test_the_grid_of_the_repository_can_be_read():
    """Without the data: only leaving speakers out needs to know who they are."""
    text = (ROOT / "results" / "grid.toml").read_text(encoding="utf-8")
    assert text.count("[[blocks]]") >= 8
    if (default_data_root() / "fsdd").is_dir() and (ROOT / "build" / "spoken-digits").is_dir():
        runs = read_grid(ROOT / "results" / "grid.toml", default_data_root())
        assert len({run.id for run in runs}) == len(runs) > 300
        assert {run.width for run in runs} == {128}


def test_a_missing_folder_is_made_by_its_script(folder: Path):
    runs = runs_of(folder, "speakers")
    assert (folder / "made" / "manifest.csv").is_file()
    assert [source.held_out for source in runs[0].sources] == ["ann", None], "only the tested folder leaves somebody out"
    (folder / "make.py").write_text("raise SystemExit('no voice today')", encoding="utf-8")
    assert runs_of(folder, "speakers"), "it is not made twice"


def test_a_script_that_fails_is_named(folder: Path):
    (folder / "make.py").write_text("raise SystemExit('no voice today')", encoding="utf-8")
    with pytest.raises(DataError, match=r"make\.py can't make .*made: no voice today\."):
        runs_of(folder)


def test_only(folder: Path):
    assert [run.id for run in runs_of(folder, "tones/adastride-*")] == ["tones-adastride-s-w8-s0", "tones-adastride-s-w8-s1"]
    assert len(runs_of(folder, "speakers", "tones/strided-conv")) == 4
    with pytest.raises(DataError, match="no run of the grid fits 'whales'"):
        runs_of(folder, "whales")


@pytest.mark.parametrize(("old", "new", "says"), [
    ("[[blocks]]", "[[blocks", "is no TOML file"),
    ('preset = "digits"', 'preset = "whales"', "'whales' is missing or unknown"),
    ('methods = ["strided-conv", "adastride-s"]', 'methods = ["magic"]', "there is no method 'magic'"),
    ("seeds = [0, 1]", "", "'seeds' is missing"),
    ("epochs =", "epoch =", "unknown setting 'epoch'"),
    ("width = 8", "width = 0", "width must be"),
    ('tasks = ["tones"]', 'tasks = ["birds"]', "'birds' is missing or unknown"),
    ('preset = "digits"', 'preset = "digits"\ncolour = 1', "unknown setting 'colour'"),
    ("seeds = [0, 1]", "seeds = [0, 1]\ncolour = 1", "unknown setting 'colour'"),
    ('data = ["tones"]', "", "'data' is missing"),
], ids=lambda text: text[:20])
def test_a_grid_that_cannot_be_is_one_sentence(folder: Path, old: str, new: str, says: str):
    (folder / "grid.toml").write_text(GRID.replace("EPOCHS", "2").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=says) as caught:
        read_grid(folder / "grid.toml", folder)
    assert "grid.toml" in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_no_grid_file(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.toml can't be read: No such file"):
        read_grid(tmp_path / "none.toml", tmp_path)


# --- one run


@pytest.mark.parametrize("pattern", ["tones/strided-conv", "tones/adastride", "speakers"])
def test_a_run_fills_its_line(folder: Path, pattern: str):
    run = runs_of(folder, pattern)[-1]
    lines: list[str] = []
    row = execute(run, options_of(folder), lines.append)
    assert tuple(row) == COLUMNS
    assert len([line for line in lines if line.startswith("epoch")]) == row["epochs"]
    words = ("run", "kind", "task", "fold", "method", "learn_sigma", "device", "torch", "version", "git", "finished")
    number = {name: float(value) for name, value in row.items() if name not in words and value != ""}
    assert all(math.isfinite(value) for value in number.values())
    assert 0 <= number["metric:accuracy"] <= 1
    assert row["shift_0"] == row["metric:accuracy"]
    assert all(0 <= number[f"shift_{n}"] <= 1 for n in range(11))
    assert number["seconds_per_epoch"] > 0
    assert number["peak_memory_mb"] > 0
    assert number["inference_ms_per_clip"] > 0
    assert number["stride_1"] == 2
    assert row["device"].startswith("CPU")
    model = checkpoints.load(folder / "runs" / f"{run.id}.safetensors")
    assert number["parameters"] == sum(p.numel() for p in model.parameters())
    metrics = checkpoints.details(folder / "runs" / f"{run.id}.safetensors")["details"]["metrics"]
    assert metrics["test_accuracy"] == pytest.approx(number["metric:accuracy"], abs=1e-6)
    if run.method == "strided-conv":
        assert row["sigma_1"] == row["sigma_inv2"] == row["adaptive_stride_mean"] == row["pooled_0"] == ""
    else:
        assert sum(number[f"pooled_{n}"] for n in range(17)) == pytest.approx(1, abs=1e-4)
        assert number["adaptive_stride_mean"] == pytest.approx(2, abs=0.5)
    if run.fold:
        assert (row["fold"], row["learn_sigma"], number["clips_test"]) == ("bob", "true", 10)
        assert number["sigma_3"] != number["sigma_1"]
        assert set(metrics["test_accuracy_of"]) == {"made"}


def test_a_trained_run_is_only_tested_again(folder: Path):
    """The disk was full when its line was to be written: training is not repeated."""
    (run,) = runs_of(folder, "tones/strided-conv")[:1]
    first = execute(run, options_of(folder), lambda _: None)
    again = execute(run, options_of(folder), lambda text: pytest.fail(f"trained again: {text}"))
    untimed = [name for name in COLUMNS if name not in ("inference_ms_per_clip", "finished", "git")]
    assert [first[name] for name in untimed] == [again[name] for name in untimed]


def test_pooled_frames_are_counted_as_the_paper_does():
    """Uniform positions at stride 2 give every output frame two frames; a hand-made one shows in the histogram."""
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("a", "b"), width=4)).eval()
    prepared = Prepared.of(model, [np.random.default_rng(0).standard_normal(16 * 256 * 8 - 256).astype(np.float32)], [0])
    seen = prepared.geometry(model)
    dense = model(prepared.batches[0].signal, prepared.batches[0].lengths).downsampled[2].alignment.dense()[0]
    counts = torch.bincount(dense.argmax(dim=0), minlength=len(dense)).tolist()
    assert [round(share * len(dense)) for share in seen.pooled] == [counts.count(n) for n in range(17)]
    shares = [counts.count(n) / len(counts) for n in range(17)]
    assert seen.entropy == pytest.approx(-sum(s * math.log(s) for s in shares if s))
    assert seen.stride_mean == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("method", [key for key, each in METHODS.items() if each.kind == "adaptive"])
def test_the_output_frame_that_an_input_frame_weighs_most_in(method: str, monkeypatch: pytest.MonkeyPatch):
    """What the whole matrices say, from a few rows at a time; lengths differ, and frames gather at some places."""
    torch.manual_seed(1)
    layer, x, lengths = build(method, 6, 2.0).eval(), torch.randn(3, 6, 90), torch.tensor([90, 41, 2])
    if hasattr(layer, "score"):
        layer.score.weight.data.normal_()
    alignment = layer(x, lengths).alignment
    expected = [column[:frames] for column, frames in zip(alignment.dense().argmax(dim=1), lengths.tolist(), strict=True)]
    for elements in (1, 500, 1 << 20):
        monkeypatch.setattr(evaluation, "_ELEMENTS", elements)
        for example, wanted in enumerate(expected):
            assert torch.equal(evaluation.heaviest_outputs(alignment, example), wanted)


def test_methods_that_do_not_adapt_have_no_geometry():
    model = Classifier(ClassifierConfig(("a", "b"), ("avg-pool",) * 3, width=4)).eval()
    seen = Prepared.of(model, [np.ones(4000, np.float32)], [0]).geometry(model)
    assert seen.pooled == ()
    assert math.isnan(seen.stride_mean)


def test_shifting_repeats_the_first_frame():
    mel = torch.arange(10.0).view(1, 1, 10)
    assert shifted(mel, 3)[0, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert shifted(mel, 0) is mel
    assert shifted(mel, 12)[0, 0].tolist() == [0] * 10


def test_a_score_counts_all_clips_once():
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("a", "b"), width=4)).eval()
    clips = [Clip(np.random.default_rng(n).standard_normal(1000 + 200 * n).astype(np.float32), "ab"[n % 2], str(n)) for n in range(70)]
    prepared = Prepared.of(model, [clip.samples for clip in clips], [n % 2 for n in range(70)])
    sums, count = prepared.totals(model)
    assert count == 70
    assert 0 <= sums["accuracy"] <= 70
    assert sums["loss"] > 0
    assert prepared.score(model) == sums["accuracy"] / 70


# --- the results file


def row_named(name: str) -> dict[str, object]:
    return {**dict.fromkeys(COLUMNS, ""), "run": name}


def test_lines_are_added_and_none_twice(tmp_path: Path):
    file = tmp_path / "new" / "results.csv"
    assert finished_runs(file) == set()
    for name in ("one", "two", "one"):
        append_row(file, row_named(name))
    assert file.read_text(encoding="utf-8").count("\n") == 3
    assert finished_runs(file) == {"one", "two"}
    assert [path.name for path in file.parent.iterdir()] == ["results.csv"]


def test_many_write_at_once(tmp_path: Path):
    file = tmp_path / "results.csv"
    threads = [threading.Thread(target=append_row, args=(file, row_named(str(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert finished_runs(file) == {str(n) for n in range(20)}


def test_a_full_disk_leaves_the_lines_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "results.csv"
    append_row(file, row_named("one"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        append_row(file, row_named("two"))
    assert finished_runs(file) == {"one"}
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_other_columns_are_refused(tmp_path: Path):
    (tmp_path / "results.csv").write_text("run,colour\nx,blue\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"results\.csv has other columns"):
        finished_runs(tmp_path / "results.csv")


# --- processes


def test_a_grid_runs_once_and_a_second_time_does_nothing(folder: Path):
    runs, lines = runs_of(folder, "tones/strided-conv"), []
    assert run_grid(runs, options_of(folder), jobs=2, say=lines.append) == []
    assert sorted(row["run"] for row in rows_of(folder)) == ["tones-strided-conv-w8-s0", "tones-strided-conv-w8-s1"]
    before = (folder / "results.csv").read_bytes()
    run_grid(runs, options_of(folder), jobs=2, say=lines.append)
    assert (folder / "results.csv").read_bytes() == before
    assert "2 of them finished before" in lines[-1]
    assert not list((folder / "runs").glob("*.lock"))
    assert not (folder / "speakers.csv").exists(), "classifiers have no words that speakers could get wrong"


def test_a_run_that_another_process_has_is_left_to_it(folder: Path):
    (run,) = runs_of(folder, "tones/strided-conv")[:1]
    options = options_of(folder)
    with processes.claim(run, options):
        assert run_grid([run], options, say=lambda _: None) == []
    assert not (folder / "results.csv").exists()


def test_a_deadline_leaves_a_run_that_goes_on(folder: Path):
    (run,) = runs_of(folder, "tones/strided-conv")[:1]
    with pytest.raises(processes.OutOfTimeError):
        execute(run, options_of(folder, deadline=time.time() - 1), lambda _: None)
    assert (folder / "runs" / f"{run.id}.state").exists()
    lines: list[str] = []
    row = execute(run, options_of(folder), lines.append)
    assert row["epochs"] == 2
    assert [line.split()[1] for line in lines] == ["2/2"], "the first epoch is not repeated"


def test_a_deadline_that_has_passed_begins_nothing(folder: Path):
    lines: list[str] = []
    assert run_grid(runs_of(folder, "tones"), options_of(folder, deadline=time.time() - 1), say=lines.append) == []
    assert "6 runs not begun" in lines[-1]
    assert not multiprocessing.active_children()


def test_a_failed_run_is_named_and_the_others_go_on(folder: Path, capfd: pytest.CaptureFixture[str]):
    (folder / "made").mkdir()
    (folder / "made" / "manifest.csv").write_text("path,label,split\nx.wav,low,train\n", encoding="utf-8")
    runs = [*runs_of(folder, "speakers")[:1], *runs_of(folder, "tones/strided-conv")[:1]]
    assert run_grid(runs, options_of(folder), say=lambda _: None) == ["speakers=ann-adastride-sigma-w8-s0"]
    assert [row["run"] for row in rows_of(folder)] == ["tones-strided-conv-w8-s0"]
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "failed" in line]
    assert "names x.wav, but" in line


@pytest.mark.parametrize(("sent", "interrupts"), [(signal.SIGINT, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_IGN)], ids=["Ctrl-C", "in the background"])
def test_stopping_keeps_whole_epochs(folder: Path, sent: signal.Signals, interrupts: signal.Handlers):
    """The real program, interrupted after its first epoch. A shell has what it starts in the background ignore Ctrl-C."""
    (folder / "grid.toml").write_text(GRID.replace("EPOCHS", "500"), encoding="utf-8")
    command = [sys.executable, "-m", "adastride", "grid", str(folder / "grid.toml"), "--data-root", str(folder), "--runs", str(folder / "runs"),
               "--only", "tones/strided-conv", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts))
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    os.killpg(process.pid, sent) if interrupts is signal.SIG_DFL else process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("stopped")
    assert "Traceback" not in err
    assert len(list((folder / "runs").glob("*.state"))) == 1
    assert not (folder / "results.csv").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_run_that_is_told_to_stop_again_and_again_leaves_quietly(folder: Path):
    """Ctrl-C comes from the terminal and from the parent, and the second must not hit a process on its way out."""
    (folder / "grid.toml").write_text(GRID.replace("EPOCHS", "500"), encoding="utf-8")
    command = [sys.executable, "-m", "adastride", "grid", str(folder / "grid.toml"), "--data-root", str(folder), "--runs", str(folder / "runs"),
               "--only", "tones/strided-conv", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    living = set(children)
    while living:
        for pid in list(living):
            if Path(f"/proc/{pid}/cmdline").exists() and b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGINT)
            else:
                living.remove(pid)
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)  # the run itself has ended, so that the grid ends whether this comes in time or not
    assert "Traceback" not in process.communicate(timeout=60)[1]


def test_the_command_line_lists_and_refuses(folder: Path, capsys: pytest.CaptureFixture[str]):
    start = ["grid", str(folder / "grid.toml"), "--data-root", str(folder)]
    assert cli.main([*start, "--list", "--only", "tones/adastride"]) == 0
    assert capsys.readouterr().out.splitlines() == ["tones-adastride-w8-s0", "tones-adastride-sigma_inv2=0.1-w8-s0"]
    assert cli.main(["grid", str(folder / "none.toml")]) == 2
    assert "none.toml can't be read" in capsys.readouterr().err
    (folder / "tones" / "train-low-0.wav").unlink()
    assert cli.main([*start, "--only", "tones/adastride-s", "--runs", str(folder / "runs"), "--device", "cpu", "--max-minutes", "5"]) == 2
    assert "2 of the runs failed, tones-adastride-s-w8-s0" in capsys.readouterr().err
