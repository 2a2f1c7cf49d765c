"""Decode JPEG XL for Pillow, with the decoder of pillow-jxl-plugin.

The Pillow plugin in that package is not used: it decodes while it opens, before the size can be checked, and misreads
grey with alpha of more than 8 bits.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

from watcher.errors import PictureError
from watcher.picture import containers, profiles
from watcher.picture.pixels import to_eight_bits

try:
    from pillow_jxl import Decoder
except ImportError:  # an optional extra, because its licence is the GPL and nobg's is not
    Decoder = None  # type: ignore[assignment, misc]


class JxlImage(ImageFile.ImageFile):
    """A JPEG XL whose size is known at once and whose pixels load() decodes.

    The pixels are upright, whatever EXIF says. Before load(), `mode` is a guess.
    """

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
        """Decode the picture, or the first frame of an animation."""
        if self._encoded is not None:
            encoded, self._encoded = self._encoded, None
            decoded = _decode(encoded, self._size)
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
            self.info.update(decoded.info)
        return super().load()


def _decode(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The upright picture in the file `data`, with its profile, EXIF and XMP in `info`.

    Raises OSError if it is damaged or its size is not `size`, which the header declares.
    """
    is_jpeg, header, pixels, icc, _ = _run_decoder(data)
    if is_jpeg:  # the file contains a whole JPEG, which the decoder returns bit for bit
        image: Image.Image = Image.open(io.BytesIO(pixels), formats=("JPEG",))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image
    if (header.width, header.height) != size:
        raise OSError("the size differs from the one in the header")
    image = _to_pillow_image(header.mode, size, pixels)
    image.info.update({key: value for key, value in _image_info(data, icc).items() if value})
    return image


def _run_decoder(data: bytes) -> tuple[bool, Any, bytes, bytes, Any]:
    """What the decoder returns: whether it is a JPEG, the header, the pixels or the JPEG, the profile, and the rest.

    Raises PictureError (`unsupported`) if the decoder is not installed, and OSError if it panics.
    """
    if Decoder is None:
        text = "JPEG XL needs one more package. Install it with: pip install 'nobg-watcher[jxl]'."
        raise PictureError("unsupported", text)
    try:
        result: tuple[bool, Any, bytes, bytes, Any] = Decoder()(data)
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a panic in Rust; it derives from BaseException
            raise
        raise OSError(f"the decoder failed: {error}"[:200]) from None
    return result


def _to_pillow_image(mode: str, size: tuple[int, int], pixels: bytes) -> Image.Image:
    """The decoder's pixels as a picture; `mode` is the decoder's name of Pillow's mode."""
    bytes_per_pixel = len(pixels) // (size[0] * size[1])
    if mode == "LA" and bytes_per_pixel > 2:  # the decoder keeps the depth, and Pillow has no mode for deep LA
        samples = np.frombuffer(pixels, {4: "=u2", 8: "=f4"}[bytes_per_pixel])
        pixels = to_eight_bits(samples).tobytes()
    return Image.frombytes("F" if mode == "F;16" else mode, size, pixels)


def _image_info(data: bytes, icc: bytes) -> dict[str, bytes | None]:
    """Profile, EXIF block and XMP for Pillow's `info`. Boxes that Brotli compresses are not read."""
    exif = containers.jxl_box(data, b"Exif")
    if exif is not None:
        # ISO/IEC 18181-2, 9.3: the first four bytes are the offset of the TIFF header. Some programs omit them.
        starts_with_tiff = exif[:4] in (b"II*\0", b"MM\0*")
        exif = b"Exif\0\0" + (exif if starts_with_tiff else exif[4 + int.from_bytes(exif[:4]) :])
    if profiles.is_srgb(icc):  # the decoder builds a profile for every picture
        icc = b""
    return {"icc_profile": icc, "exif": exif, "xmp": containers.jxl_box(data, b"xml ")}


def register() -> None:
    """Replace the plugin that the import of pillow_jxl registered."""
    Image.register_open(JxlImage.format, JxlImage, containers.is_jxl)
