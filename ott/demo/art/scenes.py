"""Landscapes: what is seen far away, from a mountain to a skyline."""

import math
from collections.abc import Callable

from .canvas import Canvas
from .palettes import mix

Scene = Callable[[Canvas], None]
WHITE = (255, 255, 255)


def ridges(canvas: Canvas) -> None:
    """Mountains behind mountains, paler the farther they are."""
    palette = canvas.palette
    canvas.sky([palette.top, palette.middle, palette.horizon], to=0.8)
    canvas.stars(140, to=0.5)
    _sun(canvas, height=canvas.random.uniform(0.26, 0.36), size=11)
    for layer in range(5):
        depth = layer / 4
        colour = mix(mix(palette.horizon, palette.far, min(1.0, depth * 1.6 + 0.25)), palette.near, depth**1.4)
        canvas.land(canvas.jagged(0.46 + 0.115 * layer, 0.13 - 0.012 * layer), colour)
        if layer < 4:
            canvas.mist(0.5 + 0.1 * layer, palette.horizon, 0.22 - 0.04 * layer)


def dunes(canvas: Canvas) -> None:
    """Sand in soft waves, each with a bright crest, and somebody very small."""
    palette = canvas.palette
    canvas.sky([palette.top, palette.middle, palette.horizon], to=0.72)
    _sun(canvas, height=0.34, size=15)
    for layer in range(5):
        depth = layer / 4
        line = canvas.rolling(0.52 + 0.11 * layer, 0.035, waves=0.8 + 0.2 * layer)
        colour = mix(mix(palette.horizon, palette.far, 0.35 + depth * 0.65), palette.near, depth**1.6)
        canvas.land(line, colour)
        crest = mix(colour, palette.accent, 0.45 * (1 - depth))
        canvas.pen().line(line, fill=crest, width=max(1, round(canvas.unit * 0.5)))
        if layer == 2:
            _walkers(canvas, line)
    canvas.mist(0.7, palette.near, 0.5)


def ocean(canvas: Canvas) -> None:
    """A low sun, its road on the water, and a boat."""
    palette, horizon = canvas.palette, 0.56
    canvas.sky([palette.top, palette.middle, palette.horizon], to=horizon + 0.02)
    centre = (canvas.width * canvas.random.uniform(0.35, 0.65), canvas.height * (horizon - 0.06))
    radius = canvas.unit * 17
    canvas.glow(centre, radius * 4.2, palette.accent, 0.75)
    canvas.disc(centre, radius, mix(palette.accent, palette.horizon, 0.15))
    _water(canvas, horizon, centre[0])
    _boat(canvas, centre[0] + canvas.unit * canvas.random.choice((-26, 24)), canvas.height * (horizon + 0.035))


def city(canvas: Canvas) -> None:
    """Towers in three rows; somebody is always awake."""
    palette = canvas.palette
    canvas.sky([palette.top, palette.middle, palette.horizon], to=0.85)
    canvas.stars(60, to=0.35)
    _sun(canvas, height=0.32, size=19)
    for row in range(3):
        depth = row / 2
        colour = mix(mix(palette.far, palette.horizon, 0.3 * (1 - depth)), palette.near, depth * 0.9 + 0.08)
        _towers(canvas, 0.56 + 0.12 * row, colour, depth)
        canvas.mist(0.62, palette.horizon if row < 2 else palette.near, 0.3 if row < 2 else 0.75)


def forest(canvas: Canvas) -> None:
    """Firs in the fog, and a light that may be the moon."""
    palette = canvas.palette
    canvas.sky([palette.top, palette.middle, palette.horizon, palette.horizon])
    _sun(canvas, height=0.3, size=13)
    for layer in range(5):
        depth = layer / 4
        colour = mix(mix(palette.horizon, palette.far, 0.3 + 0.7 * depth), palette.near, depth**1.3)
        _firs(canvas, 0.58 + 0.1 * layer, 0.12 + 0.075 * layer, colour)
        if layer < 4:
            canvas.mist(0.5 + 0.08 * layer, palette.horizon, 0.3)
    canvas.mist(0.75, palette.near, 0.8)


def _sun(canvas: Canvas, *, height: float, size: float) -> None:
    """A disc with its light, somewhere near the middle."""
    centre = (canvas.width * canvas.random.uniform(0.3, 0.7), canvas.height * height)
    canvas.glow(centre, canvas.unit * size * 4.5, canvas.palette.accent, 0.6)
    canvas.disc(centre, canvas.unit * size, mix(canvas.palette.accent, WHITE, 0.15))


