"""Data with texts, from manifests and LibriSpeech's trees to trained recognisers, on made-up tones that stand for words."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from adastride import checkpoints, cli
from adastride.clips import Clip, DataError
from adastride.models import Recogniser, RecogniserConfig
from adastride.tasks import KINDS, task_of
from adastride.training.augment import batches, by_length, join, mask_mels
from adastride.training.datasets import Row, Source
from adastride.training.evaluate import evaluate
from adastride.training.loop import Progress, finished_history, train
from adastride.training.settings import PRESETS, TrainingSettings, preset_for

RATE = 16_000
HERTZ = {"one": 300.0, "two": 900.0, "three": 2500.0}
STRINGS = replace(PRESETS["strings"], epochs=2, batch_size=3, joined=(1, 3), gap_seconds=(0.0, 0.2), seed=5)
CALM = replace(
    STRINGS, snr_db=(80.0, 80.0), gain_db=(0.0, 0.0), speed=(1.0, 1.0), overlap_seconds=0.0, shift_seconds=0.0, gap_seconds=(0.05, 0.2),
)
small = partial(KINDS["recogniser"].learn_config, width=16, blocks=1, heads=2, kernel_size=7, units="words")


def tone(word: str, seconds: float = 0.25, level: float = 0.3) -> np.ndarray:
    time = np.arange(int(RATE * seconds)) / RATE
    return (level * np.sin(2 * np.pi * HERTZ[word] * time) * np.hanning(time.size) ** 0.25).astype(np.float32)


def spoken(text: str) -> np.ndarray:
    return np.concatenate([tone(word) for word in text.split()])


def write_manifest(folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return folder


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Six single words of two speakers to train on, two strings to choose by and one to test."""
    rows, texts = [], [*HERTZ, *HERTZ, "one two", "three", "two one"]
    for number, text in enumerate(texts):
        (tmp_path / "tones").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "tones" / f"{number}.wav", spoken(text), RATE)
        split = "train" if number < 6 else "valid" if number < 8 else "test"
        rows.append((f"{number}.wav", f"{text.capitalize()}!", split, f"s{number % 2}"))
    return write_manifest(tmp_path / "tones", rows, ("path", "text", "split", "speaker"))


# --- manifests


def test_a_manifest_may_have_texts_and_no_labels(tones: Path):
    clips = Source(tones).clips("train")
    assert [clip.text for clip in clips] == ["One!", "Two!", "Three!"] * 2
    assert {clip.label for clip in clips} == {""}
    assert {clip.group for clip in clips} == {"s0", "s1"}
    assert small(clips, clips).tokens == ("one", "two", "three")  # type: ignore[attr-defined]


def test_texts_are_read_anew_where_sounds_come_from_a_cache(tones: Path, tmp_path: Path):
    before = Source(tones).clips("valid", cache=tmp_path / "cache")
    manifest = (tones / "manifest.csv").read_text(encoding="utf-8")
    (tones / "manifest.csv").write_text(manifest.replace("One two!", "three three"), encoding="utf-8")
    after = Source(tones).clips("valid", cache=tmp_path / "cache")
    assert [clip.text for clip in before] == ["One two!", "Three!"]
    assert [clip.text for clip in after] == ["three three", "Three!"]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_manifest_may_have_both(tmp_path: Path):
    names = ("path", "label", "split", "text")
    folder = write_manifest(tmp_path / "both", [("a.wav", "x", "train", "one"), ("b.wav", "y", "train", "")], names)
    assert [(row.label, row.text) for row in Source(folder).rows()] == [("x", "one"), ("y", "")]
    write_manifest(folder, [("a.wav", "", "train", "one")], names)
    with pytest.raises(DataError, match=r"a line without a path, label or split: line 2\."):
        Source(folder).rows()


def test_a_manifest_may_have_neither(tmp_path: Path):
    folder = write_manifest(tmp_path / "none", [("a.wav", "train", "ann")], ("path", "split", "speaker"))
    assert Source(folder).rows() == [Row("a.wav", "", "train", "ann")]
    write_manifest(folder, [("", "train", "ann")], ("path", "split", "speaker"))
    with pytest.raises(DataError, match=r"a line without a path or split: line 2\."):
        Source(folder).rows()


