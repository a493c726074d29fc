"""How well codecs are understood: which sounds are listened to, what is counted, that a run goes on, and what a file may not be."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_up_codecs import codec, speech
from made_up_recognisers import DIGITS, recogniser

from adastride import audio, checkpoints
from adastride.clips import Clip, DataError
from adastride.intelligibility import BASELINES, COLUMNS, Heard, heard_text, read_heard
from adastride.samples import samples
from adastride.tasks.reconstruction import Reconstruction
from results import intelligibility
from results.intelligibility import (
    HEARING_RATE,
    PRESET,
    Listener,
    Sound,
    baselines,
    codec_sound,
    count_words,
    listen,
    main,
    pocketsphinx_listener,
    recogniser_listener,
    report,
    spoken_clips,
)

LINE = Heard("mel", "", "pocketsphinx", "5.1.1", "voice", "lj", "audio/1.ogg", 3, 12, "words")


def spoken(count: int = 4) -> list[Clip]:
    return [
        Clip(speech(0.4 + 0.1 * number, number).samples, "", f"{number}.wav", "ab"[number % 2], " ".join(DIGITS[: number + 1]), "made")
        for number in range(count)
    ]


def level_listener(heard: list[Clip], weights: str = "1") -> Listener:
    """Hears one error in a loud clip and none in a quiet one."""

    def count(clips: Sequence[Clip]) -> list[tuple[int, int]]:
        heard.extend(clips)
        return [(int(np.abs(clip.samples).max() > 0.5), len(clip.text.split())) for clip in clips]

    return Listener("level", weights, "words", count)


def constant(name: str, level: float, weights: str = "") -> Sound:
    return Sound(name, weights, lambda clip: audio.from_samples(np.full(4410, level, np.float32), 22_050, 22_050))


# --- sounds


def test_sounds_are_those_of_the_page():
    """A codec's mel by the vocoder at the level of the original, which is what the viewer plays; the mel's own likewise."""
    network, clip = codec(), spoken(1)[0]
    waveform = audio.from_samples(clip.samples, 22_050, 22_050)
    with torch.inference_mode():
        output = network(network.signal(waveform))
    prediction = Reconstruction().predict(network, output, lambda: np.array([0.0, waveform.seconds]))
    played = {sound.title: sound.make().samples for sound in prediction.sounds}
    original, mel = (sound.make(clip) for sound in baselines())
    made = codec_sound(network)
    assert (made.name, made.weights) == ("teller", network.fingerprint[:12])
    np.testing.assert_array_equal(original.samples, clip.samples)
    np.testing.assert_allclose(mel.samples, played["Mel only"], atol=1e-5)
    np.testing.assert_allclose(made.make(clip).samples, played["Decoded"], atol=1e-5)
    assert [sound.name for sound in baselines()] == list(BASELINES)


def test_what_is_no_codec_is_refused():
    with pytest.raises(DataError, match="reader is a recogniser and makes no sound: give codecs"):
        codec_sound(recogniser())
    with pytest.raises(DataError, match="teller has the front end speech-recognition, whose mels can't be compared"):
        codec_sound(codec(front_end="speech-recognition"))


# --- listeners


def test_words_by_hand():
    clips = [Clip(np.zeros(2), "", "1", text="The cat, it's 5!"), Clip(np.zeros(2), "", "2", text="No")]
    assert count_words(clips, [["the", "cat", "is", "five"], []]) == [(1, 4), (1, 1)]
    with pytest.raises(DataError, match="has no word in it"):
        count_words([replace(clips[0], text="...")], [[]])


def test_a_recogniser_counts_its_own_units():
    network = recogniser()
    listener = recogniser_listener(network)
    counts = listener.count([replace(clip, samples=clip.samples[:16_000]) for clip in spoken()])
    assert [units for _, units in counts] == [1, 2, 3, 4]
    assert (listener.unit, listener.weights) == ("words", network.fingerprint[:12])


def test_pocketsphinx_understands_a_word_whatever_it_has_heard_before():
    listener = pocketsphinx_listener()
    word = Clip(audio.read(samples()["sentence"].path, HEARING_RATE).samples[: 3 * HEARING_RATE], "", "sentence", text="one")
    silence = Clip(np.zeros(4000, np.float32), "", "nothing", text="one two")
    loud = Clip(0.9 * np.sign(np.sin(np.arange(16_000) / 9)).astype(np.float32), "", "loud", text="one")
    first = listener.count([word])
    assert listener.count([silence]) == [(2, 2)], "nothing is heard in silence"
    listener.count([loud])
    assert listener.count([word]) == first
    assert (listener.name, listener.unit) == ("pocketsphinx", "words")


# --- clips and lines


def write_data(folder: Path, texts: Sequence[str]) -> Path:
    folder.mkdir()
    rows = [("path", "text", "speaker", "split")]
    for number, text in enumerate(texts):
        soundfile.write(folder / f"{number}.wav", speech(0.5, number).samples, 22_050)
        rows.append((f"{number}.wav", text, "ba"[number % 2], "test"))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder


def test_clips_go_speaker_by_speaker_and_need_texts(tmp_path: Path):
    folder = write_data(tmp_path / "voice", ["one", "two", "", "four", "five"])
    expected = [("a", "1.wav"), ("a", "3.wav"), ("b", "0.wav"), ("b", "4.wav")]
    assert [(clip.group, clip.path) for clip in spoken_clips(folder, None)] == expected
    assert [clip.path for clip in spoken_clips(folder, 1)] == ["1.wav", "0.wav"]
    with pytest.raises(DataError, match=r"no test clip of .* has a text"):
        spoken_clips(write_data(tmp_path / "mute", ["", ""]), None)


def test_every_sound_of_every_clip_is_listened_to_at_the_listeners_rate():
    clips, heard = spoken(2), []
    *_, lines = listen("voice", clips, [constant("quiet", 0.1), constant("loud", 0.9, "abc")], [level_listener(heard)], [])
    assert lines == [
        Heard("quiet", "", "level", "1", "voice", "a", "0.wav", 0, 1, "words"),
        Heard("quiet", "", "level", "1", "voice", "b", "1.wav", 0, 2, "words"),
        Heard("loud", "abc", "level", "1", "voice", "a", "0.wav", 1, 1, "words"),
        Heard("loud", "abc", "level", "1", "voice", "b", "1.wav", 1, 2, "words"),
    ]
    assert {clip.samples.size for clip in heard} == {4410 * HEARING_RATE // PRESET.sample_rate}


def test_what_stands_there_is_not_listened_to_again():
    """After a stop, a run goes on with the clips that are missing; a codec or a listener with other weights is heard anew."""
    clips, sounds = spoken(3), [constant("mel", 0.1), constant("codec", 0.9, "abc")]
    *_, whole = listen("voice", clips, sounds, [level_listener([])], [])
    heard: list[Clip] = []
    *_, again = listen("voice", clips, sounds, [level_listener(heard)], [line for line in whole if line.clip != "1.wav"])
    assert [clip.path for clip in heard] == ["1.wav"] * 2
    assert sorted(again, key=str) == sorted(whole, key=str)
    heard.clear()
    *_, other = listen("voice", clips, [sounds[0], constant("codec", 0.1, "new")], [level_listener(heard)], whole)
    assert len(heard) == 3
    assert {(line.sound, line.sound_weights, line.errors) for line in other} == {("mel", "", 0), ("codec", "new", 0)}
    heard.clear()
    *_, newer = listen("voice", clips, sounds, [level_listener(heard, "2")], whole)
    assert len(heard) == 6
    assert {line.listener_weights for line in newer} == {"2"}
    *_, kept = listen("voice", clips, sounds[:1], [], whole)
    assert kept == whole, "what this run is not about stays"


def test_a_stop_loses_a_few_clips_alone():
    clips = [replace(spoken(1)[0], path=f"{number}.wav") for number in range(25)]
    counts = [len(lines) for lines in listen("voice", clips, [constant("mel", 0.1), constant("codec", 0.9)], [level_listener([])], [])]
    assert counts == [10, 20, 25, 35, 45, 50, 50]


def test_the_report_has_rates_intervals_and_differences():
    clips = [replace(spoken(1)[0], path=str(n), text="one two three four", group="lj") for n in range(8)]

    def line(sound: str, n: int, errors: int) -> Heard:
        return Heard(sound, "", "ear", "", "voice", "lj", clips[n].path, errors, 4, "words")

    lines = [line(sound, n, errors + n % 2) for n in range(8) for sound, errors in (("zeta", 2), ("mel", 1), ("original", 0))]
    rows = report(lines).splitlines()[1:]
    assert [row.split()[2] for row in rows] == ["original", "mel", "zeta"]
    assert ["12.5 %" in rows[0], "37.5 %" in rows[1], "62.5 %" in rows[2]] == [True] * 3
    assert "+25.0" in rows[2]
    assert "+" not in rows[0] + rows[1]
    assert " to " in rows[1]


def test_a_file_comes_back(tmp_path: Path):
    lines = [LINE, replace(LINE, sound="=codec", speaker="", errors=0)]
    (tmp_path / "i.csv").write_text(heard_text(lines), encoding="utf-8")
    assert read_heard(tmp_path / "i.csv") == lines
    assert read_heard(tmp_path / "none.csv") == []


WRITTEN = heard_text([LINE])


@pytest.mark.parametrize("text", [
    "", "a,b\n1,2\n", WRITTEN.replace(",3,", ",-3,"), WRITTEN.replace(",3,", ",three,"), WRITTEN.replace(",words", ""),
    WRITTEN + "more,cells" + ",x" * len(COLUMNS) + "\n", WRITTEN.replace("\nmel", '\n"mel'),
])
def test_another_file_is_refused(tmp_path: Path, text: str):
    (tmp_path / "i.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"i\.csv is no file of what recognisers understand of this version") as caught:
        read_heard(tmp_path / "i.csv")
    assert str(caught.value).endswith(".")


# --- the command


def test_the_command_writes_the_file_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    heard: list[Clip] = []
    monkeypatch.setattr(intelligibility, "pocketsphinx_listener", lambda: level_listener(heard))
    folder, out = write_data(tmp_path / "voice", ["one", "two", "three"]), tmp_path / "i.csv"
    checkpoints.save_checkpoint(codec(), tmp_path / "teller.safetensors", {})
    main([str(folder), "--out", str(out), "--clips", "1"])
    assert len(heard) == 4
    assert {line.sound for line in read_heard(out)} == {"original", "mel"}
    main([str(folder), str(tmp_path / "teller.safetensors"), "--out", str(out)])
    assert len(heard) == 9, "one more clip of two sounds, and three of the codec"
    lines = read_heard(out)
    assert {line.listener for line in lines} == {"level", "phonemes-strided-conv", "phonemes-adastride"}
    assert {line.unit for line in lines if line.listener != "level"} == {"phonemes"}
    assert len(lines) == 3 * 3 * 3
    assert "teller" in capsys.readouterr().out
    before = out.read_bytes()
    main([str(folder), str(tmp_path / "teller.safetensors"), "--out", str(out)])
    assert (len(heard), out.read_bytes()) == (9, before)


def test_what_the_command_refuses(tmp_path: Path):
    def refused(*arguments: object) -> str:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, str)
        assert caught.value.code.count("\n") == 0
        return caught.value.code

    out = ("--out", tmp_path / "i.csv")
    assert "a part of the clips is no result" in refused(tmp_path, "--clips", 2)
    assert "can't be read" in refused(tmp_path / "none", *out)
    folder = write_data(tmp_path / "voice", ["one"])
    assert "is a classifier and makes no sound" in refused(folder, "digits-adastride", *out)
    (tmp_path / "i.csv").write_text("something else", encoding="utf-8")
    assert "move it away" in refused(folder, *out)
