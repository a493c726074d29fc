"""What a codec says of a clip, as a person can keep and edit it: codes, how long each lasts, and a sound made of them again.

Durations are counted as the paper's figure 5 does: a mel frame belongs to the code that it is made of most, the argmax of its column of
A_up. They are whole mel frames of at least one, and together they are the clip.

AdaStride's decoder upsamples softly (A_up), and durations alone do not say how softly. So its `positions` p* are kept as well, with the
codes that no frame is made of most (`skipped`): as long as the durations are those that the positions give, the decoder uses the
positions, and makes of the codes exactly what the network made of the clip. Edited durations bring positions of their own: within a code's
span they rise evenly from i - 1/2 to i + 1/2, cut to the first and the last code, which is how an alignment's boundaries are drawn, too.
For every other method durations say it all, unless codes are skipped: a frame is a copy of the code in whose span its middle lies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from adastride import alignment as maths
from adastride.alignment import Alignment
from adastride.audio import MAX_SECONDS, Waveform
from adastride.downsampling import METHODS, LayerSettings
from adastride.models.codec import Codec, Coded, Upsampling, durations_of
from adastride.wording import counted, one_line

FORMAT = 1
MOST_BYTES = 40_000_000  # of a file
_MOST_FRAMES, _MOST_STRIDE = 1_000_000, 10_000


class CodesError(ValueError):
    """Codes that can't be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Codes:
    """A clip in codes and durations.

    codes: indices of the codebook. durations: how many mel frames each lasts, at least one. strides: of the fixed layers, lowest first.
    checkpoint, fingerprint: the network that they are of, by its name and by its weights. sigma: the width of a row of the adaptive
    layer's alignment, None where nothing is upsampled softly. positions: p* of the frames below the adaptive layer, where places of codes
    count those of `skipped` in; without a sigma, the places that frames are copies of. Empty where durations are all there is. skipped:
    (place, code) of each code that lasts for no frame. Raises CodesError, one sentence, for what can't be.
    """

    codes: tuple[int, ...]
    durations: tuple[int, ...]
    strides: tuple[int, ...]
    checkpoint: str
    fingerprint: str
    sigma: float | None = None
    positions: tuple[float, ...] = ()
    skipped: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.codes:
            raise CodesError("there is no code left: keep at least one.")
        if len(self.codes) != len(self.durations):
            counts = f"{counted(len(self.codes), 'code')} and {counted(len(self.durations), 'duration')}"
            raise CodesError(f"{counts} can't go together: give every code one duration.")
        for place, duration in enumerate(self.durations):
            if duration < 1:
                raise CodesError(f"the code in place {place} lasts for {duration} mel frames: give it at least 1, or take it out.")
        if self.mel_frames > _MOST_FRAMES:
            raise CodesError(f"the durations sum to {self.mel_frames} mel frames, more than the {_MOST_FRAMES} allowed: shorten them.")
        if any(not 1 <= stride <= _MOST_STRIDE for stride in self.strides):
            said = one_line(str(list(self.strides)), 60)
            raise CodesError(f"strides must be from 1 to {_MOST_STRIDE}, got {said}: encode the clip again.")
        if self.sigma is not None and not maths.SIGMA_LIMITS[0] <= self.sigma <= maths.SIGMA_LIMITS[1]:
            raise CodesError(f"a sigma of {self.sigma:g} is out of range: encode the clip again.")
        places = [place for place, _ in self.skipped]
        if places != sorted(set(places)) or any(not 0 <= place < self.count for place in places):
            raise CodesError("the places of the skipped codes are not in order: encode the clip again.")
        inside = all(math.isfinite(position) and 0 <= position <= self.count - 1 for position in self.positions)
        if not inside or any(other < one for one, other in pairwise(self.positions)):
            raise CodesError(
                "the positions do not rise from the first code to the last: encode the clip again, or take positions and skipped out."
            )
        if self.skipped and not self.positions:
            raise CodesError("there are skipped codes and no positions that say where they are skipped: take skipped out.")
        if self.sigma is None and any(position != int(position) for position in self.positions):
            raise CodesError("there is no sigma, and the positions lie between codes: put the sigma back, or encode the clip again.")
        if self.skipped and self._lasting() & set(places):
            raise CodesError("a code is skipped where the positions have frames: encode the clip again, or take positions and skipped out.")

    @property
    def mel_frames(self) -> int:
        """The length of the clip in mel frames."""
        return sum(self.durations)

    @property
    def count(self) -> int:
        """How many codes there are, those that last for no frame counted in."""
        return len(self.codes) + len(self.skipped)

    def _lasting(self) -> set[int]:
        """The places of codes that last for frames by the positions. Soft ones go from the first code to the last in any recording."""
        ends = {0, self.count - 1} if self.sigma is not None else set[int]()
        return ends | set(_nearest(self.positions).tolist())

    def with_durations(self, durations: Sequence[int]) -> Codes:
        """The same codes with other durations, and without the positions, which no longer say anything."""
        return replace(self, durations=tuple(durations), positions=(), skipped=())

    def stretched(self, factor: float) -> Codes:
        """Everything `factor` times as long, to the nearest frame. No code vanishes."""
        return self.with_durations(_whole_durations(factor * np.array(self.durations, float)))

    def edited(self, codes: Sequence[int], durations: Sequence[int]) -> Codes:
        """The same recording with other codes and durations, any number of them; itself where nothing differs."""
        codes, durations = tuple(codes), tuple(durations)
        if (codes, durations) == (self.codes, self.durations):
            return self
        return replace(self, codes=codes, durations=durations, positions=(), skipped=())

    def to_json(self) -> str:
        """The text of a file: an object with codes, durations and mel_frames, the checkpoint, and what else the decoder needs."""
        return json.dumps({"format": FORMAT, "mel_frames": self.mel_frames, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "this file") -> Codes:
        """Reads the text of a file that anybody may have edited.

        Raises CodesError, one sentence naming `name`, for any that can't be used.
        """
        name = one_line(name)
        if len(text) > MOST_BYTES:
            most = f"{MOST_BYTES / 1e6:.0f} MB"
            raise CodesError(f"{name} has {len(text) / 1e6:.0f} MB, more than the {most} allowed: encode a part of the clip.")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CodesError(f"{name} is not JSON ({one_line(str(error), 80)}): encode the clip again.") from None
        if not isinstance(values, dict) or "codes" not in values or "durations" not in values:
            raise CodesError(f"{name} holds no codes and durations: give a file that `python -m adastride encode` wrote.")
        if values.get("format") != FORMAT or type(values["format"]) is not int:
            raise CodesError(f"{name} was written by another version of this program: encode the clip again.")
        try:
            sigma = values.get("sigma")
            made = cls(
                codes=_wholes(values, "codes"), durations=_wholes(values, "durations"), strides=_wholes(values, "strides"),
                checkpoint=_text(values, "checkpoint"), fingerprint=_text(values, "fingerprint"),
                sigma=None if sigma is None else _real(sigma, "sigma"),
                positions=tuple(_real(value, "positions") for value in _list(values, "positions", missing=[])),
                skipped=tuple(_pair(value) for value in _list(values, "skipped", missing=[])),
            )
            if type(values.get("mel_frames")) is not int or values["mel_frames"] != made.mel_frames:
                said = one_line(repr(values.get("mel_frames")), 40)
                raise CodesError(f"the durations sum to {made.mel_frames} and mel_frames is {said}: make them equal.")
        except CodesError as error:
            raise CodesError(f"{name}: {error}") from None
        return made


def with_durations_of(network: Codec, codes: Codes, other: Codes) -> Codes:
    """Codes as long as those of another recording of the same words last.

    What belongs together is found by dynamic time warping (Sakoe and Chiba, 1978) of the codes' vectors. Each code gets the time of all
    codes of the other recording that it belongs to; where several share one of them, they share its time as they share their own.
    Raises CodesError for a code that the network's codebook does not have.
    """
    for recording in (codes, other):
        _check_known(network, recording.codes)
    vectors = network.quantiser.codebook.double().cpu()
    pairs = _warped(torch.cdist(vectors[list(codes.codes)], vectors[list(other.codes)]).numpy())
    sharing = np.zeros(len(other.codes))
    for own, theirs in pairs:
        sharing[theirs] += codes.durations[own]
    wanted = np.zeros(len(codes.codes))
    for own, theirs in pairs:
        wanted[own] += other.durations[theirs] * codes.durations[own] / sharing[theirs]
    return codes.with_durations(_whole_durations(wanted))


def _warped(costs: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest way through a matrix of costs (n, m) from corner to corner, one step down, right, or both at a time."""
    n, m = costs.shape
    total = np.full((n + 1, m + 1), math.inf)
    total[0, 0] = 0.0
    for diagonal in range(2, n + m + 1):  # all cells of one depend on the two before alone
        row = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        column = diagonal - row
        before = np.minimum(total[row - 1, column - 1], np.minimum(total[row - 1, column], total[row, column - 1]))
        total[row, column] = costs[row - 1, column - 1] + before
    way, row, column = [(n - 1, m - 1)], n, m
    while (row, column) != (1, 1):
        row, column = min(((row - 1, column - 1), (row - 1, column), (row, column - 1)), key=lambda cell: total[cell])
        way.append((row - 1, column - 1))
    return way[::-1]


def _whole_durations(durations: np.ndarray) -> list[int]:
    """Durations in whole frames, of at least one. Ends are rounded, so that errors do not add up."""
    kept, whole = 0, []
    for end in np.cumsum(durations):
        whole.append(max(1, round(end) - kept))
        kept += whole[-1]
    return whole


def encode(network: Codec, waveform: Waveform, settings: LayerSettings | None = None) -> Codes:
    """The codes and durations of a clip. settings: of the upper layer. Raises CodesError for a clip of more than `MAX_SECONDS` seconds."""
    if waveform.seconds > MAX_SECONDS:
        most = f"{MAX_SECONDS:.0f} s"
        raise CodesError(f"the clip lasts {waveform.seconds:.0f} s, more than the {most} that can be encoded: cut out a part of it.")
    with torch.inference_mode(), network.evaluating():
        signal = network.signal(waveform).to(network.device)
        fixed = len(network.downsamplers) - 1
        return codes_of(network, network(signal, settings=[None] * fixed + [settings]))


def codes_of(network: Codec, coded: Coded) -> Codes:
    """The codes and durations of a run on one clip."""
    durations, codes = durations_of(coded).tolist(), coded.codes[0].tolist()
    *fixed, way = coded.upsamplings
    positions = way.alignment.positions[0] if way.alignment else way.origins[0].double() if 0 in durations else torch.zeros(0)
    skipped = tuple((place, code) for place, (code, duration) in enumerate(zip(codes, durations, strict=True)) if not duration)
    return Codes(
        codes=tuple(code for code, duration in zip(codes, durations, strict=True) if duration), durations=tuple(d for d in durations if d),
        strides=tuple(int((below.origins[0] == 0).sum()) for below in fixed), checkpoint=network.name, fingerprint=network.fingerprint,
        sigma=None if way.alignment is None else float(way.alignment.sigma), skipped=skipped,
        positions=tuple(positions.tolist()),
    )


def decode(network: Codec, codes: Codes) -> np.ndarray:
    """The log-mel that a codec makes of codes: natural-log (n_mels, mel_frames) float32.

    Raises CodesError, one sentence, for codes of another network, codes that its codebook does not have, a sigma or strides that its
    layers can't have, and too many frames.
    """
    _check(network, codes)
    line, upsamplings = _upsamplings(codes, network.device)
    with torch.inference_mode(), network.evaluating():
        values = network.quantiser.vectors(torch.tensor(line, device=network.device)).T[None]
        mel = network.reconstruct(values, maths.known_lengths([len(line)], network.device), upsamplings)
    return mel[0].float().cpu().numpy()


def _check(network: Codec, codes: Codes) -> None:
    """Raises CodesError for codes that can't be decoded, see `decode`."""
    if codes.fingerprint != network.fingerprint:
        named = one_line(codes.checkpoint, 60)
        if codes.checkpoint == network.name:
            raise CodesError(
                f"these codes are of another training of {named}, whose fingerprint is {one_line(codes.fingerprint, 12)} and not "
                f"{one_line(network.fingerprint, 12)}, and mean nothing to this one: decode them with the file that encoded them."
            )
        raise CodesError(
            f"these codes are of {named} and mean nothing to {network.name}, whose weights are others: "
            "decode them with the checkpoint that encoded them."
        )
    _check_known(network, codes.codes)
    for place, code in codes.skipped:
        if not 0 <= code < network.config.codes:
            known = f"its codes are 0 to {network.config.codes - 1}"
            raise CodesError(f"the skipped code {code} of place {place} is not in the codebook of {network.name}: {known}.")
    seconds = codes.mel_frames / network.config.mel.frames_per_second
    if seconds > MAX_SECONDS:
        raise CodesError(f"these codes last {seconds:.0f} s, more than the {MAX_SECONDS:.0f} s that can be decoded: decode a part of them.")
    if len(codes.strides) != len(network.downsamplers) - 1:
        fixed = len(network.downsamplers) - 1
        raise CodesError(f"these codes name {counted(len(codes.strides), 'stride')} and {network.name} has {fixed}: encode the clip again.")
    method = network.config.methods[-1]
    if codes.sigma is not None and "sigma" not in METHODS[method].parameters:
        raise CodesError(f"these codes have a sigma and no layer of {network.name} has one: set sigma to null, or encode the clip again.")


def check_written(network: Codec, codes: Codes) -> None:
    """Raises CodesError, one sentence, for codes that `decode` refuses, and for a sigma or strides that `encode` would not write.

    It is for files, which anybody may have edited. A run of which every layer may have settings of its own can have codes that do not
    pass, such as those of AdaStride's weights run as AdaStride-F.
    """
    _check(network, codes)
    own = [int(layer.nearest_stride(layer.stride)) for layer in network.downsamplers[:-1]]
    # A clip of fewer frames than a stride has is written with as many as it has.
    frames = codes.mel_frames
    for usual, stride in zip(own, codes.strides, strict=True):
        if stride not in (usual, min(usual, frames)):
            said = one_line(str(list(codes.strides)), 60)
            raise CodesError(f"the strides are {said} and those of {network.name} are {own}: set them to these, or encode the clip again.")
        frames = -(-frames // usual)
    method, top = METHODS[network.config.methods[-1]], network.downsamplers[-1]
    soft = "sigma" in method.parameters and getattr(top, "variant", None) != "adastride-f"
    if soft and codes.sigma is None:
        trained = f"as trained {top.sigma:g}"
        raise CodesError(f"there is no sigma, which {network.name} needs ({trained}): put it back, or encode the clip again.")
    if codes.sigma is not None and not soft:
        raise CodesError(f"there is a sigma, and {network.name} repeats frames without one: set it to null, or encode the clip again.")


def _check_known(network: Codec, codes: Sequence[int]) -> None:
    known = network.config.codes
    for place, code in enumerate(codes):
        if not 0 <= code < known:
            raise CodesError(f"the code {code} in place {place} is not in the codebook of {network.name}: its codes are 0 to {known - 1}.")


def _frames(codes: Codes) -> list[int]:
    """How many frames there are below each layer, the mel's first."""
    frames = [codes.mel_frames]
    for stride in codes.strides:
        frames.append(-(-frames[-1] // stride))
    return frames


def _nearest(positions: Sequence[float]) -> np.ndarray:
    """The places that frames are made of most: the lower of equals, as an argmax takes it."""
    return np.ceil(np.array(positions) - 0.5).astype(int)


def _fit(codes: Codes) -> bool:
    """Whether the durations are those that the positions give."""
    if len(codes.positions) != _frames(codes)[-1]:
        return False
    counts = np.bincount(np.repeat(_nearest(codes.positions), math.prod(codes.strides))[: codes.mel_frames], minlength=codes.count)
    lasting = np.ones(codes.count, bool)
    lasting[[place for place, _ in codes.skipped]] = False
    return not counts[~lasting].any() and counts[lasting].tolist() == list(codes.durations)


def _line(codes: Codes) -> tuple[list[int], np.ndarray]:
    """The codes that take part, in order, and the positions among them of the frames below the adaptive layer, float64."""
    line = list(codes.codes)
    if _fit(codes):
        for place, code in codes.skipped:
            line.insert(place, code)
        return line, np.array(codes.positions)
    below = np.minimum(np.arange(_frames(codes)[-1] + 1) * math.prod(codes.strides), codes.mel_frames)
    middles, ends = (below[1:] + below[:-1]) / 2, np.cumsum(codes.durations)
    if codes.sigma is None:
        return line, np.searchsorted(ends, middles, side="right").astype(np.float64)
    rising = np.interp(middles, np.concatenate([[0], ends]), np.arange(len(line) + 1) - 0.5)
    return line, rising.clip(0, len(line) - 1)


def _upsamplings(codes: Codes, device: torch.device) -> tuple[list[int], list[Upsampling]]:
    """The codes that take part, in order, and the way back of every layer, the lowest first."""
    frames = _frames(codes)
    lengths = [maths.known_lengths([below], device) for below in frames]
    ways = [
        Upsampling((torch.arange(below, device=device) // stride)[None], length)
        for below, length, stride in zip(frames, lengths, codes.strides, strict=False)
    ]
    line, places = _line(codes)
    positions = torch.from_numpy(places)[None]
    if codes.sigma is None:
        return line, [*ways, Upsampling(positions.long().to(device), lengths[-1])]
    exact = torch.device("cpu") if device.type == "mps" else device  # Metal has no float64
    unit, count = (positions / max(len(line) - 1, 1)).to(exact), maths.known_lengths([len(line)], exact)
    alignment = Alignment(unit, maths.known_lengths([frames[-1]], exact), count, codes.sigma)
    return line, [*ways, Upsampling(positions.long().to(device), lengths[-1], alignment)]


def _list(values: dict[str, Any], name: str, missing: list[Any] | None = None) -> list[Any]:
    found = values.get(name, missing)
    if not isinstance(found, list) or len(found) > _MOST_FRAMES:
        raise CodesError(f"{name} must be a list of at most {_MOST_FRAMES} numbers, got {one_line(repr(found), 40)}.")
    return found


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or abs(value) > 2**31:
        raise CodesError(f"{name} must be whole numbers, got {one_line(repr(value), 40)}.")
    return value


def _wholes(values: dict[str, Any], name: str) -> tuple[int, ...]:
    return tuple(_whole(value, name) for value in _list(values, name))


def _real(value: Any, name: str) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e300:
        raise CodesError(f"{name} must be numbers, got {one_line(repr(value), 40)}.")
    return float(value)


def _pair(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise CodesError(f"skipped must be pairs of a place and a code, got {one_line(repr(value), 40)}.")
    return _whole(value[0], "skipped"), _whole(value[1], "skipped")


def _text(values: dict[str, Any], name: str) -> str:
    found = values.get(name)
    if not isinstance(found, str) or len(found) > 1000:
        raise CodesError(f"{name} must be a text, got {one_line(repr(found), 40)}.")
    return found
