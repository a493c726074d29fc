"""Transcripts as files that other programs open: Praat's TextGrid and SubRip's subtitles, and as data."""

from __future__ import annotations

from collections.abc import Iterator

from adastride.inspection.tracing import Trace
from adastride.tasks.prediction import Segment
from adastride.tasks.transcript import Transcript

_CUE_SECONDS, _CUE_GAP, _CUE_TOKENS, _CUE_LEAST = 6.0, 1.0, 12, 0.4  # of a subtitle: longest, silence that ends it, most tokens, shortest


def transcript_of(trace: Trace) -> Transcript:
    """What the network of a trace has written. Raises ValueError for a network that writes nothing."""
    if trace.prediction.transcript is None:
        raise ValueError(f"{trace.checkpoint} writes no text")
    return trace.prediction.transcript


def summary(trace: Trace) -> dict[str, object]:
    """The transcript ready for JSON: text, segments with start and end in seconds and probability, checkpoint, seconds of the clip."""
    transcript = transcript_of(trace)
    segments = [
        {"text": segment.text, "start": round(segment.start, 4), "end": round(segment.end, 4), "probability": round(segment.strength, 6)}
        for segment in transcript.segments()
    ]
    return {"text": transcript.text, "segments": segments, "checkpoint": trace.checkpoint, "seconds": round(trace.waveform.seconds, 4)}


def textgrid(trace: Trace) -> str:
    """A TextGrid for Praat: one tier with an interval for each token at the output frames that decide for it, and empty ones between."""
    transcript, end = transcript_of(trace), trace.waveform.seconds
    intervals = list(_intervals(transcript.segments(), end))
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}", "tiers? <exists>", "size = 1", "item []:",
        "    item [1]:", '        class = "IntervalTier"', f'        name = "{transcript.vocabulary.unit_name}"', "        xmin = 0",
        f"        xmax = {end:.6f}", f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, stop, text) in enumerate(intervals, start=1):
        quoted = text.replace('"', '""')
        lines += [f"        intervals [{number}]:", f"            xmin = {start:.6f}", f"            xmax = {stop:.6f}", f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def _intervals(segments: tuple[Segment, ...], end: float) -> Iterator[tuple[float, float, str]]:
    """Segments and the gaps between them, which fill the clip without holes, as a tier of Praat's has to. Times are to a microsecond."""
    at = 0.0
    for segment in segments:
        start, stop = round(max(segment.start, at), 6), round(min(segment.end, end), 6)
        if stop <= start:  # frames that stand for no time
            continue
        if start > at:
            yield at, start, ""
        yield start, stop, segment.text
        at = stop
    if at < round(end, 6):
        yield at, round(end, 6), ""


def srt(trace: Trace) -> str:
    """Subtitles: a few words at a time, from where the first is heard to the end of the last."""
    transcript = transcript_of(trace)
    segments, cues = transcript.segments(), list[tuple[float, float, str]]()
    begin = 0
    for place in range(1, len(segments) + 1):
        ended = place == len(segments) or place - begin >= _CUE_TOKENS or segments[place].start - segments[place - 1].end > _CUE_GAP
        if ended or segments[place].end - segments[begin].start > _CUE_SECONDS:
            text = transcript.vocabulary.decode(transcript.indices[begin:place])
            cues.append((segments[begin].start, segments[place - 1].end, text))
            begin = place
    lines: list[str] = []
    for number, (start, stop, text) in enumerate(cues, start=1):
        following = cues[number][0] if number < len(cues) else trace.waveform.seconds
        stop = max(stop, min(start + _CUE_LEAST, following))
        lines += [str(number), f"{_clock(start)} --> {_clock(stop)}", text, ""]
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    """A time as SubRip writes it.

    >>> _clock(3725.5)
    '01:02:05,500'
    """
    milliseconds = round(1000 * seconds)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
