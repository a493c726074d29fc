"""Runs every benchmark and writes benchmarks.md. Compare ratios within one run: timings differ between machines."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from adastride.device import device_name
from benchmarks import classroom, codec, layers, recogniser, sweeps, transformer, viewer

TARGET = Path(__file__).resolve().parent.parent / "benchmarks.md"


def main() -> None:
    """Prints and writes the tables."""
    lines = ["# Benchmarks", "", f"`make bench` on {platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads.", ""]
    lines += ["## What a person waits for", "", *viewer.report(), "", "## Sweeps", "", *sweeps.report(), ""]
    lines += ["## Recognisers", "", *recogniser.report(), ""]
    lines += ["## Codecs", "", *codec.report(), ""]
    lines += ["## Audio transformers", "", *transformer.report(), ""]
    asked = "Sessions that all drag at once, server and clients on the same cores; with 30, 150 answers a second are asked for, 250 ms at 95 %."
    lines += ["## A classroom", "", asked, "", *classroom.report(), ""]
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        name = device_name(device)
        lines += [f"## AdaStride against average pooling: {layers.CHANNELS} channels, stride 2, on {name}", ""]
        lines += ["Forward / forward and backward.", "", *layers.pooling_table(device), ""]
        if device == "cpu":
            lines += ["What its speed is held to, as quotients of times taken in turns.", "", *layers.bounds_table(), ""]
            lines += ["## DCT-DiffStride against DiffStride", "", *layers.cosines_table(), ""]
        lines += [f"## Every method: {layers.CHANNELS} channels, stride 2, on {name}", ""]
        lines += ["Batch × frames: forward ms / forward and backward ms / peak memory of forward in MB (relative to strided convolution).", ""]
        lines += [*layers.methods_table(device), ""]
        lines += [f"## Along two axes: strides of 2, on {name}", ""]
        lines += ["Batch × channels × height × width, and the same numbers.", "", *layers.pictures_table(device), ""]
    text = "\n".join(lines)
    TARGET.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
