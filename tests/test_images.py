"""Pictures of every kind against what was painted, and whatever can be wrong with one."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from adastride import image_files, images
from adastride.images import ImageError, decode, fit

# Four colours, none of which looks like another when it is turned; blocks of 16 pixels, which a JPEG keeps.
COLOURS = np.array([[(200, 30, 40), (30, 180, 60), (240, 240, 20)], [(20, 40, 200), (250, 250, 250), (90, 0, 120)]], np.uint8)
PAINTED = COLOURS.repeat(16, 0).repeat(16, 1)  # 32 × 48
SMALL = PAINTED[8:21, 8:25]


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def saved(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, depth: int, colours: int, rows: bytes, *others: bytes) -> bytes:
    """A PNG by hand. colours: 0 grey, 2 RGB, 3 palette. rows: each with a 0, for no filter, in front."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(others) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_exif(data: bytes, orientation: int, order: str = ">") -> bytes:
    """A JPEG with an orientation, behind other tags, as cameras write it."""
    head = {">": b"MM\0*", "<": b"II*\0"}[order]
    tags = struct.pack(f"{order}IHHHIIHHIHHI", 8, 2, 0x0100, 4, 1, 48, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + head + tags
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def error_of(data: bytes, name: str = "cat.png") -> str:
    with pytest.raises(ImageError) as caught:
        decode(data, name)
    text = str(caught.value)
    one_sentence(text)
    assert text.startswith(name)
    return text


def one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert ". " not in text
    assert "\n" not in text


KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "png": ("PNG", {}), "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "progressive": ("JPEG", {"progressive": True, "quality": 95, "subsampling": 0}),
    "webp": ("WEBP", {"quality": 95}), "lossless": ("WEBP", {"lossless": True}),
}
FILES = {name: saved(PAINTED, kind, **options) for name, (kind, options) in KINDS.items()}


# --- what can be read


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_is_what_was_painted(name: str):
    picture = decode(FILES[name])
    assert picture.pixels.shape == (32, 48, 3)
    assert picture.pixels.dtype == np.uint8
    assert not picture.pixels.flags.writeable
    assert np.abs(picture.pixels.astype(int) - PAINTED).mean() < (0.01 if name in ("png", "lossless") else 6)
    assert (picture.original_width, picture.original_height, picture.frames) == (48, 32, 1)
    assert picture.sha256 == images.key(FILES[name]) == hashlib.sha256(FILES[name]).hexdigest()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (5000, 1), (1, 5000)])
