"""A picture in the making, and the few strokes of which all scenes are made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from PIL import Image, ImageDraw

from .palettes import Colour, Palette, mix

Point = tuple[float, float]


@dataclass
class Canvas:
    """A picture of `width` by `height` pixels; `random` is seeded by the title, so it is always the same one."""

    image: Image.Image
    palette: Palette
    random: Random

    @property
    def width(self) -> int:
        """In pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.image.height

    @property
    def unit(self) -> float:
        """A hundredth of the shorter side: what strokes are measured in."""
        return min(self.width, self.height) / 100

    def pen(self) -> ImageDraw.ImageDraw:
        """Something to draw plain shapes with."""
        return ImageDraw.Draw(self.image)

    def sky(self, colours: Sequence[Colour], *, to: float = 1.0) -> None:
        """Fill from the top down to the part `to` with a gradient of the colours."""
        strip = Image.new("RGB", (1, len(colours)))
        strip.putdata(list(colours))
        depth = round(self.height * to)
        self.image.paste(strip.resize((self.width, depth), Image.Resampling.BICUBIC), (0, 0))

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """A soft light around a point."""
        size = max(2, round(radius * 2))
        # The gradient counts to 255 at its corners, so its inscribed circle ends at 255 / sqrt(2).
        fall = Image.radial_gradient("L").point(
            lambda far: round(max(0.0, 1 - far * math.sqrt(2) / 255) ** 2 * 255 * strength)
        )
        mask = fall.resize((size, size), Image.Resampling.BILINEAR)
        corner = (round(centre[0] - radius), round(centre[1] - radius))
        self.image.paste(colour, (*corner, corner[0] + size, corner[1] + size), mask)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """A filled circle."""
        x, y = centre
        self.pen().ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def stars(self, count: int, *, to: float) -> None:
        """Points of light from the top down to the part `to`."""
        pen = self.pen()
        for _ in range(count):
            x, y = self.random.uniform(0, self.width), self.height * to * self.random.random() ** 1.5
            size = self.unit * self.random.choice((0.12, 0.16, 0.2, 0.34))
            faint = self.random.uniform(0.35, 1.0)
            colour = mix(self.palette.top, (255, 255, 255), faint)
            pen.ellipse((x - size, y - size, x + size, y + size), fill=colour)

    def land(self, line: Sequence[Point], colour: Colour) -> None:
        """Everything below a line."""
        self.pen().polygon([*line, (self.width, self.height), (0, self.height)], fill=colour)

    def mist(self, top: float, colour: Colour, strength: float) -> None:
        """A haze that thickens from the part `top` of the height downwards."""
        begin = round(self.height * top)
        mask = Image.linear_gradient("L").resize((self.width, self.height - begin))
        self.image.paste(colour, (0, begin, self.width, self.height), mask.point(lambda value: round(value * strength)))

    def jagged(self, level: float, roughness: float) -> list[Point]:
        """A mountain line around the part `level` of the height, by midpoint displacement."""
        heights, swing = [0.0, 0.0], roughness
        for _ in range(8):
            grown = [heights[0]]
            for left, right in pairwise(heights):
                grown += [(left + right) / 2 + self.random.uniform(-swing, swing), right]
            heights, swing = grown, swing * 0.52
        return self._line(level, heights)

    def rolling(self, level: float, swing: float, *, waves: float = 1.5) -> list[Point]:
        """A soft line around the part `level` of the height: two sines."""
        first, second = self.random.uniform(0, math.tau), self.random.uniform(0, math.tau)
        steps = [step / 120 * math.tau for step in range(121)]
        heights = [
            swing * (math.sin(step * waves + first) + 0.4 * math.sin(step * waves * 2.3 + second)) for step in steps
        ]
        return self._line(level, heights)

    def _line(self, level: float, heights: Sequence[float]) -> list[Point]:
        last = len(heights) - 1
        return [(self.width * i / last, self.height * (level + height)) for i, height in enumerate(heights)]
