"""Decode JPEG XL for Pillow, with the decoder of pillow-jxl-plugin.

The Pillow plugin in that package is not used: it decodes while it opens, before the size can be checked, and misreads
grey with alpha of more than 8 bits.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from watcher.errors import PictureError, advise
from watcher.picture import containers, metadata, profiles
from watcher.picture.pixels import to_eight_bits

try:
    from pillow_jxl import Decoder
except ImportError:  # an optional extra, because its licence is the GPL and nobg's is not
    Decoder = None  # type: ignore[assignment, misc]

_CODESTREAM = b"\xff\x0a"


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
            header = jxl_header(self._encoded)
        except ValueError as error:
            raise SyntaxError(str(error)) from error
        self._size = (header.width, header.height)
        self._mode = "RGB"
        self.is_animated = header.is_animated

    def load(self) -> Any:
        """Decode the picture, or the last frame of an animation: the decoder returns no other."""
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
        transpose = metadata.upright_transpose(image)
        return image if transpose is None else image.transpose(transpose)
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
        text = advise(
            "JPEG XL needs one more package.",
            desktop="Save the picture as JPEG or PNG.",
            terminal="Install it with: pip install 'nobg-watcher[jxl]'.",
        )
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
    exif = jxl_box(data, b"Exif")
    if exif is not None:
        # ISO/IEC 18181-2, 9.3: the first four bytes are the offset of the TIFF header. Some programs omit them.
        starts_with_tiff = exif[:4] in (b"II*\0", b"MM\0*")
        exif = b"Exif\0\0" + (exif if starts_with_tiff else exif[4 + int.from_bytes(exif[:4]) :])
    if profiles.is_srgb(icc):  # the decoder builds a profile for every picture
        icc = b""
    return {"icc_profile": icc, "exif": exif, "xmp": jxl_box(data, b"xml ")}


def register() -> None:
    """Replace the plugin that the import of pillow_jxl registered."""
    Image.register_open(JxlImage.format, JxlImage, is_jxl)


def is_jxl(data: bytes) -> bool:
    """Return whether the file is JPEG XL, bare or in its container."""
    return data.startswith((_CODESTREAM, containers.JXL_CONTAINER))


@dataclass(frozen=True)
class JxlHeader:
    """Width and height in pixels as shown (after the codestream's own orientation), and whether it is an animation."""

    width: int
    height: int
    is_animated: bool


def jxl_header(data: bytes) -> JxlHeader:
    """Read a JPEG XL's header without decoding (ISO/IEC 18181-1, annex D: SizeHeader, start of ImageMetadata).

    Raises ValueError if there is no codestream or its header is cut off.
    """
    bits = _BitReader(_jxl_codestream(data)[2:])
    width, height = _read_jxl_size(bits)
    orientation, is_animated = 1, False
    if not bits.read(1) and bits.read(1):  # not all_default, and extra_fields
        orientation = 1 + bits.read(3)
        if bits.read(1):  # intrinsic size, which only recommends how to show the picture
            _read_jxl_size(bits)
        if bits.read(1):
            _skip_preview_size(bits)
        is_animated = bool(bits.read(1))
    return JxlHeader(*((height, width) if orientation > 4 else (width, height)), is_animated)


def jxl_box(data: bytes, kind: bytes) -> bytes | None:
    """Return the content of the first box of that kind in JPEG XL's container; None if there is none."""
    if not data.startswith(containers.JXL_CONTAINER):
        return None
    return next((data[start:end] for name, start, end in containers.boxes(data) if name == kind), None)


def _jxl_codestream(data: bytes) -> bytes:
    """The start of the codestream: the file itself, the box jxlc, or the boxes jxlp, each after its 4-byte number."""
    if data.startswith(_CODESTREAM):
        return data[:_MAX_HEADER_BYTES]
    codestream = b""
    for kind, start, end in containers.boxes(data):
        number_bytes = {b"jxlc": 0, b"jxlp": 4}.get(kind)
        if number_bytes is not None and len(codestream) < _MAX_HEADER_BYTES:
            codestream += data[start + number_bytes : min(end, start + number_bytes + _MAX_HEADER_BYTES)]
    if not codestream.startswith(_CODESTREAM):
        raise ValueError("no codestream")
    return codestream


_MAX_HEADER_BYTES = 64  # the fields that are read take much less


class _BitReader:
    """Reads bits, the least significant of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._bits_left = 8 * len(data)

    def read(self, count: int) -> int:
        self._bits_left -= count
        if self._bits_left < 0:
            raise ValueError("the header is cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value


def _skip_preview_size(bits: _BitReader) -> None:
    """Read past a PreviewHeader, which states sizes in eights or in pixels, and the width by a ratio or itself."""
    lengths = (0, 0, 5, 9) if bits.read(1) else (6, 8, 10, 12)
    bits.read(lengths[bits.read(2)])
    if bits.read(3) == 0:
        bits.read(lengths[bits.read(2)])


def _read_jxl_size(bits: _BitReader) -> tuple[int, int]:
    """Width and height in pixels, from a SizeHeader."""
    is_small = bits.read(1)

    def read_length() -> int:
        return 8 * (1 + bits.read(5)) if is_small else 1 + bits.read((9, 13, 18, 30)[bits.read(2)])

    height = read_length()
    ratio = bits.read(3)
    if ratio == 0:
        return read_length(), height
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * across // down, height