def test_a_hash_splits_where_the_manifest_does_not(tmp_path: Path):
    """As it does with a folder for each class: always the same, and about 8 : 1 : 1."""
    folder = write_manifest(tmp_path / "none", [(f"{number}.wav",) for number in range(500)], ("path",))
    rows = Source(folder).rows()
    splits = Counter(row.split for row in rows)
    assert splits.keys() == {"train", "valid", "test"}
    assert 370 < splits["train"] < 430
    write_manifest(folder, [(f"{number}.wav",) for number in range(100, 200)], ("path",))
    assert Source(folder).rows() == rows[100:200]
    write_manifest(folder, [("",)], ("path",))
    with pytest.raises(DataError, match=r"a line without a path: line 2\."):
        Source(folder).rows()


def one_sentence(text: str) -> bool:
    lines = text.splitlines()
    return len(lines) == 1 and text.strip().endswith(".") and "Traceback" not in text


def test_no_network_learns_from_a_manifest_without_its_answers(tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    manifest = (tones / "manifest.csv").read_text(encoding="utf-8")
    out = str(tmp_path / "m.safetensors")
    assert cli.main(["train", "--data", str(tones), "--out", out, "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert one_sentence(message)
    assert "needs a column label" in message
    (tones / "manifest.csv").write_text(manifest.replace("text", "label", 1), encoding="utf-8")
    assert cli.main(["train", "--task", "recognition", "--data", str(tones), "--out", out, "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert one_sentence(message)
    assert "needs a column text" in message
    assert not Path(out).exists()


# --- LibriSpeech


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    """A tree as it is distributed: PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac, and a file of texts for each chapter."""
    root = tmp_path / "LibriSpeech"
    for part, speaker, chapter, texts in (
        ("train-clean-100", "103", "1240", ["CHAPTER ONE", "MISSUS RACHEL'S SURPRISED"]),
        ("train-clean-100", "19", "198", ["NORTHANGER ABBEY"]),
        ("dev-clean", "84", "121123", ["GO DO YOU HEAR"]), ("test-other", "367", "130732", ["LOBSTERS", "AND LOBSTERS"]),
    ):
        folder = root / part / speaker / chapter
        folder.mkdir(parents=True)
        lines = []
        for number, text in enumerate(texts):
            name = f"{speaker}-{chapter}-{number:04d}"
            soundfile.write(folder / f"{name}.flac", tone("one", 0.1 + 0.05 * number), RATE)
            lines.append(f"{name} {text}\n")
        (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines), encoding="utf-8")
    (root / "SPEAKERS.TXT").write_text("; about\n", encoding="utf-8")
    return root


def test_librispeech_is_read_as_it_is_distributed(librispeech: Path):
    rows = {row.path: row for row in Source(librispeech).rows()}
    assert len(rows) == 6
    one = rows["train-clean-100/103/1240/103-1240-0001.flac"]
    assert (one.text, one.split, one.group, one.label) == ("missus rachel's surprised", "train", "103", "")
    parts = {row.path.split("/")[0]: row.split for row in rows.values()}
    assert parts == {"train-clean-100": "train", "dev-clean": "valid", "test-other": "test"}
    assert [clip.text for clip in Source(librispeech).clips("test")] == ["lobsters", "and lobsters"]
    assert [clip.samples.size for clip in Source(librispeech).clips("test")] == [1600, 2400]
    assert Source(librispeech).groups() == ["103", "19", "367", "84"]
    assert {row.part for row in rows.values()} == {path.name for path in librispeech.iterdir() if path.is_dir()}
    held_out = Source(librispeech, held_out="19").rows()
    assert [row.text for row in held_out if row.split == "test"] == ["northanger abbey"]


def test_a_broken_librispeech_is_one_sentence(librispeech: Path):
    (librispeech / "dev-clean" / "84" / "121123" / "84-121123-0000.flac").unlink()
    with pytest.raises(DataError, match=r"84-121123.trans.txt names 84-121123-0000, of which there is no \.flac: unpack .*\.$"):
        Source(librispeech).rows()
    (librispeech / "dev-clean").rename(librispeech / "clean-dev")
    with pytest.raises(DataError, match=r"clean-dev is no part of LibriSpeech: its folders are named train-…, dev-… and test-…\.$"):
        Source(librispeech).rows()


# --- training


def test_texts_are_trained_on_whole():
    """Clips with texts are neither cut to three seconds nor turned round, which the presets for labels do; single words make strings."""
    def clips(seconds: float, text: str, label: str = "") -> list[Clip]:
        return [Clip(np.zeros(int(seconds * RATE), np.float32), label, "", text=text)] * 3

    assert preset_for(clips(4.0, "go do you hear"), RATE) == "reading"
    assert preset_for(clips(1.0, "go do you hear"), RATE) == "reading"
    assert preset_for([*clips(4.0, "go do you hear"), *clips(2.0, "")], RATE) == "reading"
    assert preset_for(clips(0.5, "one"), RATE) == "strings"
    assert preset_for(clips(4.0, "go do you hear", "calm"), RATE) == "scenes"


def stop(progress: Progress) -> None:
    if progress.epoch == 1:
        raise KeyboardInterrupt


def test_an_interrupted_run_with_texts_goes_on_as_if_it_had_not_been(tones: Path, tmp_path: Path):
    whole, halted = tmp_path / "whole.safetensors", tmp_path / "halted.safetensors"
    train([tones], whole, small, STRINGS)
    with pytest.raises(KeyboardInterrupt):
        train([tones], halted, small, STRINGS, report=stop)
    torch.manual_seed(999)  # a new process would not have the random state of the old one
    network = train([tones], halted, small, STRINGS)
    ours, theirs = load_file(whole), load_file(halted)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    measured = ("seconds", "peak_memory_mb")
    timeless = [
        [{name: value for name, value in row.items() if name not in measured} for row in finished_history(path) or []]
        for path in (whole, halted)
    ]
    assert timeless[0] == timeless[1]
    assert len(timeless[0]) == 2
    assert {"valid_error_rate", "valid_loss", "valid_unreadable"} <= timeless[0][0].keys()
    assert timeless[0][0]["valid_error_rate_in_silence"] is None
    assert isinstance(network, Recogniser)


def test_a_run_with_word_pieces_can_go_on(tones: Path, tmp_path: Path):
    """Its vocabulary is learned anew and has to be the same."""
    pieces, out = partial(small, units="pieces"), tmp_path / "m.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train([tones], out, pieces, STRINGS, report=stop)
    train([tones], out, pieces, STRINGS)
    assert len(finished_history(out) or []) == 2


def test_a_clip_that_can_not_be_read_does_not_stop_a_run(tones: Path, tmp_path: Path):
    """One long text over a short clip: at a stride of 4 it has too few output frames."""
    soundfile.write(tones / "0.wav", tone("one", 0.1), RATE)
    manifest = (tones / "manifest.csv").read_text(encoding="utf-8")
    (tones / "manifest.csv").write_text(manifest.replace("0.wav,One!", "0.wav,one two three one two three one two three"), encoding="utf-8")
    seen: list[Progress] = []
    network = train([tones], tmp_path / "m.safetensors", small, replace(STRINGS, joined=(1, 1), batch_size=1, epochs=1), report=seen.append)
    assert np.isfinite(seen[0].loss)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    result = evaluate(network, Source(tones).clips("train"))
    assert result.metrics["unreadable"] == pytest.approx(1 / 6)
    assert 0 <= result.metrics["error_rate"] < 3
    assert np.isfinite(result.metrics["loss"])


def test_a_recogniser_learns_three_words(tones: Path, tmp_path: Path):
    settings = replace(CALM, epochs=25, joined=(1, 2), learning_rate=1e-2, tilt=0.0, band_limited=0.0, time_masks=0, frequency_masks=0)
    seen: list[Progress] = []
    train([tones], tmp_path / "m.safetensors", partial(small, dropout=0.0), settings, report=seen.append)
    assert seen[-1].loss < 0.5 * seen[0].loss


def test_the_command_line_trains_and_evaluates_a_recogniser(tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "written.safetensors"
    command = ["train", "--task", "recognition", "--units", "characters", "--method", "adastride", "--width", "16", "--blocks", "1"]
    assert cli.main([*command, "--epochs", "1", "--data", str(tones), "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "settings for strings" in said
    assert "training a recogniser with adastride, adastride, 8 characters" in said
    assert "validation character error rate" in said
    network = checkpoints.load(out)
    assert isinstance(network, Recogniser)
    assert network.config == RecogniserConfig("characters", tuple(" ehnortw"), width=16, blocks=1)
    assert checkpoints.details(out)["details"]["training"]["joined"] == [1, 7]
    assert cli.main(["evaluate", str(out), "--data", str(tones), "--split", "test", "--device", "cpu"]) == 0
    assert "character error rate, clips as they are" in capsys.readouterr().out
    assert cli.main(["evaluate", str(out), "--data", str(tones), "--split", "test", "--device", "cpu", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["units"] == len("two one")
    assert numbers["clips"] == 1


def test_a_vocabulary_that_does_not_fit_is_one_sentence(tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    network = Recogniser(RecogniserConfig("words", ("one", "three"), width=16, blocks=1, heads=2)).eval()
    checkpoints.save_checkpoint(network, tmp_path / "lacking.safetensors", {})
    assert cli.main(["evaluate", str(tmp_path / "lacking.safetensors"), "--data", str(tones), "--split", "test", "--device", "cpu"]) == 2
    message = capsys.readouterr().err
    assert one_sentence(message)
    assert "8.wav" in message
    assert "“two” is not in this network's vocabulary: it writes one, three." in message


# --- joined clips


def speakers() -> tuple[list[Clip], dict[str, list[int]]]:
    numbered = list(enumerate(HERTZ))
    clips = [Clip(tone(word, 0.2 + 0.05 * number), "", f"{group}{word}", group, word) for group in "ab" for number, word in numbered]
    return clips, {group: [index for index, clip in enumerate(clips) if clip.group == group] for group in "ab"}


def words_heard(samples: np.ndarray) -> list[str]:
    """The words in order, by the loudest frequency of every 20 ms; silence ends a word."""
    found = []
    for begin in range(0, samples.size - 319, 320):
        window = samples[begin : begin + 320]
        spectrum = np.abs(np.fft.rfft(window * np.hanning(320)))
        hertz = spectrum.argmax() * RATE / 320
        found.append(min(HERTZ, key=lambda word: abs(HERTZ[word] - hertz)) if np.abs(window).max() > 0.03 else "")
    return [word for word, run in itertools.groupby(found) if word and len(list(run)) >= 4]


def test_joined_clips_are_heard_in_the_order_of_their_texts():
    clips, groups = speakers()
    counts, mixed = set(), 0
    for seed in range(40):
        samples, chosen = join(clips, seed % 6, groups, RATE, CALM, np.random.default_rng(seed))
        assert chosen[0] == seed % 6
        assert words_heard(samples) == [clips[index].text for index in chosen]
        assert samples.dtype == np.float32
        counts.add(len(chosen))
        mixed += len({clips[index].group for index in chosen}) > 1
    assert counts == {1, 2, 3}
    assert 0 < mixed < 30, "about half of the strings are of one speaker"


def test_a_joined_sound_is_as_long_as_its_clips_and_gaps():
    clips, groups = speakers()
    for seed in range(20):
        samples, chosen = join(clips, 0, groups, RATE, CALM, np.random.default_rng(seed))
        clip_samples = sum(clips[index].samples.size for index in chosen)
        assert clip_samples / 1.06 + 0.05 * RATE * (len(chosen) + 1) <= samples.size <= clip_samples / 0.94 + 0.2 * RATE * (len(chosen) + 1)


def test_clips_shorter_than_an_overlap_are_joined_too():
    """The last one may end before the one in front of it does."""
    clips = [Clip(np.ones(size, np.float32), "", "", text="one") for size in (4000, 40, 1)]
    settings = replace(STRINGS, joined=(3, 3), gap_seconds=(0.0, 0.0), overlap_seconds=0.03, shift_seconds=0.0)
    for seed in range(30):
        samples, chosen = join(clips, seed % 3, {"": [0, 1, 2]}, RATE, settings, np.random.default_rng(seed))
        assert len(chosen) == 3
        assert np.isfinite(samples).all()


def test_batches_of_joined_clips_have_joined_targets():
    clips, _ = speakers()
    network = Recogniser(small(clips, clips))  # type: ignore[arg-type]
    targets = task_of(network).targets(network, clips)
    seen = [text for batch in batches(network, clips, targets, STRINGS, 0) for text in zip(*batch.targets, strict=True)]
    assert len(seen) == len(clips), "every clip begins one string"
    texts = [(row[:count] - 1).tolist() for row, count in seen]
    assert sorted(text[0] for text in texts) == sorted(target[0] for target in targets)
    assert {len(text) for text in texts} <= {1, 2, 3}
    again = [text for batch in batches(network, clips, targets, STRINGS, 0) for text in zip(*batch.targets, strict=True)]
    assert all(torch.equal(one, other) for pair in zip(seen, again, strict=True) for one, other in zip(*pair, strict=True))


def test_clips_of_classifiers_can_not_be_joined():
    clips = [Clip(tone("one"), label, label) for label in "xyxy"]
    network = KINDS["classifier"].network(KINDS["classifier"].learn_config(clips, clips, width=4))
    with pytest.raises(DataError, match="can't be joined"):
        next(batches(network, clips, [0, 1, 0, 1], STRINGS, 0))


@pytest.mark.parametrize("preset", ["strings", "reading"])
def test_no_mask_of_time_takes_more_than_a_twentieth_of_its_clip(preset: str):
    """One mask at a time, many times, so that masks cannot lie side by side."""
    settings = replace(PRESETS[preset], time_masks=1, frequency_masks=0, tilt=0.0, band_limited=0.0)
    lengths = torch.tensor([400, 100, 40, 7])
    largest = torch.zeros(4, dtype=torch.int64)
    for seed in range(200):
        masked = mask_mels(torch.ones(4, 3, 400), lengths, settings, np.random.default_rng(seed), -5.0)[:, 0] == -5.0
        for row, length in enumerate(lengths.tolist()):
            assert not masked[row, length:].any()
        largest = torch.maximum(largest, masked.sum(dim=1))
    assert (largest <= (lengths * 0.05)).all()
    assert largest[0] > 10
    assert largest[1] > 2


def test_masks_of_time_are_as_many_as_the_settings_say():
    settings = replace(TrainingSettings(), time_masks=5, time_mask_share=0.05, frequency_masks=0, tilt=0.0, band_limited=0.0)
    ones, lengths = torch.ones(1, 1, 400), torch.tensor([400])
    shares = [float((mask_mels(ones, lengths, settings, np.random.default_rng(seed), -5.0) == -5.0).float().mean()) for seed in range(60)]
    assert 0.1 < max(shares) <= 0.25
    assert 0.07 < np.mean(shares) < 0.14


def test_what_is_said_is_never_cut():
    """A preset that crops, turns round or places in a shorter window leaves a clip with a text whole: its loudest second stays in."""
    network = Recogniser(RecogniserConfig("words", ("go",), width=8, blocks=1, heads=2))
    sound = np.concatenate([np.zeros(4 * RATE, np.float32), np.sin(np.arange(RATE) / 3).astype(np.float32)])
    clip = Clip(sound, "", "a.wav", text="go")
    plain = TrainingSettings(
        speed=(1.0, 1.0), gain_db=(0.0, 0.0), snr_db=(60.0, 60.0), tilt=0.0, band_limited=0.0, time_masks=0, frequency_masks=0, shift_seconds=0.0,
    )
    for changes in ({"as_is": 1.0, "crop_seconds": 1.0}, {"as_is": 1.0, "circular": True}, {"as_is": 0.0, "window_seconds": (0.5, 1.0)}):
        for epoch in range(3):
            (batch,) = batches(network, [clip], [[0]], replace(plain, **changes), epoch)
            loud = (batch.signal[0].amax(dim=0) > -3).nonzero()[:, 0]
            assert 98 <= len(loud) <= 106, changes
            assert int(loud[-1] - loud[0]) + 1 == len(loud), changes


def test_a_recogniser_takes_texts_where_there_are_labels_too():
    both = [Clip(np.zeros(4 * RATE, np.float32), "calm", "a.wav", text="go do you hear")]
    assert preset_for(both, RATE, texts=True) == "reading"


def test_batches_of_sentences_hold_clips_of_about_one_length():
    """Every clip once, less padding than in any order, another order in each epoch, and the same one each time it is asked for."""
    generator = np.random.default_rng(0)
    sizes = (16_000 * generator.uniform(1, 16, 333)).astype(int).tolist()
    settings = replace(PRESETS["reading"], seed=4)
    drawn = generator.permutation(len(sizes))
    order = by_length(drawn, sizes, settings, epoch=2)
    assert sorted(order.tolist()) == list(range(333))

    def padding(indices: np.ndarray) -> float:
        rows = [[sizes[index] for index in indices[begin : begin + settings.batch_size]] for begin in range(0, len(indices), settings.batch_size)]
        return sum(len(row) * max(row) for row in rows) / sum(map(sum, rows))

    assert padding(order) < 1.15 < 1.5 < padding(drawn)
    assert order.tolist() == by_length(drawn, sizes, settings, epoch=2).tolist()
    assert order.tolist() != by_length(drawn, sizes, settings, epoch=3).tolist()
    first = [max(sizes[index] for index in order[begin : begin + settings.batch_size]) for begin in range(0, 128, settings.batch_size)]
    assert first != sorted(first)
