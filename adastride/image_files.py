"""What a PNG, JPEG or WebP file says of its image, read before anything is decoded, and the file without what is no image.

Text, profiles, thumbnails and further frames of PNG and JPEG are left away before a decoder sees them: they can be wrong in many ways,
and nothing here needs them. How the camera was held (the orientation in EXIF) is read first. A JPEG's scans are counted, since each of
them costs a pass over the whole image.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

IMAGE_FORMATS = "PNG, JPEG or WebP"
IMAGE_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp"))  # for folders with other files in them
MAX_PARTS = 100_000  # chunks of a PNG or WebP, segments of a JPEG
MAX_SCANS = 100  # of a JPEG; a photograph that appears step by step has about ten
_OTHERS = (
    (re.compile(rb"GIF8[79]a"), "a GIF"), (re.compile(rb"BM.{4}\0\0\0\0", re.DOTALL), "a BMP"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF or raw"),
    (re.compile(rb".{4}ftyp(heic|heix|heim|hevc|mif1|msf1)", re.DOTALL), "a HEIC"), (re.compile(rb".{4}ftypavi[fs]", re.DOTALL), "an AVIF"),
    (re.compile(rb"(\0\0\0\x0cJXL |\xff\x0a)"), "a JPEG XL"), (re.compile(rb"%PDF"), "a PDF"),
    (re.compile(rb"(\xef\xbb\xbf)?\s*<(.{0,4000}<)?svg[\s>]", re.DOTALL), "an SVG"),
)
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PNG_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # what stands inside of a scan is no marker
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _ALONE = 0xDA, 0xD9, frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))
_LEFT_AWAY = (frozenset(range(0xE1, 0xF0)) - {0xEE}) | {0xFE}  # but Adobe's, which says how colours are stored


class ImageFileError(ValueError):
    """A file that is no image which can be used; the message is the end of a sentence that begins with its name, without a full stop."""


@dataclass(frozen=True)
class ImageFile:
    """A file whose image has not been decoded yet.

    kind: PNG, JPEG or WEBP, Pillow's words. width, height: in pixels, as stored. orientation: from 1 to 8, as EXIF counts; 1 where
    there is none. frames: how many pictures an animation has, 1 for any other. deep: whether there are 16 bits for each colour of each
    pixel. smaller: whether it can be decoded at a half, a quarter or an eighth of its size without the whole of it in memory. data:
    what a decoder has to see.
    """

    kind: str
    width: int
    height: int
    orientation: int
    frames: int
    deep: bool
    smaller: bool
    data: bytes


def look(data: bytes) -> ImageFile:
    """Finds out what a file is by its content. Raises ImageFileError for one of another kind, and for one that is cut off or muddled."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    other = next((name for pattern, name in _OTHERS if pattern.match(data[:4096])), None)
    if other is not None:
        raise ImageFileError(f"is {other} file: save it as {IMAGE_FORMATS}")
    raise ImageFileError(f"can't be read: it is damaged or not a {IMAGE_FORMATS} file")


def broken_off() -> ImageFileError:
    """The error of a file that ends too early."""
    return ImageFileError("breaks off before its end: it was not copied or downloaded completely")


def damaged() -> ImageFileError:
    """The error of a file that makes no sense."""
    return ImageFileError("is damaged: save or download it again")


def _too_many_parts() -> ImageFileError:
    return ImageFileError(f"consists of more than {MAX_PARTS:,} parts: save it again with another program")


def _chunks(data: bytes, begin: int, layout: str, around: int, even: bool) -> Iterator[tuple[bytes, int, int, int]]:
    """The chunks of a PNG or a RIFF file: name, where its content begins and ends, and where the next chunk begins.

    layout: of a length and a name, for struct. around: bytes after a content, such as a checksum. even: whether contents are padded to
    an even length.
    """
    for _ in range(MAX_PARTS):
        if begin + 8 > len(data):
            return
        one, other = struct.unpack_from(layout, data, begin)
        name, length = (one, other) if isinstance(one, bytes) else (other, one)
        end = begin + 8 + length
        following = end + around + (length % 2 if even else 0)
        if end + around > len(data):
            raise broken_off()
        yield name, begin + 8, end, following
        begin = following
    raise _too_many_parts()


