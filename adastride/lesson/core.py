"""The Learn page's lesson as data, and what its steps compute that the layers do not: tones, costs, a small network.

A `Step` holds its words, its formula with named terms, a question, and the controls of its picture. Pages show it,
links and components read and check its settings, tests go through all of it.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import audio, letters
from adastride.alignment import Alignment, output_lengths, unit_positions
from adastride.audio import PRESETS
from adastride.downsampling import METHODS, AdaStride
from adastride.inspection import analysis
from adastride.samples import samples

FRAMES = 24  # whose displacements a person drags
SCORE_LIMIT = 3.0  # a displacement goes from exp(-3) to exp(3)
TONE_STRIDES = range(2, 7)  # of step 2
_LETTER_STEPS = 60  # between the lowest and the highest bar, so that tenths are met exactly

Value = float | str | tuple[float, ...]
Settings = dict[str, Value]


# ------------------------------------------------------------------ controls


@dataclass(frozen=True)
class Slider:
    """A number. unit: what stands behind it. step: of its arrow keys, in log10 where `log`. term: what it moves in the formula.

    whole: only whole numbers.
    """

    name: str
    label: str
    low: float
    high: float
    usual: float
    step: float
    term: str
    unit: str = ""
    log: bool = False
    whole: bool = False

    def read(self, text: str) -> float:
        """The number a link's text means; ValueError, in a few words, for anything else."""
        try:
            return self.check(float(text))
        except ValueError:
            raise ValueError(f"a number from {self.low:g} to {self.high:g}") from None

    def check(self, value: object) -> float:
        """A browser's value as a float in range; ValueError or TypeError for anything else."""
        value = float(value)
        if not self.low <= value <= self.high:
            raise ValueError(f"expected {self.low:g} to {self.high:g}, got {value:g}")
        return float(round(value)) if self.whole else value


@dataclass(frozen=True)
class Choice:
    """One of a few. options: what each is called, by its name in links."""

    name: str
    label: str
    options: Mapping[str, str]
    usual: str
    term: str

    def read(self, text: str) -> str:
        return self.check(text)

    def check(self, value: object) -> str:
        """The value itself; ValueError, in a few words, if it is no option."""
        if value not in self.options:
            raise ValueError(" or ".join(self.options))
        return str(value)


@dataclass(frozen=True)
class Bars:
    """A score w.x_t for each of `FRAMES` frames; in links a letter each, to the nearest tenth."""

    name: str
    label: str
    usual: tuple[float, ...]
    term: str

    def read(self, text: str) -> tuple[float, ...]:
        try:
            return self.check(letters.decode(text, -SCORE_LIMIT, SCORE_LIMIT, _LETTER_STEPS))
        except ValueError:
            raise ValueError(f"{FRAMES} letters") from None

    def check(self, value: object) -> tuple[float, ...]:
        """A browser's list as a tuple of floats; ValueError or TypeError for anything but `FRAMES` numbers in range."""
        scores = tuple(float(each) for each in value)
        if len(scores) != FRAMES or not all(abs(score) <= SCORE_LIMIT + 1e-9 for score in scores):
            raise ValueError(f"expected {FRAMES} numbers")
        return scores


Control = Slider | Choice | Bars


# ------------------------------------------------------------------ steps


@dataclass(frozen=True)
class Term:
    """A part of a formula. latex: as it is written. meaning: a short sentence for when it is in play."""

    latex: str
    meaning: str


@dataclass(frozen=True)
class Step:
    """One step of the lesson. formula: LaTeX lines with «name» where a term goes; the first term is in play at the start.

    live: its picture needs the server for every change.
    """

    key: str
    title: str
    prose: str
    formula: tuple[str, ...]
    terms: Mapping[str, Term]
    controls: tuple[Control, ...]
    question: str
    answer: str
    live: bool = False

    @property
    def usual(self) -> Settings:
        """What the step opens with."""
        return {control.name: control.usual for control in self.controls}

    def check(self, settings: Mapping[str, object]) -> Settings:
        """A browser's settings; KeyError, TypeError or ValueError where one is missing or can't be."""
        return {control.name: control.check(settings[control.name]) for control in self.controls}

    def latex(self, in_play: str, colour: str) -> str:
        """The formula, the term `in_play` in a colour and underlined (an unknown one: the first).

        >>> STEPS[0].latex("stride", "#B86B00").count("textcolor")
        1
        """
        in_play = in_play if in_play in self.terms else next(iter(self.terms))
        text = r" \\[0.7em] ".join(self.formula)
        for name, term in self.terms.items():
            shown = rf"\textcolor{{{colour}}}{{\underline{{{term.latex}}}}}" if name == in_play else term.latex
            text = text.replace(f"«{name}»", f"{{{shown}}}")
        return rf"\begin{{gathered}} {text} \end{{gathered}}"


