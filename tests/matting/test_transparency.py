"""Tests of transparency.py."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from watcher.matting.transparency import is_cut_out, visible_fraction, visible_picture

SIZE = (90, 60)
SUBJECT_BOX = (20, 10, 69, 49)
Colour = tuple[int, int, int]


def disc_alpha() -> Image.Image:
    alpha = Image.new("L", SIZE, 0)
    ImageDraw.Draw(alpha).ellipse(SUBJECT_BOX, fill=255)
    return alpha


def seen(subject: Image.Image | Colour, hidden: Colour) -> NDArray[np.uint8]:
    """What the networks see of a disc in the `subject`'s colours with `hidden` around it."""
    rgb = Image.new("RGB", SIZE, hidden)
    rgb.paste(subject, None if isinstance(subject, tuple) else (0, 0), disc_alpha())
    return np.asarray(visible_picture(rgb, disc_alpha()))


@pytest.mark.parametrize(
    ("subject", "ground"),
    [
        ((0, 0, 0), 255),
        ((255, 255, 255), 0),
        ((90, 60, 30), 255),
        ((255, 255, 0), 0),
        ((0, 0, 200), 255),
        ((120, 120, 120), 255),
    ],
)
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), "own"])
def test_the_ground_contrasts_with_the_subject_whatever_colour_is_hidden(
    subject: Colour, ground: int, hidden: Any
) -> None:
    pixels = seen(subject, subject if hidden == "own" else hidden)
    assert pixels[0, 0].tolist() == [ground] * 3
    assert pixels[30, 45].tolist() == list(subject)


def test_black_and_white_parts_together_are_seen_on_grey() -> None:
    halves = Image.new("RGB", SIZE, "black")
    halves.paste("white", (45, 0, *SIZE))
    assert seen(halves, (0, 0, 0))[0, 0].tolist() == [128] * 3


def test_a_fully_transparent_picture_has_no_outline_and_is_seen_as_white() -> None:
    blank = visible_picture(Image.new("RGB", SIZE, "red"), Image.new("L", SIZE, 0))
    assert blank.getextrema() == ((255, 255),) * 3


def test_a_large_picture_is_seen_as_a_small_one_is() -> None:
    rgb, alpha = Image.new("RGB", (5000, 3), "black"), Image.new("L", (5000, 3), 0)
    alpha.paste(255, (1000, 0, 3000, 3))
    pixels = np.asarray(visible_picture(rgb, alpha))
    assert (pixels[1, 0, 0], pixels[1, 2000, 0]) == (255, 0)


def frame_shapes() -> dict[str, Image.Image]:
    """Shapes into which people fit photos, each as large as it can be on its canvas."""
    circle = Image.new("L", (400, 400), 0)
    ImageDraw.Draw(circle).ellipse((0, 0, 399, 399), fill=255)
    rounded = Image.new("L", (400, 400), 0)
    ImageDraw.Draw(rounded).rounded_rectangle((0, 0, 399, 399), 80, fill=255)
    wide = Image.new("L", (400, 400), 0)
    wide.paste(255, (0, 87, 400, 312))
    turned = Image.new("L", (300, 200), 255).rotate(30, expand=True)
    faint = Image.new("L", (400, 400), 60)
    hexagon = Image.new("L", (400, 400), 0)
    ImageDraw.Draw(hexagon).regular_polygon((200, 200, 200), 6, fill=255)
    corner_erased = Image.new("L", (400, 400), 255)
    ImageDraw.Draw(corner_erased).ellipse((-250, -250, 250, 250), fill=0)
    return {
        "circle": circle,
        "rounded": rounded,
        "16:9 in a square": wide,
        "turned": turned,
        "hexagon": hexagon,
        "faint": faint,
        "a corner erased": corner_erased,
    }


@pytest.mark.parametrize("shape", frame_shapes())
def test_a_photo_in_a_frame_is_no_cut_out_yet(shape: str) -> None:
    assert not is_cut_out(frame_shapes()[shape])


def tight_shapes() -> dict[str, Image.Image]:
    """Cut-outs cropped to what is visible, of which more than half is."""
    shapes = {name: Image.new("L", (400, 400), 0) for name in ("bust", "bottle", "ring", "thick X")}
    bust = ImageDraw.Draw(shapes["bust"])
    bust.ellipse((100, 0, 300, 240), fill=255)
    bust.ellipse((0, 180, 399, 700), fill=255)
    bottle = ImageDraw.Draw(shapes["bottle"])
    bottle.rectangle((140, 0, 260, 150), fill=255)
    bottle.rounded_rectangle((0, 140, 399, 399), 60, fill=255)
    ImageDraw.Draw(shapes["ring"]).ellipse((0, 0, 399, 399), outline=255, width=90)
    x = ImageDraw.Draw(shapes["thick X"])
    x.line((30, 30, 370, 370), fill=255, width=130)
    x.line((30, 370, 370, 30), fill=255, width=130)
    return shapes


@pytest.mark.parametrize("shape", tight_shapes())
def test_a_sticker_cropped_to_its_subject_is_a_cut_out(shape: str) -> None:
    alpha = tight_shapes()[shape]
    assert visible_fraction(alpha) > 0.5
    assert is_cut_out(alpha)
    assert is_cut_out(alpha.resize((4000, 4000)))


def test_a_picture_of_which_most_is_transparent_is_a_cut_out() -> None:
    assert is_cut_out(disc_alpha())


def test_what_is_fainter_than_a_tenth_is_not_visible() -> None:
    assert visible_fraction(Image.new("L", SIZE, 25)) == visible_fraction(np.full(SIZE, 25, np.uint8)) == 0
    assert visible_fraction(Image.new("L", SIZE, 26)) == visible_fraction(np.full(SIZE, 26, np.uint8)) == 1
