"""The three steps from a picture's bytes to its cut-out, frame by frame: decode, infer, postprocess."""

from __future__ import annotations

import functools
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher import recipe
from watcher.errors import OUT_OF_MEMORY_TEXT, PictureError, reason_text
from watcher.formats import END_MISSING
from watcher.matting import doubt, edges, foreground, fusion, memory, modes, transparency
from watcher.matting.networks import inference
from watcher.matting.touchup import edits, hints
from watcher.picture import codecs, compose, encode, metadata, profiles
from watcher.recipe import Recipe
from watcher.worker import protocol

if TYPE_CHECKING:
    from watcher.matting.touchup.mender import Look, Mender

MAX_PIXELS_IN_FLIGHT = 40_000_000
"""Decoded pixels in all steps together, which bounds the memory. A larger picture has the worker to itself."""

_NOTHING_VISIBLE = (
    "nothing would be visible in the cut-out, so nothing was written. "
    "Look whether the picture is empty, or choose another model."
)
NO_ANIMATIONS = "it is an animation, and only still pictures can be touched up."
_SAME_AS_BACKGROUND = (
    "the subject has the colour of the background, so nothing would be seen of it, and nothing was written. "
    "Choose another background."
)


@dataclass
class Work:
    """One picture in the pipeline: the request (`header`, `data`), the answer, and the results of the steps so far.

    `decoder` yields the picture's frames; `mattes` has each frame and its alpha (H, W) until the last frame is done.
    `is_cut_out`: whether the file's own alpha is the cut-out; None until a frame that shows something decides it for
    all. `area_fraction` is the subject's largest share of a frame, 0..1; `doubt` the largest doubt about a frame, 0..1,
    None until the networks have seen one, and `why` its reasons; `has_visible_pixel` whether the cut-out shows
    anything; `busy_seconds` the time that the steps took. `file`: the bytes of a still picture of a watched folder
    until it is decoded, else empty. `edits`: what a person did to the cut-out of this still picture.
    """

    header: protocol.Header
    answer: protocol.Header
    data: bytes = b""
    recipe: Recipe = field(default_factory=Recipe)
    background: codecs.Picture | None = None
    decoder: Iterator[codecs.Picture] = field(default_factory=lambda: iter(()))
    frame_count: int = 1
    loop_count: int = 0
    pixel_count: int = 0
    is_cut_out: bool | None = None
    mattes: list[tuple[codecs.Picture, NDArray[np.uint8]]] = field(default_factory=list)
    area_fraction: float = 0.0
    has_clear_subject: bool = False
    doubt: float | None = None
    why: list[str] = field(default_factory=list)
    has_visible_pixel: bool = False
    subject_box: compose.Box | None = None
    busy_seconds: float = 0.0
    output: bytes = b""
    file: bytes = b""
    edits: tuple[edits.Edit, ...] = ()

    def fail(self, reason: str, detail: str) -> None:
        """Answer that the picture has failed; no further step runs."""
        self.answer.update(state="failed", reason=reason, detail=detail)


@dataclass
class Frame:
    """One frame of a picture, which each step passes to the next.

    `visible`: what the networks see of the picture; None for a frame whose own alpha is the cut-out. `inputs`: of the
    networks' first looks. `opinions`: what the networks make of it. `person`: the probability that it shows a person,
    0..1. A still picture has one frame, which is also the last.
    """

    work: Work
    is_last: bool = True
    picture: codecs.Picture | None = None
    visible: Image.Image | None = None
    inputs: list[NDArray[np.float32]] = field(default_factory=list)
    opinions: list[fusion.Opinion] = field(default_factory=list)
    person: float = 0.0
    busy_seconds: float = 0.0

    def run_step(self, step: Callable[[Frame], None]) -> None:
        """Run one step, unless the picture has its answer already. Any error fails this picture alone."""
        if "state" in self.work.answer:
            return
        start = time.perf_counter()
        try:
            step(self)
        except PictureError as error:
            self.work.fail(error.reason, error.detail)
        except MemoryError:
            self.work.fail("too_large", OUT_OF_MEMORY_TEXT)
        except Exception as error:  # noqa: BLE001  decoders meet hostile bytes: one picture must not end the worker
            unreadable = "unreadable", f"{type(error).__name__}: {error}"[:200]
            self.work.fail(*(("too_large", OUT_OF_MEMORY_TEXT) if "alloc" in str(error) else unreadable))
        self.busy_seconds += time.perf_counter() - start


