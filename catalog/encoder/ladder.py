"""Which sizes are made of a video."""

from dataclasses import dataclass

USUAL = (240, 480, 720, 1080)
WORTH_IT = 0.8  # a usual size this close to the video's own is left out


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One size of the ladder; both sides are even, as H.264 in 4:2:0 needs it."""

    name: str
    width: int
    height: int


def ladder(*, width: int, height: int) -> list[Rung]:
    """The rungs for a video, the smallest first; the last is the video's own size, at most 1080.

    "720p" counts the shorter side, so a portrait video has the same names.
    """
    shorter = min(width, height)
    own = min(shorter, USUAL[-1])
    sizes = [size for size in USUAL if size < own * WORTH_IT] + [own]
    return [
        Rung(
            name=f"{_even(size)}p",
            width=_even(width * size / shorter),
            height=_even(height * size / shorter),
        )
        for size in sizes
    ]


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
