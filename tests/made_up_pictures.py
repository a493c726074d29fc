"""Networks of pictures that nobody has trained, as checkpoints in a folder, and a catalogue of them for the pages."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from adastride import checkpoints
from adastride.checkpoints import CatalogueEntry
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
METHODS = ("adastride", "diffstride", "dct-diffstride", "strided-conv")
FOLDER_VARIABLE = "ADASTRIDE_TEST_PICTURES"  # of made_up_pictures_app.py: the folder with the checkpoints


def network(method: str, **options: object) -> ImageClassifier:
    """A small network whose statistics are those of noise, whose positions bend, and which is not indifferent between its classes."""
    torch.manual_seed(0)
    made = ImageClassifier(ImageConfig(LABELS, method, **{"width": 4, "blocks": 1, **options}))
    for name, parameter in made.named_parameters():
        if "score" in name:
            nn.init.normal_(parameter, std=0.5)
    made.train()(torch.randn(8, made.config.channels, 32, 32))
    made.classifier.weight.data.mul_(12)
    return made.eval()


TASKS = ("digits", "commands", "emotion", "scenes")
SOUND_LABELS = tuple(tuple(f"{task} {n}" for n in range(4)) for task in TASKS)


def spectrogram_network(method: str = "diffstride", tasks: tuple[str, ...] = TASKS, **options: object) -> SpectrogramClassifier:
    """A small network of spectrograms, as `network` makes one of pictures."""
    torch.manual_seed(0)
    labels = SOUND_LABELS[: len(tasks)]
    made = SpectrogramClassifier(SpectrogramConfig(tasks, labels, method, **{"width": 2, **options}))
    made.train()(torch.randn(8, 1, 64, 100))
    made.classifier.weight.data.mul_(4)
    return made.eval()


def write_sound(folder: Path, methods: tuple[str, ...] = ("diffstride", "strided-conv")) -> Path:
    """Writes a checkpoint of spectrograms for each method, and returns the folder."""
    for method in methods:
        checkpoints.save_checkpoint(spectrogram_network(method), folder / f"sound-{method}.safetensors", {})
    return folder


def write(folder: Path, methods: tuple[str, ...] = METHODS) -> Path:
    """Writes a checkpoint for each method, and returns the folder."""
    for method in methods:
        checkpoints.save_checkpoint(network(method), folder / f"made-up-{method}.safetensors", {})
    return folder


def catalogue(folder: Path) -> dict[str, CatalogueEntry]:
    """The entries of the checkpoints in a folder, as `checkpoints.picture_catalogue` has them."""
    entries = {}
    for path in sorted(folder.glob("*.safetensors")):
        sound = path.stem.startswith("sound-")
        entries[path.stem] = CatalogueEntry(
            name=path.stem, path=path, title=path.stem, description="A network for tests.", task="several" if sound else "images",
            method=path.stem.removeprefix("made-up-").removeprefix("sound-"), sigma_inv2=None,
            metrics={"accuracy": 0.1}, clips=100, width=4, kind="spectrogram" if sound else "images",
        )
    return entries
