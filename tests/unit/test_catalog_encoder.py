"""The encoder's arithmetic, and how it reads what ffmpeg says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.encoder.errors import UnusableVideo
from catalog.encoder.ladder import ladder
from catalog.encoder.probe import read_probe

INPUT = "Input #0, mov,mp4, from 'x':\n  Duration: 00:01:02.50, start: 0.0\n"
SIDE = st.integers(16, 8192)


@pytest.mark.parametrize(
    ("size", "names"),
    [
        ((320, 180), ["180p"]),
        ((854, 480), ["240p", "480p"]),
        ((1280, 720), ["240p", "480p", "720p"]),
        ((3840, 2160), ["240p", "480p", "720p", "1080p"]),
        ((1080, 1920), ["240p", "480p", "720p", "1080p"]),
        ((500, 500), ["240p", "500p"]),
    ],
)
def test_the_ladder_has_the_usual_sizes_below_the_video_and_its_own(size: tuple[int, int], names: list[str]) -> None:
    assert [rung.name for rung in ladder(width=size[0], height=size[1])] == names


@given(SIDE, SIDE)
def test_every_rung_is_even_and_none_is_larger_than_the_video(width: int, height: int) -> None:
    rungs = ladder(width=width, height=height)

    assert rungs
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert rung.width <= width + 1
        assert rung.height <= height + 1
    assert len({rung.name for rung in rungs}) == len(rungs)


def test_a_plain_video_is_read() -> None:
    log = INPUT + "  Stream #0:0: Video: h264 (avc1 / 0x31637661), yuv420p, 320x180 [SAR 1:1 DAR 16:9], 25 fps\n"
    found = read_probe(log + "  Stream #0:1: Audio: aac, 44100 Hz\n")

    assert (found.width, found.height, found.duration, found.has_sound) == (320, 180, 62.5, True)


def test_a_codec_tag_is_not_taken_for_a_size() -> None:
    found = read_probe(INPUT + "  Stream #0:0[0x1e0]: Video: mpeg2video ([2][0][0][0] / 0x0002), yuv420p, 720x576\n")

    assert (found.width, found.height, found.has_sound) == (720, 576, False)


def test_a_video_that_lies_on_its_side_is_turned_upright() -> None:
    log = INPUT + "  Stream #0:0: Video: h264, yuv420p, 320x180\n  Display Matrix: rotation of -90.00 degrees\n"

    assert (read_probe(log).width, read_probe(log).height) == (180, 320)


def test_pixels_that_are_not_square_are_stretched() -> None:
    assert read_probe(INPUT + "  Stream #0:0: Video: h264, yuv420p, 720x576 [SAR 16:15 DAR 4:3]\n").width == 768


def test_a_duration_that_is_not_said_is_unknown() -> None:
    log = "Input #0, matroska,webm, from 'x':\n  Duration: N/A\n  Stream #0:0: Video: vp8, yuv420p, 640x480\n"

    assert read_probe(log).duration is None


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("Invalid data found when processing input", "not a video"),
        ("moov atom not found", "cut off"),
        (INPUT + "  Stream #0:0: Audio: mp3\n", "only sound"),
        (INPUT + "  Stream #0:0: Audio: mp3\n  Stream #0:1: Video: mjpeg, 600x600 (attached pic)\n", "only sound"),
        (INPUT + "  Stream #0:0: Video: h264, yuv420p, 20000x10\n", "20000 by 10"),
        (INPUT + "  Stream #0:0: Video: none\n", "how large"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(log: str, message: str) -> None:
    with pytest.raises(UnusableVideo, match=message):
        read_probe(log)
