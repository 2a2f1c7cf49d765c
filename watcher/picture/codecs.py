"""Decode a picture file of any supported format into upright RGB pixels, alpha, colour profile and metadata."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pillow_heif
from PIL import Image, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from watcher.errors import PictureError, advise
from watcher.formats import END_MISSING, MAX_FRAMES, MAX_PIXELS, MAX_TOTAL_FRAME_PIXELS, SUFFIXES
from watcher.picture import containers, jpeg, jxl, metadata, pixels, profiles, tiff

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # bytes; Pillow's own limit refuses long edit histories and large profiles

_ANIMATED_FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
_UPRIGHT_FORMATS = ("HEIF", "JXL")
"""Formats whose decoders apply the orientation themselves; EXIF only repeats it."""
_ONE_PICTURE_FORMATS = ("MPO", "HEIF")
"""Formats whose further images are previews or the view of the other eye."""
_AXES_EXCHANGED = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
_CICP_UNSPECIFIED = 2  # H.273, table 2
_MAX_MISSING_FRACTION = 0.5  # of the rows; with more missing, the picture does not show what was photographed
_END_ADDED = "nobg_end_added"  # key in Pillow's `info`: open_header() has ended the JPEG


@dataclass(frozen=True)
class Picture:
    r"""An upright picture, or one frame of an animation.

    `rgb`: mode RGB. `alpha`: the picture's own transparency, mode L and of the same size, or None if all of it is
    opaque. `icc`: the RGB colour profile to keep, or None (sRGB). `notes`: what the person should know about the
    decoding (`first_frame`, `last_frame`: of several frames or pages, this is shown; `end_missing`: rows at the bottom
    are not in the file).
    `duration`: how long a frame is shown, in milliseconds; 0 for a still picture. `exif`: b"Exif\0\0" and a TIFF, as
    Pillow's save() takes it. `xmp`: the packet. Both are None unless the metadata level keeps them.
    `dpi`: pixels per inch, across and down, or None if the file states none.
    """

    rgb: Image.Image
    alpha: Image.Image | None
    icc: bytes | None
    notes: tuple[str, ...] = ()
    duration: int = 0
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


def load_decoders() -> None:
    """Import and register every decoder now: the jail refuses files, so nothing can be imported in it."""
    Image.init()
    # The lists of thumbnails, depth maps and auxiliary images cost time and may be damaged.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    jxl.register()
    tiff.register()
    profiles.is_usable(profiles.adobe_rgb())  # loads littlecms and Python's codec for the texts of profiles


load_decoders()


def open_header(data: bytes) -> Image.Image:
    """Return the picture in the file `data` with its size known and its pixels not yet decoded.

    Raises PictureError: `unreadable` (empty or damaged), `truncated`, `unsupported` (not a supported format,
    or a variety that cannot be decoded) or `too_large`.
    """
    if not data:
        raise PictureError("unreadable", "the file is empty. Copy or download it again.")
    if not data.strip(b"\0"):
        raise PictureError("unreadable", "the file contains nothing but zeros. Copy or download it again.")
    data = jpeg.without_excess_exif(data)
    with _convert_decoder_errors(data):
        if raw_name := containers.raw_format(data):
            raise PictureError(
                "unsupported",
                f"this is a camera raw file ({raw_name}), and nobg would see only its preview. Use the JPEG that the "
                "camera stored beside it, or export one with a raw converter such as darktable.",
            )
        ended = containers.with_full_page_first(containers.without_damaged_chunks(jpeg.with_end(data)))
        try:
            image = Image.open(io.BytesIO(ended), formats=_candidate_formats(data))
        except UnidentifiedImageError as error:
            raise _open_error(data) from error
    if ended is not data and data.startswith(jpeg.START):
        image.info[_END_ADDED] = True
    if image.width * image.height > MAX_PIXELS:
        raise PictureError("too_large")
    if isinstance(image, WebPImagePlugin.WebPImageFile) and image.is_animated:
        # Opaque frames may leave parts of the canvas uncovered. The header then declares no alpha, and Pillow would
        # show these parts black. Pillow has no public way to ask for the alpha.
        image.rawmode = image._mode = "RGBA"  # noqa: SLF001
    return image


def _candidate_formats(data: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats to try.

    AVIF and HEIC share a container, and the plugin of each opens some files of the other. The brands tell them apart.
    """
    brands = containers.brands(data)
    if not brands:
        return tuple(SUFFIXES)
    return ("AVIF",) if brands & {b"avif", b"avis"} else ("HEIF",)


