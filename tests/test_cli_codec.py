"""`encode` and `decode` on the command line: a round trip, and that bad input ends in one sentence and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from made_up_codecs import codec, speech

from adastride import audio, checkpoints, cli
from adastride.models import Classifier, ClassifierConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two codecs, a classifier, a clip, and the clip's codes."""
    path = tmp_path_factory.mktemp("codec")
    checkpoints.save_checkpoint(codec(), path / "teller.safetensors", {})
    checkpoints.save_checkpoint(codec("strided-conv"), path / "other.safetensors", {})
    checkpoints.save_checkpoint(Classifier(ClassifierConfig(("a", "b"), width=8)), path / "sorter.safetensors", {})
    soundfile.write(path / "clip.wav", speech(0.8).samples, 22_050)
    own, out = ["--checkpoint", str(path / "teller.safetensors")], ["--out", str(path / "codes.json")]
    assert cli.main(["encode", str(path / "clip.wav"), *own, *out]) == 0
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main([*map(str, arguments)])
    seen = capsys.readouterr()
    return code, seen.out, seen.err


def test_a_round_trip(capsys, folder: Path, tmp_path: Path):
    network = checkpoints.load(folder / "teller.safetensors")
    values = json.loads((folder / "codes.json").read_text())
    assert values["mel_frames"] == sum(values["durations"]) == 69
    assert values["checkpoint"] == "teller"
    assert values["fingerprint"] == network.fingerprint
    wav, mel = tmp_path / "out.wav", tmp_path / "out.npy"
    code, out, _ = run(capsys, "decode", folder / "codes.json", "--checkpoint", folder / "teller.safetensors", "--wav", wav, "--mel", mel)
    assert code == 0
    assert f"wrote {wav}" in out
    with torch.inference_mode():
        expected = network(network.signal(audio.read(folder / "clip.wav", 22_050))).head[0].numpy()
    np.testing.assert_allclose(np.load(mel, allow_pickle=False), expected, atol=1e-4, rtol=1e-4)
    samples, rate = soundfile.read(wav)
    assert (samples.size, rate) == (69 * 256, 22_050)
    assert np.abs(samples).max() > 0


def test_what_encode_says_and_its_settings(capsys, folder: Path, tmp_path: Path):
    out = tmp_path / "c.json"
    counts = []
    for stride in (1, 2, 8):
        own = ("--checkpoint", folder / "teller.safetensors", "--stride", stride)
        code, said, _ = run(capsys, "encode", folder / "clip.wav", *own, "--out", out)
        assert code == 0
        assert "bits a second without their durations" in said
        counts.append(len(json.loads(out.read_text())["codes"]))
    assert counts == sorted(counts, reverse=True)
    other = ("--checkpoint", folder / "teller.safetensors", "--sigma-inv2", 5)
    assert run(capsys, "encode", "seven", *other, "--out", out)[0] == 0, "a bundled sample"


def test_one_code_is_not_said_to_be_several(capsys, folder: Path, tmp_path: Path):
    soundfile.write(tmp_path / "click.wav", speech(0.01).samples, 22_050)
    own = ("--checkpoint", folder / "teller.safetensors")
    _, said, _ = run(capsys, "encode", tmp_path / "click.wav", *own, "--out", tmp_path / "c.json")
    assert said.startswith("click.wav: 1 code, 1 of them distinct, ")


def test_settings_that_a_codec_does_not_have_are_not_passed_over(capsys, folder: Path, tmp_path: Path):
    out = tmp_path / "c.json"
    other = ("encode", folder / "clip.wav", "--checkpoint", folder / "other.safetensors", "--out", out)
    assert "other has no σ (Strided convolution has none): leave --sigma-inv2 out." in refused(capsys, *other, "--sigma-inv2", 3)
    for stride in ("1e9", "8.01"):
        assert "expected a number from 1 to 8" in refused(capsys, *other, "--stride", stride)
    assert not out.exists()
    code, _, said = run(capsys, *other, "--stride", 2.6)
    assert (code, said) == (0, "Strided convolution takes whole strides alone: --stride 2.6 is rounded to 3.\n")
    assert run(capsys, *other, "--stride", 3)[::2] == (0, "")
    assert run(capsys, *other[:3], folder / "teller.safetensors", "--out", out, "--stride", 2.6)[::2] == (0, "")


