"""Nothing here is ever unpickled: with every door to it walled up, networks load, learn, go on after a break, and are exported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WALLED_UP = """
import _pickle, pickle

def refuse(*_, **__):
    raise AssertionError("something was unpickled")

class Refused(pickle._Unpickler):  # others make subclasses of it where they are imported
    def __init__(self, *_, **__):
        refuse()

for module in (pickle, _pickle):
    module.load = module.loads = refuse
    module.Unpickler = Refused
pickle._load = pickle._loads = refuse
pickle._Unpickler = Refused

import torch
assert torch.load.__module__ == "torch.serialization"
torch.load = torch.serialization.load = torch.serialization._load = torch.serialization._legacy_load = refuse
"""

WORK = """
import io, sys
from functools import partial
from pathlib import Path
import numpy, soundfile
torch.set_num_threads(1)
from adastride import audio, checkpoints
from adastride.inspection import export, figures, trace
from adastride.samples import samples
from adastride.tasks import KINDS
from adastride.training.loop import TrainingSettings, train
from adastride.training.python_batches import read_batch

folder = Path(sys.argv[1])
clip = audio.read(samples()["seven"].path)
for name in checkpoints.catalogue():
    seen = trace(checkpoints.load(name), clip)
    assert checkpoints.load_bytes(checkpoints.catalogue()[name].path.read_bytes(), "own").fingerprint == checkpoints.load(name).fingerprint
    assert numpy.load(io.BytesIO(export.to_npz(seen)), allow_pickle=False)["mel"].size
    assert export.to_csv(seen).count("\\n") > 10 * len(seen.layers)
assert figures.render(figures.publication_figure(seen, title="seven"), "png")

lines = ["path,label,split"]
for number in range(16):
    label = "high" if number % 2 else "low"
    tone = numpy.sin(numpy.arange(3200) * (1.0 if number % 2 else 0.1) * (1 + number / 100))
    soundfile.write(folder / f"{number}.wav", tone / 4, 16_000)
    lines.append(f"{number}.wav,{label},{'train' if number < 10 else 'valid'}")
(folder / "manifest.csv").write_text("\\n".join(lines) + "\\n")

class Break(Exception):
    pass

def stop(progress):
    raise Break

settings = TrainingSettings(epochs=2, batch_size=4, window_seconds=(0.2, 0.3))
small = partial(KINDS["classifier"].learn_config, width=8)
arguments = [folder], folder / "m.safetensors", small, settings
try:
    train(*arguments, report=stop, cache=folder / "cache")
except Break:
    assert list(folder.glob("*.state")), "there is something to go on from"
train(*arguments, cache=folder / "cache")
assert checkpoints.load(folder / "m.safetensors").config.labels
assert read_batch(b"\\x80\\x02}q\\x01U\\x06labelsq\\x02]q\\x03K\\x07as.") == {"labels": [7]}, "CIFAR's batches are pickles"
print("all of it works")
"""


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)


def test_nothing_is_unpickled(tmp_path: Path):
    result = run(WALLED_UP + WORK, tmp_path)
    assert result.returncode == 0, result.stderr[-1500:]
    assert result.stdout == "all of it works\n"


DOORS = """
import sys, numpy
folder = Path(sys.argv[1])
(folder / "pickle").write_bytes(b"I1\\n.")
torch.save([1], folder / "torch")
numpy.save(folder / "numpy.npy", numpy.array([{}], object), allow_pickle=True)
for door in (
    lambda: pickle.loads(b"I1\\n."), lambda: pickle.load((folder / "pickle").open("rb")), lambda: pickle.Unpickler((folder / "pickle").open("rb")).load(),
    lambda: torch.load(folder / "torch"), lambda: torch.load(folder / "torch", weights_only=False),
    lambda: numpy.load(folder / "numpy.npy", allow_pickle=True),
):
    try:
        door()
    except AssertionError as error:
        print(error)
"""


def test_the_doors_are_walled_up(tmp_path: Path):
    """Otherwise the test above would hold nothing."""
    result = run(f"{WALLED_UP}\nfrom pathlib import Path\n{DOORS}", tmp_path)
    assert result.returncode == 0, result.stderr[-1500:]
    assert result.stdout.splitlines() == ["something was unpickled"] * 6
