"""A photo, what the networks make of it, and a person's edits -> alpha, of the whole photo or a part at any scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from watcher.errors import PictureError
from watcher.matting import edges, fusion, regions
from watcher.matting.touchup import brush, hair
from watcher.matting.touchup.edits import STROKES, Edit
from watcher.matting.touchup.solver import SIDE, Solver, Stroke

FloatArray = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels of the photo; right and bottom are exclusive."""

Look = Callable[[Image.Image, str], tuple[Sequence[fusion.Opinion], float]]
"""What the networks make of a picture in a way ("" is the mode itself): opinions, and the probability of a person."""

_BOX_MARGIN = 0.06  # around a box, as a share of its sides: a network needs to see what the subject ends at
_MAX_CANVAS_SIDE = 2048
_MIN_CHANGE = 0.02  # of alpha; less is none
_KEPT_BOXES = 3  # automatic alphas in boxes, for undo: 16 MB each, and what answers strokes on them
_RIM = 4  # pixels of the solver's pictures
_CORE = 0.5  # a smart stroke that follows an exact one counts as painted in this share of its width
_MIN_PART = 0.5  # alpha from which a pixel belongs to a part
_BAND_ROWS = 1024


@dataclass
class _Base:
    """An automatic alpha (h, w), float32 in 0..1, and at the solver's size; and what answers strokes on it."""

    alpha: FloatArray
    small: FloatArray
    opinions: list[FloatArray]
    solver: Solver | None = None


@dataclass
class _State:
    """The edits so far, as strokes on the solver's grid, and what is laid over its answer at full size."""

    base_key: tuple[str, tuple[float, ...]] = ("", ())
    edits: tuple[Edit, ...] = ()
    strokes: list[Stroke] = field(default_factory=list)
    overlays: list[Edit] = field(default_factory=list)