def _open_error(data: bytes) -> PictureError:
    """The reason why no plugin opened the file; Pillow itself gives none.

    A file that starts like a supported format is damaged or a variety that no plugin decodes.
    """
    formats = [name for name in SUFFIXES if (accept := Image.OPEN[name][1]) and accept(data[:16]) is True]
    if not formats:
        kind = containers.other_kind(data)
        return PictureError("unsupported", f"this is {kind[0]}, not a picture. {kind[1]}" if kind else "")
    if containers.is_truncated(data):
        return PictureError("truncated", f"{formats[0]}: the header is incomplete")
    depth = jpeg.bits_per_sample(data) if formats == ["JPEG"] else 8
    if depth not in (0, 8):
        return PictureError(
            "unsupported",
            f"this JPEG has {depth} bits per colour, and nobg opens only 8. Save it as an 8-bit JPEG or as PNG.",
        )
    if formats == ["TIFF"]:
        return PictureError(
            "unsupported",
            "this TIFF stores its colours in a way that nobg cannot read. Save it as PNG.",
        )
    return PictureError("unreadable", f"{formats[0]}: the header is damaged")


def decode(image: Image.Image, metadata_level: str = "drop") -> Picture:
    """Decode what open_header() returned: a still picture, or the first frame or page. Call it once for each image.

    `metadata_level`: "drop"; "keep", EXIF without places; "all", EXIF with places, and XMP.
    Raises PictureError.
    """
    data = _file_bytes(image)
    with _convert_decoder_errors(data):
        notes: tuple[str, ...] = ()
        if len(containers.full_pages(data)) > 1 if image.format == "TIFF" else _has_more_frames(image):
            notes = ("last_frame" if image.format == "JXL" else "first_frame",)
        picture = _decode_current_frame(image, data, metadata_level)
        if _END_ADDED in image.info and (missing := jpeg.missing_rows(data, image)):
            if missing > _MAX_MISSING_FRACTION * image.height:
                raise PictureError("truncated", f"{missing} of {image.height} rows are missing")
            notes += (END_MISSING,)
        return replace(picture, notes=notes)


def _has_more_frames(image: Image.Image) -> bool:
    """Whether the file has several frames or pages."""
    return image.format not in _ONE_PICTURE_FORMATS and bool(getattr(image, "is_animated", False))


def frame_count(image: Image.Image) -> int:
    """Return the number of frames of an animation; 1 for anything else, also for several pages. Raises PictureError."""
    if image.format not in _ANIMATED_FORMATS:
        return 1
    with _convert_decoder_errors(_file_bytes(image)):
        return max(1, int(getattr(image, "n_frames", 1)) - _first_frame_index(image))


def _first_frame_index(image: Image.Image) -> int:
    """Pillow's number of the animation's first frame.

    It is 1 if a PNG has a default image for programs that cannot play animations: that image is not a frame.
    """
    return int(bool(getattr(image, "default_image", False)))


def loop_count(image: Image.Image) -> int:
    """Return how many times the animation plays; 0: for ever.

    PNG and WebP store this number. A GIF stores the number of repetitions after the first time, or nothing if it plays
    once. Pillow does not read AVIF's number: AVIF animations play for ever.
    """
    stored = image.info.get("loop")
    if image.format != "GIF":
        return int(stored or 0)
    return 1 if stored is None else int(stored) + bool(stored)


def decode_frames(image: Image.Image, metadata_level: str = "drop") -> Iterator[Picture]:
    """Yield each frame of an animation as it is seen, with its `duration`. Each frame is decoded on demand.

    `image`: what open_header() returned. `metadata_level`: see decode(). Raises PictureError, at once if the frames are
    too many or too large.
    """
    data = _file_bytes(image)
    count = frame_count(image)
    if count > MAX_FRAMES or count * image.width * image.height > MAX_TOTAL_FRAME_PIXELS:
        raise PictureError(
            "too_large",
            advise(
                f"this animation has {count} frames of {image.width} x {image.height} pixels: "
                "more than nobg can process.",
                desktop="Write first_frame = true in the settings file, and only its first frame is done.",
                terminal="With `--first-frame`, only its first frame is done.",
            ),
        )
    return _iter_frames(image, data, metadata_level, count)


def _iter_frames(image: Image.Image, data: bytes, metadata_level: str, count: int) -> Iterator[Picture]:
    first = _first_frame_index(image)
    for number in range(first, first + count):
        with _convert_decoder_errors(data):
            image.seek(number)
            picture = _decode_current_frame(image, data, metadata_level)
            # seek() paints the next frame over the pixels of `image`
            rgb = picture.rgb.copy() if picture.rgb is image else picture.rgb
            duration = round(float(image.info.get("duration", 0)))
        yield replace(picture, rgb=rgb, duration=duration)