MakeMender = Callable[["Image.Image", "Look", "NDArray[np.float32] | None"], "Mender"]


@dataclass(frozen=True)
class Pipeline:
    """The three steps, and what they work with: the networks and the limit of pixels.

    `make_mender`: what applies a person's edits. It is only in workers that were started for that: it needs scipy.
    """

    ensemble: inference.Ensemble
    budget: memory.Budget
    make_mender: MakeMender | None = None

    def decode(self, work: Work) -> Iterator[Frame]:
        """Run the first step: yield each frame of the file, decoded, with the networks' inputs."""
        frame = Frame(work)
        frame.run_step(self._open_picture)
        for number in range(1, work.frame_count + 1):
            frame.run_step(self._decode_frame)
            frame.is_last = number == work.frame_count or "state" in work.answer
            yield frame
            if frame.is_last:
                return
            frame = Frame(work)

    def _open_picture(self, frame: Frame) -> None:
        """Read the request, and open the picture and its background."""
        work = frame.work
        data, work.data = work.data, b""
        work.recipe = recipe.parse_key(work.header.get("recipe", "{}"))
        picture_size = work.header.get("first", len(data))
        work.background = decode_background(work.recipe, data[picture_size:])
        image = codecs.open_header(data[:picture_size])
        if not work.recipe.first_frame and work.recipe.format in encode.ANIMATED_FORMATS:
            work.frame_count, work.loop_count = codecs.frame_count(image), codecs.loop_count(image)
        work.pixel_count = image.width * image.height * work.frame_count
        self.budget.acquire(work.pixel_count)
        work.edits = _parse_edits(work.header.get("edits", ""))
        if work.edits and work.frame_count > 1:
            raise PictureError("unsupported", NO_ANIMATIONS)
        if work.header.get("watched") and work.frame_count == 1:
            work.file = data[:picture_size]
        level = work.recipe.metadata
        work.decoder = (
            codecs.decode_frames(image, level) if work.frame_count > 1 else iter([codecs.decode(image, level)])
        )

    def _decode_frame(self, frame: Frame) -> None:
        frame.picture = picture = next(frame.work.decoder)
        if END_MISSING in picture.notes and not frame.work.header.get("named"):
            raise PictureError("truncated", "rows are missing")
        file, frame.work.file = frame.work.file, b""
        if file and _is_encoded_by_nobg(picture, frame.work.recipe, file):
            frame.work.answer.update(state="skipped", reason=protocol.IS_CUT_OUT)
            return
        if _is_cut_out(frame.work, picture.alpha):
            return
        frame.visible = (
            picture.rgb if picture.alpha is None else transparency.visible_picture(picture.rgb, picture.alpha)
        )
        frame.inputs = inference.first_inputs(self.ensemble, frame.visible)

    def infer(self, frame: Frame) -> None:
        """Run the second step: ask the networks for their opinions.

        An error on an accelerator ends the process: the picture is not its cause. The next worker uses the processor.
        """
        if frame.visible is None:
            return
        inputs, frame.inputs = frame.inputs, []
        try:
            frame.opinions, frame.person = inference.infer(self.ensemble, frame.visible, inputs)
        except Exception:
            if not self.ensemble.is_accelerated:
                raise
            end_process()

    def postprocess(self, frame: Frame) -> None:
        """Run the third step: bring the alpha to full size, and after the last frame encode the output."""
        work, picture = frame.work, frame.picture
        assert picture is not None
        picture, alpha, area_fraction = self._matte(frame, picture)
        work.area_fraction = max(work.area_fraction, area_fraction)
        box = compose.subject_box(alpha)
        work.has_visible_pixel |= box is not None
        if work.recipe.crop is not None:
            work.subject_box = compose.union_box(work.subject_box, box)
        work.mattes.append((picture, alpha))
        if not frame.is_last:
            return
        verdict = "subject" if work.area_fraction and work.has_clear_subject else "no_clear_subject"
        work.answer.update(verdict=verdict, subject=round(work.area_fraction, 4), notes=picture.notes)
        work.answer.update(doubt=work.doubt, why=work.why)
        del picture, alpha
        if verdict != "subject" and not work.header.get("force"):
            work.answer.update(state="skipped", reason=verdict)
        elif not work.has_visible_pixel:
            work.answer.update(state="skipped", reason="no_clear_subject", detail=_NOTHING_VISIBLE)
        else:
            self._encode_output(work)

    def _matte(self, frame: Frame, picture: codecs.Picture) -> tuple[codecs.Picture, NDArray[np.uint8], float]:
        """The frame's picture with the subject's own colours, its alpha (H, W), and the subject's share of it, 0..1."""
        work, visible, opinions = frame.work, frame.visible, frame.opinions
        frame.picture, frame.visible, frame.opinions = None, None, []
        if visible is None:  # its own alpha is the cut-out
            alpha = np.asarray(picture.alpha or Image.new("L", picture.rgb.size, 255))
            if work.edits:
                alpha = self._mend(work, picture.rgb, None, alpha * np.float32(1 / 255))[1]
            area_fraction = transparency.visible_fraction(alpha)
            work.has_clear_subject |= area_fraction > 0
            return replace(picture, alpha=None), alpha, area_fraction
        fused_alpha = fusion.fuse_views(opinions, frame.person)
        work.has_clear_subject |= fusion.has_clear_subject(opinions)
        of_any_subject = [opinion.alpha for opinion in fusion.of_any_subject(opinions)]
        confirmed = fusion.confirmed_by_people(opinions, fused_alpha, frame.person)
        frame_doubt = round(doubt.doubt(of_any_subject, fused_alpha, confirmed), 3)
        if work.doubt is None or frame_doubt > work.doubt:
            work.doubt, work.why = frame_doubt, doubt.reasons(of_any_subject, fused_alpha, confirmed)
        del of_any_subject
        if work.edits:
            fused_alpha, alpha = self._mend(work, visible, (opinions, frame.person))
        else:
            alpha = edges.upscale_alpha(fused_alpha, visible)
        del opinions
        area_fraction = fusion.subject_area_fraction(fused_alpha)
        if picture.alpha is not None:
            alpha = compose.multiply_alpha(alpha, picture.alpha)
            picture = replace(picture, alpha=None)
            area_fraction = min(area_fraction, transparency.visible_fraction(alpha))
        elif not work.recipe.mask:  # a picture with its own alpha already has the subject's own colours
            picture = replace(picture, rgb=foreground.estimate_foreground(picture.rgb, alpha))
        return picture, alpha, area_fraction

    def _mend(
        self,
        work: Work,
        visible: Image.Image,
        seen: tuple[list[fusion.Opinion], float] | None,
        own_alpha: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Apply the edits. Returns the alpha at the networks' size, float32 in 0..1, and at the photo's, uint8.

        `seen`: what the networks have made of the picture already. `own_alpha`: (H, W), float32 in 0..1, in its place,
        of a picture that is a cut-out already.
        """
        assert self.make_mender is not None

        def look(rgb: Image.Image, way: str) -> tuple[list[fusion.Opinion], float]:
            return seen if seen is not None and rgb is visible and not way else self.look(rgb, way)

        mender = self.make_mender(visible, look, own_alpha)
        mender.apply(work.edits)
        work.has_clear_subject |= hints.names_a_subject(work.edits)
        return mender.alpha, mender.full_alpha()

    def look(self, rgb: Image.Image, way: str) -> tuple[list[fusion.Opinion], float]:
        """Return what the networks make of a picture in another mode, or one network alone: `inference.infer`.

        A way whose networks this worker does not have is that of its own mode.
        """
        mode = self.ensemble.mode
        if way in self.ways():
            mode = modes.find(way)
        return inference.infer(replace(self.ensemble, mode=mode), rgb)

    def ways(self) -> list[str]:
        """Return the names of the modes, and of the single networks, that this worker can look in."""
        present = self.ensemble.networks.keys()
        whole = [mode.name for mode in modes.MODES if {model.name for model in mode.models} <= present]
        return [*whole, *present]

    def process(self, request: protocol.Header, data: bytes) -> tuple[protocol.Header, bytes]:
        """Run all steps of one picture in this thread, and return the header and the bytes of the worker's answer."""
        work = Work(header=request, answer={"id": request["id"]}, data=data)
        try:
            for frame in self.decode(work):
                frame.run_step(self.infer)
                frame.run_step(self.postprocess)
        finally:
            self.budget.release(work.pixel_count)
        return {"reason": None, **work.answer}, work.output

    def _encode_output(self, work: Work) -> None:
        """Compose and encode all frames into the output's bytes."""
        first = work.mattes[0][0]
        layout = compose.compute_layout(first.rgb.width, first.rgb.height, work.subject_box, work.recipe)
        background = compose.render_background(work.recipe, work.background, first.icc, (layout.width, layout.height))
        durations, rendered = [], []
        work.mattes.reverse()
        while work.mattes:  # frees each frame as soon as it is rendered: the encoder needs memory, too
            picture, alpha = work.mattes.pop()
            durations.append(picture.duration)
            rendered.append(compose.render(picture, alpha, layout, work.recipe, background))
            del picture, alpha
        is_on_colour = isinstance(work.recipe.background, str) and not work.recipe.mask
        if is_on_colour and compose.shows_nothing(rendered, background):
            work.answer.update(state="skipped", reason="no_clear_subject", detail=_SAME_AS_BACKGROUND)
            return
        dpi = metadata.scaled_resolution(first.dpi, layout.scale)
        icc = first.icc
        if icc is not None and work.recipe.metadata == metadata.DROP:
            icc = profiles.without_names(icc)
        extras = encode.Extras(icc, first.exif, first.xmp, tuple(durations), work.loop_count, dpi)
        notes = [*first.notes, *(["enlarged"] if layout.scale > 1 else [])]
        del first
        work.output = encode.encode(rendered, work.recipe, extras)
        work.answer.update(state="done", notes=notes)


def _is_cut_out(work: Work, alpha: Image.Image | None) -> bool:
    """Whether a frame's own alpha is its cut-out. Frames that show something are all treated like the first of them."""
    if alpha is not None and not transparency.visible_fraction(alpha):
        return True
    if work.is_cut_out is None:
        work.is_cut_out = alpha is not None and transparency.is_cut_out(alpha)
    return work.is_cut_out


def _is_encoded_by_nobg(picture: codecs.Picture, recipe: Recipe, file: bytes) -> bool:
    """Return whether `picture`, read from `file`, is a transparent output of some nobg, of another computer perhaps.

    Outputs carry no mark. But encoding the pixels of one again gives its bytes, and no other program's file.
    """
    if picture.alpha is None:
        return False
    extras = encode.Extras(picture.icc, picture.exif, picture.xmp, dpi=picture.dpi)
    pixels = compose.cut_out(replace(picture, alpha=None), np.asarray(picture.alpha))
    return encode.is_encoding_of(pixels, recipe, extras, file)


def decode_background(recipe: Recipe, data: bytes) -> codecs.Picture | None:
    """Return the recipe's background picture, or None. `data`: its file's bytes. Raises PictureError."""
    if recipe.background_picture is None:
        return None
    try:
        return _decode_cached(data)
    except PictureError as error:
        reason = reason_text(error.reason, error.detail)
        text = f"the background picture {recipe.background_picture} cannot be used: {reason}"
        raise PictureError(error.reason, text) from error


def _parse_edits(text: str) -> tuple[edits.Edit, ...]:
    """Return the edits of a request. Raises PictureError."""
    try:
        return edits.parse(text)
    except edits.EditsError as error:
        raise PictureError("unsupported", f"what was done to it by hand cannot be read: {error}.") from error


@functools.lru_cache(maxsize=1)
def _decode_cached(data: bytes) -> codecs.Picture:
    """Decode a background picture. The cache has one entry: the next picture most likely has the same background."""
    return codecs.decode(codecs.open_header(data))


def end_process() -> NoReturn:
    """Print the exception that is being handled, and end the process with all its threads."""
    try:
        traceback.print_exc()
    finally:  # where the parent has gone, nobody reads the pipe that the log is
        os._exit(1)


def usable_cpu_count() -> int:
    """Return the number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def open_pipeline(mode: modes.Mode) -> Pipeline:
    """Load the models of a mode in this process, without a jail. Raises ModelError."""
    memory.check(mode)
    data = mode.read_models()
    codecs.load_decoders()
    from watcher.matting.touchup.mender import Mender

    ensemble = inference.load_ensemble(data, mode, usable_cpu_count())
    return Pipeline(ensemble, memory.Budget(MAX_PIXELS_IN_FLIGHT), Mender)
