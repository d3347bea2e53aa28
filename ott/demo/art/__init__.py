"""Posters and backdrops, drawn by rule and chance: the same title has the same pictures everywhere."""

from functools import cache
from io import BytesIO
from random import Random

from PIL import Image, ImageChops, ImageOps

from . import scenes, shapes
from .canvas import Canvas
from .lettering import letter
from .palettes import PALETTES
from .scenes import Scene

POSTER, BACKDROP = (400, 600), (1280, 720)  # pixels
OVERSIZE = 1.4  # all is drawn larger and made smaller at the end: that smooths every edge

SCENES: dict[str, Scene] = {
    "ridges": scenes.ridges,
    "dunes": scenes.dunes,
    "ocean": scenes.ocean,
    "city": scenes.city,
    "forest": scenes.forest,
    "orbit": shapes.orbit,
    "rings": shapes.rings,
    "track": shapes.track,
    "toys": shapes.toys,
}


def poster(*, name: str, studio: str, scene: str, palette: str) -> bytes:
    """A poster with lettering, as JPEG."""
    canvas = _paint(name, scene, palette, POSTER)
    letter(canvas, name=name, above=studio)
    return _finished(canvas, POSTER)


@cache  # a trailer shows some of them again
def backdrop(*, name: str, scene: str, palette: str) -> bytes:
    """The same world in landscape format, without lettering, as JPEG."""
    return _finished(_paint(name, scene, palette, BACKDROP), BACKDROP)


def _paint(name: str, scene: str, palette: str, size: tuple[int, int]) -> Canvas:
    large = (round(size[0] * OVERSIZE), round(size[1] * OVERSIZE))
    canvas = Canvas(Image.new("RGB", large), PALETTES[palette], Random(f"{name}/{scene}"))
    SCENES[scene](canvas)
    return canvas


def _finished(canvas: Canvas, size: tuple[int, int]) -> bytes:
    """Smaller, with darker corners and a grain that keeps gradients from banding."""
    image = canvas.image.resize(size, Image.Resampling.LANCZOS)
    corners = ImageOps.invert(Image.radial_gradient("L")).point(lambda value: min(255, 150 + value)).resize(size)
    image = ImageChops.multiply(image, Image.merge("RGB", [corners] * 3))
    grain = Image.frombytes("L", size, canvas.random.randbytes(size[0] * size[1]))
    image = Image.blend(image, ImageChops.soft_light(image, Image.merge("RGB", [grain] * 3)), 0.16)
    written = BytesIO()
    image.save(written, "JPEG", quality=92)
    return written.getvalue()
