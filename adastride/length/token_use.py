"""How many of a batch's tokens are padding, and how many of the clips' are cut away (the ElasticAST paper's table 1)."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from adastride.length.packs import tokens_of
from adastride.models.elastic import ROW_TOKENS, Packing

BATCH_SIZES = (1, 8, 12, 16, 32, 64, 128)
_EPOCHS = 3  # orders of the clips that ratios are worked out over


@dataclass(frozen=True)
class TokenUse:
    """What a way of making batches does with the tokens of some clips.

    pads: the share of the tokens that a network works on that is padding, by batch size. cut: the share of the clips' tokens that it never
    sees.
    """

    name: str
    pads: dict[int, float]
    cut: float = 0.0


@dataclass(frozen=True)
class Printed:
    """A line of the paper's table 1, VoxCeleb. batch: how many clips at once. packed: whether into rows. pad, cut: in %."""

    name: str
    batch: int
    packed: bool
    pad: float
    cut: float


PAPER = (  # AST was trained with 12 at once (section 3.2)
    Printed("AST-All", 12, False, 31.1, 15.2), Printed("ElasticAST-12", 12, True, 19.2, 0.0), Printed("ElasticAST-64", 64, True, 14.4, 0.0),
    Printed("ElasticAST-128", 128, True, 13.9, 0.0),
)


def usual_length(seconds: Sequence[float]) -> float:
    """The length to crop and pad to where nobody says another: the mean, to half a second.

    >>> usual_length([1.2, 4.0]), usual_length([0.1])
    (2.5, 0.5)
    """
    return max(0.5, round(2 * statistics.fmean(seconds)) / 2)


def token_use(seconds: Sequence[float], fixed: float, row_tokens: int = ROW_TOKENS) -> dict[str, TokenUse]:
    """How tokens are used by each way of making batches of clips of these lengths.

    "longest": padded to the longest clip of the batch. "fixed": cropped and padded to `fixed` seconds. "first", "best": packed into rows as
    they come, or by best fit; rows are padded to the longest of the batch. Clips come in three random orders; batches that a data set is
    too small for are left out, and so is the part of one at the end.
    """
    tokens = [tokens_of(each) for each in seconds]
    sizes = [size for size in BATCH_SIZES if size <= len(tokens)]
    pads: dict[str, dict[int, float]] = {"longest": {}, "first": {}, "best": {}}
    for size in sizes:
        generator, used, worked = random.Random(0), 0, dict.fromkeys(pads, 0)
        for _ in range(_EPOCHS):
            order = generator.sample(tokens, len(tokens))
            for begin in range(0, len(order) - size + 1, size):
                batch = order[begin : begin + size]
                used += sum(batch)
                worked["longest"] += size * max(batch)
                for name, best_fit in (("first", False), ("best", True)):
                    packing = Packing(batch, max([row_tokens, *batch]), best_fit)
                    worked[name] += packing.rows * packing.tokens
        for name, total in worked.items():
            pads[name][size] = 1 - used / total
    length = tokens_of(fixed)
    kept = [min(each, length) for each in tokens]
    pad, cut = 1 - sum(kept) / (length * len(kept)), 1 - sum(kept) / sum(tokens)
    return {
        "longest": TokenUse("Padded to the longest of the batch", pads["longest"]),
        "fixed": TokenUse(f"Cropped and padded to {fixed:g} s", dict.fromkeys(sizes, pad), cut),
        "first": TokenUse("Packed, first come", pads["first"]),
        "best": TokenUse("Packed, best fit", pads["best"]),
    }


def use_table(uses: dict[str, TokenUse]) -> list[dict[str, str]]:
    """A row for each way, the paper's last: padding in % by batch size, and what is cut."""
    sizes = next(iter(uses.values())).pads
    rows = [
        {"Clips at once": use.name, **{f"{size}": f"{100 * share:.1f}" for size, share in use.pads.items()}, "Cut": f"{100 * use.cut:.1f}"}
        for use in uses.values()
    ]
    for packed, name in ((False, "Cropped and padded, the paper (VoxCeleb)"), (True, "Packed, first come, the paper (VoxCeleb)")):
        printed = {each.batch: each for each in PAPER if each.packed == packed}
        cells = {f"{size}": f"{printed[size].pad:.1f}" if size in printed else "–" for size in sizes}
        rows.append({"Clips at once": name, **cells, "Cut": f"{max(each.cut for each in printed.values()):.1f}"})
    return rows


def use_sentence(uses: dict[str, TokenUse]) -> str:
    """What is best at the largest batch, and what it saves."""
    size = max(uses["longest"].pads)
    longest, fixed, first, best = (100 * uses[name].pads[size] for name in ("longest", "fixed", "first", "best"))
    if longest < 0.05:
        return f"All clips are equally long, so that nothing is padded but the rows: {first:.1f} % at {size} clips at once."
    cut = f", and {100 * uses['fixed'].cut:.1f} % of the sound is cut away" if uses["fixed"].cut >= 0.0005 else ""
    return (
        f"Of {size} clips at once, {longest:.1f} % of the tokens are padding when each is padded to the longest; at a fixed length "
        f"{fixed:.1f} % are{cut}. Packed as they come it is {first:.1f} %, by best fit {best:.1f} %, and nothing is cut."
    )