def _walkers(canvas: Canvas, line: list[tuple[float, float]]) -> None:
    pen, start = canvas.pen(), canvas.random.randint(30, 75)
    for step in range(4):
        x, y = line[start + step * 3]
        tall = canvas.unit * (3.2 if step else 4.0)
        pen.ellipse((x - tall * 0.16, y - tall * 1.25, x + tall * 0.16, y - tall * 0.93), fill=canvas.palette.near)
        pen.polygon([(x - tall * 0.22, y), (x, y - tall), (x + tall * 0.22, y)], fill=canvas.palette.near)


def _water(canvas: Canvas, horizon: float, sun: float) -> None:
    palette, pen = canvas.palette, canvas.pen()
    top = round(canvas.height * horizon)
    for row in range(top, canvas.height):
        depth = (row - top) / (canvas.height - top)
        pen.line(
            (0, row, canvas.width, row), fill=mix(mix(palette.horizon, palette.far, 0.45), palette.near, depth**0.55)
        )
    step, y = canvas.unit * 0.9, float(top)
    while y < canvas.height:
        depth = (y - top) / (canvas.height - top)
        for _ in range(3):
            width = canvas.unit * (3 + 16 * depth) * canvas.random.uniform(0.3, 1.0)
            x = sun + canvas.random.gauss(0, canvas.unit * (5 + 9 * depth))
            shine = mix(palette.accent, palette.far, 0.15 + 0.6 * depth)
            pen.rounded_rectangle((x - width, y, x + width, y + step * 0.42), radius=step * 0.2, fill=shine)
        y += step * (1 + 1.6 * depth)


def _boat(canvas: Canvas, x: float, y: float) -> None:
    pen, size, colour = canvas.pen(), canvas.unit * 4.4, canvas.palette.near
    pen.polygon(
        [(x - size, y), (x + size, y), (x + size * 0.65, y + size * 0.5), (x - size * 0.7, y + size * 0.5)], colour
    )
    pen.polygon(
        [(x - size * 0.08, y - size * 0.12), (x - size * 0.08, y - size * 2.3), (x + size * 0.95, y - size * 0.12)],
        colour,
    )
    pen.polygon(
        [(x - size * 0.2, y - size * 0.12), (x - size * 0.2, y - size * 1.8), (x - size * 0.85, y - size * 0.12)],
        colour,
    )


def _towers(canvas: Canvas, level: float, colour: tuple[int, int, int], depth: float) -> None:
    pen, x = canvas.pen(), -canvas.unit * 4
    while x < canvas.width:
        width = canvas.unit * canvas.random.uniform(6, 13) * (0.8 + 0.5 * depth)
        top = canvas.height * (level + canvas.random.uniform(-0.17, 0.06))
        pen.rectangle((x, top, x + width, canvas.height), fill=colour)
        if canvas.random.random() < 0.35:
            pen.line(
                (x + width / 2, top, x + width / 2, top - canvas.unit * 6),
                fill=colour,
                width=max(1, round(canvas.unit * 0.5)),
            )
        _windows(canvas, (x, top, width), depth)
        x += width + canvas.unit * canvas.random.uniform(-0.5, 1.5)


def _windows(canvas: Canvas, tower: tuple[float, float, float], depth: float) -> None:
    pen, (x, top, width) = canvas.pen(), tower
    pitch = canvas.unit * (1.5 + 0.9 * depth)
    lit = mix(canvas.palette.accent, canvas.palette.horizon, 0.35 * (1 - depth))
    for column in range(1, int(width / pitch)):
        for row in range(1, int((canvas.height - top) / pitch / 1.5)):
            if canvas.random.random() < 0.2 + 0.08 * math.sin(column + row):
                left, upper = x + column * pitch - pitch * 0.2, top + row * pitch * 1.5
                pen.rectangle((left, upper, left + pitch * 0.45, upper + pitch * 0.62), fill=lit)


def _firs(canvas: Canvas, level: float, tallness: float, colour: tuple[int, int, int]) -> None:
    pen, x = canvas.pen(), -canvas.unit * 3
    ground = canvas.rolling(level, 0.012)
    canvas.land(ground, colour)
    while x < canvas.width + canvas.unit * 3:
        base = canvas.height * level + canvas.unit * 3
        tall = canvas.height * tallness * canvas.random.uniform(0.55, 1.25)
        for tier in range(6):
            part = tier / 6
            half, y = tall * 0.2 * (1 - part * 0.85), base - tall * part * 0.86
            pen.polygon([(x - half, y), (x, y - tall * 0.3), (x + half, y)], fill=colour)
        x += tall * canvas.random.uniform(0.16, 0.42)
