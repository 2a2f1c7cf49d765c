"""pipeline.py: pictures that are partly transparent already, and cut-outs that would show nothing."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.conftest import SAMPLES
from tests.picture.samples import saved
from tests.picture.test_profiles import calibrated
from watcher.errors import OUT_OF_MEMORY_TEXT, describe_reason
from watcher.picture.profiles import without_names
from watcher.recipe import read_recipe
from watcher.worker import protocol
from watcher.worker.pipeline import Frame, Work
from watcher.worker.supervisor import PICTURE_TIMEOUT_SECONDS, Worker

pytestmark = pytest.mark.slow

HIDDEN_COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "own": (20, 20, 20),
}


def drawing(kind: str) -> Image.Image:
    """A logo, line art or a cut-out photo on a transparent ground, RGBA; each is dark, and 0 where it is hidden."""
    if kind == "sticker":
        picture = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
        with Image.open(SAMPLES / "astronaut.jpg") as photo:
            alpha = Image.new("L", (512, 512), 0)
            ImageDraw.Draw(alpha).ellipse((120, 20, 330, 500), fill=255)
            cut_out = photo.convert("RGB").point(lambda value: value // 3)
        cut_out.putalpha(alpha)
        picture.paste(cut_out.resize((250, 250)), (80, 30))
    else:
        alpha = Image.new("L", (1600, 1200), 0)
        draw = ImageDraw.Draw(alpha)
        if kind == "logo":
            draw.polygon([(300, 900), (700, 200), (1100, 900)], fill=255)
            draw.rectangle((1150, 700, 1300, 900), fill=255)
        else:
            draw.ellipse((300, 150, 1300, 1050), outline=255, width=24)
            draw.arc((550, 500, 1050, 900), 20, 160, fill=255, width=24)
        alpha = alpha.resize((400, 300), Image.Resampling.LANCZOS)
        picture = Image.new("RGBA", alpha.size, (20, 20, 20, 0))
        picture.putalpha(alpha)
    return with_hidden(picture, (0, 0, 0))


def with_hidden(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    pixels = np.array(picture)
    pixels[pixels[..., 3] == 0, :3] = colour
    return Image.fromarray(pixels)


def file_of(picture: Image.Image, kind: str) -> bytes:
    if kind == "APNG":
        frames = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
        return saved(picture, "PNG", save_all=True, append_images=frames, disposal=1, blend=0)
    options: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 90}}
    return saved(picture, kind, **options.get(kind, {}))


def process(worker: Worker, data: bytes, force: bool = False, **recipe: object) -> tuple[dict[str, Any], bytes]:
    worker.send({"id": 1, "force": force, "recipe": read_recipe(recipe).key()}, data)
    return worker.receive(PICTURE_TIMEOUT_SECONDS)


def is_skipped_as_cut_out(worker: Worker, data: bytes) -> bool:
    """Return whether the file is left out as a cut-out if it is in a watched folder, whose recipe is another one."""
    recipe = read_recipe({"suffix": "-own", "background": "white"}).key()
    worker.send({"id": 2, "recipe": recipe, "watched": True}, data)
    header, _ = worker.receive(PICTURE_TIMEOUT_SECONDS)
    return (header["state"], header["reason"]) == ("skipped", protocol.IS_CUT_OUT)


def rgba(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGBA"))


def test_the_doubt_of_an_animation_is_that_of_its_most_doubtful_frame(fast_worker: Worker) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as photo:
        clear = photo.convert("RGB").resize((96, 96))
    doubtful = Image.effect_noise((96, 96), 80).convert("RGB")
    answers = [process(fast_worker, saved(still, "PNG"), force=True)[0] for still in (clear, doubtful)]
    doubts = [answer["doubt"] for answer in answers]
    assert 0 < doubts[0] < doubts[1] <= 1
    assert [answer["why"] for answer in answers] == [[], ["faint"]]
    for first, second in ((clear, doubtful), (doubtful, clear)):
        animation = saved(first, "PNG", save_all=True, append_images=[second])
        answer, _ = process(fast_worker, animation, force=True)
        assert (answer["doubt"], answer["why"]) == (doubts[1], answers[1]["why"])


def test_a_picture_without_a_clear_subject_has_a_doubt_and_one_that_is_a_cut_out_has_none(fast_worker: Worker) -> None:
    header, _ = process(fast_worker, saved(Image.new("RGB", (64, 64), "white"), "PNG"))
    assert (header["state"], header["verdict"]) == ("skipped", "no_clear_subject")
    assert header["doubt"] > 0.5
    header, _ = process(fast_worker, file_of(drawing("logo"), "PNG"))
    assert (header["state"], header["verdict"], header["doubt"], header["why"]) == ("done", "subject", None, [])


@pytest.mark.parametrize("kind", ["logo", "sticker", "lineart"])
def test_where_most_is_transparent_its_own_alpha_is_the_cut_out_whatever_is_hidden(
    fast_worker: Worker, kind: str
) -> None:
    picture = drawing(kind)
    expected = np.array(picture)  # colour 0 where nothing is visible
    for colour in HIDDEN_COLOURS.values():
        header, output = process(fast_worker, file_of(with_hidden(picture, colour), "PNG"))
        assert (header["state"], header["verdict"]) == ("done", "subject")
        assert np.array_equal(rgba(output), expected)


@pytest.mark.parametrize("file_format", ["WEBP", "GIF", "APNG", "AVIF"])
def test_logos_keep_their_alpha_in_every_format(fast_worker: Worker, file_format: str) -> None:
    data = file_of(drawing("logo"), file_format)
    header, output = process(fast_worker, data)
    assert (header["state"], header["verdict"]) == ("done", "subject")
    assert np.array_equal(rgba(output)[..., 3], rgba(data)[..., 3])


def test_crop_white_ground_shadow_and_mask_work_on_a_logo(fast_worker: Worker) -> None:
    picture = drawing("logo")
    data, alpha = file_of(picture, "PNG"), picture.getchannel("A")
    box = alpha.point([255 * (value >= 26) for value in range(256)]).getbbox()
    assert box is not None
    _, cropped = process(fast_worker, data, crop="0", background="white")
    on_white = Image.new("RGB", picture.size, "white")
    on_white.paste(picture, (0, 0), picture)
    with Image.open(io.BytesIO(cropped)) as image:
        assert image.size == (box[2] - box[0], box[3] - box[1])
        assert np.abs(np.asarray(image).astype(int) - np.asarray(on_white.crop(box))).max() <= 1
    _, shadowed = process(fast_worker, data, shadow=50)
    assert np.count_nonzero(rgba(shadowed)[..., 3]) > 1.2 * np.count_nonzero(np.asarray(alpha))
    _, mask = process(fast_worker, data, mask=True)
    with Image.open(io.BytesIO(mask)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(alpha))


def test_the_networks_see_the_visible_picture_only(fast_worker: Worker) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        photo = image.convert("RGB").convert("RGBA")
    alpha = Image.new("L", photo.size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle((30, 0, 480, 511), 90, fill=255)
    photo.putalpha(alpha)
    outputs = {process(fast_worker, file_of(with_hidden(photo, c), "PNG"))[1] for c in HIDDEN_COLOURS.values()}
    assert len(outputs) == 1
    person = rgba(outputs.pop())[..., 3] > 127
    assert 0.35 < person.mean() < 0.65


def test_a_half_transparent_picture_may_have_a_clear_subject(fast_worker: Worker) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        photo = image.convert("RGB").convert("RGBA")
    photo.putalpha(100)
    header, output = process(fast_worker, saved(photo, "PNG"))
    assert (header["state"], header["verdict"]) == ("done", "subject")
    assert rgba(output)[..., 3].max() == 100


def test_frames_of_an_animation_are_treated_like_the_first_that_shows_something(fast_worker: Worker) -> None:
    shares = (0, 40, 90, 100)  # percent of the width that is visible
    frames = []
    for share in shares:
        frame = np.zeros((100, 100, 4), np.uint8)
        frame[:, :share] = (10, 20, 30, 255)
        frames.append(Image.fromarray(frame))
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:], disposal=1, blend=0)
    header, output = process(fast_worker, data)
    assert header["state"] == "done"
    with Image.open(io.BytesIO(output)) as image:
        for number, share in enumerate(shares):
            image.seek(number)
            assert np.count_nonzero(np.asarray(image.convert("RGBA"))[..., 3]) == 100 * share


@pytest.mark.parametrize("recipe", [{}, {"mask": True}, {"background": "white"}, {"crop": "5%"}], ids=str)
def test_force_never_writes_a_picture_without_a_visible_pixel(fast_worker: Worker, recipe: dict[str, object]) -> None:
    header, output = process(fast_worker, saved(Image.new("RGBA", (64, 64), (9, 9, 9, 0)), "PNG"), force=True, **recipe)
    assert (header["state"], header["reason"], output) == ("skipped", "no_clear_subject", b"")
    assert header["detail"].startswith("nothing would be visible")
    assert header["detail"].endswith(".")


@pytest.mark.parametrize(
    "recipe",
    [{}, {"effort": "small"}, {"format": "webp"}, {"format": "tiff"}, {"format": "jpeg", "background": "white"}],
    ids=str,
)
def test_the_profile_keeps_its_names_only_with_the_metadata(fast_worker: Worker, recipe: dict[str, Any]) -> None:
    icc = calibrated(2, "samples")
    data = saved(drawing("logo"), "PNG", icc_profile=icc)
    profiles_written = {}
    for level in ("drop", "keep", "all"):
        header, output = process(fast_worker, data, metadata=level, **recipe)
        assert header["state"] == "done"
        with Image.open(io.BytesIO(output)) as image:
            profiles_written[level] = image.info["icc_profile"]
    assert profiles_written["keep"] == profiles_written["all"] == icc
    assert profiles_written["drop"] == without_names(icc)


@pytest.mark.parametrize("force", [False, True])
def test_a_white_logo_is_not_written_on_white_in_silence(fast_worker: Worker, *, force: bool) -> None:
    logo = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    logo.paste((255, 255, 255, 255), (10, 10, 40, 20))
    data = saved(logo, "PNG")
    for unseen in ({"background": "white"}, {"background": "white", "format": "jpeg", "crop": "5%"}):
        header, output = process(fast_worker, data, force=force, **unseen)
        assert (header["state"], header["reason"], output) == ("skipped", "no_clear_subject", b"")
        assert header["detail"].startswith("the subject has the colour of the background")
    for seen in ({}, {"background": "black"}, {"background": "white", "shadow": True}, {"mask": True}):
        assert process(fast_worker, data, force=force, **seen)[0]["state"] == "done"


def test_the_resolution_is_scaled_with_the_picture_and_not_by_a_crop(fast_worker: Worker) -> None:
    data = saved(drawing("logo"), "PNG", dpi=(300, 300))
    for recipe, dpi in (({}, 300), ({"crop": "0"}, 300), ({"longest_side": 100}, 75)):
        with Image.open(io.BytesIO(process(fast_worker, data, **recipe)[1])) as image:
            assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)


@pytest.mark.parametrize(
    "recipe",
    [{}, {"crop": "5"}, {"shadow": 50}, {"effort": "fast"}, {"format": "webp"}, {"format": "tiff"}],
    ids=str,
)
def test_a_cut_out_of_another_computer_that_arrives_before_its_picture_is_known_by_its_encoding(
    fast_worker: Worker, recipe: dict[str, Any]
) -> None:
    with Image.open(SAMPLES / "astronaut.jpg") as photo:
        data = saved(photo, "JPEG", dpi=(300, 300))
    header, output = process(fast_worker, data, **recipe)
    assert header["state"] == "done"
    assert is_skipped_as_cut_out(fast_worker, output)
    assert not is_skipped_as_cut_out(fast_worker, data)
    with Image.open(io.BytesIO(output)) as image:  # a person has opened it and saved it again: it is the person's
        assert not is_skipped_as_cut_out(fast_worker, saved(image, "PNG"))
    header, _ = process(fast_worker, output)  # a person who asks gets an answer
    assert header["state"] == "done"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc")]
)
def test_a_picture_for_which_there_is_no_memory_is_not_called_too_large(error: Exception) -> None:
    def step(_frame: Frame) -> None:
        raise error

    frame = Frame(Work(header={}, answer={}, data=b""))
    frame.run_step(step)
    answer = frame.work.answer
    assert (answer["state"], answer["reason"]) == ("failed", "too_large")
    assert describe_reason(answer["reason"], answer["detail"]) == OUT_OF_MEMORY_TEXT
