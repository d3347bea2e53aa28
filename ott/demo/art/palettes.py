"""Colours, by the hour of the day that they feel like."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """From the top of the sky down to the ground in front, and one colour that shines."""

    top: Colour
    middle: Colour
    horizon: Colour
    far: Colour
    near: Colour
    accent: Colour


def _palette(*codes: str) -> Palette:
    return Palette(*(_rgb(code) for code in codes))


def _rgb(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def mix(one: Colour, other: Colour, part: float) -> Colour:
    """`one` at 0, `other` at 1, and in between what lies there."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


PALETTES = {
    "dusk": _palette("0b1030", "2c2f6b", "d9777f", "5b4a86", "0d1024", "ffd9a0"),
    "ember": _palette("1c0a16", "7a1f2b", "ff8a3d", "8c3a34", "170a10", "ffe0a3"),
    "rose": _palette("2a0f33", "a8436f", "ffb8a0", "8e4270", "220c28", "fff0d6"),
    "neon": _palette("0a0620", "3b1372", "ff3f8e", "35207a", "08051a", "37e6ff"),
    "amber": _palette("2b1408", "b4551b", "ffd27a", "9a5a2a", "1f0e06", "fff3cf"),
    "moss": _palette("06140f", "1f4d3a", "c9d98a", "2f5b45", "06110c", "f5ffd0"),
    "ice": _palette("071a2e", "27648c", "d5f1f5", "5d93ad", "081c2d", "ffffff"),
    "violet": _palette("120a2e", "4b2a8f", "e79be8", "513a94", "0f0824", "ffe9b8"),
    "teal": _palette("04191f", "0f5f66", "ffcf9c", "2f7d7a", "04161b", "fff1dc"),
    "ink": _palette("05070f", "16233f", "6f8bb5", "2a3c5e", "05070d", "ffd76b"),
    "candy": _palette("2f6fd0", "63b8f0", "ffe3c2", "6cc3a4", "1f5b6b", "ff6f61"),
}
