"""Damaged pictures: sound files of each kind, and mutators with a fixed random seed."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.conftest import SAMPLES
from watcher.picture import codecs

SIDE = 96


def seeds() -> dict[str, list[bytes]]:
    """Return sound files of several modes, by Pillow's name of their format."""
    codecs.load_decoders()
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        photo = image.resize((SIDE, SIDE))
    translucent = photo.convert("RGBA")
    translucent.putalpha(128)
    animation = {"save_all": True, "append_images": [photo.rotate(90), photo.rotate(180)], "duration": 50}
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera"

    def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return {
        "JPEG": [
            saved(photo, "JPEG", exif=exif),
            saved(photo.convert("CMYK"), "JPEG"),
            saved(photo, "JPEG", progressive=True),
            saved(photo.convert("L"), "JPEG"),
        ],
        "PNG": [
            saved(translucent, "PNG"),
            saved(photo.convert("P"), "PNG", transparency=3),
            saved(photo.convert("L").convert("I;16"), "PNG"),
            saved(translucent, "PNG", **animation),
        ],
        "HEIF": [saved(photo, "HEIF", exif=exif), saved(translucent, "HEIF"), saved(photo.convert("L"), "HEIF")],
        "AVIF": [saved(photo, "AVIF", exif=exif), saved(translucent, "AVIF")],
        "WEBP": [
            saved(photo, "WEBP", exif=exif),
            saved(translucent, "WEBP", lossless=True),
            saved(photo, "WEBP", **animation),
        ],
        "JXL": [saved(photo, "JXL"), saved(translucent, "JXL", lossless=True)],
        "TIFF": [
            saved(photo, "TIFF", exif=exif),
            saved(photo.convert("CMYK"), "TIFF", compression="tiff_lzw"),
            saved(translucent, "TIFF", compression="tiff_adobe_deflate"),
            saved(photo, "TIFF", compression="jpeg"),
            saved(photo.convert("L").convert("I;16"), "TIFF"),
        ],
        "GIF": [saved(photo, "GIF"), saved(photo, "GIF", **animation)],
        "BMP": [saved(photo, "BMP"), saved(translucent, "BMP"), saved(photo.convert("P"), "BMP")],
    }


def flip_bits(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Flip a few bits, most of them near the start, where the structure is."""
    for _ in range(rng.randint(1, 12)):
        end = len(data) if rng.random() < 0.5 else min(len(data), 200)
        data[rng.randrange(end)] ^= 1 << rng.randrange(8)


def truncate(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Cut off the end."""
    del data[rng.randrange(1, len(data)) :]


def splice_header(data: bytearray, rng: random.Random, other: bytes) -> None:
    """Replace the start with that of another file, which may be of another kind."""
    length = rng.choice([8, 16, 64, 256])
    data[:length] = other[:length]


def remove_run(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Remove some bytes from the middle."""
    start = rng.randrange(len(data))
    del data[start : start + rng.randint(1, 64)]


def repeat_run(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Insert some bytes a second time."""
    start = rng.randrange(len(data))
    data[start:start] = data[start : start + rng.randint(1, 64)]


def overwrite_number(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Overwrite four bytes, perhaps a length, an offset or a count, with an extreme number."""
    start = rng.randrange(max(1, min(len(data), 400) - 4))
    data[start : start + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])


def overwrite_with_noise(data: bytearray, rng: random.Random, _other: bytes) -> None:
    """Overwrite a run with random bytes."""
    start = rng.randrange(len(data))
    length = min(rng.randint(1, 128), len(data) - start)
    data[start : start + length] = rng.randbytes(length)


MUTATORS: list[Callable[[bytearray, random.Random, bytes], None]] = [
    flip_bits,
    truncate,
    splice_header,
    remove_run,
    repeat_run,
    overwrite_number,
    overwrite_with_noise,
]


def mutants(kind: str, count: int, all_seeds: dict[str, list[bytes]], seed: int = 1) -> list[bytes]:
    """Return `count` files of this kind, each with one to three mutations; equal for equal `seed`."""
    rng = random.Random(f"{kind} {seed}")
    all_files = [data for group in all_seeds.values() for data in group]
    result = []
    for number in range(count):
        data = bytearray(all_seeds[kind][number % len(all_seeds[kind])])
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            if data:
                rng.choice(MUTATORS)(data, rng, rng.choice(all_files))
        result.append(bytes(data))
    return result
