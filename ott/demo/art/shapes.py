"""Scenes that are made of shapes rather than of places: planets, rings, tracks, toys."""

import math

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .canvas import Canvas, Point
from .palettes import Colour, mix

WHITE = (255, 255, 255)


def orbit(canvas: Canvas) -> None:
    """A ringed planet with night on one side, and its moon."""
    palette, unit = canvas.palette, canvas.unit
    canvas.sky([palette.top, mix(palette.top, palette.middle, 0.6), palette.near])
    for _ in range(5):
        place = (canvas.random.uniform(0, canvas.width), canvas.random.uniform(0, canvas.height))
        canvas.glow(place, unit * canvas.random.uniform(40, 80), mix(palette.middle, palette.horizon, 0.3), 0.3)
    canvas.stars(320, to=1.0)
    centre = (canvas.width * canvas.random.uniform(0.42, 0.62), canvas.height * 0.4)
    radius = unit * canvas.random.uniform(27, 32)
    canvas.glow(centre, radius * 2.1, palette.horizon, 0.55)
    ring = _ring(canvas, centre, radius)
    canvas.image.paste(ring, (0, 0), _half(ring, centre[1], upper=True))
    _planet(canvas, centre, radius)
    canvas.image.paste(ring, (0, 0), _half(ring, centre[1], upper=False))
    moon = (centre[0] - radius * 1.5, centre[1] + radius * 1.25)
    canvas.glow(moon, radius * 0.6, palette.accent, 0.4)
    canvas.disc(moon, radius * 0.17, mix(palette.accent, WHITE, 0.3))


def rings(canvas: Canvas) -> None:
    """Circles around a point off the middle, like a record or an echo."""
    palette, unit = canvas.palette, canvas.unit
    canvas.sky([palette.near, palette.top, palette.middle])
    centre = (canvas.width * canvas.random.uniform(0.35, 0.65), canvas.height * 0.4)
    for number in range(16, 0, -1):
        radius = max(canvas.width, canvas.height) * (number + canvas.random.uniform(-0.2, 0.2)) / 24
        part = number / 16
        colour = mix(mix(palette.accent, palette.horizon, min(1.0, part * 2.5)), palette.near, part**0.7)
        canvas.disc(centre, radius, colour)
        canvas.disc(
            (centre[0] + unit * 0.5 * number / 4, centre[1]), radius - unit * 0.5, mix(colour, palette.middle, 0.35)
        )
    canvas.glow(centre, unit * 60, palette.horizon, 0.35)
    canvas.disc(centre, unit * 6.5, palette.accent)
    canvas.disc(centre, unit * 1.2, palette.near)
    _beam(canvas, centre)
    canvas.mist(0.5, palette.near, 0.9)


def track(canvas: Canvas) -> None:
    """Lanes that run into a bend under floodlights."""
    palette, unit = canvas.palette, canvas.unit
    canvas.sky([palette.near, palette.top, palette.middle, palette.horizon], to=0.52)
    for x in (0.12, 0.38, 0.62, 0.88):
        _floodlight(canvas, canvas.width * x)
    stand = canvas.height * 0.44
    canvas.pen().rectangle((0, stand, canvas.width, canvas.height), fill=mix(palette.far, palette.near, 0.7))
    for _ in range(900):  # the crowd
        x, y = canvas.random.uniform(0, canvas.width), stand + canvas.random.uniform(0, canvas.height * 0.09)
        dot = unit * 0.35
        canvas.pen().ellipse(
            (x - dot, y - dot, x + dot, y + dot), fill=mix(palette.far, palette.accent, canvas.random.random() * 0.7)
        )
    _lanes(canvas, canvas.height * 0.53)
    canvas.mist(0.72, palette.near, 0.8)