class Mender:
    """One photo. Its alpha is the automatic one until `apply` gets edits."""

    def __init__(self, rgb: Image.Image, look: Look, alpha: FloatArray | None = None) -> None:
        """`rgb`: what the networks see. `alpha`: (h, w), float32 in 0..1, if the photo is a cut-out already."""
        self._rgb, self._look = rgb, look
        scale = min(1.0, SIDE / max(rgb.size))
        self._size = (max(4, round(rgb.width * scale)), max(4, round(rgb.height * scale)))
        self._small_rgb = np.asarray(rgb.resize(self._size, Image.Resampling.BOX, reducing_gap=2.0))
        self._bases: dict[tuple[str, tuple[float, ...]], _Base] = {}
        if alpha is not None:
            self._bases["", ()] = _Base(alpha, self._shrink(alpha), [])
        self._states = [_State()]
        self._patches: dict[Edit, tuple[FloatArray, brush.Box, FloatArray]] = {}
        self.alpha = self._base("", ()).alpha
        """The alpha (h, w), float32 in 0..1, that becomes that of the photo; without what `region` lays over it."""
        self._solved = self._base("", ()).small
        self._renderer: edges.AlphaRenderer | None = None

    # Edits

    def apply(self, edits: Sequence[Edit]) -> Box | None:
        """Make these the edits of the photo. Return the part in which its alpha has changed; None: nowhere."""
        before, solved_before = self._states[-1], self._solved
        self._replay(tuple(edits))
        state = self._states[-1]
        base = self._base(*state.base_key)
        self._solved = self._solver(base).solve(state.strokes) if state.strokes else base.small
        self.alpha = self._combine(base)
        self._renderer = None
        if before.base_key != state.base_key:
            return (0, 0, *self._rgb.size)
        boxes = [brush.bounds(edit) for edit in _differences(before.overlays, state.overlays)]
        changed = np.abs(self._solved - solved_before) > _MIN_CHANGE
        if changed.any():
            boxes.append(self._box_of(changed))
        boxes += self._solve_hair(state)
        return self._clip(boxes)

    def _replay(self, edits: tuple[Edit, ...]) -> None:
        """Bring the states, one after each edit, up to date; those after the first edits that are the same stay."""
        ways = [edit for edit in edits if edit.tool in ("way", "box")]
        known = self._states[-1].edits
        same = _common_length(known, edits)
        if ways != [edit for edit in known if edit.tool in ("way", "box")]:
            same = 0
        del self._states[same + 1 :]
        if same == 0:
            way = next((edit.name for edit in reversed(ways) if edit.tool == "way"), "")
            box = next((edit.points for edit in reversed(ways) if edit.tool == "box"), ())
            self._states = [_State((way, tuple(value for point in box for value in point)))]
        for edit in edits[same:]:
            self._states.append(self._after(self._states[-1], edit))

    def _after(self, state: _State, edit: Edit) -> _State:
        """Return the state after one more edit."""
        strokes, overlays = list(state.strokes), list(state.overlays)
        if edit.tool in ("keep", "erase"):
            # What is under an exact stroke is laid over the result; here, it must not reach beyond its rim.
            size = edit.size - _RIM * self._rgb.width / self._size[0] if edit.exact else edit.size
            if size > 0:
                mask = brush.cover(replace(edit, size=size), (0, 0, *self._rgb.size), self._size) >= 0.5
                strokes.append(Stroke(edit.tool == "keep", mask, spreads=not edit.exact))
            if edit.exact or any(overlay.exact for overlay in overlays):
                overlays.append(edit)
        elif edit.tool == "hair":
            overlays.append(edit)
        elif edit.tool in ("keep_part", "drop_part", "keep_only"):
            strokes += self._part_strokes(state, edit)
        return _State(state.base_key, (*state.edits, edit), strokes, overlays)

    def _part_strokes(self, state: _State, edit: Edit) -> list[Stroke]:
        """Return the edit on parts as strokes that cover them: what nothing is seen of, a small stroke asks for."""
        base = self._base(*state.base_key)
        alpha = self._solver(base).solve(state.strokes) if state.strokes else base.small
        parts = regions.label(alpha >= _MIN_PART)
        if edit.tool == "keep_only":
            if edit.name != "largest" or parts.max() < 2:
                return []
            others = (parts > 0) & (parts != np.bincount(parts.ravel())[1:].argmax() + 1)
            return [Stroke(keeps=False, mask=others, spreads=False)]
        is_kept = edit.tool == "keep_part"
        column, row = (
            min(max(int(value * length / full), 0), length - 1)
            for value, length, full in zip(edit.points[0], self._size, self._rgb.size, strict=True)
        )
        for candidate in [base.small, *base.opinions] if is_kept else [alpha]:
            parts = regions.label(candidate >= _MIN_PART)
            if parts[row, column]:
                return [Stroke(is_kept, parts == parts[row, column], spreads=False)]
        size = max(self._rgb.size) * 0.02
        stroke = Edit("keep" if is_kept else "erase", edit.points, size)
        return [Stroke(is_kept, brush.cover(stroke, (0, 0, *self._rgb.size), self._size) >= 0.5)]

    # Automatic alphas

    def _base(self, way: str, box: tuple[float, ...]) -> _Base:
        """Return the automatic alpha of this way; of what is in the box alone, if any: left, top, right, bottom."""
        if (way, box) not in self._bases:
            base = self._look_in_box(way, box) if box else self._look_at_whole(way)
            of_boxes = [key for key in self._bases if key[1]]
            if box and len(of_boxes) >= _KEPT_BOXES:
                del self._bases[of_boxes[0]]
            self._bases[way, box] = base
        return self._bases[way, box]

    def _look_at_whole(self, way: str) -> _Base:
        opinions, person = self._look(self._rgb, way)
        alpha = fusion.fuse_views(opinions, person)
        return _Base(alpha, self._shrink(alpha), [self._shrink(opinion.alpha) for opinion in opinions])

    def _look_in_box(self, way: str, box: tuple[float, ...]) -> _Base:
        """Let the networks look at the box alone: what is outside of it is no subject."""
        left, right = sorted((box[0], box[2]))
        top, bottom = sorted((box[1], box[3]))
        margins = (right - left) * _BOX_MARGIN, (bottom - top) * _BOX_MARGIN
        outer = self._clip([(left - margins[0], top - margins[1], right + margins[0], bottom + margins[1])])
        inner = self._clip([(left, top, right, bottom)])
        if outer is None or inner is None:
            raise PictureError("unsupported", "the box is outside the picture. Draw it inside.")
        opinions, person = self._look(self._rgb.crop(outer), way)
        shares = ((outer[2] - outer[0]) / self._rgb.width, (outer[3] - outer[1]) / self._rgb.height)
        alpha = fusion.fuse_views(opinions, person)

        def on_whole(part: FloatArray) -> FloatArray:
            size = [
                min(round(length / share), _MAX_CANVAS_SIDE)
                for length, share in zip(part.shape[::-1], shares, strict=True)
            ]
            whole = np.zeros((size[1], size[0]), np.float32)
            target, limit = (self._on_canvas(box, size) for box in (outer, inner))
            shape = (target[3] - target[1], target[2] - target[0])
            whole[target[1] : target[3], target[0] : target[2]] = regions.resize_bilinear(part, shape)
            inside = np.zeros_like(whole)
            inside[limit[1] : limit[3], limit[0] : limit[2]] = 1
            return whole * inside

        whole = on_whole(alpha)
        return _Base(whole, self._shrink(whole), [self._shrink(on_whole(opinion.alpha)) for opinion in opinions])

    def _on_canvas(self, box: Box, size: Sequence[int]) -> list[int]:
        """Return a box of the photo in pixels of a canvas of `size` (width, height): at least one on each side."""
        result = [0, 0, 0, 0]
        for axis in (0, 1):
            share = size[axis] / self._rgb.size[axis]
            result[axis] = min(round(box[axis] * share), size[axis] - 1)
            result[axis + 2] = min(max(round(box[axis + 2] * share), result[axis] + 1), size[axis])
        return result

    def way(self, name: str) -> FloatArray:
        """Return the automatic alpha (h, w), float32 in 0..1, of another way, without any edits."""
        return self._base(name, ()).alpha

    def prepare(self) -> None:
        """Compute what the next stroke needs, and what does not depend on it: 0.3 s."""
        self._solver(self._base(*self._states[-1].base_key))

    def _solver(self, base: _Base) -> Solver:
        if base.solver is None:
            base.solver = Solver(self._small_rgb, base.opinions, base.small)
        return base.solver

    def _combine(self, base: _Base) -> FloatArray:
        """Return the automatic alpha, with the solver's answer where that differs."""
        change = self._solved - base.small
        change[np.abs(change) <= _MIN_CHANGE] = 0
        if not change.any():
            return base.alpha
        wide = regions.resize_bilinear(change, base.alpha.shape)
        combined: FloatArray = np.clip(base.alpha + wide, 0, 1)
        return combined

    # Rendering

    def full_alpha(self) -> NDArray[np.uint8]:
        """Return the alpha of the whole photo, (H, W), uint8 in 0..255: see `edges.upscale_alpha`."""
        result = edges.upscale_alpha(self.alpha, self._rgb)
        if self._states[-1].overlays:
            for top in range(0, self._rgb.height, _BAND_ROWS):
                box = (0, top, self._rgb.width, min(top + _BAND_ROWS, self._rgb.height))
                band = result[box[1] : box[3]]
                band[...] = edges.to_uint8(self._lay_over(band * np.float32(1 / 255), box))
        return result

    def region(self, box: Box, size: tuple[int, int], alpha: FloatArray | None = None) -> NDArray[np.uint8]:
        """Return the alpha of a part of the photo, (height, width), uint8, for `size` (width, height).

        `alpha`: an automatic alpha, as `way` returns it, to show in place of the edited one.
        """
        shown = self.alpha if alpha is None else alpha
        part, virtual = at_scale(box, size, self._rgb.size)
        if alpha is None and edges.is_guided(shown, self._rgb.size) and edges.is_guided(shown, virtual):
            rendered = self._guided().alpha(virtual, part)
            if not self._states[-1].overlays:
                return rendered
            values = rendered * np.float32(1 / 255)
        else:
            shares = (shown.shape[1] / self._rgb.width, shown.shape[0] / self._rgb.height)
            small = tuple(min(value * shares[axis % 2], shown.shape[1 - axis % 2]) for axis, value in enumerate(box))
            values = np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BILINEAR, box=small))
        return edges.to_uint8(values if alpha is not None else self._lay_over(values, box))

    def _guided(self) -> edges.AlphaRenderer:
        if self._renderer is None:
            alpha = np.ascontiguousarray(self.alpha)
            guide = edges.make_guide(alpha, self._rgb)
            self._renderer = edges.AlphaRenderer(edges.fit_coefficients(alpha, guide), guide)
        return self._renderer

    def _lay_over(self, values: FloatArray, box: Box) -> FloatArray:
        """Return values (h, w), float32 in 0..1, of a part of the photo, with exact strokes and hair laid over them."""
        height, width = values.shape
        across, down = width / (box[2] - box[0]), height / (box[3] - box[1])
        result = values
        for edit in self._states[-1].overlays:
            bounds = brush.bounds(edit)
            left, right = (round(min(max((bounds[side] - box[0]) * across, 0), width)) for side in (0, 2))
            top, bottom = (round(min(max((bounds[side] - box[1]) * down, 0), height)) for side in (1, 3))
            if left >= right or top >= bottom or (edit.tool == "hair" and edit not in self._patches):
                continue
            if result is values:
                result = values.copy()
            part = (box[0] + left / across, box[1] + top / down, box[0] + right / across, box[1] + bottom / down)
            size = (right - left, bottom - top)
            target = result[top:bottom, left:right]
            if edit.tool == "hair":
                target += brush.cover(edit, part, size) * (self._patch_part(edit, part, size) - target)
            else:
                drawn = edit if edit.exact else replace(edit, size=edit.size * _CORE, softness=0.0)
                target += brush.cover(drawn, part, size) * (np.float32(edit.tool == "keep") - target)
        return result

    def _patch_part(self, edit: Edit, part: brush.Box, size: tuple[int, int]) -> FloatArray:
        """Return what was solved under a hair stroke, (height, width), float32 in 0..1, in a part of the photo."""
        patch, patch_box, _ = self._patches[edit]
        scale = (patch.shape[1] / (patch_box[2] - patch_box[0]), patch.shape[0] / (patch_box[3] - patch_box[1]))
        transform = (
            (part[2] - part[0]) / size[0] * scale[0], 0.0, (part[0] - patch_box[0]) * scale[0],
            0.0, (part[3] - part[1]) / size[1] * scale[1], (part[1] - patch_box[1]) * scale[1],
        )  # fmt: skip
        wide = Image.fromarray(patch).transform(size, Image.Transform.AFFINE, transform, Image.Resampling.BILINEAR)
        return np.asarray(wide, np.float32)

    def _solve_hair(self, state: _State) -> list[brush.Box]:
        """Solve what is under hair strokes where that is not known, or alpha has changed. Return where it was done."""
        done = []
        self._patches = {edit: patch for edit, patch in self._patches.items() if edit in state.overlays}
        for edit in [edit for edit in state.overlays if edit.tool == "hair"]:
            left, top, right, bottom = brush.bounds(edit)
            margin = edit.size / 2 + 2
            box = self._clip([(left - margin, top - margin, right + margin, bottom + margin)])
            if box is None:
                continue
            scale = min(1.0, math.sqrt(hair.MAX_PIXELS / ((box[2] - box[0]) * (box[3] - box[1]))))
            width, height = (max(3, round((box[axis + 2] - box[axis]) * scale)) for axis in (0, 1))
            size = (width, height)
            shares = (self.alpha.shape[1] / self._rgb.width, self.alpha.shape[0] / self._rgb.height)
            part = tuple(value * shares[axis % 2] for axis, value in enumerate(box))
            known = np.asarray(Image.fromarray(self.alpha).resize(size, Image.Resampling.BILINEAR, box=part))
            earlier = self._patches.get(edit)
            if earlier is not None and np.array_equal(earlier[2], known):
                continue
            colours = np.asarray(self._rgb.resize(size, Image.Resampling.BOX, box=box, reducing_gap=2.0))
            unknown = brush.cover(edit, box, size) >= 0.5
            self._patches[edit] = (hair.solve_unknown(colours, known, unknown), box, known)
            done.append(brush.bounds(edit))
        return done

    # Sizes

    def _shrink(self, alpha: FloatArray) -> FloatArray:
        """Resize an alpha of the whole photo to the solver's size."""
        is_smaller = self._size[0] < alpha.shape[1]
        method = Image.Resampling.BOX if is_smaller else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(np.ascontiguousarray(alpha)).resize(self._size, method))

    def _box_of(self, mask: NDArray[np.bool_]) -> brush.Box:
        """Return the box, in pixels of the photo, of what is set on the solver's grid, and two of its pixels around."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        across, down = self._rgb.width / self._size[0], self._rgb.height / self._size[1]
        return (
            (columns[0] - 2) * across, (rows[0] - 2) * down, (columns[-1] + 3) * across, (rows[-1] + 3) * down
        )  # fmt: skip

    def _clip(self, boxes: Sequence[brush.Box]) -> Box | None:
        """Return the box around all boxes, in whole pixels and inside the photo; None if that is empty."""
        if not boxes:
            return None
        left, top = (max(0, math.floor(min(box[axis] for box in boxes))) for axis in (0, 1))
        right, bottom = (
            min(length, math.ceil(max(box[axis + 2] for box in boxes))) for axis, length in enumerate(self._rgb.size)
        )
        return (left, top, right, bottom) if right > left and bottom > top else None


def at_scale(box: Box, size: tuple[int, int], photo: tuple[int, int]) -> tuple[Box, tuple[int, int]]:
    """Return a part of a photo at the scale at which it has `size`, and the size of the whole photo at that scale.

    `box`: the part, in pixels of the photo; `size` and `photo`: width and height. The part that is returned has `size`.
    """
    scale = (size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1]))
    whole = (round(photo[0] * scale[0]), round(photo[1] * scale[1]))
    left, top = (min(round(box[axis] * scale[axis]), whole[axis] - size[axis]) for axis in (0, 1))
    return (left, top, left + size[0], top + size[1]), whole


def _differences(before: Sequence[Edit], after: Sequence[Edit]) -> list[Edit]:
    """Return the edits that are in one list only, or in both at different places."""
    same = _common_length(before, after)
    return [edit for edit in (*before[same:], *after[same:]) if edit.tool in STROKES]


def _common_length(first: Sequence[Edit], second: Sequence[Edit]) -> int:
    """Return how many edits at the start of both lists are the same."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(first), len(second)))