def _stride(term: str = "stride", usual: float = 2.0) -> Slider:
    return Slider("stride", "Stride s", 1.0, 8.0, usual, 0.05, term, "input frames per output frame")


def _sigma(usual: float = 0.447) -> Slider:
    return Slider("sigma", "σ", 0.05, 20.0, usual, 0.02, "sigma", "output frames", log=True)


# A quiet beginning, an event in the middle, a quiet end.
EVENT = (-1.0, -1.2, -0.9, -1.1, -0.8, -1.0, -0.4, 0.4, 1.1, 1.5, 1.7, 1.4, 1.2, 0.7, 0.2, -0.4, -0.8, -1.0, -0.9, -1.2, -1.0, -0.8, -1.1, -0.9)
JUMP = (*(-0.5,) * 11, 2.0, *(-0.5,) * 12)

STEPS: tuple[Step, ...] = (
    Step(
        "why",
        "Why make a sequence shorter?",
        "A network that hears 62 frames a second must do everything 62 times a second, so it throws frames away as it goes up. "
        "A uniform stride keeps as many of them in silence as in the word. "
        "An adaptive one has the same number to spend and spends it on the word.",
        (r"«L» = \left\lceil \frac{«T»}{«stride»} \right\rceil",),
        {
            "stride": Term("s", "s, the stride: how many input frames become one, on average."),
            "L": Term("L", "L, the output frames there are to spend, wherever they go."),
            "T": Term("T", "T, the input frames of the clip."),
        },
        (_stride(usual=8.0), Choice("spend", "Spend them", {"uniform": "uniformly", "adaptive": "by energy"}, "uniform", "L")),
        "At stride 8, how much of what a uniform stride keeps is silence? Look, then choose “by energy”.",
        "As much as there is silence in the clip: a uniform stride does not listen. Most of its output frames describe nothing, "
        "and the word, all that matters, gets the few that happen to fall on it.",
    ),
    Step(
        "aliasing",
        "What gets in the way: aliasing",
        "Keep every $s$-th frame and fast changes come back as slow ones that were never there. "
        "Sweep a tone past the new limit and see: taking frames as they are keeps the impostor at full strength, "
        "averaging and BlurPool weaken it, spectral pooling removes it.",
        (r"f_{\text{out}} = \left|\, «frequency» - \operatorname{round}(f s) \right|", r"\text{safe where } «stride»"),
        {
            "frequency": Term("f s", "f s, the tone in cycles per output frame: beyond 1/2 it comes back folded."),
            "stride": Term(r"f \le \frac{1}{2s}", "1/(2s), the new Nyquist limit in cycles per input frame."),
        },
        (
            Slider("frequency", "Tone f", 0.0, 0.5, 0.2, 0.005, "frequency", "cycles per input frame"),
            Slider("stride", "Stride s", TONE_STRIDES[0], TONE_STRIDES[-1], 4, 1, "stride", "input frames per output frame", whole=True),
        ),
        "At stride 4, which tone above the limit seems to stand still?",
        "$f = 0.25$: one cycle in every 4 frames. Every kept frame meets it at the same point, so $f s = 1$ and $f_\\text{out} = 0$: it looks constant. "
        "Averaging 4 frames takes a whole cycle each time, and leaves nothing.",
    ),
    Step(
        "positions",
        "Vector positioning",
        "Every frame says how far the next one should be: a score, made positive by $\\exp$. "
        "Added up, these displacements are positions, and stretched, they go from $0$ to $L - 1$. "
        "Drag the bars: frames move closer or apart, but none ever overtakes another.",
        (r"«dp» = \exp(w \cdot x_t)", r"«sum» = \sum_{n=0}^{t} \Delta p_n", r"p^*_t = \frac{«norm»}{p_{T-1} - p_0}\,«stride»"),
        {
            "dp": Term(r"\Delta p_t", "Δp, the displacement: exp makes it positive, so positions only ever rise."),
            "sum": Term("p_t", "p, the running sum of the displacements."),
            "norm": Term("p_t - p_0", "Counted from the first frame and divided by the whole way: from 0 to 1."),
            "stride": Term("(L - 1)", "L − 1, the last output frame: the whole line, whatever the scores."),
        },
        (Bars("bars", "Scores", EVENT, "dp"), _stride("stride")),
        "Raise all bars by the same amount. What happens to the positions, and why does $w$ need no bias?",
        "Nothing. A constant multiplies all displacements alike, and dividing by the whole way removes it again. "
        "A bias would be such a constant: it cancels.",
    ),
    Step(
        "softmax",
        "From distances to weights",
        "Output frame $i$ sits at $i$; every input frame’s squared distance to it, times $-\\sigma^{-2}$, goes through a softmax: a row of $A$. "
        "Row by row the weights sum to 1. Hover a cell to see its numbers in the formula.",
        (
            r"a_{ij} = \frac{\exp\left(-«sigma»\,«distance»\right)}{«sum»}",
        ),
        {
            "distance": Term(r"(p^*_j - i)^2", "The squared distance of frame j from output frame i."),
            "sigma": Term(r"\sigma^{-2}", "σ⁻²: large, and only the nearest frame counts; small, and all do."),
            "sum": Term(r"\sum_{n} \exp\left(-\sigma^{-2}(p^*_n - i)^2\right)", "The row’s total, which makes its weights sum to 1."),
        },
        (
            Choice("stage", "Show", {"distance": "distance²", "exp": "exp", "softmax": "softmax"}, "softmax", "distance"),
            _sigma(),
            _stride("distance"),
        ),
        "Draw $\\sigma$ towards 20. What does every row become?",
        "The same: with $\\sigma$ far larger than the line, all distances look alike, and every output frame is the mean of all input frames. "
        "Drawn the other way, each row is one frame, and AdaStride is subsampling with adaptive strides.",
    ),
    Step(
        "pooling",
        "Y = A X, on a real word",
        "$X$ is the log-mel of a spoken “seven”, $A$ places its frames by their energy, and every column of $Y$ is a weighted mean of columns of $X$. "
        "Where $A$ is steep, few input frames share an output frame. Hover $Y$ to see what it is made of.",
        (r"«Y» = «A»\,«X»", r"y_i = \sum_{j} «sigma»\, x_j"),
        {
            "A": Term("A", "A, the alignment: one row for each output frame."),
            "X": Term("X", "X, the input: one column for each mel frame."),
            "Y": Term("Y", "Y, the output: shorter, and not evenly so."),
            "sigma": Term("a_{ij}", "The weight of input frame j in output frame i."),
        },
        (
            Slider("contrast", "Score: energy ×", 0.0, 4.0, 2.0, 0.05, "A"),
            _stride("Y", 3.0),
            _sigma(),
        ),
        "Set the energy’s weight to 0. What has AdaStride become?",
        "A uniform stride with a Gaussian window: all displacements are equal, so positions lie evenly. "
        "That is how a layer starts training, because $w$ starts at 0.",
    ),
    Step(
        "loss",
        "Position loss: no upsampling",
        "Nothing stops two neighbours from landing more than one output frame apart. "
        "Then some output frame in between has no frame of its own and repeats what others have: upsampling, paid for with frames missing elsewhere. "
        "The position loss punishes every jump beyond 1.",
        (r"\mathcal{L}_{\text{pos}} = «mean» \sum_{t=0}^{T-2} e_t", r"e_t = «excess»"),
        {
            "excess": Term(r"\max\left(p^*_{t+1} - p^*_t - 1,\, 0\right)", "What a jump has beyond one output frame."),
            "mean": Term(r"\frac{1}{T-1}", "The mean over all T − 1 steps."),
        },
        (Bars("bars", "Scores", JUMP, "excess"), _stride("mean")),
        "At stride 1 ($L = T$), how may the bars lie so that the loss is 0?",
        "Only all alike: $T - 1$ steps must cover $T - 1$ output frames, so if one is larger than 1, another is smaller. "
        "The larger the stride, the more room there is to adapt without a loss.",
    ),
    Step(
        "scatter",
        "AdaStride-F: one index a frame",
        "AdaStride-F lets a frame count for its nearest output frame alone. "
        "$A$ then has one entry in a column, so no matrix is needed: `scatter_add` adds $w_n x_n$ in the right place, frame by frame. "
        "An output frame that no frame is nearest to stays zero.",
        (r"C_i = \left\{\, t : «nearest» = i \,\right\}", r"y_i = \sum_{n \in C_i} «sigma»\, «x»"),
        {
            "nearest": Term(r"\operatorname{round}(p^*_t)", "The nearest output frame; halves go to the even one."),
            "sigma": Term("w_n", "The frame’s softmax weight among those of its output frame."),
            "x": Term("x_n", "What is added: scatter_add goes through the frames once."),
        },
        (
            Bars("bars", "Scores", EVENT, "nearest"),
            Slider("added", "Frames added", 0, FRAMES, FRAMES, 1, "x", f"of {FRAMES}", whole=True),
            _stride("nearest"),
            _sigma(),
        ),
        "Make one bar very large. Why do empty output frames appear, and what would AdaStride have there?",
        "Nobody rounds to the indices that are jumped over, so nothing is added and they stay 0. "
        "AdaStride’s softmax has no such gap: it takes the nearest frames, however far they are, and repeats them.",
    ),
    Step(
        "spectral",
        "DiffStride: a stride in the spectrum",
        "DiffStride keeps the low frequencies of the whole signal, through a soft mask that falls to 0 over $R$ bins, and transforms back what is left. "
        "The slope is why $s$ can be learned: it has a gradient, the cut has none. "
        "It is also why more than $T/s$ frames come out.",
        (
            r"m_n = \min\left(\max\left(r_n,\, 0\right),\, 1\right)",
            r"r_n = \frac{1}{«R»}\left(R + «stride» + 1 - n\right)",
            r"\frac{\partial m_n}{\partial s} = «gradient» \;\text{ if } 0 \le r_n \le 1",
        ),
        {
            "stride": Term(r"\frac{T}{\kappa s}", "Where the mask begins to fall; κ is 2 for Fourier’s bins (DiffStride), 1 for cosines (DCT-DiffStride)."),
            "R": Term("R", "R, the smoothness: so many bins the mask takes to fall."),
            "gradient": Term(r"-\frac{T}{\kappa s^2 R}", "The mask’s slope against s: only bins on the slope have one."),
        },
        (
            Choice("kind", "Method", {"diffstride": "DiffStride", "dct-diffstride": "DCT-DiffStride"}, "diffstride", "stride"),
            Slider("stride", "Stride s", 1.0, 8.0, 3.0, 0.05, "stride", "input frames per output frame"),
            Slider("smoothness", "Smoothness R", 0.5, 16.0, 4.0, 0.5, "R", "bins"),
        ),
        "What happens to the output length and to the gradient as $R$ goes towards 0?",
        "The length goes to about $T/s$, spectral pooling’s, and the gradient vanishes: no bin lies on the slope any more, so nothing tells $s$ where to go. "
        "$R = 4$ buys the gradient with a few frames.",
    ),
    Step(
        "cost",
        "Cost: O(T²) or O(T)",
        "$A$ has $L$ rows of $T$ numbers, and $L$ grows with $T$: written out, a sound twice as long costs four times as much. "
        "But positions are sorted, so only a short window of a row matters: this app multiplies windows, and AdaStride-F has one entry a frame.",
        (
            r"\text{all of } A:\; «dense» = \tfrac{1}{s}\,T^2 D",
            r"\text{windows}:\; L \cdot «sigma» \cdot D",
            r"\text{AdaStride-F}:\; «linear»",
        ),
        {
            "dense": Term(r"L \cdot T \cdot D", "Every output frame times every input frame times every channel."),
            "sigma": Term(r"2 \sigma s \sqrt{18 + \ln T}", "The frames of a window: those whose weight is above e⁻¹⁸ of the largest, over T."),
            "linear": Term(r"T \cdot D", "One multiplication for each frame and channel."),
        },
        (
            Slider("frames", "Frames T", 100, 1_000_000, 3750, 0.02, "dense", "frames", log=True, whole=True),
            Slider("channels", "Channels D", 8, 512, 64, 0.02, "linear", "channels", log=True, whole=True),
            _stride("dense"),
            _sigma(),
        ),
        "How long is a sound whose matrix alone would fill 1 GB at stride 2? (4 bytes a number, 62.5 frames a second)",
        "$4 \\cdot T^2/2 = 10^9$ bytes gives $T \\approx 22\\,400$ frames: six minutes. And that is one layer and one example.",
    ),
    Step(
        "learning",
        "A small network learns where to look",
        "Each clip is silence with one burst of 12 frames, and the burst’s pattern is the class. "
        "A network with one AdaStride starts with uniform strides and is trained here, as you watch. "
        "Nobody tells it where the burst is: the gradient does.",
        (r"\ell = «task» + «pos»", r"«weight» \leftarrow w - \eta\,\frac{\partial \ell}{\partial w}"),
        {
            "weight": Term("w", "w, the scores’ weights: 0 at the start, so that strides are uniform."),
            "task": Term(r"\mathcal{L}_{\text{class}}", "How wrong the class is, as cross-entropy."),
            "pos": Term(r"\mathcal{L}_{\text{pos}}", "The position loss of step 6: no upsampling."),
        },
        (Slider("stride", "Stride s", 4, 12, 8, 1, "weight", "input frames per output frame", whole=True),),
        "The strides in the burst become smaller than 8. Which ones become larger, and why must they?",
        "Those in silence. The output has $\\lceil 96/s \\rceil$ frames whatever $w$ is: what the burst gets, silence gives. "
        "Silence can give it: there is nothing in it that tells the classes apart.",
        live=True,
    ),
)
NUMBER = {step.key: number for number, step in enumerate(STEPS, 1)}


