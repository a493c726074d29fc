"""Pictures in: bytes or a file -> RGB pixels, and the square of them that a network sees.

PNG, JPEG and WebP are decoded by Pillow, from memory. What a file claims about itself is held against the limits below before anything
is decoded (`adastride.image_files`), so that none makes the process allocate more, and none makes Pillow warn.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from adastride.image_files import IMAGE_FORMATS, ImageFile, ImageFileError, broken_off, damaged, look
from adastride.wording import one_line

MAX_BYTES = 50_000_000
MAX_PIXELS = 20_000_000  # that are decoded: at most 430 MB, a WebP, while that goes on
MAX_JPEG_PIXELS = 120_000_000  # that a JPEG may have: one of more than MAX_PIXELS is decoded at a half or a quarter of its size
_WHITE = (255, 255, 255)
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """A picture that can't be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Picture:
    """Pixels of one picture. pixels: (height, width, 3) uint8, red, green, blue, read-only.

    original_width, original_height: of the file's picture, upright; pixels has fewer where a large JPEG was decoded at a part of its
    size. frames: how many pictures the file has; pixels is the first. sha256 names the file's content.
    """

    pixels: np.ndarray
    original_width: int
    original_height: int
    frames: int
    sha256: str


@dataclass(frozen=True)
class Fitted:
    """The square in the middle of a picture, resized. pixels: (size, size, 3) uint8, read-only.

    left, top, side: which square, in pixels of a picture with `width` × `height` of them.
    """

    pixels: np.ndarray
    left: int
    top: int
    side: int
    width: int
    height: int

    @property
    def kept(self) -> float:
        """The share of the picture that is in the square, from 0 to 1."""
        return self.side * self.side / (self.width * self.height)

    @property
    def scale(self) -> float:
        """How many pixels of the square stand for the length of one of the picture."""
        return self.pixels.shape[0] / self.side


def key(data: bytes) -> str:
    """Names a file's content, for caches: its SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, name: str = "this file") -> Picture:
    """Decodes the bytes of a PNG, JPEG or WebP file to RGB of 8 bits.

    Grey, palettes, CMYK and 16 bits become RGB of 8 bits. What is transparent lies on white. The picture is turned upright by the
    orientation in its EXIF data. Of an animation it is the first picture. Colour profiles are not applied. A JPEG of more than
    MAX_PIXELS pixels is decoded at a half or a quarter of its size. Raises ImageError, one sentence naming `name`, for anything that is
    not a whole picture of at most MAX_BYTES bytes and MAX_PIXELS pixels, or MAX_JPEG_PIXELS where it is a JPEG that can be decoded at a
    part of its size.
    """
    name = one_line(name)
    if not data:
        raise ImageError(f"{name} is empty: choose a {IMAGE_FORMATS} file with a picture in it.")
    if len(data) > MAX_BYTES:
        raise ImageError(_too_large(name, len(data)))
    try:
        file = look(data)
        pixels = _pixels(file, _part(file))
    except ImageFileError as error:
        raise ImageError(f"{name} {error}.") from None
    pixels.setflags(write=False)
    width, height = (file.height, file.width) if file.orientation >= 5 else (file.width, file.height)
    return Picture(pixels, width, height, file.frames, key(data))


def read(path: str | Path) -> Picture:
    """`decode` of a file; a missing or unreadable one is an ImageError too."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(_too_large(path.name, path.stat().st_size))
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} can't be read: {error.strerror or error}.") from None
    return decode(data, name=path.name)


def fit(pixels: np.ndarray, size: int) -> Fitted:
    """Resizes the shorter side of a picture to `size` pixels and keeps the square in its middle.

    pixels: (height, width, 3) uint8, each side at least 1. Bilinear, with the filter widened where the picture shrinks, so that
    nothing folds back. Where the rest is odd, the extra pixel is lost at the right or at the bottom. Raises ValueError for another
    shape or type, and for a size below 1.

    >>> fitted = fit(np.zeros((300, 400, 3), np.uint8), 32)
    >>> fitted.pixels.shape, fitted.left, fitted.top, fitted.side, fitted.kept
    ((32, 32, 3), 50, 0, 300, 0.75)
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"expected uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")
    if size < 1:
        raise ValueError(f"expected a size of at least 1, got {size}")
    height, width = pixels.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    fitted = np.array(resized)
    fitted.setflags(write=False)
    return Fitted(fitted, left, top, side, width, height)


def _too_large(name: str, size: int) -> str:
    return f"{name} has {size / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB allowed: save it as JPEG, or smaller."


def _part(file: ImageFile) -> int:
    """1, 2, 4 or 8: by what a picture's sides are divided while it is decoded. Raises ImageFileError for one of no or too many pixels."""
    pixels, most = file.width * file.height, MAX_JPEG_PIXELS if file.smaller else MAX_PIXELS
    if not pixels:
        raise ImageFileError("says that it has no pixels: save or download it again")
    if pixels > most:
        raise ImageFileError(
            f"has {file.width:,} × {file.height:,} pixels, {pixels / 1e6:,.1f} million of them, "
            f"more than the {most / 1e6:.0f} million allowed: make it smaller"
        )
    return next(part for part in (1, 2, 4, 8) if pixels <= MAX_PIXELS * part * part)


def _pixels(file: ImageFile, part: int) -> np.ndarray:
    """Decodes a file: (height, width, 3) uint8, upright."""
    try:
        with Image.open(io.BytesIO(file.data), formats=(file.kind,)) as image:
            if part > 1:
                image.draft(image.mode, (file.width // part, file.height // part))
            image.load()
            upright = _rgb(image, file.deep)
    # Around calls of Pillow, which documents few of the errors that damaged files make it raise.
    except Exception as error:
        raise (broken_off() if isinstance(error, EOFError) or "truncated" in str(error) else damaged()) from None
    if file.orientation in _TURNED:
        upright = upright.transpose(_TURNED[file.orientation])
    return np.array(upright)


def _rgb(image: Image.Image, deep: bool) -> Image.Image:
    """An image of any mode as RGB, over white. deep: whether its file has 16 bits for each colour."""
    if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow would take the lowest 8, or all that is not black as white
        grey = np.asarray(image).astype(np.uint16)
        shown = (grey >> 8).astype(np.uint8)
        if "transparency" in image.info:
            shown[grey == image.info["transparency"]] = 255
        return Image.fromarray(shown).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.info.get("transparency")
    if deep and isinstance(clear, tuple):  # Pillow has kept the upper 8 bits of the pixels alone
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    seen = image.convert("RGBA")
    white = Image.new("RGB", seen.size, _WHITE)
    white.paste(seen, mask=seen.getchannel("A"))
    return white
