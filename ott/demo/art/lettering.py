"""Titles on posters, set in the typeface that comes with Pillow, so that no font need be installed."""

from functools import cache

from PIL import Image, ImageDraw, ImageFont

from .canvas import Canvas
from .palettes import mix

WHITE = (255, 255, 255)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def font(size: int) -> Font:
    """The typeface at a size in pixels."""
    return ImageFont.load_default(size)


def letter(canvas: Canvas, *, name: str, above: str) -> None:
    """Set `name` large at the foot, between a fine line and the edge, and `above` small at the head."""
    margin = canvas.unit * 8
    _shade(canvas)
    lines, size = _fit(name.upper(), canvas.width - 2 * margin, canvas.unit)
    y = canvas.height - margin - len(lines) * size * 1.04
    rule = canvas.unit * 0.9
    top = y - canvas.unit * 4
    canvas.pen().rectangle((margin, top, margin + canvas.unit * 12, top + rule), fill=canvas.palette.accent)
    pen = canvas.pen()
    for line in lines:
        pen.text((margin, y), line, font=font(size), fill=WHITE, stroke_width=size * 0.022, stroke_fill=WHITE)
        y += size * 1.04
    _spaced(canvas, above.upper(), (margin, margin))


def _shade(canvas: Canvas) -> None:
    """Darken the foot, and the head a little, so that white letters can be read on anything."""
    dark = mix(canvas.palette.near, (0, 0, 0), 0.45)
    foot = Image.linear_gradient("L").resize((canvas.width, canvas.height // 2)).point(lambda value: round(value * 0.9))
    canvas.image.paste(dark, (0, canvas.height - foot.height, canvas.width, canvas.height), foot)
    head = Image.linear_gradient("L").resize((canvas.width, canvas.height // 5)).point(lambda value: (255 - value) // 2)
    canvas.image.paste(dark, (0, 0, canvas.width, head.height), head)


def _fit(text: str, width: float, unit: float) -> tuple[list[str], int]:
    """The largest size at which the text, in at most three lines, is no wider than `width`."""
    for size in range(round(unit * 15), round(unit * 6), -2):
        lines = _wrap(text, width, size)
        if len(lines) <= 3 and all(font(size).getlength(line) <= width for line in lines):
            return lines, size
    return _wrap(text, width, round(unit * 6)), round(unit * 6)


def _wrap(text: str, width: float, size: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _spaced(canvas: Canvas, text: str, place: tuple[float, float]) -> None:
    """Small capitals, far apart."""
    size = round(canvas.unit * 3.1)
    pen, (x, y) = ImageDraw.Draw(canvas.image), place
    for character in text:
        pen.text((x, y), character, font=font(size), fill=mix(canvas.palette.accent, WHITE, 0.4))
        x += font(size).getlength(character) + canvas.unit * 1.3