# ------------------------------------------------------------------ a real word (steps 1 and 5)


@dataclass(frozen=True)
class Word:
    """A bundled clip of one word in silence, as the lesson shows it.

    mel: (n_mels, T) in dB. energy: (T,) scores from 0 to 1, the mean level of a frame. part: frames from and to around the
    word. frames_per_second: of the mel.
    """

    mel: np.ndarray
    energy: np.ndarray
    part: tuple[int, int]
    frames_per_second: float


@functools.cache
def word() -> Word:
    """The clip of steps 1 and 5. The word is where the smoothed energy lies above the middle of its range."""
    clip = audio.read(samples()["seven"].path)
    mel = audio.log_mel(torch.from_numpy(clip.samples.copy()), PRESETS["classification"])
    level = np.log(analysis.frame_energy(mel[None], logarithmic=True)[0].double().numpy() + 1e-10)
    energy = (level - level.min()) / np.ptp(level)
    smooth = np.convolve(energy, np.ones(5) / 5, "same")
    loud = np.flatnonzero(smooth > 0.5)
    decibels = mel.numpy() * (20 / math.log(10))
    return Word(decibels, energy, (int(loud[0]), int(loud[-1]) + 1), mel.shape[1] / clip.seconds)


@functools.cache
def word_bars() -> tuple[float, ...]:
    """The energy of `FRAMES` stretches around the word, as scores of bars from -1.5 to 1.5."""
    seen = word()
    begin, end = seen.part
    margin = (end - begin) // 2
    pieces = np.array_split(seen.energy[max(0, begin - margin) : end + margin], FRAMES)
    return tuple(round(float(piece.mean()) * 3 - 1.5, 1) for piece in pieces)


