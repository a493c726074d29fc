"""Sweeps: values, one clip, labelled clips, here and on workers, answers, pictures, and zip files of clips."""

from __future__ import annotations

import csv
import io
import itertools
import math
import socket
import sys
import threading
import time
import types
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adastride import audio
from adastride.clips import Clip, DataError
from adastride.downsampling import LayerSettings
from adastride.inspection import analysis, tracing
from adastride.intervals import wilson
from adastride.models import Classifier, ClassifierConfig
from adastride.models.recogniser import Recogniser, RecogniserConfig
from adastride.sweep import core as sweep
from adastride.sweep import figures as sweep_figures
from adastride.sweep.answers import clip_answers, map_answers, score_answers, score_map_answers
from adastride.sweep.core import SIGMA, STRIDE, Column, LayerNumbers, Run, Setting, SweepError
from adastride.sweep.scores import Score, on_ray, scores_csv, sweep_clips
from adastride.tasks import Prediction
from adastride.tasks.classification import Classification
from adastride.training import archive
from adastride.training.archive import read_zip
from tests.zips import sound, zipped

ACCURACY = Classification().headline


def network(methods: tuple[str, ...] = ("adastride",) * 3, name: str = "tiny") -> Classifier:
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("low", "high"), methods=methods, width=16)).eval().requires_grad_(False)
    for layer in model.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight, std=0.5)
    model.name = name
    return model


@pytest.fixture(scope="module")
def model() -> Classifier:
    return network()


@pytest.fixture(scope="module")
def strided() -> Classifier:
    return network(("strided-conv",) * 3, "strided")


