"""What a codec's answer means: its loss, its metrics against plain loops, and what an evaluation says of the codebook."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from made_up_codecs import clips, codec, speech

from adastride import audio
from adastride.clips import Clip
from adastride.downsampling import LayerSettings
from adastride.inspection.tracing import trace
from adastride.tasks import KINDS, task_of
from adastride.tasks.reconstruction import COMMITMENT, Coding, averaged, entropy_bits, lasting_durations, quiet_frames
from adastride.training.evaluate import Prepared, evaluate, measure

TASK = KINDS["codec"].task


def run(method: str = "adastride", count: int = 4):
    network, sounds = codec(method), [clip.samples for clip in clips(count)]
    batch = TASK.batch(network, sounds, [None] * count)
    with torch.no_grad():
        return network, batch, network(batch.signal, batch.lengths)


def test_the_loss_is_equation_10_and_padding_takes_no_part():
    _, batch, output = run()
    errors, count = 0.0, 0
    for row, length in enumerate(batch.lengths.tolist()):
        errors += float((output.head[row, :, :length] - batch.signal[row, :, :length]).abs().sum())
        count += 80 * length
    assert float(TASK.loss(output, batch)) == pytest.approx(errors / count + COMMITMENT * float(output.commitment), rel=1e-5)


def test_metrics_against_plain_loops():
    _, batch, output = run()
    values = TASK.measure(output, batch)
    for row, length in enumerate(batch.lengths.tolist()):
        mel, made = batch.signal[row, :, :length].double(), output.head[row, :, :length].double()
        assert float(values["mel_error"][row]) == pytest.approx(float((mel - made).abs().sum()), rel=1e-6)
        assert float(values["mel_error_db"][row]) == pytest.approx(20 / math.log(10) * float((mel - made).abs().sum()), rel=1e-6)
        codes = output.codes[row][output.codes[row] >= 0].tolist()
        counts = Counter(codes)
        assert float(values["distinct"][row]) == len(counts)
        entropy = -sum(n / len(codes) * math.log2(n / len(codes)) for n in counts.values())
        assert float(values["entropy"][row]) == pytest.approx(entropy)
        level = 20 * torch.log10(mel.exp().sum(dim=0))
        loud = level >= level.max() - 30
        assert float(values["duration_loud"][row]) == int(loud.sum())
        assert float(values["values_quiet"][row]) == 80 * int((~loud).sum())
        parts = values["mel_error_loud_db"][row] + values["mel_error_quiet_db"][row]
        assert float(parts) == pytest.approx(float(values["mel_error_db"][row]))
        steps = sum(float((mel[:, at : at + 8] - mel[:, at : at + 8].mean(dim=1, keepdim=True)).abs().sum()) for at in range(0, length, 8))
        assert float(values["step_error"][row]) == pytest.approx(steps, rel=1e-6)
        lasting = len(set(output.origins[row, :length].tolist()))
        assert float(values["codes_loud"][row] + values["codes_quiet"][row]) == pytest.approx(lasting)


def test_silence_is_quiet_however_loud_a_clip_is():
    """Digital silence is not loud for being all there is; beside a faint sound it is what is left."""
    floor, lengths = math.log(audio.LOG_FLOOR), torch.tensor([4, 4, 3])
    signal = torch.full((3, 80, 4), floor)
    signal[1, :, 1] += 0.5
    signal[2, :, 2] = 0.0
    assert quiet_frames(signal, lengths).tolist() == [[True] * 4, [True, False, True, True], [True, True, False, False]]


def test_silence_has_no_error_in_loud_frames():
    network, silence = codec(), audio.from_samples(np.zeros(22_050, np.float32), 22_050, 22_050)
    assert [bar.label for bar in trace(network, silence).prediction.bars] == ["all frames", "quiet frames"]
    metrics = evaluate(network, [Clip(silence.samples, "", "silence.wav")]).metrics
    assert math.isnan(metrics["mel_error_loud_db"])
    assert metrics["mel_error_quiet_db"] == pytest.approx(metrics["mel_error_db"])


def test_every_metric_has_a_value_and_a_rate_what_it_is_counted_per():
    _, batch, output = run()
    values = TASK.measure(output, batch)
    for metric in TASK.metrics:
        assert metric.name in values
        assert metric.per is None or metric.per in values
    assert all(value.shape == (4,) and value.dtype == torch.float64 and bool(value.isfinite().all()) for value in values.values())


def test_means_over_frames():
    mel = torch.arange(10.0)[None, None].repeat(2, 1, 1)
    made = averaged(mel, torch.tensor([10, 5]), step=4)
    assert made[0, 0].tolist() == [1.5] * 4 + [5.5] * 4 + [8.5] * 2
    assert made[1, 0].tolist() == [1.5] * 4 + [4.0] + [0.0] * 5


def test_durations_sum_to_the_clip():
    for method in ("strided-conv", "spectral-pool", "adastride", "cif"):
        _, batch, output = run(method)
        for answer, length in zip(TASK.answers(output), batch.lengths.tolist(), strict=True):
            assert int(answer.durations.sum()) == length
            assert len(answer.codes) == len(answer.durations)


def test_equal_neighbours_last_together():
    assert lasting_durations(Coding(np.array([1, 2, 2, 3, 3, 2]), np.array([8, 8, 8, 0, 4, 4]))) == [8, 16, 4, 4]
    assert entropy_bits([5]) == 0.0


def test_an_evaluation_says_how_the_codebook_is_used():
    network, heard = codec("strided-conv"), clips()
    result = evaluate(network, heard)
    assert result.headline.name == "mel_error"
    assert result.breakdown is not None
    data = result.breakdown.data
    codes = np.concatenate([TASK.answers(network(network.signal(speech_of(clip))))[0].codes for clip in heard])
    assert data["distinct_codes"] == len(set(codes.tolist()))
    assert data["entropy_bits"] == pytest.approx(entropy_bits(np.bincount(codes).tolist()))
    assert data["codes_per_second"] == pytest.approx(22_050 / 256 / 8, rel=0.05)
    assert sum(data["durations"].values()) <= len(codes)
    values = measure(network, heard)
    assert result.metrics["step_error"] == pytest.approx(values["step_error"].sum() / values["values"].sum())


def speech_of(clip: Clip):
    return audio.from_samples(clip.samples, 22_050, 22_050)


def test_a_shifted_signal_is_compared_with_itself():
    """What moves comes back moved: the error of a shifted signal is no larger for being shifted."""
    network, sounds = codec("strided-conv"), [clip.samples for clip in clips(3)]
    prepared = Prepared.of(network, sounds, [None] * 3)
    assert prepared.score(network, 8) == pytest.approx(prepared.score(network), rel=0.2)


def test_the_task_is_known_by_both_names():
    assert task_of(codec()).name == "reconstruction"
    assert TASK.describe(codec().config) == "16 codes"
    with pytest.raises(ValueError, match="has 9000 codes, more than the 4096"):
        TASK.check_config(codec(codes=16).config.from_dict({**codec().config.to_dict(), "codes": 9000}))


def test_a_prediction_of_one_mel_frame():
    prediction = trace(codec(), speech(0.001)).prediction
    assert prediction.headline == "1 code"
    assert len(prediction.lanes[0].segments) == 1


def test_what_can_not_be_heard_or_edited_is_said(monkeypatch: pytest.MonkeyPatch):
    assert trace(codec(), speech(0.5)).prediction.detail.endswith(" bits a second")
    monkeypatch.setattr("adastride.tasks.reconstruction.MOST_EDITED", 2)
    assert trace(codec(), speech(0.5)).prediction.detail.endswith("; more than 2 codes can’t be edited")
    monkeypatch.setattr("adastride.tasks.reconstruction.MOST_HEARD", 0.4)
    assert trace(codec(), speech(0.5)).prediction.detail.endswith("; more than 0.4 s can’t be heard or edited")


def test_a_prediction_tells_loud_frames_from_quiet_ones():
    """Bars with the task's own numbers; the curve's mean is that of all frames."""
    network, clip = codec(), audio.from_samples(np.pad(speech(1.0).samples, (6000, 3000)), 22_050, 22_050)
    prediction = trace(network, clip).prediction
    assert [bar.label for bar in prediction.bars] == ["all frames", "loud frames", "quiet frames"]
    batch = TASK.batch(network, [clip.samples], [None])
    sums = {name: float(value.sum()) for name, value in TASK.measure(network(batch.signal, batch.lengths), batch).items()}
    for bar, (errors, values) in zip(prediction.bars, (("", ""), ("_loud", "_loud"), ("_quiet", "_quiet")), strict=True):
        assert float(bar.text.removesuffix(" dB")) == pytest.approx(sums[f"mel_error{errors}_db"] / sums[f"values{values}"], abs=0.051)
    curve = prediction.lanes[2]
    assert float(curve.values.mean()) == pytest.approx(prediction.values["mel error in dB"], rel=1e-4)


def test_what_is_decoded_can_be_heard_as_loud_as_the_clip():
    """Beside it the original mel by the same way; a key stands for what is heard, whatever the settings are."""
    network, clip = codec(), speech(1.0)
    run = trace(network, clip)
    decoded, mel_only = run.prediction.sounds
    assert decoded.key != mel_only.key
    sounds = [audible.make() for audible in (decoded, mel_only)]
    levels = [20 * np.log10(np.sqrt(np.mean(sound.samples**2)) / np.sqrt(np.mean(clip.samples**2))) for sound in sounds]
    assert all(sound.seconds == pytest.approx(clip.seconds, abs=0.02) for sound in sounds)
    assert max(map(abs, levels)) < 1.5
    other = trace(network, clip, [None, None, LayerSettings(stride=4.0)]).prediction
    assert (other.sounds[0].key != decoded.key, other.sounds[1].key == mel_only.key) == (True, True)
    assert trace(network, speech(31.0)).prediction.sounds == ()