# ------------------------------------------------------------------ tones (step 2)

TONE_FRAMES = 96
TONE_METHODS = ("every-s-th", "avg-pool", "blur-pool", "spectral-pool")
GAIN_POINTS = 101  # frequencies from 0 to 1/2


@functools.cache
def tone_layers(stride: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What the four methods of step 2 do: they are linear, so a matrix says all of it.

    stride: whole input frames per output frame, one of `TONE_STRIDES`.
    Returns, for each of `TONE_METHODS`, the times (L,) in input frames that its output frames stand for, and the matrix
    (L, TONE_FRAMES) that takes a signal to its output: what the layer makes of one frame is a column.

    >>> times, matrix = tone_layers(4)["avg-pool"]
    >>> matrix[1, 3:9].tolist()
    [0.0, 0.25, 0.25, 0.25, 0.25, 0.0]
    >>> float(times[1])
    5.5
    """
    frames = torch.eye(TONE_FRAMES)
    found = {"every-s-th": (np.arange(0.0, TONE_FRAMES, stride), frames[::stride].numpy())}
    for key in TONE_METHODS[1:]:
        with torch.no_grad():
            matrix = METHODS[key].build(1, stride=stride)(frames[:, None]).values[:, 0].T
        times = np.arange(len(matrix)) * (TONE_FRAMES / len(matrix) if key == "spectral-pool" else stride)
        if key == "avg-pool":  # the middles of its windows, the last of which may be cut
            times = (times + np.minimum(times + stride, TONE_FRAMES) - 1) / 2
        found[key] = (times, matrix.numpy())
    return found


def tone(frequency: float | np.ndarray, phase: float = 1.0) -> np.ndarray:
    """Cosines: (TONE_FRAMES,) of a frequency in cycles per frame, (n, TONE_FRAMES) of n of them as (n, 1).

    phase: in radians; the usual one keeps a tone at the limit from falling between the kept frames.

    >>> bool(np.ptp(tone_layers(4)["every-s-th"][1] @ tone(0.25)) < 1e-12)  # one cycle in every 4 frames looks constant
    True
    """
    return np.cos(2 * np.pi * frequency * (np.arange(TONE_FRAMES) - TONE_FRAMES / 2) + phase)


@functools.cache
def tone_gains(stride: int) -> dict[str, np.ndarray]:
    """What each method leaves of a tone, RMS out over RMS in, at `GAIN_POINTS` frequencies from 0 to 1/2: (GAIN_POINTS,) each.

    The ends of the signal, where a method meets its border, are left out.
    """
    frequencies, border = np.linspace(0, 0.5, GAIN_POINTS)[:, None], max(1, 8 // stride)
    # A cosine and a sine: the squares of what becomes of them add up to the envelope's, whatever the phase.
    cosine, sine = tone(frequencies, 0.0), tone(frequencies, -np.pi / 2)
    powers = {key: (cosine @ matrix.T) ** 2 + (sine @ matrix.T) ** 2 for key, (_, matrix) in tone_layers(stride).items()}
    return {key: np.sqrt(power[:, border:-border].mean(axis=1)) for key, power in powers.items()}


# ------------------------------------------------------------------ costs (step 9)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of Y = A X at T frames: with the whole matrix, with windows, with AdaStride-F."""

    frames: int
    dense: float
    windows: float
    nearest: float


def measure_costs(channels: int, stride: float, sigma: float, frames: tuple[int, ...] = (250, 500, 1000, 2000)) -> tuple[Timing, ...]:
    """Times the products on this machine, the best of three each, on random positions.

    channels: D, at least 1. stride: at least 1. sigma: in output frames. Takes less than a second for 64 channels.
    """
    generator = torch.Generator().manual_seed(0)
    found = []
    for time_steps in frames:
        x, lengths = torch.randn(1, channels, time_steps, generator=generator), torch.tensor([time_steps])
        unit = unit_positions(torch.randn(1, time_steps, generator=generator), lengths)

        def alignment(nearest: bool, unit: Tensor = unit, lengths: Tensor = lengths) -> Alignment:
            return Alignment(unit, lengths, output_lengths(lengths, stride), sigma, nearest)

        found.append(
            Timing(
                time_steps,
                _milliseconds(lambda x=x, alignment=alignment: x @ alignment(False).dense().transpose(1, 2)),
                _milliseconds(lambda x=x, alignment=alignment: alignment(False).pool(x)),
                _milliseconds(lambda x=x, alignment=alignment: alignment(True).pool(x)),
            )
        )
    return tuple(found)


def _milliseconds(work) -> float:
    best = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begin)
    return 1000 * best