@pytest.fixture(scope="module")
def clip() -> audio.Waveform:
    return audio.from_samples(np.random.default_rng(0).standard_normal(12_000) * 0.1, 16_000)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Seventy tones of different lengths: three batches."""
    generator, made = np.random.default_rng(0), []
    for number in range(70):
        label, pitch = (("low", 200), ("high", 3000))[number % 2]
        time = np.arange(generator.integers(1000, 6000)) / 16_000
        made.append(Clip(np.sin(2 * np.pi * pitch * time).astype(np.float32), label, f"{number}.wav"))
    return made


# ------------------------------------------------------------------ values and settings


@given(st.floats(1e-4, 10), st.floats(1.01, 100), st.integers(2, 50))
def test_sigma_values_rise_by_one_factor(low: float, factor: float, count: int):
    values = sweep.sigma_values(low, low * factor, count)
    assert (values[0], values[-1], len(values)) == (low, low * factor, count)
    assert np.allclose(np.diff(np.log(values)), math.log(factor) / (count - 1), atol=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "count", "said"),
    [(10, 1, 5, "upside down: give 1 first, then 10"), (5, 5, 5, "has no length"), (0, 5, 5, "between 0.0001 and 10000"),
     (math.nan, 5, 5, "between"), (1, math.inf, 5, "between"), (1, 5, 1, "from 2 to 200 values"), (1, 5, 201, "not 201"), (1, 5, 2.5, "not 2.5")],
)
def test_a_range_that_is_none_gets_a_sentence(low: float, high: float, count: float, said: str):
    with pytest.raises(SweepError, match=said) as caught:
        sweep.sigma_values(low, high, count)
    assert str(caught.value).count(". ") == 0
    assert str(caught.value).endswith(".")


def test_a_map_is_of_every_pair_and_bounded():
    assert len(sweep.points((1.0, 2.0, 3.0), (1.0, 2.0))) == 6
    with pytest.raises(SweepError, match="choose fewer values"):
        sweep.points((1.0,) * 100, (1.0,) * 100)


def test_a_stride_is_spread_over_the_layers(model: Classifier, strided: Classifier):
    assert sweep.spread_stride(model, 8) == pytest.approx((2, 2, 2))
    assert math.prod(sweep.spread_stride(model, 5.5)) == pytest.approx(5.5)
    assert [math.prod(sweep.spread_stride(strided, overall)) for overall in (1, 2, 4, 8, 27)] == [1, 2, 4, 8, 27]


def test_whole_strides_come_as_near_as_they_can():
    """Two layers that take their nearest strides one after the other would make 9 of 8, and 16 of 14."""
    reader = Recogniser(RecogniserConfig("words", ("one",), ("strided-conv",) * 2, width=8, blocks=1))
    assert sweep.spread_stride(reader, 4) == (2, 2)
    assert {overall: math.prod(sweep.spread_stride(reader, overall)) for overall in (6, 8, 9, 14, 16)} == {6: 6, 8: 8, 9: 9, 14: 15, 16: 16}


def test_a_setting_means_every_layer_and_leaves_the_model_alone(model: Classifier):
    before = tracing.as_trained(model)
    assert [each.sigma for each in sweep.layer_settings(model, Setting(0.25))] == [2.0] * 3
    assert sweep.layer_settings(model, Setting()) == before == tracing.as_trained(model)
    mixed = sweep.layer_settings(network(("strided-conv", "strided-conv", "adastride")), Setting(0.25))
    assert [each.sigma for each in mixed] == [None, None, 2.0]


def test_a_network_without_sigma_is_told_so(strided: Classifier, clip: audio.Waveform):
    assert not sweep.has_sigma(strided)
    assert sweep.trained_sigmas(strided) == ()
    with pytest.raises(SweepError, match=r"has no σ to sweep .* sweep its stride instead"):
        sweep.sweep_clip(strided, clip, sweep.points((1.0, 2.0)))


def test_work_is_whole_without_strides():
    assert network().work_share([80, 80, 80, 80]) == 1
    assert network().work_share([80, 40, 40, 40]) == pytest.approx((1 + 11 / 2) / 12)


def test_link_parameters_are_what_explore_reads(model: Classifier):
    from adastride.ui.explore import link as permalink

    settings = sweep.layer_settings(model, Setting(0.25, 27))
    read = permalink.parse(sweep.link_parameters(settings), {}, {}, lambda name: len(settings))
    assert [(each.sigma, each.stride) for each in read.settings] == [(2.0, 3.0)] * 3
    assert not read.problems


# ------------------------------------------------------------------ one clip


def test_a_column_is_what_a_trace_says(model: Classifier, clip: audio.Waveform):
    points = sweep.points((0.5, 5.0, 50.0))
    columns = list(sweep.sweep_clip(model, clip, points))
    assert [column.setting for column in columns] == points
    for column in columns:
        seen = tracing.trace(model, clip, LayerSettings(sigma=column.setting.sigma_inv2**-0.5))
        assert column.prediction.values == pytest.approx(seen.prediction.values)
        assert column.stride == 8
        for place, (numbers, layer) in enumerate(zip(column.layers, seen.layers, strict=True)):
            assert numbers.entropy == pytest.approx(layer.entropy)
            assert numbers.effective_frames == pytest.approx(math.exp(layer.entropy))
            assert numbers.position_loss == layer.position_loss
            down, x = model.downsamplers[place], seen._resumes[place].hidden
            values = down(x, settings=layer.settings).values
            assert 10 * math.log10(numbers.lost / 100) == pytest.approx(float(analysis.error_db(x, layer.alignment.upsample(values))))
            assert numbers.aliased == pytest.approx(float(analysis.aliased_energy(down, x, settings=layer.settings)))
    assert columns[0].layers[0].effective_frames > columns[1].layers[0].effective_frames > columns[2].layers[0].effective_frames


def test_pictures_are_small_whatever_the_clip(model: Classifier):
    long = audio.from_samples(np.random.default_rng(0).standard_normal(16_000 * 20) * 0.1, 16_000)
    (column,) = sweep.sweep_clip(model, long, [Setting(5.0)])
    assert all(picture.dtype == np.uint8 and picture.size <= 48 * 48 and picture.max() == 255 for picture in column.pictures)


def test_results_come_one_at_a_time(model: Classifier, clip: audio.Waveform, monkeypatch: pytest.MonkeyPatch):
    traced = []
    monkeypatch.setattr(sweep, "trace", lambda *arguments: traced.append(1) or tracing.trace(*arguments))
    columns = sweep.sweep_clip(model, clip, sweep.points(sweep.sigma_values(0.1, 10, 5)))
    assert traced == []
    next(columns)
    assert len(traced) == 1
    columns.close()
    assert len(traced) == 1


def test_a_run_works_only_when_asked_and_stops(model: Classifier, clip: audio.Waveform):
    run = Run("key", sweep.sweep_clip(model, clip, sweep.points(sweep.sigma_values(0.1, 10, 5))))
    run.advance(0)
    assert (len(run.results), run.active) == (1, True)
    run.stop()
    assert (len(run.results), run.active) == (1, False)
    run = Run("key", iter([1, 2, 3]), keep=1)
    run.advance(10)
    assert (list(run.results), run.active) == ([3], False)


def test_a_run_is_stopped_from_another_thread():
    """It ends with the result under way, and its generator is closed."""
    begun, closed = threading.Event(), []

    def slow():
        try:
            for number in itertools.count():
                begun.set()
                time.sleep(0.02)
                yield number
        finally:
            closed.append(True)

    run = Run("key", slow())
    worker = threading.Thread(target=run.advance, args=(60,))
    worker.start()
    begun.wait(10)
    run.stop()
    worker.join(10)
    assert (worker.is_alive(), run.active, closed) == (False, False, [True])
    count = len(run.results)
    run.advance(1)
    assert len(run.results) == count


def test_a_run_that_fails_is_over():
    def failing():
        yield 1
        raise SweepError("no.")

    run = Run("key", failing())
    with pytest.raises(SweepError):
        run.advance(10)
    assert not run.active


def test_a_stride_sweep_of_whole_strides(strided: Classifier, clip: audio.Waveform):
    columns = list(sweep.sweep_clip(strided, clip, sweep.points((), sweep.stride_values(1, 8, 8))))
    assert sorted({column.stride for column in columns}) == [1, 2, 3, 4, 6, 8]
    assert columns[0].work == 1 > columns[-1].work
    text = [each.text for each in clip_answers(columns, STRIDE, 8.0)]
    assert any("of the work it does without strides" in each for each in text)


def test_clip_csv(model: Classifier, clip: audio.Waveform):
    points = sweep.points((0.5, 5.0))
    rows = list(csv.DictReader(io.StringIO(sweep.clip_csv(sweep.sweep_clip(model, clip, points)))))
    assert [(row["sigma_inv2"], row["layer"]) for row in rows] == [("0.5", "1"), ("0.5", "2"), ("0.5", "3"), ("5", "1"), ("5", "2"), ("5", "3")]
    rows = list(csv.DictReader(io.StringIO(sweep.clip_csv(sweep.sweep_clip(model, clip, points, details=False)))))
    assert [(row["layer"], row["entropy"]) for row in rows] == [("", ""), ("", "")]


# ------------------------------------------------------------------ labelled clips


def test_scores_are_what_single_runs_say(model: Classifier, clips: list[Clip]):
    other = network(("strided-conv", "strided-conv", "adastride"), "mixed")
    points = sweep.points((0.2, 5.0), (2.0, 8.0))
    *_, last = sweep_clips([model, other], clips, points)
    assert last.share == 1
    assert [(score.checkpoint, score.setting) for score in last.scores] == [(name, point) for name in ("tiny", "mixed") for point in points]
    for score, each in zip(last.scores, [model] * 4 + [other] * 4, strict=True):
        settings = sweep.layer_settings(each, score.setting)
        traces = [tracing.trace(each, clip.samples, settings) for clip in clips]
        assert score.total == sum(seen.top == clip.label for seen, clip in zip(traces, clips, strict=True))
        assert score.clips == len(clips)
        assert score.bounds == wilson(score.total / len(clips), len(clips))
        frames = np.sum([[seen.mel.shape[1], *(layer.output_frames for layer in seen.layers)] for seen in traces], axis=0)
        assert score.work == pytest.approx(network().work_share(frames))


def test_lower_layers_are_computed_once(clips: list[Clip]):
    """Only the third layer has a σ: the convolutions of the first run once a batch."""
    model, calls = network(("strided-conv", "strided-conv", "adastride")), []
    for block in (0, 2, 4):
        model.blocks[block].downsampler.register_forward_hook(lambda *_, block=block: calls.append(block))
    list(sweep_clips([model], clips[:20], sweep.points((0.1, 1.0, 10.0))))
    assert [calls.count(block) for block in (0, 2, 4)] == [1, 1, 4]


def test_partial_scores_count_the_clips_so_far(model: Classifier, clips: list[Clip]):
    counts = [progress.scores[0].clips for progress in sweep_clips([model], clips, [Setting(5.0)])]
    assert counts == sorted(counts)
    assert len(counts) == 3
    assert counts[-1] == 70


def test_labels_and_clips_are_checked_before_anything_runs(model: Classifier, strided: Classifier, clips: list[Clip]):
    with pytest.raises(SweepError, match="no clips"):
        sweep_clips([model], [], [Setting(5.0)])
    with pytest.raises(DataError, match="has the label 'loud', which tiny does not know"):
        sweep_clips([model], [Clip(clips[0].samples, "loud", "a.wav")], [Setting(5.0)])
    with pytest.raises(SweepError, match="no σ"):
        sweep_clips([strided], clips, [Setting(5.0)])
    with pytest.raises(SweepError, match="same name"):
        sweep_clips([model, model], clips, [Setting(5.0)])


class FakeRay(types.ModuleType):
    """What `on_ray` uses of Ray, in this process: an object reference is a tuple, and work is done when its result is asked for."""

    def __init__(self, answers: bool = True):
        super().__init__("ray")
        self.answers, self.put_objects, self.asked, self.open = answers, [], 0, False

    def init(self, address: str) -> None:
        if not self.answers:
            raise ConnectionError(f"no cluster at {address}")
        self.open = True

    def put(self, value: object) -> tuple:
        self.put_objects.append(value)
        return ("object", len(self.put_objects) - 1)

    def remote(self, function):
        return types.SimpleNamespace(remote=lambda *arguments: ("task", function, arguments))

    def get(self, reference: tuple):
        assert self.open
        self.asked += 1
        _, function, (model, *arguments) = reference
        return function(self.put_objects[model[1]], *arguments)

    def shutdown(self) -> None:
        self.open = False


def test_ray_gives_the_same_results(model: Classifier, clips: list[Clip], monkeypatch: pytest.MonkeyPatch):
    points, ray = sweep.points((0.2, 5.0)), FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert list(sweep_clips([model], clips, points, on_ray("local"))) == list(sweep_clips([model], clips, points))
    assert (ray.put_objects, ray.asked, ray.open) == ([model], 3, False)


def test_a_dropped_sweep_leaves_ray(model: Classifier, clips: list[Clip], monkeypatch: pytest.MonkeyPatch):
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    results = sweep_clips([model], clips, [Setting(5.0)], on_ray("local"))
    next(results)
    assert ray.open
    results.close()
    assert not ray.open


def test_ray_that_is_not_there_gets_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SweepError, match="pip install ray"):
        on_ray("local")
    monkeypatch.setitem(sys.modules, "ray", FakeRay(answers=False))
    with pytest.raises(SweepError, match=r"does not answer at 'auto' .* check the address"):
        on_ray("auto")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_port_nobody_listens_at_is_found_at_once(monkeypatch: pytest.MonkeyPatch, scheme: str):
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(SweepError, match="does not answer"):
        on_ray(f"{scheme}127.0.0.1:{port}")
    assert not ray.open


def test_scores_csv():
    rows = list(csv.DictReader(io.StringIO(scores_csv([Score("a", Setting(0.5), 8.0, ACCURACY, 9, 9, 10, 0.25)]))))
    assert rows == [{"checkpoint": "a", "sigma_inv2": "0.5", "stride": "8", "clips": "10", "right": "9", "accuracy": "0.9",
                     "low": f"{wilson(0.9, 10)[0]:.6g}", "high": f"{wilson(0.9, 10)[1]:.6g}", "work": "0.25"}]


# ------------------------------------------------------------------ answers


def column(value: float, six: float, effective: float = 3.0, lost: float = 10.0, moved: float = 5.0) -> Column:
    numbers = LayerNumbers(math.log(effective), effective, 0.0, lost, 1.0, moved)
    return Column(Setting(value), 8.0, 0.4, 1.0, Prediction("six", values={"six": six, "three": 1 - six}), (numbers,) * 3)


def test_what_is_stable_and_where_it_turns():
    columns = [column(0.1, 0.2, 14.0, 40.0), column(0.8, 0.6), column(5.0, 0.9, lost=5.0), column(40.0, 0.8), column(100.0, 0.4, 1.1, moved=30.0)]
    said = [each.text for each in clip_answers(columns, SIGMA, 5.0)]
    assert said == [
        "The prediction “six” is stable from σ⁻² 0.8 to 40; at 0.1 it becomes “three”; at 100 it becomes “three”.",
        "“six” is surest at σ⁻² 5 with 90 % and least sure at 0.1 with 20 %.",
        "Each output frame of layer 1 averages 14 input frames at σ⁻² 0.1 and 1.1 at 100.",
        "Layer 3 loses least of its input at σ⁻² 5 (5 %) and most at 0.1 (40 %).",
        "Input one frame later changes the output of layer 3 by 5 % at σ⁻² 0.1 and by 30 % at 100.",
    ]
    assert all(each.rule.endswith(".") for each in clip_answers(columns, SIGMA, 5.0))


def test_no_probability_is_rounded_to_certain():
    """“100 %” and “0 %” were read where a network is nearly sure."""
    said = [each.text for each in clip_answers([column(0.1, 0.002), column(5.0, 0.9984)], SIGMA, 5.0)]
    assert said[1] == "“six” is surest at σ⁻² 5 with more than 99 % and least sure at 0.1 with less than 1 %."


def test_a_prediction_that_never_turns_and_numbers_that_mean_nothing():
    columns = [column(0.1, 0.7, lost=math.nan, moved=math.nan), column(5.0, 0.9, lost=math.nan, moved=math.nan)]
    said = [each.text for each in clip_answers(columns, SIGMA, 5.0)]
    assert said[0] == "The prediction is “six” from σ⁻² 0.1 to 5, at every value."
    assert len(said) == 3


def test_where_a_checkpoint_keeps_up():
    rights = {0.1: 40, 1.0: 97, 5.0: 98, 10.0: 98, 100.0: 60}
    scores = [Score("net", Setting(value), 8.0, ACCURACY, right, right, 100, 0.4) for value, right in rights.items()]
    (answer,) = score_answers(scores, SIGMA)
    assert answer.text == "net is best from σ⁻² 5 to 10 with 98.0 % of 100 clips right; it keeps up from 1 to 10, and is lowest with 40.0 % at 0.1."
    (answer,) = score_answers(scores[1:4], SIGMA)
    assert answer.text.endswith("nowhere clearly worse: it is lowest with 97.0 % at 1.")
    (answer,) = score_answers(scores[2:4], SIGMA)
    assert answer.text == "net is best from σ⁻² 5 to 10 with 98.0 % of 100 clips right."


def test_what_a_map_says():
    columns = [column(0.1, 0.2), column(5.0, 0.9)]
    (answer,) = map_answers(columns, "six")
    assert answer.text == "“six” is predicted at 1 of 2 points, and is surest at σ⁻² 5 and an overall stride of 8 with 90 %."
    points = ((1.0, 98, 1.0), (4.0, 95, 0.5), (8.0, 40, 0.4))
    scores = [Score("net", Setting(5.0, stride), stride, ACCURACY, right, right, 100, work) for stride, right, work in points]
    (answer,) = score_map_answers(scores)
    assert answer.text == (
        "net is best at σ⁻² 5 and an overall stride of 1 with 98.0 % of 100 clips right; the cheapest point that keeps up is σ⁻² 5 and an overall stride "
        "of 4 with 95.0 % and 50 % of the work without strides."
    )


# ------------------------------------------------------------------ pictures


@pytest.mark.parametrize("dark", [False, True])
def test_a_strip_is_one_picture_with_the_trained_value_marked(model: Classifier, clip: audio.Waveform, dark: bool):
    values = sweep.sigma_values(0.1, 10, 3)
    columns = list(sweep.sweep_clip(model, clip, sweep.points(values)))
    figure = sweep_figures.strip(columns[:2], values, SIGMA, (5.0,), values[1], dark)
    assert len(figure.layout.images) == 1
    assert "trained" in figure.layout.annotations[0].text
    assert len(figure.data[1].x) == 2 * 3
    curves = sweep_figures.curves(columns, values, SIGMA, (5.0,), dark)
    assert list(curves) == ["Prediction", *sweep.MEASURES.values()]
    assert [len(each.data) for each in curves.values()] == [2] + [3] * 6


def test_accuracy_has_a_band_for_each_checkpoint():
    scores = [Score(name, Setting(value), 8.0, ACCURACY, 50, 50, 100, 0.4) for name in ("a", "b") for value in (0.1, 5.0)]
    figure = sweep_figures.quality(scores, SIGMA, {"a": (5.0,), "b": (50.0,)}, False)
    bands = [each for each in figure.data if each.fill == "toself"]
    low, high = wilson(0.5, 100)
    assert [list(each.y) for each in bands] == [pytest.approx([100 * high] * 2 + [100 * low] * 2)] * 2
    rings = [list(each.x) for each in figure.data if each.marker.symbol == "circle-open"]
    assert rings == [[pytest.approx(math.log10(5))], []]


def test_a_map_leaves_what_is_not_known_empty():
    sigmas, strides = (0.1, 1.0), (1.0, 8.0)
    scores = [Score("a", Setting(sigma, 1.0), 1.0, ACCURACY, 50, 50, 100, 0.4) for sigma in sigmas]
    heat, ring = sweep_figures.quality_map(scores, sigmas, strides, ((1.0,), 8.0), False).data
    assert (list(ring.x), list(ring.y)) == ([1.0], [1.0])
    assert np.allclose(heat.z, [[50, 50], [np.nan, np.nan]], equal_nan=True)


# ------------------------------------------------------------------ zip files


def test_folders_are_labels():
    data = zipped({"set/low/a.wav": sound(), "set/high/b.wav": sound(), "set/README.md": "x", "__MACOSX/set/low/._a.wav": "x", "set/low/.b.wav": "x"})
    clips = read_zip(data, "a.zip")
    assert [(clip.label, clip.path, clip.samples.size) for clip in clips] == [("low", "set/low/a.wav", 1600), ("high", "set/high/b.wav", 1600)]


def test_a_manifest_goes_first_and_its_test_split():
    files = {f"set/audio/{name}.wav": sound() for name in "abc"}
    lines = "path,label,split\naudio/a.wav,low,train\naudio/b.wav,high,test\naudio/c.wav,low,test\n"
    assert [clip.label for clip in read_zip(zipped({**files, "set/manifest.csv": lines}), "a.zip")] == ["high", "low"]
    lines = "path,label\naudio/a.wav,low\n"
    assert [clip.path for clip in read_zip(zipped({**files, "set/manifest.csv": lines}), "a.zip")] == ["set/audio/a.wav"]
    lines = "path,text,split\naudio/a.wav,one two,test\naudio/b.wav,,test\naudio/c.wav,nine,train\n"  # nothing may be said in a clip
    assert [(clip.label, clip.text) for clip in read_zip(zipped({**files, "set/manifest.csv": lines}), "a.zip")] == [("", "one two"), ("", "")]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../a.wav": sound()}, "climbs out"), ({"low/../../a.wav": sound()}, "climbs out"), ({"/low/a.wav": sound()}, "climbs out"),
        ({"low\\..\\a.wav": sound()}, "climbs out"), ({"C:/low/a.wav": sound()}, "climbs out"),
        ({"a.wav": sound()}, "does not say what a.wav is"), ({"low/a.txt": "x"}, "holds no WAV"), ({}, "holds no WAV"),
        ({"low/a.wav": b"RIFF"}, "low/a.wav can't be decoded"), ({"low/a.wav": sound(), "manifest.csv": "name\na\n"}, "lacks the column path"),
        ({"manifest.csv": "path,label\nlow/b.wav,low\n"}, "names 'low/b.wav', which has no sound"), ({"manifest.csv": b"\xff\xfe"}, "can't be read"),
        ({"manifest.csv": "path,label\n"}, "names no clip"),
    ],
)
def test_a_zip_that_can_t_be_used_gets_a_sentence(files: dict[str, bytes | str], said: str):
    with pytest.raises(DataError, match=said) as caught:
        read_zip(zipped(files), "a.zip")
    assert str(caught.value).endswith(".")
    assert "a.zip" in str(caught.value)


def test_links_and_broken_files():
    link = zipfile.ZipInfo("low/a.wav")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        read_zip(buffer.getvalue(), "a.zip")
    with pytest.raises(DataError, match="can't be read as a zip"):
        read_zip(b"no zip", "a.zip")
    data = zipped({"low/a.wav": sound(1.0)}, zipfile.ZIP_STORED)
    with pytest.raises(DataError, match="can't be read as a zip"):
        read_zip(data.replace(data[2000:2100], bytes(100)), "a.zip")


def test_a_zip_bomb_is_refused_before_it_unpacks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 5_000_000)
    monkeypatch.setattr(archive._Reader, "_read", lambda *_: pytest.fail("it was unpacked"))
    bomb = zipped({f"low/{number}.wav": bytes(1_000_000) for number in range(6)})
    assert len(bomb) < 10_000
    with pytest.raises(DataError, match="unpacks to more than the 5 MB"):
        read_zip(bomb, "a.zip")


def test_a_zip_that_lies_about_its_sizes_is_stopped(monkeypatch: pytest.MonkeyPatch):
    """Bytes are counted while they come, and a reader stops at the size an entry claims."""
    data = bytearray(zipped({"low/a.wav": bytes(3_000_000)}))
    size = (3_000_000).to_bytes(4, "little")
    while (place := data.find(size)) >= 0:
        data[place : place + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(DataError, match=r"a\.zip"):
        read_zip(bytes(data), "a.zip")
    with zipfile.ZipFile(io.BytesIO(zipped({"low/a.wav": sound(1.0)}))) as file:
        reader = archive._Reader(file, "a.zip")
        monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
        with pytest.raises(DataError, match="unpacks to more"):
            reader._read("low/a.wav")


@pytest.mark.parametrize(
    ("limit", "most", "said"), [("MAX_SOUNDS", 1, "holds 2 clips"), ("MAX_ENTRIES", 1, "has 2 entries"), ("MAX_SECONDS", 0.15, "minutes of sound"),
                                ("MAX_BYTES", 100, "use `python -m adastride sweep`"), ("MAX_CLIP_SECONDS", 0.05, "longer than")],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, limit: str, most: float, said: str):
    monkeypatch.setattr(archive, limit, most)
    with pytest.raises(DataError, match=said):
        read_zip(zipped({"low/a.wav": sound(), "high/b.wav": sound()}), "a.zip")


def test_an_encrypted_zip():
    data = bytearray(zipped({"low/a.wav": sound()}))
    data[6] |= 1  # the flag in the entry's own header, and in the directory
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="has a password"):
        read_zip(bytes(data), "a.zip")
