"""Makes what the server sends for each step's picture: a header, and arrays by name, that follow from the step's settings.

Steps whose numbers the browser works out by itself get only facts that are always the same. An action is what somebody asked for
beyond the settings, and a session's `state` keeps its results.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from adastride.lesson import Settings, Step
from adastride.lesson.axes import MEL_RANGE, SMOOTHNESS, pictures
from adastride.lesson.controls import LETTER_STEPS, SCORE_LIMIT
from adastride.lesson.costs import FRAMES_PER_SECOND, TAIL, measure_costs
from adastride.lesson.prose import EVENT
from adastride.lesson.tones import TONE_FRAMES, TONE_STRIDES, tone_gains, tone_layers
from adastride.lesson.training import BURST_LENGTH, CLASSES, HELD_OUT, MOST_STEPS, Training
from adastride.lesson.word import excerpt, signal, word, word_bars, word_levels

STEPS_A_RUN = 3  # of the optimiser: a run then takes about 40 ms, and a drag never waits long

Picture = tuple[dict, dict[str, np.ndarray]]


def picture(step: Step, settings: Settings, action: str = "", state: dict | None = None) -> Picture:
    """The header and arrays for a step's picture.

    action: what the buttons of the picture ask for, "" for nothing. state: what the session keeps between pictures.
    """
    return _PICTURES.get(step.key, _positions)(settings, action, {} if state is None else state)


def _positions(settings: Settings, action: str, state: dict) -> Picture:
    """The facts for steps whose numbers the browser works out by itself."""
    return {
        "limit": SCORE_LIMIT, "letterSteps": LETTER_STEPS, "energyBars": word_bars(), "levels": word_levels(), "scores": EVENT,
    }, {}


def _word(settings: Settings, action: str, state: dict) -> Picture:
    """Steps 1 and 5: the mel and the energy of a real word."""
    clip = word()
    high = float(clip.mel.max())
    low = high - MEL_RANGE
    levels = np.clip((clip.mel - low) * (255 / (high - low)), 0, 255).astype("u1")
    header = {
        "bands": clip.mel.shape[0], "part": clip.part, "framesPerSecond": clip.frames_per_second, "range": [low, high], "clip": excerpt(),
    }
    return header, {"mel": levels.T, "energy": clip.energy.astype("<f4")}


def _aliasing(settings: Settings, action: str, state: dict) -> Picture:
    """Step 2: what four methods do at every stride, so that the browser can put any tone through them."""
    methods = ["Every s-th frame", "Average pooling", "BlurPool", "Spectral pooling"]
    return {"methods": methods, "toneFrames": TONE_FRAMES}, _tone_layers()


@functools.cache
def _tone_layers() -> dict[str, np.ndarray]:
    """The arrays of every stride and method: times, gains, and the rows of its matrix.

    Rows are cut to windows of one width, which hold all of their weights.
    """
    arrays = {}
    for stride in TONE_STRIDES:
        for index, (method, (times, matrix)) in enumerate(tone_layers(stride).items()):
            used, frames = matrix != 0, matrix.shape[1]
            first = used.argmax(axis=1)
            width = int((frames - used[:, ::-1].argmax(axis=1) - first).max())
            first = np.minimum(first, frames - width)
            weights = np.take_along_axis(matrix, first[:, None] + np.arange(width), axis=1)
            parts = {"times": times, "first": first, "weights": weights, "gain": tone_gains(stride)[method]}
            arrays |= {f"{name}{stride}-{index}": array.astype("<f4") for name, array in parts.items()}
    return arrays


def _spectral(settings: Settings, action: str, state: dict) -> Picture:
    """Step 8: a signal to take the spectrum of, the energy of the word."""
    return {}, {"signal": signal().astype("<f4")}


def _cost(settings: Settings, action: str, state: dict) -> Picture:
    """Step 9: the times that were measured on this machine since somebody asked for it."""
    if action == "measure":
        state["timings"] = measure_costs(round(settings["channels"]), settings["stride"], settings["sigma"])
        state["measured"] = settings
    return {
        "timings": [asdict(timing) for timing in state.get("timings", ())],
        "measured": state.get("measured"),
        "tail": TAIL,
        "framesPerSecond": FRAMES_PER_SECOND,
    }, {}


def _learning(settings: Settings, action: str, state: dict) -> Picture:
    """Step 10: what the network does after its training so far. It is trained a little further only on request."""
    training, stride = state.get("training"), round(settings["stride"])
    if training is None or training.stride != stride or action == "reset":
        training = state["training"] = Training(stride)
    if action in ("train", "one"):
        training.advance(STEPS_A_RUN if action == "train" else 1)
    look = training.look()
    arrays = {
        "clip": look.pop("clip").astype("<f4"),
        "unit": look.pop("unit").astype("<f4"),
        "losses": np.array(training.losses, "<f4"),
        "ratios": np.array(training.ratios, "<f4"),
    }
    return {
        "look": {name: value for name, value in look.items() if math.isfinite(value)},
        "trained": len(training.losses),
        "most": MOST_STEPS,
        "burst": BURST_LENGTH,
        "classes": CLASSES,
        "clips": HELD_OUT,
        "sigma": training.network.downsample.sigma,
        "finished": training.finished,
    }, arrays


def _axes(settings: Settings, action: str, state: dict) -> Picture:
    """Step 11: the pictures that it makes smaller, row by row."""
    arrays = pictures()
    header = {
        "sizes": {name: each.shape for name, each in arrays.items()}, "smoothness": SMOOTHNESS, "levels": 255, "decibels": MEL_RANGE,
        "framesPerSecond": word().frames_per_second,
    }
    return header, dict(arrays)


_PICTURES: dict[str, Callable[[Settings, str, dict], Picture]] = {
    "why": _word,
    "pooling": _word,
    "aliasing": _aliasing,
    "spectral": _spectral,
    "cost": _cost,
    "learning": _learning,
    "axes": _axes,
}
