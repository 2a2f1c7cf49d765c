"""Outputs of the stand-in worker: a text between the first and the last bytes of a picture's file."""

from __future__ import annotations

_STARTS_AND_ENDS = {
    "png": (b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"),
    "jpeg": (b"\xff\xd8\xff", b"\xff\xd9"),
    "tiff": (b"II*\0\x08\0\0\0\0\0", b""),
}


def stand_in_output(text: str | bytes, output_format: str = "png") -> bytes:
    """Return what the stand-in worker writes for a picture with the content `text`."""
    content = b"cut-out of " + (text.encode() if isinstance(text, str) else text)
    if output_format == "webp":
        return b"RIFF" + (len(content) + 4).to_bytes(4, "little") + b"WEBP" + content
    start, end = _STARTS_AND_ENDS[output_format]
    return start + content + end