def toys(canvas: Canvas) -> None:
    """Round hills, fat clouds, a sun with rays, and balloons."""
    palette, unit = canvas.palette, canvas.unit
    canvas.sky([mix(palette.top, palette.middle, 0.35), palette.middle, palette.horizon], to=0.8)
    _rays(canvas, (canvas.width * 0.5, canvas.height * 0.46))
    for _ in range(5):
        _cloud(canvas, (canvas.random.uniform(0, canvas.width), canvas.random.uniform(0.06, 0.36) * canvas.height))
    for layer in range(4):
        colour = mix(mix(palette.far, palette.horizon, 0.35 - 0.1 * layer), palette.near, 0.28 * layer)
        canvas.land(canvas.rolling(0.58 + 0.1 * layer, 0.045, waves=0.9), colour)
    for number in range(4):
        hue = (palette.accent, WHITE, mix(palette.accent, palette.horizon, 0.5), mix(palette.top, WHITE, 0.25))[number]
        x = canvas.width * (0.2 + 0.2 * number) + unit * canvas.random.uniform(-4, 4)
        _balloon(canvas, (x, canvas.height * canvas.random.uniform(0.2, 0.46)), unit * canvas.random.uniform(5, 8), hue)
    canvas.mist(0.7, palette.near, 0.7)


def _planet(canvas: Canvas, centre: Point, radius: float) -> None:
    palette, size = canvas.palette, round(radius * 2)
    globe = Image.new("RGB", (1, 9))
    bands = [mix(palette.horizon, palette.far, canvas.random.uniform(0.0, 0.75)) for _ in range(9)]
    globe.putdata(bands)
    globe = globe.resize((size, size), Image.Resampling.BICUBIC).rotate(
        14, Image.Resampling.BICUBIC, fillcolor=bands[4]
    )
    night = Image.new("L", (size, size), 0)
    ImageDraw.Draw(night).ellipse((-size * 0.35, -size * 0.35, size * 0.8, size * 0.8), fill=255)
    night = night.filter(ImageFilter.GaussianBlur(size * 0.13))
    globe = Image.composite(globe, Image.new("RGB", (size, size), mix(palette.near, palette.top, 0.4)), night)
    mask = Image.new("L", (size, size), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, size - 1, size - 1), fill=255)
    canvas.image.paste(globe, (round(centre[0] - radius), round(centre[1] - radius)), mask)


def _ring(canvas: Canvas, centre: Point, radius: float) -> Image.Image:
    """The ring alone, tilted, on a transparent ground."""
    sheet = Image.new("RGBA", canvas.image.size, (0, 0, 0, 0))
    pen, (x, y) = ImageDraw.Draw(sheet), centre
    for number in range(7):
        reach = radius * (1.38 + number * 0.085)
        colour = mix(canvas.palette.accent, canvas.palette.far, number / 7)
        box = (x - reach, y - reach * 0.24, x + reach, y + reach * 0.24)
        pen.ellipse(box, outline=(*colour, 225 - 18 * number), width=max(1, round(radius * 0.045)))
    return sheet.rotate(14, Image.Resampling.BICUBIC, center=centre)


def _half(ring: Image.Image, y: float, *, upper: bool) -> Image.Image:
    """The ring's mask, with only what is behind the planet, or only what is before it."""
    keep = Image.new("L", ring.size, 0)
    box = (0, 0, ring.width, round(y)) if upper else (0, round(y), ring.width, ring.height)
    keep.paste(255, box)
    return ImageChops.multiply(ring.getchannel("A"), keep)


def _beam(canvas: Canvas, centre: Point) -> None:
    sheet = Image.new("L", canvas.image.size, 0)
    far = canvas.width + canvas.height
    rim = [(centre[0] + far * math.cos(angle), centre[1] + far * math.sin(angle)) for angle in (-0.95, -0.55)]
    ImageDraw.Draw(sheet).polygon([centre, *rim], fill=120)
    sheet = sheet.filter(ImageFilter.GaussianBlur(canvas.unit * 1.2))
    canvas.image.paste(canvas.palette.accent, (0, 0), sheet)


