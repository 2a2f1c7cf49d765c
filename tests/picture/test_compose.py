"""Tests of compose.py."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.picture.samples import decoded, noise, saved
from watcher.picture import compose, profiles
from watcher.picture.codecs import Picture
from watcher.picture.compose import Layout, compute_layout, render, render_background, subject_box, union_box
from watcher.recipe import Recipe, read_recipe

SUBJECT = (40, 30, 80, 110)  # 40 x 80, in a picture of 200 x 120


def layout_of(**values: object) -> Layout:
    return compute_layout(200, 120, SUBJECT, read_recipe(values))


def test_without_settings_everything_stays_where_it_is() -> None:
    assert layout_of() == Layout(200, 120, (0, 0, 200, 120), (0, 0, 200, 120))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"crop": True}, Layout(40, 80, SUBJECT, (0, 0, 40, 80))),
        ({"crop": 10}, Layout(60, 100, (30, 20, 90, 120), (0, 0, 60, 100))),
        ({"crop": "50%"}, Layout(120, 160, (0, -10, 120, 150), (0, 0, 120, 160))),  # beyond the picture
        ({"canvas": "100x100"}, Layout(100, 100, (0, 0, 200, 120), (0, 20, 100, 80))),
        ({"crop": True, "canvas": "160x160"}, Layout(160, 160, SUBJECT, (40, 0, 120, 160))),  # enlarged
        ({"crop": True, "canvas": "100x100", "padding": 10}, Layout(100, 100, SUBJECT, (30, 10, 70, 90))),
        ({"crop": True, "canvas": "100x200", "padding": "10%"}, Layout(100, 200, SUBJECT, (10, 20, 90, 180))),
        ({"crop": True, "canvas": "1:1"}, Layout(80, 80, SUBJECT, (20, 0, 60, 80))),
        ({"crop": True, "canvas": "1:1", "padding": "10%"}, Layout(100, 100, SUBJECT, (30, 10, 70, 90))),
        ({"crop": True, "canvas": "1:1", "padding": 20}, Layout(120, 120, SUBJECT, (40, 20, 80, 100))),
        ({"canvas": "4:1"}, Layout(480, 120, (0, 0, 200, 120), (140, 0, 340, 120))),
        ({"longest_side": 100}, Layout(100, 60, (0, 0, 200, 120), (0, 0, 100, 60))),
        ({"longest_side": 1000}, Layout(200, 120, (0, 0, 200, 120), (0, 0, 200, 120))),
        ({"crop": True, "canvas": "1:1", "longest_side": 40}, Layout(40, 40, SUBJECT, (10, 0, 30, 40))),
    ],
)
def test_crop_canvas_padding_and_size(values: dict[str, object], expected: Layout) -> None:
    assert layout_of(**values) == expected


@pytest.mark.parametrize(
    ("placement", "left", "top"),
    [
        ("top-left", 10, 10),
        ("top", 55, 10),
        ("top-right", 100, 10),
        ("left", 10, 55),
        ("center", 55, 55),
        ("right", 100, 55),
        ("bottom-left", 10, 100),
        ("bottom", 55, 100),
        ("bottom-right", 100, 100),
    ],
)
def test_each_placement_keeps_the_padding(placement: str, left: int, top: int) -> None:
    recipe = read_recipe({"canvas": "200x200", "padding": 10, "placement": placement, "crop": True})
    square, tall, wide = (compute_layout(500, 500, (0, 0, *size), recipe).target for size in ((80, 80), (4, 8), (8, 4)))
    assert square == (10, 10, 190, 190)  # fills what the padding leaves
    assert tall == (left, 10, left + 90, 190)
    assert wide == (10, top, 190, top + 90)


def test_a_tiny_subject_never_becomes_nothing() -> None:
    layout = compute_layout(5000, 10, None, read_recipe({"longest_side": 20}))
    assert (layout.width, layout.height) == (20, 1)
    assert compute_layout(10, 10, (4, 4, 5, 5), read_recipe({"crop": True})) == Layout(1, 1, (4, 4, 5, 5), (0, 0, 1, 1))


def test_without_a_subject_there_is_nothing_to_crop_to() -> None:
    assert compute_layout(9, 9, None, read_recipe({"crop": True})).source == (0, 0, 9, 9)


def test_the_box_surrounds_what_is_clearly_visible() -> None:
    alpha = np.zeros((50, 60), np.uint8)
    assert subject_box(alpha) is None
    alpha[20:31, 10:15] = 200
    alpha[0, 0] = 20  # an invisible speck
    assert subject_box(alpha) == (10, 20, 15, 31)
    assert union_box((10, 20, 15, 31), (0, 25, 12, 40)) == (0, 20, 15, 40)
    assert union_box(None, (1, 2, 3, 4)) == (1, 2, 3, 4) == union_box((1, 2, 3, 4), None)


def picture(width: int = 200, height: int = 120, icc: bytes | None = None) -> Picture:
    """Return a picture that is red everywhere."""
    return Picture(Image.new("RGB", (width, height), (200, 10, 10)), None, icc)


def subject_alpha() -> NDArray[np.uint8]:
    """Return an alpha of 200 x 120 whose subject is the rectangle SUBJECT."""
    alpha = np.zeros((120, 200), np.uint8)
    left, top, right, bottom = SUBJECT
    alpha[top:bottom, left:right] = 255
    return alpha


def rendered(alpha: NDArray[np.uint8] | None = None, icc: bytes | None = None, **values: object) -> NDArray[np.uint8]:
    recipe, alpha = read_recipe(values), subject_alpha() if alpha is None else alpha
    return render(
        picture(icc=icc),
        alpha,
        compute_layout(200, 120, subject_box(alpha), recipe),
        recipe,
        render_background(recipe, None, icc, (1, 1)),
    )


def test_a_crop_beyond_the_picture_is_transparent_there_and_exact_inside() -> None:
    result = rendered(crop="50%")
    assert result.shape == (160, 120, 4)
    assert not result[:10].any()
    assert (result[50, 50] == (200, 10, 10, 255)).all()
    assert np.count_nonzero(result[..., 3]) == 40 * 80


def test_a_reduced_picture_has_no_fringe_of_other_colours() -> None:
    result = rendered(longest_side=90)
    error = np.abs(result[..., :3].astype(int) - (200, 10, 10)) * result[..., 3:] / 255.0
    assert error.max() <= 1.0  # weighted by alpha, as it is seen on any background
    assert np.count_nonzero((result[..., 3] > 0) & (result[..., 3] < 255)) > 0


def test_a_colour_goes_behind_the_subject_and_mixes_at_the_edge() -> None:
    alpha = subject_alpha()
    alpha[alpha == 255] = 51  # a fifth
    result = rendered(alpha, background="#0000ff")
    assert result.shape == (120, 200, 3)
    assert result[0, 0].tolist() == [0, 0, 255]
    assert result[60, 60].tolist() == [40, 2, 206]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_background_colour_looks_the_same_in_every_profile() -> None:
    wide = profiles.from_cicp(12, 13)
    result = rendered(background="#ff0000", icc=wide)[0, 0].tolist()
    assert result == pytest.approx([234, 51, 35], abs=2)  # sRGB red in Display P3 (CSS Color 4, color(display-p3 …))
    assert rendered(background="#ffffff", icc=wide)[0, 0].tolist() == pytest.approx([255, 255, 255], abs=1)


def test_a_background_picture_covers_the_output_or_is_shown_whole() -> None:
    blue = Picture(Image.new("RGB", (400, 100), (0, 0, 255)), None, None)
    for fit, corner in (("cover", [0, 0, 255]), ("contain", [255, 255, 255])):
        recipe = read_recipe({"background": "/beach.jpg", "fit": fit})
        result = render(
            picture(),
            subject_alpha(),
            compute_layout(200, 120, None, recipe),
            recipe,
            render_background(recipe, blue, None, (200, 120)),
        )
        assert result.shape == (120, 200, 3)
        assert result[0, 100].tolist() == corner
        assert result[60, 150].tolist() == [0, 0, 255]
        assert result[60, 60].tolist() == [200, 10, 10]


def test_a_background_picture_is_white_where_it_is_transparent() -> None:
    clear = Picture(Image.new("RGB", (200, 120), (0, 0, 255)), Image.new("L", (200, 120), 0), None)
    recipe = read_recipe({"background": "/beach.png"})
    result = render(
        picture(),
        subject_alpha(),
        compute_layout(200, 120, None, recipe),
        recipe,
        render_background(recipe, clear, None, (200, 120)),
    )
    assert result[0, 0].tolist() == [255, 255, 255]


def test_a_mask_is_the_alpha_and_nothing_else() -> None:
    result = rendered(mask=True)
    assert result.shape == (120, 200, 1)
    assert np.array_equal(result[..., 0], subject_alpha())


def test_a_shadow_is_black_soft_below_the_subject_and_leaves_it_as_it_is() -> None:
    plain, shaded = rendered(), rendered(shadow=100)
    subject = plain[..., 3] == 255
    assert np.array_equal(plain[subject], shaded[subject])
    below = shaded[111, 60]
    assert below[3] > 60
    assert not below[:3].any()
    column = shaded[110:, 60, 3].astype(int)
    assert (np.diff(column) <= 0).all()  # it fades
    assert shaded[28, 60, 3] < below[3]  # the shadow is weaker above the subject
    assert rendered(shadow=50)[111, 60, 3] == pytest.approx(below[3] / 2, abs=2)


def test_a_shadow_darkens_the_background() -> None:
    result = rendered(shadow=100, background="white")
    assert result[0, 199].tolist() == [255, 255, 255]
    assert result[111, 60].max() < 200
    assert result[60, 60].tolist() == [200, 10, 10]


def test_a_crop_leaves_room_for_the_shadow() -> None:
    result = rendered(shadow=100, crop=True)
    for border in (result[0], result[-1], result[:, 0], result[:, -1]):
        assert border[..., 3].max() <= 8
    assert result.shape[0] > 80


def test_an_empty_alpha_has_no_shadow() -> None:
    assert not rendered(np.zeros((120, 200), np.uint8), shadow=100).any()


def test_a_damaged_profile_leaves_the_pixels_unchanged() -> None:
    image = Image.new("RGB", (2, 2), (1, 2, 3))
    assert compose.convert_profile(image, b"nonsense" * 40, None).getpixel((0, 0)) == (1, 2, 3)


def test_two_equal_profiles_change_nothing() -> None:
    image = Image.new("RGB", (2, 2), (1, 2, 3))
    assert compose.convert_profile(image, SRGB, SRGB) is image


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), read_recipe({"background": "white"}), read_recipe({"shadow": True}), read_recipe({"mask": True})],
)
def test_rendering_in_bands_gives_the_same_pixels(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = np.random.default_rng(1).integers(0, 256, (120, 200), np.uint8)
    layout, background = compute_layout(200, 120, None, recipe), render_background(recipe, None, None, (200, 120))
    whole = render(picture(), alpha, layout, recipe, background)
    monkeypatch.setattr(compose, "_BAND_ROWS", 7)
    assert np.array_equal(whole, render(picture(), alpha, layout, recipe, background))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1080, 1920), (530, 20000), (1080, 2340), (37, 4001), (4001, 37)])
@pytest.mark.parametrize(
    "values", [{"longest_side": 1000}, {"canvas": "1000x1000", "padding": "5%"}, {"canvas": "999x1001"}], ids=str
)
def test_no_row_or_column_of_a_picture_is_lost_in_rounding(size: tuple[int, int], values: dict[str, object]) -> None:
    recipe = read_recipe(values)
    layout = compute_layout(*size, None, recipe)
    alpha = np.full(size[::-1], 255, np.uint8)
    result = render(Picture(Image.new("RGB", size), None, None), alpha, layout, recipe, None)
    left, top, right, bottom = layout.target
    assert result.shape == (layout.height, layout.width, 4)
    assert (result[top:bottom, left:right, 3] == 255).all()
    assert np.count_nonzero(result[..., 3]) == (right - left) * (bottom - top)


def test_the_cut_out_has_the_colours_of_the_picture_and_the_alpha_and_hides_no_colour() -> None:
    picture = decoded(saved(noise(50, 600), "PNG"))
    alpha = np.random.default_rng(2).integers(0, 256, (600, 50), np.uint8)
    alpha[::3] = 0
    result = compose.cut_out(picture, alpha)
    assert np.array_equal(result[..., 3], alpha)
    assert np.array_equal(result[alpha > 0][:, :3], np.asarray(picture.rgb)[alpha > 0])
    assert not result[alpha == 0].any()


def test_the_alpha_is_multiplied_by_the_one_of_the_picture() -> None:
    own = np.random.default_rng(4).integers(0, 256, (300, 40), np.uint8)
    rgba = np.dstack([np.full((300, 40, 3), 9, np.uint8), own])
    picture = decoded(saved(Image.fromarray(rgba), "PNG"))
    alpha = np.random.default_rng(5).integers(0, 256, (300, 40), np.uint8)
    result = compose.cut_out(picture, alpha)[..., 3]
    assert np.abs(result - own.astype(float) * alpha / 255.0).max() <= 0.5
