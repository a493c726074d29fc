"""The command line: what it prints and writes, and that bad input ends in one sentence and exit code 2."""

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from xml.etree import ElementTree

import made_up_recognisers
import matplotlib.image
import numpy as np
import pytest
import recordings
import soundfile
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from adastride import audio, checkpoints, cli, files
from adastride.downsampling import LayerSettings
from adastride.inspection import export, tracing
from adastride.models import Classifier, ClassifierConfig
from adastride.samples import samples
from adastride.sweep import scores
from adastride.tasks import KINDS
from adastride.training import evaluate as evaluation
from adastride.training import loop

ROOT = Path(cli.__file__).resolve().parent.parent
KEYS = ["checkpoint", "seconds", "sample_rate", "mel_frames", "labels", "probabilities", "top", "layers"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("low", "high"), width=16))
    for layer in model.downsamplers:
        torch.nn.init.normal_(layer.score.weight, std=0.5)
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    checkpoints.save_checkpoint(model, path, {})
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).standard_normal(12_000) * 0.1, 8000)
    return str(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A labelled folder: low and high tones."""
    folder = tmp_path_factory.mktemp("data")
    generator, lines = np.random.default_rng(0), ["path,label,split"]
    for split, count in {"train": 4, "valid": 2, "test": 3}.items():
        for label, pitch in {"low": 200, "high": 3000}.items():
            for number in range(count):
                name = f"{split}-{label}-{number}.wav"
                tone = np.sin(2 * np.pi * pitch * generator.uniform(0.9, 1.1) * np.arange(4000) / 16_000)
                soundfile.write(folder / name, 0.3 * tone, 16_000)
                lines.append(f"{name},{label},{split}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder)


def run(capsys, *argv):
    """(exit code, stdout, stderr) of one command line."""
    code = cli.main([str(arg) for arg in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def one_sentence(result):
    """The sentence a failed command printed; checks that it printed nothing else."""
    code, out, err = result
    assert code == 2
    assert out == ""
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    return err


# explain


def test_explain_prints_a_table(capsys, checkpoint, clip):
    code, out, err = run(capsys, "explain", clip, "--checkpoint", checkpoint)
    assert (code, err) == (0, "")
    trace = tracing.trace(checkpoints.load(checkpoint), audio.read(clip))
    assert out.startswith("noise.wav: 1.50 s, 94 mel frames of 16 ms\n")
    assert f"tiny predicts {trace.top} ({100 * trace.prediction.values[trace.top]:.1f} %)" in out
    for layer in trace.layers:
        (line,) = [line for line in out.splitlines() if line.startswith(layer.name)]
        assert f"{layer.input_frames} → {layer.output_frames}" in line
        assert f"{np.median(layer.strides):.2f}" in line


def test_explain_json_is_one_object_with_the_keys_of_the_readme(capsys, checkpoint, clip):
    options = ("--sigma-inv2", "3", "--stride", "2.5", "--variant", "adastride-f")
    code, out, err = run(capsys, "explain", clip, "--checkpoint", checkpoint, "--json", *options)
    assert (code, err) == (0, "")
    printed = json.loads(out)
    settings = LayerSettings(sigma=3**-0.5, stride=2.5, variant="adastride-f")
    expected = export.summary(tracing.trace(checkpoints.load(checkpoint), audio.read(clip), settings))
    assert list(printed) == KEYS
    for layer in printed["layers"] + expected["layers"]:
        assert layer.pop("milliseconds") > 0
    assert printed == expected
    assert printed["layers"][0]["method"] == "adastride-f"
    assert printed["layers"][0]["output_frames"] == 38  # ceil(94 / 2.5)


def test_explain_writes_what_is_asked_for(capsys, tmp_path, checkpoint, clip):
    paths = {kind: tmp_path / f"out.{kind}" for kind in ("npz", "png", "svg", "csv")}
    options = [part for kind, path in paths.items() for part in (f"--{kind}", path)]
    code, out, err = run(capsys, "explain", clip, "--checkpoint", checkpoint, *options)
    assert (code, err) == (0, "")
    assert all(f"wrote {path} " in out for path in paths.values())
    trace = tracing.trace(checkpoints.load(checkpoint), audio.read(clip))
    assert paths["npz"].read_bytes() == export.to_npz(trace)
    assert paths["csv"].read_text(encoding="utf-8") == export.to_csv(trace)
    assert len(list(csv.reader(io.StringIO(paths["csv"].read_text(encoding="utf-8"))))) == 1 + 47 + 24 + 12
    assert matplotlib.image.imread(paths["png"]).ndim == 3
    assert "noise.wav" in "".join(ElementTree.parse(paths["svg"]).getroot().itertext())
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())


def test_explain_json_stays_alone_beside_files(capsys, tmp_path, checkpoint, clip):
    _, out, err = run(capsys, "explain", clip, "--checkpoint", checkpoint, "--json", "--npz", tmp_path / "out.npz")
    assert list(json.loads(out)) == KEYS
    assert err == ""
    assert (tmp_path / "out.npz").exists()


def test_a_sample_is_known_by_its_name_and_a_file_goes_first(capsys, tmp_path, monkeypatch, checkpoint, clip):
    name, sample = next(iter(samples().items()))
    monkeypatch.chdir(tmp_path)
    _, out, _ = run(capsys, "explain", name, "--checkpoint", checkpoint)
    assert out.startswith(f"{sample.title}: ")
    (tmp_path / name).write_bytes(Path(clip).read_bytes())
    _, out, _ = run(capsys, "explain", name, "--checkpoint", checkpoint)
    assert out.startswith(f"{name}: 1.50 s")


@pytest.mark.parametrize("name", ["memo.m4a", "browser.webm", "clip.mov"])
def test_a_phone_s_or_a_browser_s_recording_is_explained(capsys, tmp_path, checkpoint, name):
    kind = recordings.KINDS[name]
    wave = np.sin(2 * np.pi * 440 * np.arange(kind.rate) / kind.rate).astype(np.float32) / 4
    (tmp_path / name).write_bytes(recordings.recording(wave, kind))
    code, out, _ = run(capsys, "explain", str(tmp_path / name), "--checkpoint", checkpoint, "--json")
    assert code == 0
    assert json.loads(out)["seconds"] == pytest.approx(1.0, abs=0.13)
    code, out, _ = run(capsys, "explain", str(tmp_path / name), "--checkpoint", checkpoint, "--json", "--from", 0.25, "--to", 0.75)
    assert (code, json.loads(out)["seconds"]) == (0, 0.5)


def test_explain_a_part_is_the_part_alone(capsys, tmp_path, checkpoint):
    generator = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", generator.uniform(-0.3, 0.3, 10 * 16_000), 16_000, subtype="FLOAT")
    out = tmp_path / "part.npz"
    code, printed, err = run(capsys, "explain", tmp_path / "long.wav", "--checkpoint", checkpoint, "--from", 2.5, "--to", 6, "--npz", out)
    assert (code, err) == (0, "")
    assert printed.startswith("long.wav, 2.5–6 s: 3.50 s, 219 mel frames")
    samples = soundfile.read(tmp_path / "long.wav", dtype="float32")[0][40_000:96_000]
    np.testing.assert_array_equal(np.load(out)["mel"], tracing.trace(checkpoints.load(checkpoint), samples).mel)
    assert "long.wav, 8–10 s: 2.00 s" in run(capsys, "explain", tmp_path / "long.wav", "--checkpoint", checkpoint, "--from", 8)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the most memory is counted in another unit")
def test_an_hour_fits_into_two_gigabytes(tmp_path):
    """Of a shipped network, with a figure, as a person with a small computer would run it. It takes 10 s of one core."""
    word, rate = soundfile.read(samples()["seven"].path, dtype="int16")
    soundfile.write(tmp_path / "hour.wav", np.resize(word, 3600 * rate), rate)
    command = [sys.executable, "-m", "adastride", "explain", "hour.wav", "--json", "--png", "out.png", "--npz", "out.npz"]
    with open(tmp_path / "out.json", "wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert json.loads((tmp_path / "out.json").read_text())["seconds"] == 3600
    assert used.ru_maxrss < 2_000_000
    assert used.ru_utime + used.ru_stime < 60
    assert (tmp_path / "out.png").stat().st_size > 100_000
    arrays = np.load(tmp_path / "out.npz")
    assert "note" in arrays
    assert arrays["mel"].shape == (80, 225_001)


def test_what_explain_does_not_need_it_does_not_load(checkpoint, clip):
    """Each of these would add a tenth of a second to a second to every start."""
    heavy = ("matplotlib", "pandas", "plotly", "scipy", "statsmodels", "streamlit", "accelerate", "PIL")
    script = f"import sys, adastride.cli; code = adastride.cli.main(sys.argv[1:]); sys.exit(code or ' '.join(set({heavy}) & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", script, "explain", clip, "--checkpoint", checkpoint], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_title_the_font_lacks_is_drawn_without_warnings(capsys, tmp_path, checkpoint, clip):
    foreign = tmp_path / "数字.wav"
    foreign.write_bytes(Path(clip).read_bytes())
    code, _, err = run(capsys, "explain", foreign, "--checkpoint", checkpoint, "--png", tmp_path / "out.png")
    assert (code, err) == (0, "")


def test_python_dash_m_adastride_runs(checkpoint, clip):
    command = [sys.executable, "-m", "adastride", "explain", clip, "--checkpoint", checkpoint, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == KEYS


def test_a_mistyped_option_is_answered_without_loading_torch():
    script = "import sys, adastride.cli; code = adastride.cli.main(sys.argv[1:]); sys.exit(9 if 'torch' in sys.modules else code)"
    command = [sys.executable, "-c", script, "explain", "x", "--stride", "0.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_help_exits_with_0(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    assert "explain" in capsys.readouterr().out


# explain, bad input


@pytest.mark.parametrize(("option", "value", "says"), [
    ("--sigma-inv2", "0", "from 0.0001 to 10000, got '0'"),
    ("--sigma-inv2", "-1", "from 0.0001 to 10000, got '-1'"),
    ("--sigma-inv2", "nan", "got 'nan'"),
    ("--sigma-inv2", "inf", "got 'inf'"),
    ("--sigma-inv2", "abc", "got 'abc'"),
    ("--stride", "0.5", "of at least 1, got '0.5'"),
    ("--stride", "1e999", "got '1e999'"),
    ("--stride", "", "got ''"),
    ("--variant", "maxpool", "--variant"),
    ("--checkpoint", "nobody", "no checkpoint 'nobody'"),
    ("--checkpoint", "/nowhere/x.safetensors", "no checkpoint"),
    ("--volume", "11", "--volume"),
])
def test_a_bad_option_is_one_sentence(capsys, checkpoint, clip, option, value, says):
    argv = ["explain", clip, option, value] if option == "--checkpoint" else ["explain", clip, "--checkpoint", checkpoint, option, value]
    assert says in one_sentence(run(capsys, *argv))


@pytest.mark.parametrize(("name", "content"), [
    ("empty.wav", b""),
    ("text.wav", b"this is not a sound\n"),
    ("phone.m4a", b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100)),
])
def test_a_bad_clip_is_one_sentence(capsys, tmp_path, checkpoint, name, content):
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out.png"
    assert name in one_sentence(run(capsys, "explain", tmp_path / name, "--checkpoint", checkpoint, "--png", out, "--json"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("samples_in_file", [0, 1])
def test_a_clip_without_sound_is_one_sentence(capsys, tmp_path, checkpoint, samples_in_file):
    soundfile.write(tmp_path / "short.wav", np.zeros(samples_in_file), 16_000)
    assert "short.wav holds" in one_sentence(run(capsys, "explain", tmp_path / "short.wav", "--checkpoint", checkpoint))


def test_a_part_that_is_none_is_one_sentence(capsys, checkpoint, clip):
    start = ("explain", clip, "--checkpoint", checkpoint)
    assert "--from is 1 s and --to 0.5 s" in one_sentence(run(capsys, *start, "--from", 1, "--to", 0.5))
    assert "--from is 0 s and --to 0 s" in one_sentence(run(capsys, *start, "--to", 0))
    assert "noise.wav has no sound from 1.5 s on" in one_sentence(run(capsys, *start, "--from", 1.5))
    assert "of at least 0, got '-1'" in one_sentence(run(capsys, *start, "--from=-1"))


def test_more_than_an_hour_is_one_sentence_that_says_how(capsys, tmp_path, checkpoint):
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 1000, 1) as file:
        for _ in range(61):
            file.write(np.zeros(60_000, np.float32))
    result = run(capsys, "explain", tmp_path / "long.flac", "--checkpoint", checkpoint)
    assert "goes on for more than 60 minutes from 0 s on: choose a part of it with --from and --to." in one_sentence(result)


def test_a_missing_clip_is_one_sentence_that_lists_the_samples(capsys, tmp_path, checkpoint):
    assert next(iter(samples())) in one_sentence(run(capsys, "explain", tmp_path / "nothing.wav", "--checkpoint", checkpoint))
    assert "is a folder" in one_sentence(run(capsys, "explain", tmp_path, "--checkpoint", checkpoint))


def test_a_bad_checkpoint_is_one_sentence(capsys, tmp_path, clip):
    (tmp_path / "bad.safetensors").write_bytes(b"not tensors")
    assert "bad.safetensors" in one_sentence(run(capsys, "explain", clip, "--checkpoint", tmp_path / "bad.safetensors"))


def test_an_output_that_cannot_be_written_is_found_before_the_work(capsys, tmp_path, monkeypatch, checkpoint, clip):
    monkeypatch.setattr(checkpoints, "load", lambda *_: pytest.fail("the work began"))
    (tmp_path / "file").touch()
    start = ("explain", clip, "--checkpoint", checkpoint)
    assert "there is no folder" in one_sentence(run(capsys, *start, "--png", tmp_path / "missing" / "out.png"))
    assert "there is no folder" in one_sentence(run(capsys, *start, "--npz", tmp_path / "file" / "out.npz"))
    assert "is a folder" in one_sentence(run(capsys, *start, "--csv", tmp_path))
    assert "no ordinary file" in one_sentence(run(capsys, *start, "--svg", "/dev/null"))
    assert "--png and --svg are the same file" in one_sentence(run(capsys, *start, "--png", tmp_path / "a", "--svg", tmp_path / "a"))
    assert "CLIP and --png are the same file" in one_sentence(run(capsys, *start, "--png", clip))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make files")
def test_a_folder_that_takes_no_files_is_one_sentence(capsys, data, checkpoint, clip):
    explained = run(capsys, "explain", clip, "--checkpoint", checkpoint, "--png", "/proc/out.png")
    assert "/proc/out.png can't be written" in one_sentence(explained)
    assert "/proc/x/y.safetensors can't be written" in one_sentence(run(capsys, "train", "--data", data, "--out", "/proc/x/y.safetensors"))


def test_a_full_disk_is_one_sentence(capsys, tmp_path, monkeypatch, checkpoint, clip):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    result = run(capsys, "explain", clip, "--checkpoint", checkpoint, "--npz", tmp_path / "out.npz")
    assert "out.npz can't be written: No space left on device" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_the_program_is_not_blamed_on_the_input(monkeypatch, checkpoint, clip):
    monkeypatch.setattr(tracing, "trace", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["explain", clip, "--checkpoint", checkpoint])


@pytest.mark.parametrize("argv", [(), ("dance",), ("explain",), ("train",), ("evaluate", "x"), ("sweep",)])
def test_a_missing_argument_is_one_sentence(capsys, argv):
    assert "--help` lists" in one_sentence(run(capsys, *argv))


# train


def train(capsys, data, out, *options):
    tiny = ("--width", 8, "--batch-size", 8, "--epochs", 3, "--device", "cpu")
    return run(capsys, "train", "--data", data, "--out", out, *tiny, *options)


def test_train_reports_each_epoch_and_writes_a_checkpoint(capsys, tmp_path, data):
    out = tmp_path / "runs" / "tones.safetensors"
    code, printed, err = train(capsys, data, out, "--methods", "strided-conv,adastride,adastride-f", "--stride", 3, "--sigma-inv2", 4)
    assert (code, err) == (0, "")
    lines = printed.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/3", "2/3", "3/3"]
    assert all({"loss", "position", "validation"} <= set(line.split()) for line in lines if line.startswith("epoch"))
    assert lines[-1] == f"wrote {out}"
    assert list(out.parent.iterdir()) == [out]
    config = checkpoints.load(out).config
    assert config.methods == ("strided-conv", "adastride", "adastride-f")
    assert config.strides == (3.0, 3.0, 3.0)
    assert config.sigma == pytest.approx(0.5)
    assert (config.width, config.labels) == (8, ("high", "low"))


def test_train_knows_adastride_s(capsys, tmp_path, data):
    train(capsys, data, tmp_path / "s.safetensors", "--method", "adastride-s", "--epochs", 1)
    assert checkpoints.load(tmp_path / "s.safetensors").config.methods == ("strided-conv", "strided-conv", "adastride")


def test_train_takes_the_settings_of_a_row(capsys, tmp_path, data):
    out = tmp_path / "m.safetensors"
    options = ("--method", "adastride-sigma", "--preset", "commands", "--silence", 0, "--patience", 7, "--balanced", "--epochs", 1, "--sigma-inv2", 1)
    code, printed, _ = train(capsys, data, out, *options)
    assert code == 0
    assert "8 training clips, settings for commands" in printed
    details = checkpoints.details(out)["details"]["training"]
    assert (details["as_is"], details["patience"], details["balanced"], details["batch_size"]) == (1.0, 7, True, 8)
    config = checkpoints.load(out).config
    assert config.learn_sigma
    assert config.sigma == 1


def test_train_finds_the_settings_by_the_clips(capsys, tmp_path, data):
    _, printed, _ = train(capsys, data, tmp_path / "m.safetensors", "--epochs", 1, "--silence-seconds", 0.5, 0.3)
    assert "settings for digits" in printed, "the clips are a quarter of a second long"
    assert checkpoints.details(tmp_path / "m.safetensors")["details"]["training"]["window_seconds"] == [0.3, 0.5]


def test_train_hands_parameters_to_the_method(capsys, tmp_path, data):
    train(capsys, data, tmp_path / "m.safetensors", "--method", "diffstride", "--parameter", "smoothness=6", "--epochs", 1)
    model = checkpoints.load(tmp_path / "m.safetensors")
    assert [layer.smoothness for layer in model.downsamplers] == [6, 6, 6]


def test_train_reads_a_folder_for_each_class(capsys, tmp_path, data):
    for split in ("train", "valid", "test"):
        for label in ("low", "high"):
            (tmp_path / "plain" / split / label).mkdir(parents=True)
            for file in Path(data).glob(f"{split}-{label}-*"):
                (tmp_path / "plain" / split / label / file.name).write_bytes(file.read_bytes())
    assert train(capsys, tmp_path / "plain", tmp_path / "m.safetensors", "--epochs", 1)[0] == 0
    code, out, _ = run(capsys, "evaluate", tmp_path / "m.safetensors", "--data", tmp_path / "plain", "--json")
    assert (code, json.loads(out)["clips"]) == (0, 6)


def test_train_stops_cleanly_and_goes_on(capsys, tmp_path, monkeypatch, data):
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    train(capsys, data, whole)
    real, calls = loop._validate, []

    def interrupted(*args, **kwargs):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(loop, "_validate", interrupted)
    code, out, err = train(capsys, data, stopped)
    assert code == 130
    assert err == "stopped after epoch 2 of 3: run the same command again to go on.\n"
    assert "epoch 2/3" in out
    monkeypatch.setattr(loop, "_validate", real)
    code, out, err = train(capsys, data, stopped)
    assert (code, err) == (0, "")
    assert f"going on from {stopped.with_suffix('.state')}" in out
    assert "epoch 2/3" not in out
    assert "epoch 3/3" in out
    assert not stopped.with_suffix(".state").exists()
    for name, tensor in checkpoints.load(whole).state_dict().items():
        torch.testing.assert_close(checkpoints.load(stopped).state_dict()[name], tensor)


@pytest.mark.parametrize(("option", "value", "says"), [
    ("--data", "nowhere", "nowhere/manifest.csv can't be read"),
    ("--method", "magic", "there is no method 'magic'"),
    ("--methods", "adastride,adastride", "needs 3 methods"),
    ("--methods", "adastride,,adastride", "there is no method ''"),
    ("--stride", "0", "--stride"),
    ("--sigma-inv2", "0", "--sigma-inv2"),
    ("--width", "0", "from 1 to 4096, got '0'"),
    ("--epochs", "0", "--epochs"),
    ("--batch-size", "2.5", "--batch-size"),
    ("--learning-rate", "nan", "--learning-rate"),
    ("--seed", "-1", "--seed"),
    ("--device", "abacus", "--device"),
    ("--out", "model.pt", "must end in .safetensors"),
    ("--preset", "whales", "--preset"),
    ("--silence", "2", "from 0 to 1"),
    ("--parameter", "smoothness", "such as smoothness=8"),
    ("--parameter", "smoothness=4", "takes a parameter 'smoothness'"),
    ("--hold-out", "nobody", "no speaker, session or fold 'nobody'"),
    ("--classes", "13", "--classes"),
    ("--pack", "100", "--pack is for --task elastic, not for a classifier: leave it out."),
    ("--blocks", "2", "--blocks is for --task recognition or elastic, not for a classifier: leave it out."),
    ("--units", "words", "--units is for --task recognition, not for a classifier: leave it out."),
])
def test_train_with_a_bad_option_is_one_sentence(capsys, tmp_path, monkeypatch, data, option, value, says):
    monkeypatch.chdir(tmp_path)
    assert says in one_sentence(train(capsys, data, "new/tones.safetensors", option, value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_train_without_the_device_asked_for_is_one_sentence(capsys, tmp_path, data):
    assert "'cuda'" in one_sentence(train(capsys, data, tmp_path / "tones.safetensors", "--device", "cuda"))


def test_a_full_disk_while_training_is_one_sentence(capsys, tmp_path, monkeypatch, data):
    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoints, "write_atomically", full)
    code, _, err = train(capsys, data, tmp_path / "tones.safetensors")
    assert code == 2
    assert err == f"{tmp_path / 'tones.safetensors'} can't be used: No space left on device.\n"


def test_train_beside_a_state_it_cannot_use_is_one_sentence(capsys, tmp_path, data):
    out, state = tmp_path / "tones.safetensors", tmp_path / "tones.state"
    state.write_bytes(b"half a file")
    code, _, err = train(capsys, data, out)
    assert code == 2
    assert "tones.state is no state of an unfinished run" in err
    assert err.count("\n") == 1
    assert state.read_bytes() == b"half a file"


# evaluate


def test_evaluate_prints_the_numbers(capsys, checkpoint, data):
    code, out, err = run(capsys, "evaluate", checkpoint, "--data", data, "--json", "--device", "cpu")
    assert (code, err) == (0, "")
    numbers = json.loads(out)
    assert (numbers["clips"], numbers["labels"]) == (6, ["low", "high"])
    assert np.sum(numbers["confusion"]) == 6
    assert np.trace(numbers["confusion"]) / 6 == pytest.approx(numbers["accuracy"])
    assert numbers["stride_ratio"] == pytest.approx(numbers["silence_stride"] / numbers["sound_stride"])
    code, out, err = run(capsys, "evaluate", checkpoint, "--data", data, "--device", "cpu")
    assert (code, err) == (0, "")
    for key in ("accuracy", "accuracy_in_silence"):
        assert f"{100 * numbers[key]:.1f} %" in out
    for key in ("silence_stride", "sound_stride", "stride_ratio"):
        assert f"{numbers[key]:.2f}" in out
    assert [line.split() for line in out.splitlines()[-2:]] == [
        [label, *map(str, row)] for label, row in zip(numbers["labels"], numbers["confusion"], strict=True)
    ]


def test_evaluate_says_where_there_is_no_silence_to_measure(capsys, monkeypatch, checkpoint, data):
    headline = KINDS["classifier"].task.headline
    measured = evaluation.Evaluation(1, headline, {"accuracy": 1.0}, {"accuracy": 1.0}, float("nan"), 2.0)
    monkeypatch.setattr(evaluation, "evaluate", lambda *_, **__: measured)
    numbers = json.loads(run(capsys, "evaluate", checkpoint, "--data", data, "--json")[1])
    assert (numbers["silence_stride"], numbers["sound_stride"], numbers["stride_ratio"]) == (None, 2.0, None)
    lines = run(capsys, "evaluate", checkpoint, "--data", data)[1].splitlines()
    assert [line.split()[-1] for line in lines if "stride" in line] == ["none", "2.00", "none"]


def test_evaluate_refuses_a_checkpoint_of_a_newer_format(capsys, tmp_path, checkpoint, data):
    with safe_open(checkpoint, framework="pt") as file:
        header = json.loads(file.metadata()["adastride"])
    (tmp_path / "new.safetensors").write_bytes(save(load_file(checkpoint), {"adastride": json.dumps({**header, "format": checkpoints.FORMAT + 1})}))
    assert "new.safetensors was written by a newer version" in one_sentence(run(capsys, "evaluate", tmp_path / "new.safetensors", "--data", data))


def test_evaluate_on_unusable_data_is_one_sentence(capsys, tmp_path, checkpoint, data, clip):
    assert "manifest.csv can't be read" in one_sentence(run(capsys, "evaluate", checkpoint, "--data", tmp_path))
    assert "'holiday'" in one_sentence(run(capsys, "evaluate", checkpoint, "--data", data, "--split", "holiday"))
    (tmp_path / "manifest.csv").write_text(f"path,label,split\n{clip},middle,test\n", encoding="utf-8")
    assert "'middle', which tiny does not know: it tells low, high apart" in one_sentence(run(capsys, "evaluate", checkpoint, "--data", tmp_path))


# sweep


def sweep_lines(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_sweep_writes_a_line_for_each_checkpoint_and_value(capsys, tmp_path, checkpoint, data):
    other = tmp_path / "other.safetensors"
    other.write_bytes(Path(checkpoint).read_bytes())
    start = ("sweep", "--data", data, "--checkpoint", checkpoint, "--checkpoint", other, "--csv", tmp_path / "out.csv")
    code, out, err = run(capsys, *start, "--sigma-inv2", 0.1, 10, 3)
    assert code == 0
    assert "100 % of 2 × 3 × 6 runs" in err
    lines = sweep_lines(tmp_path / "out.csv")
    assert [(line["checkpoint"], line["sigma_inv2"]) for line in lines] == [(name, value) for name in ("tiny", "other") for value in ("0.1", "1", "10")]
    assert {line["clips"] for line in lines} == {"6"}
    assert f"{100 * float(lines[0]['accuracy']):.1f} %" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.safetensors", "out.csv"]


def test_sweep_of_the_stride_and_of_both(capsys, tmp_path, checkpoint, data):
    start = ("sweep", "--data", data, "--checkpoint", checkpoint, "--csv", tmp_path / "out.csv")
    assert run(capsys, *start, "--stride", 1, 8, 3)[0] == 0
    assert [(line["sigma_inv2"], line["stride"]) for line in sweep_lines(tmp_path / "out.csv")] == [("", "1"), ("", "4.5"), ("", "8")]
    assert run(capsys, *start, "--stride", 1, 8, 3, "--sigma-inv2", 0.1, 10, 2)[0] == 0
    assert len(sweep_lines(tmp_path / "out.csv")) == 6


def test_sweep_with_ray_writes_the_same(capsys, monkeypatch, tmp_path, checkpoint, data):
    ray = types.ModuleType("ray")
    ray.init, ray.shutdown, ray.put, ray.get = lambda address: None, lambda: None, lambda value: value, lambda work: work()
    ray.remote = lambda function: types.SimpleNamespace(remote=lambda *arguments: lambda: function(*arguments))
    monkeypatch.setitem(sys.modules, "ray", ray)
    start = ("sweep", "--data", data, "--checkpoint", checkpoint, "--sigma-inv2", 0.1, 10, 3, "--csv")
    assert run(capsys, *start, tmp_path / "here.csv")[0] == 0
    assert run(capsys, *start, tmp_path / "there.csv", "--ray", "local")[0] == 0
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to sweep"), (("--sigma-inv2", "10", "1", "5"), "upside down"), (("--stride", "2", "2", "5"), "has no length"),
        (("--sigma-inv2", "0", "1", "5"), "must lie between"), (("--sigma-inv2", "1", "2", "2.5"), "must be whole"),
        (("--sigma-inv2", "1", "x", "5"), "expected a number"), (("--stride", "1", "8", "2", "--split", "holiday"), "holiday"),
    ],
)
def test_a_sweep_that_can_t_be_done_is_one_sentence(capsys, tmp_path, checkpoint, data, options, said):
    assert said in one_sentence(run(capsys, "sweep", "--data", data, "--checkpoint", checkpoint, "--csv", tmp_path / "out.csv", *options))
    assert not list(tmp_path.iterdir())


def test_a_sweep_of_unusable_data_or_without_ray_is_one_sentence(capsys, monkeypatch, tmp_path, checkpoint, data, clip):
    start = ("sweep", "--checkpoint", checkpoint, "--csv", tmp_path / "out.csv", "--sigma-inv2", 1, 2, 2, "--data")
    (tmp_path / "data").mkdir()
    assert "can't be read" in one_sentence(run(capsys, *start, tmp_path / "data"))
    (tmp_path / "data" / "manifest.csv").write_text(f"path,label,split\n{clip},middle,test\n", encoding="utf-8")
    assert "'middle', which tiny does not know" in one_sentence(run(capsys, *start, tmp_path / "data"))
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install ray" in one_sentence(run(capsys, *start, data, "--ray", "local"))


def test_sweep_of_recognisers(capsys, tmp_path):
    """The manifest has texts; what is printed and written is a rate, on so many words."""
    for name in ("one", "other"):
        checkpoints.save_checkpoint(made_up_recognisers.recogniser(), tmp_path / f"{name}.safetensors", {})
    lines = ["path,text,split"]
    for number, clip in enumerate(made_up_recognisers.spoken(5)):
        soundfile.write(tmp_path / f"{number}.flac", clip.samples, 16_000)
        lines.append(f"{number}.flac,{clip.text},test")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    start = ("sweep", "--data", tmp_path, "--checkpoint", tmp_path / "one.safetensors", "--checkpoint", tmp_path / "other.safetensors")
    code, out, _ = run(capsys, *start, "--csv", tmp_path / "out.csv", "--sigma-inv2", 0.5, 5, 2, "--stride", 4, 40, 2)
    assert code == 0
    rows = sweep_lines(tmp_path / "out.csv")
    assert list(rows[0]) == ["checkpoint", "sigma_inv2", "stride", "clips", "words", "error_rate", "low", "high", "work"]
    assert [row["checkpoint"] for row in rows] == ["one"] * 4 + ["other"] * 4
    words = sum(len(line.split(",")[1].split()) for line in lines[1:])
    assert {(row["clips"], row["words"]) for row in rows} == {("5", str(words))}
    assert all(0 <= float(row["low"]) <= float(row["error_rate"]) <= float(row["high"]) for row in rows)
    assert "word error rate" in out
    assert f"of {words} words in 5 clips; interval: of a ratio of sums over clips, by the delta method" in out
    assert f"{100 * float(rows[0]['error_rate']):.1f} %" in out


def test_an_interrupted_sweep_writes_nothing(capsys, monkeypatch, tmp_path, checkpoint, data):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(scores, "measure_batch", interrupted)
    code, _, err = run(capsys, "sweep", "--data", data, "--checkpoint", checkpoint, "--csv", tmp_path / "out.csv", "--stride", 1, 8, 3)
    assert code == 130
    assert "nothing was written" in err
    assert not list(tmp_path.iterdir())


# app


def test_app_becomes_the_server(capsys, monkeypatch):
    commands = []
    monkeypatch.setattr(cli.os, "execv", lambda program, command: commands.append((program, command)))
    assert run(capsys, "app", "--port", 8600, "--address", "localhost", "--headless") == (0, "", "")
    assert run(capsys, "app") == (0, "", "")
    plain = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    options = ["--server.port", "8600", "--server.address", "localhost", "--server.headless", "true"]
    assert commands == [(sys.executable, plain + options), (sys.executable, plain)]


def test_app_without_streamlit_is_one_sentence(capsys, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "streamlit" else real(name, *rest))
    assert "`pip install 'adastride[app]'`" in one_sentence(run(capsys, "app"))
    assert "from 1 to 65535" in one_sentence(run(capsys, "app", "--port", 0))


@pytest.mark.parametrize(("package", "extra", "arguments"), [
    ("matplotlib", "app", ("explain", "seven", "--png", "seven.png")), ("accelerate", "train", ("train", "--data", ".", "--out", "new.safetensors")),
])
def test_a_command_without_its_extra_is_one_sentence(tmp_path, package, extra, arguments):
    """In a process of its own, because this one has imported both."""
    code = f"import sys\nsys.modules[{package!r}] = None\nfrom adastride.cli import main\nsys.exit(main({list(arguments)}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert f"`pip install 'adastride[{extra}]'`" in one_sentence((result.returncode, result.stdout, result.stderr))
    assert list(tmp_path.iterdir()) == []


# bench


def test_bench_runs_the_repositorys_benchmarks(capsys, monkeypatch):
    module = types.ModuleType("benchmarks.run")
    module.main = lambda: print("measured")
    package = types.ModuleType("benchmarks")
    package.run = module
    monkeypatch.setitem(sys.modules, "benchmarks", package)
    monkeypatch.setitem(sys.modules, "benchmarks.run", module)
    assert run(capsys, "bench") == (0, "measured\n", "")
    monkeypatch.setitem(sys.modules, "benchmarks", None)
    assert "folder of the repository" in one_sentence(run(capsys, "bench"))
