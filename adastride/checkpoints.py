"""Reads and writes trained networks as safetensors files, and knows the catalogue of those that come with the project.

A checkpoint is one file: tensors, and a JSON text in its header with the network's kind, its configuration and how it
was made. Matrices of weights are float16 where that is exact enough. Statistics, counts, codebooks and all vectors stay
float32, because a variance of 1e5 is beyond float16 and they take little room. Nothing is ever unpickled.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save

from adastride import tasks
from adastride.files import bundled, write_atomically
from adastride.models.network import Model, Network
from adastride.models.picture_network import PictureNetwork
from adastride.tasks.classification import check_labels
from adastride.wording import one_line

FORMAT = 1
FOLDER = bundled("checkpoints")
MAX_BYTES = 200_000_000
MAX_OWN_BYTES = 40_000_000  # of a file that somebody loads in the page
_HALF_ERROR = 1e-3  # of a tensor's norm; float16 rounds usual weights to a third of that
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class CheckpointError(ValueError):
    """A checkpoint that can't be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A shipped checkpoint: its name, its file, and what a person who chooses one should read.

    task: what it was trained on, a key of `subjects.SUBJECTS`. method: a registry key, or "adastride-s" (two strided convolutions
    under an AdaStride). sigma_inv2: the sigma ** -2 it was trained with, None for a method without sigma or with learned ones.
    metrics: its task's metrics, by name, on the test split. clips: how many clips that split has. width: channels of the network.
    kind: a key of `tasks.KINDS` or `tasks.PICTURE_KINDS`.
    """

    name: str
    path: Path
    title: str
    description: str
    task: str
    method: str
    sigma_inv2: float | None
    metrics: dict[str, float]
    clips: int
    width: int = 128
    kind: str = "classifier"

    @property
    def headline(self) -> str:
        """The headline metric as a person reads it: "98.3 %", or "1.7 % error rate" where less is better."""
        metric = tasks.headline_of(self.kind)
        return metric.text(self.metrics[metric.name]) + ("" if metric.higher_is_better else f" {metric.label.lower()}")


@functools.cache
def catalogue() -> dict[str, CatalogueEntry]:
    """The shipped networks of sound that are installed, by name, in the order in which the catalogue lists them.

    A checkout has all of them. A wheel carries the catalogue and one small checkpoint of each, so that it stays small.
    """
    return _installed(shipped(), tasks.KINDS)


@functools.cache
def picture_catalogue() -> dict[str, CatalogueEntry]:
    """The shipped networks of pictures that are installed, as `catalogue` has those of sound."""
    return _installed(shipped(), tasks.PICTURE_KINDS)


def _installed(entries: dict[str, CatalogueEntry], kinds: Container[str]) -> dict[str, CatalogueEntry]:
    return {name: entry for name, entry in entries.items() if entry.kind in kinds and entry.path.is_file()}


@functools.cache
def shipped() -> dict[str, CatalogueEntry]:
    """Every checkpoint that the catalogue lists, whether its file is installed or not."""
    entries = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))
    return {e["name"]: CatalogueEntry(path=FOLDER / e.pop("file"), **e) for e in entries}


def save_checkpoint(model: Model, path: str | Path, details: dict) -> None:
    """Writes a network as a checkpoint in one atomic step.

    details: goes into the header as JSON, such as settings, metrics and the licence of the data.
    """
    header = {"format": FORMAT, "kind": model.config.kind, "config": model.config.to_dict(), "details": details}
    weights = {name for name, _ in model.named_parameters()}
    tensors = {
        name: (_shortened(t) if name in weights else t).detach().cpu().contiguous() for name, t in model.state_dict().items()
    }
    write_atomically(path, save(tensors, {"adastride": json.dumps(header)}))


def _shortened(weight: torch.Tensor) -> torch.Tensor:
    """A matrix of weights in float16, if that changes it by less than a thousandth of its norm, else in float32.

    Vectors, and tensors that hold whole numbers, are returned as they are.
    """
    if weight.dim() < 2 or not weight.is_floating_point():
        return weight
    half = weight.half()
    error, norm = (half.double() - weight.double()).norm(), weight.double().norm()
    return half if bool(error <= _HALF_ERROR * norm) else weight.float()


def details(name_or_path: str | Path) -> dict:
    """Reads the header of a checkpoint, with the keys format, kind, config and details, without loading its tensors."""
    return _header(_resolve(name_or_path))


def load(name_or_path: str | Path, device: torch.device | str = "cpu") -> Network:
    """Loads a network of sound by its name in the catalogue or by the path of a .safetensors file.

    Returns a network in float32 and evaluation mode; `.name` is its name or file stem. Raises CheckpointError, one
    sentence, for an unknown name or a file that is not a whole checkpoint of this format.
    """
    return of_sound(load_any(name_or_path, device))


def of_sound(model: Model) -> Network:
    """The model, if it is a network of sound; raises CheckpointError for one of pictures."""
    if not isinstance(model, Network):
        raise CheckpointError(f"{one_line(model.name)} sees pictures and hears nothing: open it on the Images page.")
    return model


def load_pictures(name_or_path: str | Path, device: torch.device | str = "cpu") -> PictureNetwork:
    """Loads a network of pictures, as `load` does one of sound. Raises CheckpointError, as that does."""
    model = load_any(name_or_path, device)
    if not isinstance(model, PictureNetwork):
        raise CheckpointError(f"{one_line(model.name)} hears sound and sees no pictures: choose a network of pictures.")
    return model


def load_any(name_or_path: str | Path, device: torch.device | str = "cpu") -> Model:
    """Loads a network of sound or of pictures; see `load`."""
    path = _resolve(name_or_path)
    header = _header(path)
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no mapping)
        model = _assemble(one_line(path.name), header, shapes, file.get_tensor)
    model.name = str(name_or_path) if str(name_or_path) in catalogue() | picture_catalogue() else path.stem
    return model.to(device).eval().requires_grad_(False)


def load_bytes(data: bytes, name: str, device: torch.device | str = "cpu") -> Network:
    """Loads a network of sound that somebody has sent from memory; nothing is written to the disk.

    name: the file's name, for messages. The network's `.name` is "own-" and 16 digits of the data's SHA-256, so that no other data
    has the same. Raises CheckpointError as `load` does, and for more bytes or classes than a page shows.
    """
    model = _from_bytes(data, name)
    if not isinstance(model, Network):
        raise CheckpointError(f"{one_line(name)} sees pictures and hears nothing: open it on the Images page.")
    try:
        tasks.task_of(model).check_config(model.config)
    except ValueError as error:
        raise CheckpointError(f"{one_line(name)} {error}: use the command line.") from None
    return model.to(device)


def load_picture_bytes(data: bytes, name: str, device: torch.device | str = "cpu") -> PictureNetwork:
    """Loads a network of pictures that somebody has sent; see `load_bytes`."""
    model = _from_bytes(data, name)
    if not isinstance(model, PictureNetwork):
        raise CheckpointError(f"{one_line(name)} hears sound and sees no pictures: open it on the Explore page.")
    try:
        for head in model.config.heads:
            check_labels(head.labels)
    except ValueError as error:
        raise CheckpointError(f"{one_line(name)} {error}: use the command line.") from None
    return model.to(device)


def _from_bytes(data: bytes, name: str) -> Model:
    name = one_line(name)
    if len(data) > MAX_OWN_BYTES:
        raise CheckpointError(f"{name} has {len(data) / 1e6:.0f} MB, more than the {MAX_OWN_BYTES / 1e6:.0f} MB that can be loaded here: use the command line.")
    try:
        tensors = load_tensors(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__") or {}
        header = json.loads(metadata.get("adastride", "null"))
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise _unreadable(name, error) from None
    header = _checked(header, name)
    model = _assemble(name, header, {key: tuple(t.shape) for key, t in tensors.items()}, tensors.__getitem__)
    model.name = f"own-{hashlib.sha256(data).hexdigest()[:16]}"
    return model.eval().requires_grad_(False)


def _assemble(name: str, header: dict, shapes: dict[str, tuple[int, ...]], read: Callable[[str], torch.Tensor]) -> Model:
    """Builds the network that a header describes and gives it its tensors.

    name: the file's name, for messages. shapes: of the file's tensors, by name. read: returns a tensor by its name. Raises
    CheckpointError where the tensors are not those of the network.
    """
    try:
        kind = (tasks.KINDS | tasks.PICTURE_KINDS)[header["kind"]]
        config = kind.config.from_dict(header["config"])
        with torch.device("meta"):  # shapes first: a wrong file fails before any memory is taken
            model: Model = kind.network(config)
    except (KeyError, TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        said = one_line(error)
        raise CheckpointError(
            f"{name} has settings this version can't use ({said}): "
            "train it again with `python -m adastride train`."
        ) from None
    expected = {key: tuple(t.shape) for key, t in model.state_dict().items()}
    for key in sorted(shapes.keys() ^ expected.keys()):
        lacks = "lacks" if key in expected else "has an unknown"
        raise CheckpointError(f"{name} {lacks} tensor {one_line(key, 60)}: it doesn't fit the settings it names.")
    for key in expected:
        if shapes[key] != expected[key]:
            raise CheckpointError(
                f"{name} holds {key} with shape {shapes[key]} where its settings need {expected[key]}: the file is damaged or was edited."
            )
    tensors = {key: read(key) for key in expected}
    for key, needed in model.state_dict().items():
        if tensors[key].dtype not in (_FLOATS if needed.is_floating_point() else (torch.int64,)):
            raise CheckpointError(f"{name} holds {key} as {tensors[key].dtype}, which is no kind of number its network has: the file was edited.")
        if needed.is_floating_point():
            tensors[key] = tensors[key].float()
            if not bool(torch.isfinite(tensors[key]).all()):
                raise CheckpointError(f"{name} holds values in {key} that are not numbers: its training diverged.")
    model.load_state_dict(tensors, assign=True)
    return model


def _resolve(name_or_path: str | Path) -> Path:
    known = catalogue() | picture_catalogue()
    if str(name_or_path) in known:
        return known[str(name_or_path)].path
    path = Path(name_or_path)
    try:
        there = path.suffix == ".safetensors" and path.is_file()
    except (OSError, ValueError):  # a name too long, or with a zero byte in it
        there = False
    if not there and str(name_or_path) in shipped():
        file = shipped()[str(name_or_path)].path.name
        raise CheckpointError(
            f"{name_or_path} is not part of this installation: get checkpoints/{file} from the project's repository and give the file's path, "
            f"or choose {' or '.join(known)}."
        )
    if not there:
        alike = difflib.get_close_matches(str(name_or_path)[:80], known, n=3, cutoff=0.3) or list(known)[:3]
        raise CheckpointError(f"there is no checkpoint {str(name_or_path)[:80]!r}: choose {' or '.join(alike)}, or give the path of a .safetensors file.")
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB a checkpoint may have.")
    return path


def _header(path: Path) -> dict:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("adastride", "null"))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise _unreadable(one_line(path.name), error) from None
    return _checked(header, one_line(path.name))


def _unreadable(name: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"{name} can't be read as safetensors ({one_line(error)}): copy or train it again.")


def _checked(header: object, name: str) -> dict:
    """Returns the header if it is one that this version knows, else raises CheckpointError. name: the file's name, for messages."""
    if not isinstance(header, dict) or not isinstance(header.get("config"), dict):
        raise CheckpointError(f"{name} carries no AdaStride settings: only checkpoints written by `python -m adastride train` can be loaded.")
    kind = header.setdefault("kind", "classifier")
    if type(header.get("format")) is not int or header["format"] > FORMAT or type(kind) is not str or kind not in tasks.KINDS | tasks.PICTURE_KINDS:
        raise CheckpointError(f"{name} was written by a newer version of this program: update it, then load the file again.")
    return header
