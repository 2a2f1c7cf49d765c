"""JPEG XL for Pillow, through the decoder of pillow-jxl-plugin.

Not through its Pillow plugin: that one decodes while it opens, before anybody could look at the size, and misreads grey
with alpha of more than 8 bits.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

from watcher.errors import PictureError
from watcher.picture import containers, profiles, tiff

try:
    from pillow_jxl import Decoder
except ImportError:  # an extra, since it is under the GPL, and nobg is not
    Decoder = None  # type: ignore[assignment, misc]


class JxlImage(ImageFile.ImageFile):
    """Size at once, pixels in load(): they come upright, whatever EXIF says. Before, `mode` is only a guess."""

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        assert self.fp is not None
        self._encoded: bytes | None = self.fp.read()
        try:
            header = containers.jxl_header(self._encoded)
        except ValueError as error:
            raise SyntaxError(str(error)) from error
        self._size = (header.width, header.height)
        self._mode = "RGB"
        self.is_animated = header.is_animated

    def load(self) -> Any:
        """Decode; the first frame of an animation."""
        if self._encoded is not None:
            encoded, self._encoded = self._encoded, None
            decoded = _decode(encoded, self._size)
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
            self.info.update(decoded.info)
        return super().load()


def _decode(data: bytes, size: tuple[int, int]) -> Image.Image:
    is_jpeg, about, pixels, icc, _ = _run_decoder(data)
    if is_jpeg:  # the JPEG it was made from, bit for bit
        image: Image.Image = Image.open(io.BytesIO(pixels), formats=("JPEG",))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image
    if (about.width, about.height) != size:
        raise OSError("the header names another size")
    image = _to_pillow_image(about.mode, size, pixels)
    image.info.update({key: value for key, value in _image_info(data, icc).items() if value})
    return image


def _run_decoder(data: bytes) -> tuple[bool, Any, bytes, bytes, Any]:
    if Decoder is None:
        text = "JPEG XL needs one more package. Install it with: pip install 'nobg-watcher[jxl]'."
        raise PictureError("unsupported", text)
    try:
        result: tuple[bool, Any, bytes, bytes, Any] = Decoder()(data)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust's panics become; no Exception
            raise
        raise OSError(f"the decoder gave up: {error}"[:200]) from None
    return result


def _to_pillow_image(mode: str, size: tuple[int, int], pixels: bytes) -> Image.Image:
    samples = len(pixels) // (size[0] * size[1])
    if mode == "LA" and samples > 2:  # the decoder's own depth, as with grey, which Pillow has no mode for
        deep = np.frombuffer(pixels, {4: "=u2", 8: "=f4"}[samples])
        pixels = tiff.to_eight_bits(deep).tobytes()
    return Image.frombytes("F" if mode == "F;16" else mode, size, pixels)


def _image_info(data: bytes, icc: bytes) -> dict[str, bytes | None]:
    """Profile, EXIF block and XMP; those that are compressed by Brotli stay unread."""
    exif = containers.jxl_box(data, b"Exif")
    if exif is not None:  # ISO/IEC 18181-2, 9.3: four bytes tell how far on the TIFF header is; some programs omit them
        bare = exif[:4] in (b"II*\0", b"MM\0*")
        exif = b"Exif\0\0" + (exif if bare else exif[4 + int.from_bytes(exif[:4]) :])
    if profiles.is_srgb(icc):  # the decoder makes a profile for every picture
        icc = b""
    return {"icc_profile": icc, "exif": exif, "xmp": containers.jxl_box(data, b"xml ")}


def register() -> None:
    """Take the place of the plugin that importing pillow_jxl registered."""
    Image.register_open(JxlImage.format, JxlImage, containers.is_jxl)