def _decode_current_frame(image: Image.Image, data: bytes, metadata_level: str) -> Picture:
    if isinstance(image, PngImagePlugin.PngImageFile):
        loaded = pixels.load_png(image, data)
    else:
        image.load()
        loaded = _crop_to_clean_aperture(image, data) if image.format == "AVIF" else image
    if loaded.width * loaded.height > MAX_PIXELS:  # a HEIF may be larger than its header declares
        raise PictureError("too_large")
    rgb, alpha, icc = pixels.to_rgb(loaded, image.info.get("icc_profile"))
    if alpha is not None and image.format == "BMP" and alpha.getextrema() == (0, 0):
        alpha = None  # many programs leave the fourth byte 0; browsers then show the picture opaque, too
    transpose = None if image.format in _UPRIGHT_FORMATS else metadata.upright_transpose(image)
    if transpose is not None:
        rgb, alpha = rgb.transpose(transpose), alpha and alpha.transpose(transpose)
    dpi = metadata.resolution(image)
    if dpi is not None and transpose in _AXES_EXCHANGED:
        dpi = (dpi[1], dpi[0])
    return Picture(
        rgb,
        alpha,
        icc or _profile_from_tags(image, data),
        exif=metadata.exif_for_output(image, metadata_level),
        xmp=metadata.xmp_for_output(image, metadata_level),
        dpi=dpi,
    )


def _crop_to_clean_aperture(image: Image.Image, data: bytes) -> Image.Image:
    """The part of a still AVIF that its clean aperture declares to be the picture; libheif does this for HEIC."""
    box = None if _has_more_frames(image) else containers.clean_aperture(data, image.size)
    return image.crop(box) if box is not None else image


def _profile_from_tags(image: Image.Image, data: bytes) -> bytes | None:
    """A profile built from the colour tags of a picture that carries none; None: sRGB."""
    if image.info.get("icc_profile"):
        return None
    names_colours, icc = _profile_from_container(image, data)
    if names_colours or image.format == "JXL":
        return icc
    return profiles.adobe_rgb() if metadata.is_adobe_rgb(image) else None


def _profile_from_container(image: Image.Image, data: bytes) -> tuple[bool, bytes | None]:
    """Whether tags of the container name the colour space, and the profile for it (None: sRGB)."""
    info = image.info
    if image.format in ("HEIF", "AVIF"):
        code_points = containers.nclx(data)
        names_colours = code_points is not None and code_points[0] != _CICP_UNSPECIFIED
        return names_colours, code_points and profiles.from_cicp(*code_points)
    if image.format != "PNG":
        return False, None
    if code_points := containers.png_cicp(data):
        return True, profiles.from_cicp(*code_points)
    if "srgb" in info:
        return True, None
    return bool({"gamma", "chromaticity"} & info.keys()), profiles.from_png(info.get("gamma"), info.get("chromaticity"))


def _file_bytes(image: Image.Image) -> bytes:
    """The file of an image that open_header() returned; b"" if the plugin has already closed it."""
    file = getattr(image, "_fp", None) or getattr(image, "fp", None)
    return file.getvalue() if isinstance(file, io.BytesIO) else b""


@contextlib.contextmanager
def _convert_decoder_errors(data: bytes) -> Iterator[None]:
    """Convert whatever a decoder raises over the file `data` into a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError("too_large") from error
    except Exception as error:  # decoders read hostile bytes, and each raises errors of its own
        raise _decode_error(error, data) from error


def _decode_error(error: Exception, data: bytes) -> PictureError:
    """The PictureError for what a decoder raised; only its text tells cut-off, damaged and unsupported files apart."""
    text = str(error).lower()
    if "unsupported" in text or "not supported" in text:
        return PictureError("unsupported", _error_detail(error))
    phrases = ("truncated", "not enough", "unexpected end")
    cut_off = isinstance(error, EOFError) or any(phrase in text for phrase in phrases) or containers.is_truncated(data)
    return PictureError("truncated" if cut_off else "unreadable", _error_detail(error))


def _error_detail(error: Exception) -> str:
    """The decoder's message in one line of 200 characters at most.

    Without a final period, because errors.describe_reason() shows a detail that ends with one as the whole message.
    """
    return " ".join(str(error).split())[:200].rstrip(".")
