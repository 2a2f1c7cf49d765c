"""Pictures of every kind, made and read by programs that share no code with nobg: libvips, ImageMagick and others."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import SAMPLES

WIDTH, HEIGHT = 96, 64


def run_tool(*command: str | Path) -> bytes:
    """Run the program and return what it writes to standard output. Skip the test if the program is missing."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    result = subprocess.run([str(part) for part in command], capture_output=True, check=False, timeout=60)
    assert result.returncode == 0, (command, result.stderr[-500:])
    return result.stdout


def scene() -> NDArray[np.uint16]:
    """Return the scene, (64, 96, 4) 16-bit RGBA: a photo, full-range ramps in each colour, alpha from 0 to 65535."""
    with Image.open(SAMPLES / "chelsea.jpg") as photo:
        small = np.asarray(photo.convert("RGB").resize((WIDTH, HEIGHT))).astype(np.uint16) * 257
    ramp = np.linspace(0, 65535, WIDTH).round().astype(np.uint16)
    for channel in range(3):
        small[4 * channel : 4 * channel + 4] = 0
        small[4 * channel : 4 * channel + 4, :, channel] = ramp
    small[12:16] = ramp[:, None]
    small[16:48, 1::2] += 100  # so that the low bytes matter
    alpha = np.full((HEIGHT, WIDTH), 65535, np.uint16)
    alpha[-16:] = ramp
    return np.dstack([small, alpha])


def scene8() -> NDArray[np.uint8]:
    """Return the scene at 8 bits, rounded."""
    return ((scene().astype(np.uint32) + 128) // 257).astype(np.uint8)


def write_scene(folder: Path) -> Path:
    """Write the scene as the PNG files rgb8, rgba8, grey8, rgb16 and rgba16. Returns `folder`."""
    pixels, pixels8 = scene(), scene8()
    Image.fromarray(pixels8).save(folder / "rgba8.png")
    Image.fromarray(pixels8[..., :3].copy()).save(folder / "rgb8.png")
    Image.fromarray(pixels8[..., 1].copy()).save(folder / "grey8.png")
    raw = folder / "scene.rgba"
    raw.write_bytes(pixels.astype("<u2").tobytes())
    size = ("-size", f"{WIDTH}x{HEIGHT}", "-depth", "16", "-endian", "LSB")
    run_tool("convert", *size, f"RGBA:{raw}", f"PNG64:{folder / 'rgba16.png'}")
    run_tool("convert", *size, f"RGBA:{raw}", "-alpha", "off", f"PNG48:{folder / 'rgb16.png'}")
    return folder


def magick_pixels(path: Path) -> NDArray[np.uint8]:
    """Return the pixels that ImageMagick reads from the file, (H, W, 4), upright."""
    raw = run_tool("convert", f"{path}[0]", "-auto-orient", "-colorspace", "sRGB", "-depth", "8", "RGBA:-")
    size = run_tool("convert", f"{path}[0]", "-auto-orient", "-format", "%w %h", "info:-").split()
    return np.frombuffer(raw, np.uint8).reshape(int(size[1]), int(size[0]), 4)


def vips_pixels(path: Path, folder: Path) -> NDArray[np.uint8]:
    """Return the pixels that libvips reads from the file, (H, W, 1 to 4), upright, scaled to 8 bits."""
    upright, raw = folder / "upright.v", folder / "upright.raw"
    run_tool("vips", "autorot", path, upright)
    run_tool("vips", "rawsave", upright, raw)
    width, height, bands = (int(run_tool("vipsheader", "-f", field, upright)) for field in ("width", "height", "bands"))
    data = raw.read_bytes()
    if len(data) == width * height * bands:
        return np.frombuffer(data, np.uint8).reshape(height, width, bands)
    pixels = np.frombuffer(data, np.uint16).reshape(height, width, bands)
    maximum = min(limit for limit in (1023, 4095, 65535) if pixels.max() <= limit)  # HEIF: 10, 12 bits
    return np.round(pixels / maximum * 255).astype(np.uint8)


def make_tiff(pixels: NDArray[np.generic], photometric: int, extra: tuple[int, ...] = ()) -> bytes:
    """Make an uncompressed TIFF with one strip. `pixels`: (H, W, C) of any dtype, whose byte order the file gets."""
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    height, width, samples = pixels.shape
    sample_format = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    body = pixels.tobytes()
    body += b"\0" * (len(body) % 2)
    lists = [[8 * pixels.dtype.itemsize] * samples, [sample_format] * samples, list(extra)]
    offsets, tail = [], b""
    for numbers in lists:
        offsets.append(8 + len(body) + len(tail))
        tail += struct.pack(f"{order}{len(numbers)}I", *numbers)
    tags = {256: (1, width), 257: (1, height), 258: (samples, offsets[0]), 259: (1, 1), 262: (1, photometric)}
    tags |= {273: (1, 8), 277: (1, samples), 278: (1, height), 279: (1, pixels.nbytes), 339: (samples, offsets[1])}
    if extra:
        tags[338] = (len(extra), offsets[2])
    for tag, value in {258: lists[0], 339: lists[1], 338: lists[2]}.items():
        if len(value) == 1:  # a single number is stored in the directory itself
            tags[tag] = (1, value[0])
    directory = struct.pack(f"{order}H", len(tags))
    directory += b"".join(struct.pack(f"{order}HHII", tag, 4, *tags[tag]) for tag in sorted(tags))
    header = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8 + len(body) + len(tail))
    return header + body + tail + directory + b"\0\0\0\0"