def _floodlight(canvas: Canvas, x: float) -> None:
    palette, unit, y = canvas.palette, canvas.unit, canvas.height * 0.15
    canvas.pen().line(
        (x, y, x, canvas.height * 0.46), fill=mix(palette.near, palette.far, 0.4), width=max(2, round(unit))
    )
    sheet = Image.new("L", canvas.image.size, 0)
    spread = unit * 34
    ImageDraw.Draw(sheet).polygon(
        [(x, y), (x - spread, canvas.height * 0.75), (x + spread, canvas.height * 0.75)], fill=46
    )
    canvas.image.paste(palette.accent, (0, 0), sheet.filter(ImageFilter.GaussianBlur(unit * 4)))
    canvas.glow((x, y), unit * 22, palette.accent, 0.9)
    for row in range(2):
        for column in range(4):
            canvas.disc((x + (column - 1.5) * unit * 2.1, y + (row - 0.5) * unit * 2.1), unit * 0.85, WHITE)


def _lanes(canvas: Canvas, top: float) -> None:
    palette, unit = canvas.palette, canvas.unit
    centre = (canvas.width * canvas.random.choice((-0.15, 1.15)), canvas.height * 1.25)
    count = 9
    for number in range(count, -1, -1):
        part = number / count
        reach_x = canvas.width * (0.35 + 1.25 * part)
        reach_y = (centre[1] - top) * (0.3 + 0.7 * part)
        box = (centre[0] - reach_x, centre[1] - reach_y, centre[0] + reach_x, centre[1] + reach_y)
        surface: Colour = mix(mix(palette.horizon, palette.far, 0.45), palette.middle, part * 0.8)
        canvas.pen().ellipse(
            box, fill=surface, outline=mix(palette.accent, WHITE, 0.5), width=max(2, round(unit * 0.55))
        )


def _rays(canvas: Canvas, centre: Point) -> None:
    palette, pen = canvas.palette, canvas.pen()
    reach = canvas.width + canvas.height
    for number in range(0, 24, 2):
        angles = (number * math.tau / 24, (number + 1) * math.tau / 24)
        rim = [(centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle)) for angle in angles]
        pen.polygon([centre, *rim], fill=mix(palette.middle, palette.horizon, 0.35))
    canvas.glow(centre, canvas.unit * 60, palette.horizon, 0.9)
    canvas.disc(centre, canvas.unit * 13, mix(palette.horizon, (255, 214, 90), 0.7))


def _cloud(canvas: Canvas, place: Point) -> None:
    size = canvas.unit * canvas.random.uniform(4, 7)
    for x, y, part in ((-1.5, 0.25, 0.75), (-0.5, -0.2, 1.0), (0.7, -0.05, 0.9), (1.6, 0.3, 0.65)):
        canvas.disc((place[0] + x * size, place[1] + y * size), size * part, WHITE)
    box = (place[0] - 2.1 * size, place[1] + 0.2 * size, place[0] + 2.2 * size, place[1] + 0.95 * size)
    canvas.pen().rounded_rectangle(box, radius=size * 0.37, fill=WHITE)


def _balloon(canvas: Canvas, place: Point, size: float, colour: Colour) -> None:
    (x, y), pen = place, canvas.pen()
    thin = max(1, round(canvas.unit * 0.25))
    for side in (-0.5, 0.5):
        pen.line((x + side * size, y + size * 0.7, x + side * size * 0.5, y + size * 1.7), fill=WHITE, width=thin)
    pen.ellipse((x - size, y - size * 1.1, x + size, y + size * 1.1), fill=colour)
    pen.ellipse((x - size * 0.45, y - size * 1.1, x + size * 0.45, y + size * 1.1), fill=mix(colour, WHITE, 0.35))
    pen.rounded_rectangle(
        (x - size * 0.3, y + size * 1.6, x + size * 0.3, y + size * 2.05), radius=size * 0.1, fill=canvas.palette.near
    )