def _png(data: bytes) -> ImageFile:
    kept, orientation, frames, ended = [_PNG], 1, 1, False
    for name, begin, end, following in _chunks(data, len(_PNG), ">I4s", 4, even=False):
        if (name == b"IHDR") != (len(kept) == 1) or (name == b"IHDR" and end - begin != 13):
            raise damaged()
        if name in _PNG_KEPT:
            kept.append(data[begin - 8 : following])
        elif name == b"eXIf":
            orientation = _orientation(data[begin:end])
        elif name == b"acTL" and end - begin == 8:
            frames = max(1, int.from_bytes(data[begin : begin + 4], "big"))
        if name == b"IEND":
            ended = True
            break
    if not ended:
        raise broken_off()
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    return ImageFile("PNG", width, height, orientation, frames, depth == 16, False, b"".join(kept))


def _jpeg(data: bytes) -> ImageFile:
    kept, at = [data[:2]], 2
    orientation, scans, size, smaller = 1, 0, (0, 0), False
    for _ in range(MAX_PARTS):
        found = _NEXT_MARKER.search(data, at)
        if scans:
            kept.append(data[at : found.start() if found else len(data)])  # what a scan holds
        if not found:
            break
        begin, marker = found.start(), data[found.end() - 1]
        at = found.end()
        if marker == _END:
            kept.append(data[begin:at])
            break
        if marker in _ALONE:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise broken_off()
        if end < at + 2:
            raise damaged()
        if marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0" and orientation == 1:
            orientation = _orientation(data[at + 8 : end])
        if marker in _START_OF_FRAME:
            if size != (0, 0) or end < at + 8:
                raise damaged()
            height, width = struct.unpack_from(">HH", data, at + 3)
            size, smaller = (width, height), marker in (0xC0, 0xC1)
        scans += marker == _SCAN
        if scans > MAX_SCANS:
            raise ImageFileError(f"is drawn in more than {MAX_SCANS} passes: save it again with another program")
        if marker not in _LEFT_AWAY:
            kept.append(data[begin:end])
        at = end
    else:
        raise _too_many_parts()
    if not scans:
        raise broken_off()
    return ImageFile("JPEG", *size, orientation, 1, False, smaller, b"".join(kept))


def _webp(data: bytes) -> ImageFile:
    whole = 8 + int.from_bytes(data[4:8], "little")
    if whole > len(data):
        raise broken_off()
    size, orientation, frames = None, 1, 0
    for name, begin, end, _ in _chunks(data[:whole], 12, "<4sI", 0, even=True):
        if size is None:  # the first chunk says it
            head = data[begin:end]
            if name == b"VP8X" and len(head) >= 10:
                size = 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
            elif name == b"VP8 " and len(head) >= 10:
                size = int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
            elif name == b"VP8L" and len(head) >= 5:
                bits = int.from_bytes(head[1:5], "little")
                size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            else:
                raise damaged()
        elif name == b"EXIF":
            orientation = _orientation(data[begin:end].removeprefix(b"Exif\0\0"))
        frames += name == b"ANMF"
    if size is None:
        raise broken_off()
    return ImageFile("WEBP", *size, orientation, max(1, frames), False, False, data[:whole])


def _orientation(exif: bytes) -> int:
    """The orientation, from 1 to 8, that EXIF data say; 1 where they say none, or nothing that can be read.

    >>> _orientation(b"MM" + bytes([0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]))
    6
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1
    first = struct.unpack_from(f"{order}I", exif, 4)[0]
    if first + 2 > len(exif):
        return 1
    count = struct.unpack_from(f"{order}H", exif, first)[0]
    for place in range(first + 2, min(first + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
        if tag == 0x0112:
            return value if kind == 3 and 1 <= value <= 8 else 1
    return 1
