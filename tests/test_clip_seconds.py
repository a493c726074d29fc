"""How long the clips of data sets are: what is written of them, and what a file may not be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from adastride.clip_seconds import FILE, MOST_CLIPS, ClipSeconds, read_seconds, seconds_text
from adastride.files import bundled
from results import clip_seconds


def data_set(folder: Path, seconds: list[float]) -> Path:
    """Silence of these lengths."""
    folder.mkdir(parents=True)
    for number, length in enumerate(seconds):
        soundfile.write(folder / f"{number}.wav", np.zeros(round(8000 * length)), 8000)
    lines = [f"{number}.wav,a,{'test' if number == 1 else 'train'},99" for number in range(len(seconds))]
    (folder / "manifest.csv").write_text("\n".join(["path,label,split,seconds", *lines]) + "\n", encoding="utf-8")
    return folder


def test_lengths_are_those_of_the_sounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data_set(tmp_path / "some", [0.5, 1.25, 2.0])
    out = tmp_path / FILE
    clip_seconds.main([str(tmp_path), "some", "--out", str(out)])
    assert read_seconds(out) == [ClipSeconds("some", "train", 0.5), ClipSeconds("some", "test", 1.25), ClipSeconds("some", "train", 2.0)]
    assert "some: 3 clips, 0.5 to 2 s, median 1.25 s" in capsys.readouterr().out


def test_of_a_large_data_set_a_part_is_drawn_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = data_set(tmp_path / "many", [0.1 + 0.01 * number for number in range(12)])
    monkeypatch.setattr(clip_seconds, "MOST_CLIPS", 5)
    drawn = clip_seconds.clip_seconds(folder)
    assert len(drawn) == 5
    assert drawn == clip_seconds.clip_seconds(folder)
    assert [line.seconds for line in drawn] == sorted(line.seconds for line in drawn)


def test_a_sound_that_is_not_there_is_one_sentence(tmp_path: Path):
    folder = data_set(tmp_path / "some", [0.5, 1.0])
    (folder / "1.wav").unlink()
    with pytest.raises(SystemExit, match=r"1\.wav can't be read as a sound file"):
        clip_seconds.main([str(tmp_path), "some", "--out", str(tmp_path / FILE)])
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("line", ["a,train,long", "a,train,0", "a,train", ",train,1.0"])
def test_another_file_is_one_sentence(tmp_path: Path, line: str):
    (tmp_path / FILE).write_text(f"source,split,seconds\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="is no file of how long clips are"):
        read_seconds(tmp_path / FILE)


def test_the_file_of_the_repository_has_the_data_sets():
    lines = read_seconds(bundled("results") / FILE)
    counts = {source: sum(line.source == source for line in lines) for source in clip_seconds.SOURCES}
    assert counts == {"speakers": 1092, "fsdd": MOST_CLIPS, "esc10": 360, "commands": MOST_CLIPS}
    assert seconds_text(lines) == (bundled("results") / FILE).read_text(encoding="utf-8")