def test_small_and_thin_pictures_are_read_as_they_are(name: str, shape: tuple[int, int]):
    kind, options = KINDS[name]
    assert decode(saved(np.full((*shape, 3), 77, np.uint8), kind, **options)).pixels.shape == (*shape, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGBA"])
def test_every_kind_of_png_becomes_rgb(mode: str):
    grey = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
    image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    expected = np.asarray(image.convert("RGB")) if mode in ("1", "P") else grey[:, :, None].repeat(3, 2)
    np.testing.assert_array_equal(decode(saved(image, "PNG")).pixels, expected)


def test_sixteen_bits_keep_their_upper_eight():
    values = np.array([0x00FF, 0x0100, 0x80FF, 0xFFFF], ">u2")
    grey = decode(png(4, 1, 16, 0, b"\0" + values.tobytes())).pixels
    colour = decode(png(4, 1, 16, 2, b"\0" + values.repeat(3).tobytes())).pixels
    assert grey[0, :, 0].tolist() == [0, 1, 128, 255]
    np.testing.assert_array_equal(grey, colour)


def test_cmyk_as_printers_write_it():
    picture = decode(saved(Image.fromarray(PAINTED).convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert np.abs(picture.pixels.astype(int) - PAINTED).mean() < 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_lies_on_white(kind: str):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 51, 255)
    assert decode(saved(pixels, kind, lossless=True)).pixels[0, :, 0].tolist() == [255, 204, 0]


@pytest.mark.parametrize("data", [
    png(2, 1, 8, 0, b"\0\x07\x08", chunk(b"tRNS", b"\0\x07")),
    png(2, 1, 16, 0, b"\0\x07\x00\x07\x01", chunk(b"tRNS", b"\x07\0")),
    png(2, 1, 8, 2, b"\0\x07\x07\x07\x08\x08\x08", chunk(b"tRNS", b"\0\x07" * 3)),
    png(2, 1, 16, 2, b"\0" + b"\x07\x00" * 3 + b"\x08\x00" * 3, chunk(b"tRNS", b"\x07\0" * 3)),
    png(2, 1, 8, 3, b"\0\x00\x01", chunk(b"PLTE", b"\x07\x07\x07\x08\x08\x08"), chunk(b"tRNS", b"\0")),
], ids=["grey", "grey 16", "rgb", "rgb 16", "palette"])
def test_one_colour_that_is_transparent(data: bytes):
    pixels = decode(data).pixels
    assert pixels[0, 0].tolist() == [255] * 3
    assert pixels[0, 1, 0] in (7, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", [">", "<"])
def test_a_picture_is_turned_upright(orientation: int, order: str):
    data = with_exif(FILES["jpeg"], orientation, order)
    picture = decode(data)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.pixels.shape[:2] == (picture.original_height, picture.original_width)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_files_say_how_they_were_held_too(kind: str):
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(decode(saved(PAINTED, kind, lossless=True, exif=exif)).pixels, np.rot90(PAINTED, -1))


@pytest.mark.parametrize("exif", [
    b"", b"Exif\0\0", b"MM\0*\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 30,
    b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0",
])
def test_an_orientation_that_makes_no_sense_is_none(exif: bytes):
    """Pillow would warn, and a warning may be an error."""
    body = b"Exif\0\0" + exif
    data = FILES["jpeg"][:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + FILES["jpeg"][2:]
    np.testing.assert_array_equal(decode(data).pixels, decode(FILES["jpeg"]).pixels)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_its_first_picture_and_says_so(kind: str):
    later = [Image.new("RGB", (48, 32), colour) for colour in ("red", "blue")]
    picture = decode(saved(PAINTED, kind, lossless=True, save_all=True, append_images=later))
    assert picture.frames == 3
    np.testing.assert_array_equal(picture.pixels, PAINTED)


def test_what_else_is_in_a_file_does_not_matter():
    """A thumbnail, a profile, a comment, a film behind the end."""
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(FILES["progressive"]) + 2) + FILES["progressive"]
    comment = b"\xff\xfe\0\x06hey!\xff\xff"
    data = FILES["jpeg"][:2] + thumbnail + comment + FILES["jpeg"][2:] + 30 * FILES["progressive"]
    np.testing.assert_array_equal(decode(data).pixels, decode(FILES["jpeg"]).pixels)
    profile = chunk(b"iCCP", b"x\0\0" + b"damaged") + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
    np.testing.assert_array_equal(decode(FILES["png"][:33] + profile + FILES["png"][33:] + b"more").pixels, PAINTED)


def test_the_content_counts_and_not_the_name(tmp_path: Path):
    (tmp_path / "photo.png").write_bytes(FILES["jpeg"])
    assert images.read(tmp_path / "photo.png").sha256 == images.key(FILES["jpeg"])


def test_it_needs_no_torch():
    script = "import sys; from adastride import images; assert 'PIL' in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1], timeout=60, check=True)


# --- what can't


def test_files_that_are_no_pictures():
    assert "is empty" in error_of(b"")
    assert "not a PNG, JPEG or WebP file" in error_of(b"hello " * 30)
    assert "not a PNG, JPEG or WebP file" in error_of(b"\x89PNG")
    for text in ("<svg xmlns='a'/>", "<?xml version='1.0'?>\n<!-- drawn -->\n<svg>", "\ufeff  <!DOCTYPE svg><svg >"):
        assert "is an SVG file: save it as PNG" in error_of(text.encode(), "a.svg")
    for kind, said in (("GIF", "a GIF"), ("BMP", "a BMP"), ("TIFF", "a TIFF")):
        assert f"is {said}" in error_of(saved(PAINTED, kind))
    assert "is a HEIC file" in error_of(b"\0\0\0\x18ftypheic" + bytes(40))


def test_a_missing_file_and_a_folder(tmp_path: Path):
    for path in (tmp_path / "no.png", tmp_path):
        with pytest.raises(ImageError, match="can't be read"):
            images.read(path)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_was_cut_off(name: str):
    for share in (0.4, 0.5, 0.9, 0.99):
        assert "breaks off" in error_of(FILES[name][: int(share * len(FILES[name]))])


def test_a_picture_that_says_too_much(monkeypatch: pytest.MonkeyPatch):
    """Refused by what its header says: nothing of that size is ever made."""
    for data, pixels in (
        (png(60_000, 60_000, 8, 0, b"\0"), "60,000 × 60,000 pixels, 3,600.0 million of them, more than the 20 million"),
        (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff", "16,777,216 × 16,777,216 pixels"),
        (b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f\0", "16,384 × 16,384 pixels"),
        (png(0, 3, 8, 0, b"\0"), "says that it has no pixels"),
    ):
        monkeypatch.setattr(images.Image, "open", None)
        assert pixels in error_of(data)


def test_pillows_own_limit_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    """Others may have set it; here nothing above 20 million pixels reaches Pillow, and a warning of it is an error."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "is damaged" in error_of(FILES["png"])
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_a_large_jpeg_is_decoded_at_a_part_of_its_size(monkeypatch: pytest.MonkeyPatch):
    large = saved(PAINTED.repeat(8, 0).repeat(8, 1), "JPEG", quality=95)
    for limit, part in ((400 * 300, 1), (50_000, 2), (10_000, 4), (2000, 8)):
        monkeypatch.setattr(images, "MAX_PIXELS", limit)
        picture = decode(with_exif(large, 6))
        assert (picture.original_width, picture.original_height) == (256, 384)
        assert picture.pixels.shape == (384 // part, 256 // part, 3)
        assert np.abs(np.rot90(picture.pixels).astype(int) - PAINTED.repeat(8 // part, 0).repeat(8 // part, 1)).mean() < 4
    monkeypatch.setattr(images, "MAX_JPEG_PIXELS", 384 * 256 - 1)
    assert "has 384 × 256 pixels" in error_of(large)
    monkeypatch.setattr(images, "MAX_JPEG_PIXELS", 1 << 30)
    progressive = saved(PAINTED, "JPEG", progressive=True)
    monkeypatch.setattr(images, "MAX_PIXELS", 1500)
    assert "has 48 × 32 pixels" in error_of(progressive), "its coefficients would all be in memory at once"


def test_limits_on_work(monkeypatch: pytest.MonkeyPatch):
    data = FILES["progressive"]
    last = data[data.rindex(b"\xff\xc4", 0, data.rindex(b"\xff\xda")) : -2]
    assert "more than 100 passes" in error_of(data[:-2] + 100 * last + data[-2:])
    monkeypatch.setattr(image_files, "MAX_PARTS", 10)
    assert "more than 10 parts" in error_of(FILES["png"][:33] + 20 * chunk(b"tEXt", b"a\0b") + FILES["png"][33:])
    assert "more than 10 parts" in error_of(data[:2] + 20 * b"\xff\xfe\0\x02" + data[2:])
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    assert "MB allowed" in error_of(data)


def test_a_file_is_not_read_when_it_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(FILES["png"])
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(ImageError, match=r"a\.png has 0 MB, more than the 0 MB allowed"):
        images.read(tmp_path / "a.png")


def test_two_sizes_in_one_file():
    data = FILES["jpeg"]
    begin = data.index(b"\xff\xc0")
    segment = data[begin : begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")]
    assert "is damaged" in error_of(data[:begin] + segment[:5] + b"\xff\xff" + segment[7:] + data[begin:])
    head = FILES["png"][8:33]
    assert "is damaged" in error_of(FILES["png"][:33] + head + FILES["png"][33:])


def test_names_of_files_are_harmless():
    with pytest.raises(ImageError) as caught:
        decode(b"", "a\n\u202eb.png")
    one_sentence(str(caught.value))


def mutated(draw: random.Random, data: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(min(len(made), draw.choice((60, 1 << 30))))
        kind = draw.randrange(4)
        if kind == 0:
            made[place] = draw.choice((0, 1, 0x7F, 0xFF, draw.randrange(256)))
        elif kind == 1:
            made[place : place + 4] = draw.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, draw.choice(("little", "big")))
        elif kind == 2:
            del made[place : place + draw.choice((1, 3, 50))]
        else:
            made[place:place] = made[place : place + draw.choice((1, 3, 50))]
        if not made:
            break
    return bytes(made)


def test_mutated_pictures_are_refused_or_small():
    exif = Image.Exif()
    exif[0x0112] = 6
    later = [Image.new("RGB", (17, 13), "red")]
    whole = [
        *(saved(SMALL, kind, exif=exif, **options) for kind, options in KINDS.values()),
        *(saved(SMALL, kind, save_all=True, append_images=later) for kind in ("PNG", "WEBP")),
        saved(Image.fromarray(SMALL).convert("P"), "PNG"), saved(Image.fromarray(SMALL).convert("CMYK"), "JPEG"),
    ]
    seen = refused = 0
    for number in range(1500):
        draw = random.Random(number)
        try:
            pixels = decode(mutated(draw, draw.choice(whole))).pixels
        except ImageError as error:
            one_sentence(str(error))
            refused += 1
        else:
            assert pixels.dtype == np.uint8
            assert 0 < pixels.size <= 3 * images.MAX_PIXELS
            seen += 1
    assert min(seen, refused) > 150


def test_many_threads_at_once_and_no_file_left_open(tmp_path: Path):
    for name, data in FILES.items():
        (tmp_path / f"{name}.img").write_bytes(data)
        (tmp_path / f"{name}.cut").write_bytes(data[:-40])
    expected = {name: decode(data).pixels for name, data in FILES.items()}
    limit = Image.MAX_IMAGE_PIXELS
    before = len(psutil.Process().open_files())

    def work(number: int) -> None:
        name = list(FILES)[number % len(FILES)]
        np.testing.assert_array_equal(images.read(tmp_path / f"{name}.img").pixels, expected[name])
        with pytest.raises(ImageError):
            images.read(tmp_path / f"{name}.cut")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert len(psutil.Process().open_files()) == before
    assert limit == Image.MAX_IMAGE_PIXELS


# --- the square that a network sees


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(0, 255))
def test_a_constant_stays_constant(height: int, width: int, size: int, value: int):
    fitted = fit(np.full((height, width, 3), value, np.uint8), size)
    assert fitted.pixels.shape == (size, size, 3)
    assert (fitted.pixels == value).all()
    assert fitted.side == min(height, width)
    assert abs(width - fitted.side - 2 * fitted.left) <= 1
    assert abs(height - fitted.side - 2 * fitted.top) <= 1
    assert 0 < fitted.kept <= 1
    assert fitted.scale == size / fitted.side


@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 10_000))
def test_at_its_own_size_it_is_the_middle(size: int, wider: int, higher: int, seed: int):
    wider, higher = (wider, 0) if seed % 2 else (0, higher)
    pixels = np.random.default_rng(seed).integers(0, 256, (size + higher, size + wider, 3), dtype=np.uint8)
    fitted = fit(pixels, size)
    np.testing.assert_array_equal(fitted.pixels, pixels[higher // 2 : higher // 2 + size, wider // 2 : wider // 2 + size])


@given(st.integers(2, 40), st.integers(0, 10), st.integers(1, 30), st.integers(0, 10_000))
def test_turned_and_mirrored_pictures_give_turned_and_mirrored_squares(height: int, wider: int, size: int, seed: int):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, height + 2 * wider, 3), dtype=np.uint8)
    expected = fit(pixels, size).pixels.astype(int)
    for turn in (lambda a: a[:, ::-1], lambda a: a[::-1], lambda a: a.transpose(1, 0, 2)):
        turned = fit(np.ascontiguousarray(turn(pixels)), size).pixels.astype(int)
        assert np.abs(turned - turn(expected)).max() <= 1  # it is rounded between two passes


def test_fine_stripes_become_grey_and_not_coarse_ones():
    stripes = np.zeros((310, 310, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(fit(stripes, 32).pixels[:, 1:-1].astype(int) - 127).max() < 15
    assert np.ptp(stripes[:, :: 310 // 32, 0]) == 255, "without a filter it would be stripes again"


def test_what_can_not_be_fitted():
    whole = np.zeros((3, 4, 3), np.uint8)
    for pixels, size in ((whole[..., 0], 2), (whole / 1, 2), (whole[:0], 2), (whole, 0)):
        with pytest.raises(ValueError, match="expected"):
            fit(pixels, size)
