"""Draws the pictures that come with the project, with the subjects of CIFAR-10: `python samples/make_pictures.py`.

They are drawings, so that nobody's photograph is passed on. What gives a small network something to hold on to is in them: the
colours of sky, sea, road and grass, light from above, and a subject that fills the middle. Drawn four times as large and then reduced.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE, FINER = 160, 4
FOLDER = Path(__file__).parent / "pictures"
Colour = tuple[int, int, int]
Point = tuple[float, float]


class Scene:
    """A drawing in coordinates from 0 to 100, y downwards."""

    def __init__(self, *bands: tuple[float, Colour, Colour], seed: int):
        """bands: for each strip of the background where it ends, and its colours at the top and at the bottom."""
        side = SIZE * FINER
        self.noise = np.random.default_rng(seed)
        rows, begin = np.zeros((side, 1, 3)), 0
        for end, top, bottom in bands:
            stop = round(side * end / 100)
            share = np.linspace(0, 1, max(1, stop - begin))[:, None, None]
            rows[begin:stop] = np.array(top) * (1 - share) + np.array(bottom) * share
            begin = stop
        grain = self.noise.normal(0, 1, (SIZE, SIZE))
        smooth = np.asarray(Image.fromarray(grain.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
        self.image = Image.fromarray(np.clip(rows + 5 * smooth[..., None], 0, 255).astype(np.uint8))

    def shade(self, mask: Image.Image, colour: Colour, light: float) -> None:
        """Fills a mask with a colour that is lighter at its top than at its bottom by `light` grey values."""
        box = mask.getbbox()
        if box is None:
            return
        side = mask.size[0]
        fall = np.interp(np.arange(side), [box[1], box[3]], [light, -light])[:, None, None]
        grain = self.noise.normal(0, 3, (side // 8, side // 8)).astype(np.float32)
        fur = np.asarray(Image.fromarray(grain).resize((side, side), Image.Resampling.BICUBIC))[..., None]
        filled = np.clip(np.array(colour) + fall + fur, 0, 255)
        self.image.paste(Image.fromarray(np.broadcast_to(filled, (side, side, 3)).astype(np.uint8)), mask=mask)

    def _drawn(self, draw: Callable[[ImageDraw.ImageDraw, Callable[[Sequence[Point]], list[Point]]], None]) -> Image.Image:
        side = SIZE * FINER
        mask = Image.new("L", (side, side))
        draw(ImageDraw.Draw(mask), lambda points: [(x * side / 100, y * side / 100) for x, y in points])
        return mask

    def polygon(self, colour: Colour, *points: Point, light: float = 22) -> None:
        self.shade(self._drawn(lambda pen, at: pen.polygon(at(points), fill=255)), colour, light)

    def ellipse(self, colour: Colour, x: float, y: float, width: float, height: float, light: float = 22, turned: float = 0) -> None:
        corners = [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
        mask = self._drawn(lambda pen, at: pen.ellipse([each for point in at(corners) for each in point], fill=255))
        if turned:
            side = SIZE * FINER / 100
            mask = mask.rotate(turned, center=(x * side, y * side))
        self.shade(mask, colour, light)

    def line(self, colour: Colour, width: float, *points: Point, light: float = 10) -> None:
        self.shade(self._drawn(lambda pen, at: pen.line(at(points), fill=255, width=round(width * SIZE * FINER / 100), joint="curve")), colour, light)

    def finished(self) -> Image.Image:
        return self.image.filter(ImageFilter.GaussianBlur(FINER / 2)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


SKY, FAR_SKY, SEA, DEEP = (104, 160, 214), (196, 220, 238), (58, 108, 146), (24, 56, 92)
GRASS, MEADOW, ROAD, DUST = (98, 142, 66), (60, 100, 42), (120, 120, 122), (84, 84, 88)
BLACK, WHITE, GLASS, TYRE = (18, 18, 20), (240, 240, 236), (72, 96, 116), (26, 26, 28)


def airplane() -> Scene:
    scene = Scene((100, (72, 130, 200), (176, 208, 236)), seed=1)
    scene.polygon((178, 184, 192), (44, 48), (60, 46), (34, 20), (26, 20))
    scene.ellipse((226, 230, 234), 50, 52, 84, 14, light=34)
    scene.polygon((206, 212, 218), (16, 50), (10, 30), (18, 30), (30, 48))
    scene.polygon((158, 166, 176), (42, 54), (62, 54), (44, 82), (34, 82))
    scene.polygon((170, 176, 186), (12, 52), (24, 52), (14, 62), (7, 62))
    scene.polygon(GLASS, (82, 47), (89, 49.5), (84, 50.5), (79, 50))
    for x in range(30, 76, 6):
        scene.ellipse(GLASS, x, 50, 2.4, 3)
    scene.ellipse((110, 116, 126), 52, 61, 13, 6)
    return scene


def ship() -> Scene:
    scene = Scene((56, SKY, FAR_SKY), (100, SEA, DEEP), seed=2)
    scene.polygon(WHITE, (34, 54), (36, 38), (66, 38), (70, 54))
    scene.polygon((214, 216, 214), (40, 38), (41, 28), (58, 28), (60, 38))
    scene.polygon((186, 62, 48), (45, 28), (46, 15), (53, 15), (54, 28))
    scene.polygon(BLACK, (45.7, 18), (46, 14), (53, 14), (53.3, 18))
    scene.line((60, 60, 64), 1, (76, 54), (76, 24))
    scene.polygon((132, 40, 38), (6, 54), (94, 52), (84, 74), (16, 74), light=34)
    scene.polygon((40, 44, 54), (11, 65), (87, 65), (84, 72), (15, 72))
    for x in range(41, 67, 6):
        scene.ellipse(GLASS, x, 45, 3, 3.6)
    for y, begin in ((78, 8), (84, 30), (91, 14)):
        scene.line((150, 184, 206), 0.9, (begin, y), (begin + 18, y - 1), (begin + 40, y))
    return scene


def automobile() -> Scene:
    scene = Scene((48, SKY, FAR_SKY), (62, GRASS, MEADOW), (100, ROAD, DUST), seed=3)
    scene.ellipse((46, 46, 50), 50, 80, 92, 9, light=4)
    scene.polygon((196, 34, 34), (24, 52), (36, 33), (64, 33), (80, 52), light=30)
    scene.polygon((196, 34, 34), (6, 56), (22, 50), (82, 50), (95, 57), (96, 74), (5, 74), light=44)
    scene.polygon(GLASS, (30, 50), (38, 37), (49, 37), (49, 50), light=34)
    scene.polygon(GLASS, (52, 50), (52, 37), (62, 37), (73, 50), light=34)
    for x in (24, 76):
        scene.ellipse(TYRE, x, 74, 20, 20, light=8)
        scene.ellipse((176, 180, 186), x, 74, 10, 10)
    scene.ellipse((246, 236, 190), 92, 60, 6, 5)
    scene.line((120, 14, 16), 0.8, (50, 51), (50, 70))
    return scene


def truck() -> Scene:
    scene = Scene((52, SKY, FAR_SKY), (64, (150, 146, 120), (118, 112, 90)), (100, ROAD, DUST), seed=4)
    scene.ellipse((46, 46, 50), 50, 83, 92, 9, light=4)
    scene.polygon((228, 226, 216), (5, 22), (62, 22), (62, 70), (5, 70), light=30)
    scene.polygon((40, 84, 150), (64, 38), (82, 38), (92, 54), (94, 72), (64, 72), light=34)
    scene.polygon(GLASS, (70, 42), (80, 42), (87, 54), (70, 54), light=34)
    scene.polygon((52, 52, 56), (5, 69), (95, 69), (95, 75), (5, 75))
    for x in (18, 34, 80):
        scene.ellipse(TYRE, x, 77, 17, 17, light=8)
        scene.ellipse((150, 152, 156), x, 77, 8, 8)
    scene.line((196, 60, 44), 3, (8, 46), (59, 46))
    return scene


def bird() -> Scene:
    scene = Scene((100, (166, 196, 166), (84, 120, 78)), seed=5)
    scene.line((92, 68, 44), 4, (0, 84), (100, 76))
    scene.polygon((86, 74, 66), (62, 56), (97, 70), (94, 76), (60, 68))
    scene.ellipse((150, 92, 58), 50, 56, 44, 38, turned=-18)
    scene.ellipse((212, 116, 60), 42, 60, 27, 28, light=26)
    scene.ellipse((112, 88, 72), 57, 53, 34, 20, turned=-24)
    scene.ellipse((140, 100, 72), 31, 36, 25, 24)
    scene.polygon((66, 56, 44), (20, 34), (8, 38), (20, 40))
    scene.ellipse(BLACK, 27, 34, 4.4, 4.8, light=0)
    scene.ellipse(WHITE, 26.2, 33.2, 1.4, 1.4, light=0)
    for x in (44, 52):
        scene.line((80, 58, 40), 1.4, (x, 73), (x - 1, 81))
    return scene


def _face(scene: Scene, x: float, y: float, apart: float, iris: Colour) -> None:
    for side in (-1, 1):
        scene.ellipse(iris, x + side * apart, y, 8, 8.6)
        scene.ellipse(BLACK, x + side * apart, y, 3.4, 7.2, light=0)
        scene.ellipse(WHITE, x + side * apart - 1, y - 2, 1.8, 1.8, light=0)


def cat() -> Scene:
    scene = Scene((66, (176, 150, 128), (146, 118, 98)), (100, (206, 190, 168), (164, 144, 122)), seed=6)
    fur = (148, 132, 118)
    scene.line((120, 104, 92), 8, (74, 88), (92, 80), (88, 58))
    scene.ellipse(fur, 52, 88, 58, 56, light=30)
    for side in (-1, 1):
        scene.polygon(fur, (46 + side * 10, 26), (46 + side * 24, 8), (46 + side * 26, 38))
        scene.polygon((196, 150, 142), (46 + side * 14, 26), (46 + side * 22, 14), (46 + side * 23, 34))
    scene.ellipse(fur, 46, 42, 54, 46, light=30)
    for x in (36, 46, 56):
        scene.line((92, 78, 68), 2.2, (x, 21), (46 + (x - 46) * 0.6, 31))
    for side in (-1, 1):
        scene.ellipse((222, 214, 204), 46 + side * 6, 54, 15, 12)
    _face(scene, 46, 42, 12, (150, 170, 70))
    scene.polygon((190, 116, 112), (42.5, 49), (49.5, 49), (46, 53))
    for side in (-1, 1):
        for fall in (-3, 1, 5):
            scene.line((236, 232, 226), 0.6, (46 + side * 9, 55), (46 + side * 33, 54 + fall), light=0)
    return scene


def frog() -> Scene:
    scene = Scene((40, (92, 108, 62), (112, 112, 74)), (100, (138, 118, 88), (88, 72, 54)), seed=7)
    green, dark = (106, 140, 54), (72, 104, 40)
    scene.ellipse((70, 58, 44), 50, 86, 88, 10, light=4)
    for side in (-1, 1):
        scene.ellipse(dark, 50 + side * 29, 70, 30, 34, turned=side * 24)
        scene.ellipse(green, 50 + side * 34, 85, 26, 8)
        scene.ellipse(dark, 50 + side * 15, 83, 12, 16)
    scene.ellipse(green, 50, 62, 60, 46, light=32)
    scene.ellipse((206, 204, 150), 50, 74, 40, 22)
    for side in (-1, 1):
        scene.ellipse(green, 50 + side * 18, 37, 20, 20, light=30)
        scene.ellipse((214, 178, 62), 50 + side * 18, 36, 13, 13)
        scene.ellipse(BLACK, 50 + side * 18, 36, 9, 5, light=0)
    scene.line((52, 70, 28), 1.6, (26, 60), (38, 66), (50, 68), (62, 66), (74, 60))
    for x, y in ((36, 48), (62, 46), (50, 52), (72, 54), (28, 56)):
        scene.ellipse(dark, x, y, 6, 4)
    return scene


def horse() -> Scene:
    scene = Scene((50, SKY, FAR_SKY), (100, GRASS, MEADOW), seed=8)
    coat, dark, mane = (128, 76, 44), (98, 56, 32), (44, 28, 20)
    scene.ellipse((62, 88, 44), 48, 91, 74, 7, light=4)
    scene.line(mane, 5, (20, 48), (10, 58), (11, 74))
    for x in (32, 66):
        scene.polygon(dark, (x - 4, 60), (x + 5, 60), (x + 3, 91), (x - 1, 91))
    scene.ellipse(coat, 45, 52, 56, 29, light=34)
    for x in (24, 60):
        scene.polygon(coat, (x - 5, 56), (x + 7, 56), (x + 3, 92), (x - 2, 92))
        scene.polygon(BLACK, (x - 2.4, 89), (x + 3.4, 89), (x + 4, 93), (x - 3, 93))
    scene.polygon(coat, (58, 44), (74, 18), (85, 26), (71, 60), light=30)
    scene.polygon(coat, (73, 18), (82, 14), (96, 34), (91, 40), (79, 32), light=26)
    scene.polygon(dark, (76, 18), (77, 9), (82, 16))
    scene.line(mane, 5.5, (77, 15), (69, 26), (58, 44))
    scene.ellipse(BLACK, 83.5, 23, 2.6, 2.8, light=0)
    return scene


DRAWINGS = {
    "ship": (ship, "A ship", "A long hull that is level, and a narrow funnel: see which axis gives it more rows."),
    "airplane": (airplane, "An airplane", "Nearly all of it is sky: see whether rows and columns leave the sky to the fuselage."),
    "automobile": (automobile, "A car", "Two wheels and a roof between road and sky."),
    "truck": (truck, "A truck", "Straight edges at right angles, which both axes can follow."),
    "bird": (bird, "A bird", "Round, on a branch across the picture."),
    "cat": (cat, "A cat", "Fine whiskers and stripes: the first that a larger stride loses."),
    "frog": (frog, "A frog", "Its colours are those of the ground: edges are all there is."),
    "horse": (horse, "A horse", "Thin legs below, a body in the middle: the height alone tells them apart."),
}


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, (draw, title, description) in DRAWINGS.items():
        draw().finished().save(folder / f"{name}.png", optimize=True)
        entries.append({"name": name, "file": f"{name}.png", "title": title, "description": description, "label": name})
    (folder / "catalogue.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
