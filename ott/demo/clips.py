"""Short trailers with sound: three worlds of a category, a slow camera, and a chord that swells."""

from pathlib import Path

from catalog.encoder import ffmpeg
from catalog.models import Category

from . import art
from .catalogue import TITLES

SIZE, RATE = "640x360", 24
SCENES, SCENE_SECONDS, FADE_SECONDS = 3, 2.8, 0.6
SECONDS = SCENES * SCENE_SECONDS - (SCENES - 1) * FADE_SECONDS

CHORDS = {  # in hertz
    Category.MOVIES: (110.0, 164.8, 220.0, 261.6),
    Category.TV_SHOWS: (146.8, 220.0, 293.7, 349.2),
    Category.SPORTS: (130.8, 196.0, 261.6, 392.0),
    Category.DOCUMENTARIES: (98.0, 146.8, 196.0, 246.9),
    Category.KIDS: (261.6, 329.6, 392.0, 523.3),
}


def draw_clip(category: Category, folder: Path) -> Path:
    """Make the category's trailer in `folder`, an MP4 of `SECONDS` seconds."""
    stills = _stills(category, folder)
    name = f"{category.value}.mp4"
    inputs = [part for still in stills for part in ("-i", still.name)]
    ffmpeg.run(
        [
            *(*inputs, "-f", "lavfi", "-i", _sound(CHORDS[category])),
            *("-filter_complex", _camera(), "-map", "[film]", "-map", f"{SCENES}:a", "-t", f"{SECONDS:.2f}"),
            *("-c:v", "libx264", "-preset", "superfast", "-crf", "30", "-c:a", "aac", "-b:a", "96k", name),
        ],
        folder=folder,
        limit_seconds=120,
    )
    return folder / name


def _stills(category: Category, folder: Path) -> list[Path]:
    titles = [title for title in TITLES if title.category == category][:SCENES]
    paths = []
    for number, title in enumerate(titles):
        path = folder / f"{category.value}-{number}.jpg"
        path.write_bytes(art.backdrop(name=title.name, scene=title.scene, palette=title.palette))
        paths.append(path)
    return paths


def _camera() -> str:
    """Move slowly over each still, in and out by turns, and let one fade into the next."""
    frames = round(SCENE_SECONDS * RATE)
    moves = (f"1+0.25*on/{frames}", f"1.25-0.25*on/{frames}")
    steps = [
        f"[{number}:v]zoompan=z='{moves[number % 2]}':x='(iw-iw/zoom)*{(0.3, 0.7)[number % 2]}':y='(ih-ih/zoom)*0.4'"
        f":d={frames}:s={SIZE}:fps={RATE}[scene{number}]"
        for number in range(SCENES)
    ]
    last = "scene0"
    for number in range(1, SCENES):
        offset = number * (SCENE_SECONDS - FADE_SECONDS)
        steps.append(f"[{last}][scene{number}]xfade=duration={FADE_SECONDS}:offset={offset:.2f}[film{number}]")
        last = f"film{number}"
    return ";".join([*steps, f"[{last}]format=yuv420p[film]"])


def _sound(chord: tuple[float, ...]) -> str:
    tones = "+".join(f"0.08*sin(2*PI*{tone}*t)" for tone in chord)
    swell = f"min(1,t)*min(1,{SECONDS:.2f}-t)*(0.75+0.25*sin(2*PI*0.4*t))"
    return f"aevalsrc=exprs='({tones})*{swell}':s=48000:d={SECONDS:.2f}"