# ------------------------------------------------------------------ a small network (step 10)

BURST_TIME, BURST_LENGTH, MOST_STEPS = 96, 12, 240
_BATCH, _RATE = 32, 0.01
_PATTERNS = torch.tensor([
    [1.0, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1],
    [1, 1, 1, -1, -1, -1, 1, 1, 1, -1, -1, -1],
    [1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1],
    [1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1],
])
CLASSES = len(_PATTERNS)


def bursts(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Clips of the toy task: silence with faint noise and one burst whose pattern is the class.

    Returns the clips (count, 3, BURST_TIME), channels pattern, pattern one frame later, loudness; the classes (count,);
    and where each burst begins (count,).
    """
    begin = torch.randint(4, BURST_TIME - BURST_LENGTH - 4, (count,), generator=generator)
    label = torch.randint(0, CLASSES, (count,), generator=generator)
    clips = 0.15 * torch.randn(count, 3, BURST_TIME, generator=generator)
    inside = begin[:, None] + torch.arange(BURST_LENGTH)
    pattern = _PATTERNS[label]
    shapes = torch.stack([pattern, pattern.roll(1, dims=1), torch.ones_like(pattern)], dim=1)
    return clips.scatter_add(2, inside[:, None].expand(-1, 3, -1), shapes), label, begin


class BurstNetwork(nn.Module):
    """A convolution that looks at single frames, AdaStride, a convolution, the mean over time, and a score for each class."""

    def __init__(self, stride: float):
        super().__init__()
        self.embed = nn.Conv1d(3, 12, kernel_size=1)
        self.downsample = AdaStride(12, stride=stride)
        self.convolve = nn.Conv1d(12, 24, kernel_size=3, padding=1)
        self.classify = nn.Linear(24, CLASSES)

    def forward(self, clips: Tensor):
        """(batch, 3, time) clips -> class scores (batch, CLASSES) and what AdaStride returned."""
        shorter = self.downsample(F.relu(self.embed(clips)))
        return self.classify(F.relu(self.convolve(shorter.values)).mean(dim=2)), shorter


@dataclass
class Training:
    """One person's network in training: it lives in their session and is shared with nobody.

    stride: input frames per output frame. seed: of weights and clips; two of the same are trained alike. losses and ratios
    grow by one with every step; ratios are mean strides outside of the bursts over inside.
    """

    stride: float
    seed: int = 0
    losses: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def __post_init__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = BurstNetwork(self.stride)
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=_RATE)
        self._generator = torch.Generator().manual_seed(self.seed)
        self._held_out = bursts(64, torch.Generator().manual_seed(99))

    @property
    def finished(self) -> bool:
        return len(self.losses) >= MOST_STEPS

    def advance(self, steps: int) -> None:
        """A few steps of the optimiser, up to `MOST_STEPS` in all."""
        for _ in range(min(steps, MOST_STEPS - len(self.losses))):
            clips, labels, begin = bursts(_BATCH, self._generator)
            scores, shorter = self.network(clips)
            loss = F.cross_entropy(scores, labels) + shorter.position_loss
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self.losses.append(float(loss.detach()))
            self.ratios.append(stride_ratio(shorter.alignment, begin))

    @torch.no_grad()
    def look(self) -> dict:
        """What is shown: of the first clip held out its channels (3, time), where its burst begins, its positions (time,) from
        0 to 1 and whether its class was found; of all 64 the accuracy and the ratio of strides."""
        clips, labels, begin = self._held_out
        scores, shorter = self.network(clips)
        found = scores.argmax(dim=1) == labels
        return {
            "clip": clips[0].numpy(),
            "begin": int(begin[0]),
            "unit": shorter.alignment.unit_positions[0].numpy(),
            "label": int(labels[0]),
            "guess": int(scores[0].argmax()),
            "accuracy": float(found.float().mean()),
            "ratio": stride_ratio(shorter.alignment, begin),
            "position_loss": float(shorter.position_loss),
        }


def stride_ratio(alignment: Alignment, begin: Tensor) -> float:
    """Mean stride in silence over the mean stride in the burst, over a batch: 1 where strides are uniform.

    begin: (batch,) first frame of each burst. Both strides are frames over the output frames they cover, summed over the batch.
    """
    positions = alignment.positions.detach()
    first, last = (positions.gather(1, (begin + offset)[:, None])[:, 0] for offset in (0, BURST_LENGTH - 1))
    inside = float((last - first).mean())
    outside = float(positions[:, -1].mean()) - inside
    return ((BURST_TIME - BURST_LENGTH) / max(outside, 1e-6)) / ((BURST_LENGTH - 1) / max(inside, 1e-6))
