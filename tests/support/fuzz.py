"""Pictures with something wrong with them: seeds of each kind, and a seeded mutator."""

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
    """Pillow's name of the format -> sound files of it, of several modes."""
    codecs.load_decoders()
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        photo = image.resize((SIDE, SIDE))
    clear = photo.convert("RGBA")
    clear.putalpha(128)
    film = {"save_all": True, "append_images": [photo.rotate(90), photo.rotate(180)], "duration": 50}
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
            saved(clear, "PNG"),
            saved(photo.convert("P"), "PNG", transparency=3),
            saved(photo.convert("L").convert("I;16"), "PNG"),
            saved(clear, "PNG", **film),
        ],
        "HEIF": [saved(photo, "HEIF", exif=exif), saved(clear, "HEIF"), saved(photo.convert("L"), "HEIF")],
        "AVIF": [saved(photo, "AVIF", exif=exif), saved(clear, "AVIF")],
        "WEBP": [
            saved(photo, "WEBP", exif=exif),
            saved(clear, "WEBP", lossless=True),
            saved(photo, "WEBP", **film),
        ],
        "JXL": [saved(photo, "JXL"), saved(clear, "JXL", lossless=True)],
        "TIFF": [
            saved(photo, "TIFF", exif=exif),
            saved(photo.convert("CMYK"), "TIFF", compression="tiff_lzw"),
            saved(clear, "TIFF", compression="tiff_adobe_deflate"),
            saved(photo, "TIFF", compression="jpeg"),
            saved(photo.convert("L").convert("I;16"), "TIFF"),
        ],
        "GIF": [saved(photo, "GIF"), saved(photo, "GIF", **film)],
        "BMP": [saved(photo, "BMP"), saved(clear, "BMP"), saved(photo.convert("P"), "BMP")],
    }


def flip_bits(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """A few bits, more of them near the start, where the structure is."""
    for _ in range(chance.randint(1, 12)):
        end = len(data) if chance.random() < 0.5 else min(len(data), 200)
        data[chance.randrange(end)] ^= 1 << chance.randrange(8)


def truncate(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """The end is missing."""
    del data[chance.randrange(1, len(data)) :]


def splice_header(data: bytearray, chance: random.Random, other: bytes) -> None:
    """The start of another file, also of another kind."""
    length = chance.choice([8, 16, 64, 256])
    data[:length] = other[:length]


def remove_run(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """Something in the middle is missing."""
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, 64)]


def repeat_run(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """Something is there twice."""
    start = chance.randrange(len(data))
    data[start:start] = data[start : start + chance.randint(1, 64)]


def large_number(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """A length, an offset or a count that cannot be."""
    start = chance.randrange(max(1, min(len(data), 400) - 4))
    data[start : start + 4] = chance.choice(
        [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"]
    )


def noise(data: bytearray, chance: random.Random, _other: bytes) -> None:
    """A run of nonsense."""
    start = chance.randrange(len(data))
    length = min(chance.randint(1, 128), len(data) - start)
    data[start : start + length] = chance.randbytes(length)


MUTATORS: list[Callable[[bytearray, random.Random, bytes], None]] = [
    flip_bits,
    truncate,
    splice_header,
    remove_run,
    repeat_run,
    large_number,
    noise,
]


def mutants(kind: str, count: int, all_seeds: dict[str, list[bytes]], seed: int = 1) -> list[bytes]:
    """`count` files made from those of this kind, each with one to three things wrong; the same for the same `seed`."""
    chance = random.Random(f"{kind} {seed}")
    everything = [data for group in all_seeds.values() for data in group]
    result = []
    for number in range(count):
        data = bytearray(all_seeds[kind][number % len(all_seeds[kind])])
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            if data:
                chance.choice(MUTATORS)(data, chance, chance.choice(everything))
        result.append(bytes(data))
    return result
