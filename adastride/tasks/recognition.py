"""Speech recognition: a network writes what was said, one token after the other, by connectionist temporal classification (CTC).

CTC (Graves et al., 2006) lets a network say one token or a blank at every output frame; repeated tokens count once unless a blank
stands between them. So a clip needs at least as many output frames as its text has tokens, and one more for each token that follows
an equal one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.clips import Clip, DataError
from adastride.models.network import Output
from adastride.models.recogniser import Recogniser, RecogniserConfig, recogniser_options
from adastride.tasks.classification import percent
from adastride.tasks.prediction import Prediction, SegmentLane
from adastride.tasks.task import Batch, Breakdown, Metric, Task, stack_mels
from adastride.tasks.transcript import BLANK, Transcript, greedy
from adastride.text import TextError, Vocabulary, compare, learned_tokens

MOST_TOKENS = 2000  # of a network of somebody's own that a page shows
_USUAL_UNITS = "characters"
NOTHING = "nothing"  # what a network that writes no token has heard


def ctc_losses(output: Output, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """The negative log-likelihood of each example's text in nats: (batch,), infinite where it has too few output frames.

    targets: (batch, most tokens) classes, so token n is n + 1. target_lengths: (batch,).
    """
    log_probabilities = F.log_softmax(output.head.float(), dim=2).transpose(0, 1)
    lengths = output.downsampled[-1].lengths.to(targets.device)
    inside = torch.arange(1, targets.shape[1], device=targets.device) < target_lengths[:, None]
    needed = target_lengths + ((targets[:, 1:] == targets[:, :-1]) & inside).sum(dim=1)
    # The gradient of an infinite loss is no number, and zero times that is none either, so it is cut off before it is made.
    losses = F.ctc_loss(log_probabilities, targets, lengths, target_lengths, blank=BLANK, reduction="none", zero_infinity=True)
    return losses.masked_fill(lengths < needed, math.inf)


class Recognition(Task[Recogniser, RecogniserConfig]):
    """The task of recognisers.

    vocabulary: what the network writes, which gives the error rate its name; None where no network is meant in particular.
    """

    name = "recognition"
    mask_value = -5.0  # as loud as the middle of a log-mel
    texts = True

    def __init__(self, vocabulary: Vocabulary | None = None):
        label, unit = (vocabulary.error_label, vocabulary.unit_name) if vocabulary else ("Error rate", "words, characters or phonemes")
        self.vocabulary = vocabulary
        self.metrics = (
            Metric("error_rate", label, "%", 100.0, higher_is_better=False, per=unit),
            Metric("loss", "CTC loss", "nats per token", higher_is_better=False, digits=3, per="tokens"),
            Metric("unreadable", "Clips with too few output frames", "%", 100.0, higher_is_better=False, proportion=True),
        )

    def of(self, config: RecogniserConfig) -> Recognition:
        return _recognition(config.units, config.tokens)

    def predict(self, network: Recogniser, output: Output, edges: Callable[[], np.ndarray]) -> Prediction:
        """What the network heard, each token a segment over the output frames at which the network decides for it."""
        log_probabilities = torch.log_softmax(output.head[0].float(), dim=1).cpu()
        transcript = Transcript(network.config.vocabulary, tuple(greedy(log_probabilities)), log_probabilities.numpy(), edges())
        tokens, text, segments = transcript.tokens, transcript.text, transcript.segments()
        names = [transcript.vocabulary.tokens[token.index] for token in tokens]
        sure = float(np.mean([token.probability for token in tokens])) if tokens else 0.0
        return Prediction(
            bars_title="What the network heard", headline=text or NOTHING, detail=f"{percent(sure)} sure on average" if tokens else "no word in this clip",
            lanes=(SegmentLane(transcript.vocabulary.unit_name.capitalize(), segments, strength="probability"),),
            arrays={
                "text": np.array(text), "tokens": np.array(names, dtype=np.str_), "vocabulary": np.array(["", *transcript.vocabulary.tokens]),
                "token_frames": np.array([(token.first, token.last) for token in tokens], np.int64).reshape(-1, 2),
                "token_seconds": np.array([(segment.start, segment.end) for segment in segments]).reshape(-1, 2),
                "token_probabilities": np.array([token.probability for token in tokens]), "log_probabilities": transcript.log_probabilities,
            },
            transcript=transcript,
        )

    def describe(self, config: RecogniserConfig) -> str:
        return f"{len(config.tokens)} {config.units}"

    def check_config(self, config: RecogniserConfig) -> None:
        if len(config.tokens) > MOST_TOKENS:
            raise ValueError(f"has {len(config.tokens)} tokens, more than the {MOST_TOKENS} that a page shows")

    def network_fields(self, method: str) -> dict[str, Any]:
        return recogniser_options(method)

    def learned_fields(self, train: Sequence[Clip], valid: Sequence[Clip], options: Mapping[str, Any]) -> dict[str, Any]:
        """The tokens of the training texts, for the units that the options name. Raises DataError for clips without texts."""
        units, texts = options.get("units", _USUAL_UNITS), [clip.text for clip in train]
        if not any(texts):
            raise DataError("no training clip has a text: the manifest needs a column text with what is said.")
        try:
            return {"units": units, "tokens": options.get("tokens") or learned_tokens(units, texts)}
        except TextError as error:
            raise DataError(str(error)) from None

    def targets(self, network: Recogniser, clips: Sequence[Clip]) -> list[list[int]]:
        """The tokens of each clip's text. Raises DataError for a text that the network can't write."""
        vocabulary, answers = network.config.vocabulary, []
        if clips and not any(clip.text for clip in clips):
            raise DataError("no clip has a text: the manifest needs a column text with what is said.")
        for clip in clips:
            try:
                answers.append(vocabulary.encode(clip.text))
            except TextError as error:
                raise DataError(f"the text of {clip.path} does not fit {network.name}: {error}") from None
        return answers

    def joined(self, targets: Sequence[list[int]]) -> list[int]:
        """The tokens of several clips, one after the other; a blank stands between words of characters."""
        blank = [self.vocabulary.tokens.index(" ")] if self.vocabulary and " " in self.vocabulary.tokens else []
        return functools.reduce(lambda one, other: [*one, *(blank if one and other else []), *other], targets, [])

    def batch(self, network: Recogniser, sounds: Sequence[np.ndarray], targets: Sequence[list[int]]) -> Batch:
        signal, lengths = stack_mels(sounds, network.config.mel)
        counts = torch.tensor([len(target) for target in targets])
        classes = torch.zeros(len(targets), max(1, int(counts.max())), dtype=torch.int64)
        for row, target in enumerate(targets):
            classes[row, : len(target)] = torch.tensor(target, dtype=torch.int64) + 1
        return Batch(signal, lengths, (classes, counts))

    def loss(self, output: Output, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
        """CTC's loss in nats for each token, a mean over the clips that have enough output frames. Labels are not smoothed."""
        losses, counts = ctc_losses(output, *batch.targets), batch.targets[1].clamp(min=1)
        readable = ~losses.detach().isposinf()  # what is no number stays in the loss, so that a run that diverges is noticed
        shares = torch.where(readable, losses, 0.0) / counts
        return shares.sum() / readable.sum().clamp(min=1)

    def measure(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Errors and tokens are counts, whose sums give rates; a clip with too few output frames has no loss and is counted instead."""
        assert self.vocabulary is not None
        classes, counts = batch.targets
        losses = ctc_losses(output, classes, counts)
        readable = ~losses.isposinf()
        texts = [(row[:count] - 1).tolist() for row, count in zip(classes, counts, strict=True)]
        references = [self.vocabulary.counted(text) for text in texts]
        edits = compare(references, [self.vocabulary.counted(answer) for answer in self.answers(output)])
        return {
            "error_rate": torch.tensor([float(edit.errors) for edit in edits], dtype=torch.float64),
            self.vocabulary.unit_name: torch.tensor([float(edit.units) for edit in edits], dtype=torch.float64),
            "loss": torch.where(readable, losses, 0.0).double(), "tokens": torch.where(readable, counts, 0).double(),
            "unreadable": (~readable).double(),
        }

    def written(self, network: Recogniser, answers: Sequence[list[int]]) -> list[list[str]]:
        return [network.config.vocabulary.counted(answer) for answer in answers]

    def answers(self, output: Output) -> list[list[int]]:
        """The tokens that the network writes for each example."""
        lengths = output.downsampled[-1].lengths.tolist()
        return [[token.index for token in greedy(logits[:length])] for logits, length in zip(output.head, lengths, strict=True)]

    def breakdown(self, network: Recogniser, targets: Sequence[list[int]], answers: Sequence[list[int]]) -> Breakdown:
        """How many errors of each sort there are, and the most frequent ones."""
        vocabulary, edits = network.config.vocabulary, compare(self.written(network, targets), self.written(network, answers))
        units, empty = sum(edit.units for edit in edits), sum(not answer for answer in answers)
        counts = {name: sum(edit.count(name) for edit in edits) for name in ("substitute", "delete", "insert")}
        pairs: dict[tuple[str, str], int] = {}
        for edit in edits:
            for operation, before, after in edit.pairs:
                if operation != "equal":
                    pairs[before, after] = pairs.get((before, after), 0) + 1
        frequent = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:10]
        rows = [("said", "heard", "times"), *((before or "–", after or "–", str(count)) for (before, after), count in frequent)]
        title = (
            f"of {units:,} {vocabulary.unit_name}: {counts['substitute']:,} substituted, {counts['delete']:,} deleted, {counts['insert']:,} inserted; "
            f"{empty:,} empty answers; the most frequent errors"
        )
        return Breakdown(title, tuple(rows), {"units": units, **counts, "empty": empty})


@functools.lru_cache(maxsize=64)
def _recognition(units: str, tokens: tuple[str, ...]) -> Recognition:
    return Recognition(Vocabulary(units, tokens))
