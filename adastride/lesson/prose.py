"""The lesson itself: its eleven steps, in the words that a person reads."""

from __future__ import annotations

from adastride.lesson.controls import FRAMES, Bars, Choice, Slider
from adastride.lesson.steps import Step, Term
from adastride.lesson.tones import TONE_STRIDES


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
    Step(
        "axes",
        "Two axes: pictures and spectrograms",
        "A picture has a height and a width, a spectrogram bands and frames, and each axis has a stride of its own. "
        "AdaStride goes along the height, then along the width: the brighter a row or a column is on average, the more pixels it gets. "
        "DiffStride takes both axes at once, and its strides are the edges of a box in the spectrum.",
        (
            r"h \times w \approx «height» \times «width»",
            r"y_{kl} = \sum_{i,j} «outer»\, x_{ij}",
            r"\tilde{y} = \mathcal{F}^{-1}\!\left(\operatorname{crop}\left(«box» \odot \mathcal{F}x\right)\right)",
        ),
        {
            "outer": Term(r"a_{ki}\, b_{lj}", "One weight for the row times one for the column: no pixel has a weight of its own."),
            "height": Term(r"\frac{H}{s_h}", "The height’s stride: how many rows become one. The width need not follow."),
            "width": Term(r"\frac{W}{s_w}", "The width’s stride: how many columns become one. The height need not follow."),
            "box": Term(r"m^h \otimes m^w", "DiffStride’s box: the product of two masks, with an edge for each axis."),
        },
        (
            Choice("picture", "Picture", {"face": "a face", "two": "two", "word": "a word"}, "face", "outer"),
            Choice("method", "By", {"avg-pool": "averages", "adastride": "AdaStride", "diffstride": "DiffStride"}, "adastride", "box"),
            Slider("height", "Stride, height", 1.0, 8.0, 4.0, 0.05, "height", "rows to one"),
            Slider("width", "Stride, width", 1.0, 8.0, 3.0, 0.05, "width", "columns to one"),
            Slider("contrast", "Score: brightness ×", 0.0, 16.0, 6.0, 0.1, "outer"),
            Slider("sigma", "σ", 0.05, 20.0, 0.447, 0.02, "outer", "output pixels", log=True),
        ),
        "Choose “two”. Where does AdaStride spend pixels though there is no face, and could it do otherwise?",
        "Where the rows of one face cross the columns of the other. Each axis has one number for a row or a column, so pixels go to rows and "
        "columns with something in them, never to one thing alone. The AdaStride paper suspects that this is why it gains less on pictures: "
        "on CIFAR-10 it does better than a strided convolution and spectral pooling, but not than DiffStride (appendix I, table 13).",
    ),
)
NUMBER = {step.key: number for number, step in enumerate(STEPS, 1)}