def changed(folder: Path, tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "edited.json"
    path.write_text(json.dumps({**json.loads((folder / "codes.json").read_text()), **changes}))
    return path


def refused(capsys, *arguments: object) -> str:
    code, _, said = run(capsys, *arguments)
    assert code == 2
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("name", ["codec-strided-conv", "codec-spectral-pool", "codec-adastride"])
def test_what_shipped_codecs_encode_can_be_decoded(capsys, tmp_path: Path, name: str):
    own = (("--stride", 1.3), *((("--sigma-inv2", 3),) if name == "codec-adastride" else ()))
    for options in ((), *own):
        out, mel = tmp_path / "c.json", tmp_path / "c.npy"
        assert run(capsys, "encode", "seven", "--checkpoint", name, *options, "--out", out)[0] == 0
        assert run(capsys, "decode", out, "--mel", mel)[0] == 0
        assert np.load(mel).shape == (80, json.loads(out.read_text())["mel_frames"])


def test_what_decode_refuses(capsys, folder: Path, tmp_path: Path):
    values = json.loads((folder / "codes.json").read_text())
    own, wav = ("--checkpoint", folder / "teller.safetensors"), ("--wav", tmp_path / "o.wav")
    assert "there is nothing to write" in refused(capsys, "decode", folder / "codes.json", *own)
    assert "there is no file" in refused(capsys, "decode", tmp_path / "no.json", *own, *wav)
    assert "mean nothing to other" in refused(capsys, "decode", folder / "codes.json", "--checkpoint", folder / "other.safetensors", *wav)
    assert "is a classifier and has no codes" in refused(capsys, "decode", folder / "codes.json", "--checkpoint", "digits-adastride", *wav)
    assert "give its file with --checkpoint" in refused(capsys, "decode", folder / "codes.json", *wav)
    secret = changed(folder, tmp_path, checkpoint=str(folder / "teller.safetensors"))
    assert "give its file with --checkpoint" in refused(capsys, "decode", secret, *wav), "a file does not say which others are opened"
    for changes, said in (
        ({"codes": [16, *values["codes"][1:]]}, "is not in the codebook"), ({"codes": values["codes"][1:]}, "give every code one duration"),
        ({"durations": [0, *values["durations"][1:]]}, "lasts for 0 mel frames"), ({"mel_frames": 1}, "make them equal"),
        ({"codes": [], "durations": [], "mel_frames": 0}, "no code left"), ({"codes": None}, "codes must be a list"),
    ):
        assert said in refused(capsys, "decode", changed(folder, tmp_path, **changes), *own, *wav)
    for changes, said in (
        ({"sigma": None}, "there is no sigma"), ({"strides": [4, 4]}, "the strides are [4, 4] and those of teller are [2, 2]"),
        ({"strides": [10_000, 10_000]}, "set them to these"),
        ({"sigma": None, "positions": [], "skipped": []}, "no sigma, which teller needs"),
        ({"skipped": [[0, 1]]}, "a code is skipped where"), ({"skipped": [[1, 1]], "positions": []}, "take skipped out"),
    ):
        assert said in refused(capsys, "decode", changed(folder, tmp_path, **changes), *own, *wav)
    for name in ("x.mp3", "x", "wav"):
        assert "must end in .wav" in refused(capsys, "decode", folder / "codes.json", *own, "--wav", tmp_path / name)
        assert not (tmp_path / name).exists()
    again = changed(folder, tmp_path, fingerprint="0" * 32)
    assert "are of another training of teller, whose fingerprint is 00000000000" in refused(capsys, "decode", again, *own, *wav)
    (tmp_path / "edited.json").write_bytes(b"\xff\xfe codes")
    assert "is not JSON" in refused(capsys, "decode", tmp_path / "edited.json", *own, *wav)
    assert "are the same file" in refused(capsys, "decode", folder / "codes.json", *own, "--mel", folder / "codes.json")
    assert not (tmp_path / "o.wav").exists()


def test_what_encode_refuses(capsys, folder: Path, tmp_path: Path):
    out = ("--out", tmp_path / "c.json")
    assert "there is no file" in refused(capsys, "encode", tmp_path / "no.wav", "--checkpoint", folder / "teller.safetensors", *out)
    sorter = ("--checkpoint", folder / "sorter.safetensors")
    assert "is a classifier and has no codes" in refused(capsys, "encode", folder / "clip.wav", *sorter, *out)
    assert "are the same file" in refused(capsys, "encode", folder / "clip.wav", "--out", folder / "clip.wav")
    assert "there is no folder" in refused(capsys, "encode", folder / "clip.wav", "--out", tmp_path / "no" / "c.json")
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    assert "can't be decoded" in refused(capsys, "encode", tmp_path / "broken.wav", "--checkpoint", folder / "teller.safetensors", *out)


@pytest.mark.parametrize(("command", "kind"), [("encode", "codec"), ("transcribe", "recogniser")])
def test_an_unknown_checkpoint_brings_to_mind_those_that_the_command_takes(capsys, folder: Path, tmp_path: Path, command: str, kind: str):
    out = ("--out", tmp_path / "c.json") if command == "encode" else ()
    for name in ("nope", "digits", "no.safetensors", "x" * 5000, "a\0b.safetensors"):
        said = refused(capsys, command, folder / "clip.wav", "--checkpoint", name, *out)
        assert f"there is no {kind} " in said
        named = said.partition("choose ")[2].partition(", or give")[0].split(" or ")
        assert {checkpoints.catalogue()[one].kind for one in named} == {kind}, said
        assert len(said) < 300


def test_the_help_names_the_default_that_is_taken(capsys, folder: Path, tmp_path: Path):
    assert run(capsys, "encode", "seven", "--out", tmp_path / "c.json")[0] == 0
    assert json.loads((tmp_path / "c.json").read_text())["checkpoint"] == "codec-adastride"
    for command in ("encode", "transcribe"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        assert "the first shipped one of AdaStride" in " ".join(capsys.readouterr().out.split())


def test_an_evaluation_without_quiet_frames_has_no_number_for_them(capsys, folder: Path, tmp_path: Path):
    """A dash among texts and null in JSON; so has one of silence for loud frames."""
    (tmp_path / "clips").mkdir()
    times = np.arange(11_025) / 22_050
    soundfile.write(tmp_path / "clips" / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * times), 22_050)
    (tmp_path / "clips" / "manifest.csv").write_text("path,split\ntone.wav,test\n")
    own = ("evaluate", folder / "teller.safetensors", "--data", tmp_path / "clips", "--device", "cpu")
    code, said, _ = run(capsys, *own)
    assert (code, "nan" in said.lower()) == (0, False)
    lines = {line.partition(", clips as they are")[0]: line.split()[-1] for line in said.splitlines() if ", clips as they are" in line}
    assert (lines["duration of codes in quiet frames"], lines["mel error of quiet frames"]) == ("–", "–")
    assert lines["mel error of loud frames"] == "dB"
    code, said, _ = run(capsys, *own, "--json")
    numbers = json.loads(said)
    assert (code, numbers["duration_quiet"], numbers["mel_error_quiet_db"]) == (0, None, None)
    assert numbers["mel_error_loud_db"] > 0


def test_without_a_codec_the_command_says_so(capsys, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    without = {name: entry for name, entry in checkpoints.catalogue().items() if entry.kind != "codec"}
    monkeypatch.setattr(checkpoints, "catalogue", lambda: without)
    assert "no codec is part of this installation" in refused(capsys, "encode", folder / "clip.wav", "--out", tmp_path / "c.json")
