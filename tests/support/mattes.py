"""Synthetic alphas and photos for the tests of outlines and colours."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

INSIDE, OUTSIDE = (200, 40, 40), (30, 60, 190)


def noise_photo(width: int, height: int) -> Image.Image:
    """Return a photo of random noise."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8))


def bilinear(small: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return alpha 0..1, stretched bilinearly to (height, width), in 0..255."""
    wide = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return wide * np.float32(255.0)


def disc(side: int, radius: float) -> NDArray[np.float32]:
    """Return alpha (side, side): 1 inside, 0 outside, and between the two where the outline crosses a pixel."""
    down, across = np.mgrid[0:side, 0:side] + 0.5 - side / 2
    values: NDArray[np.float64] = np.clip(radius + 0.5 - np.hypot(down, across), 0, 1)
    return values.astype(np.float32)


def blur(alpha: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return the alpha, blurred to be as soft as a network's output."""
    grey = Image.fromarray((alpha * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(grey, np.float32) * np.float32(1 / 255)


def composite(alpha: NDArray[np.float32]) -> Image.Image:
    """Return a photo with the colour INSIDE, by its alpha, over the colour OUTSIDE."""
    pixels = alpha[..., None] * np.array(INSIDE) + (1 - alpha[..., None]) * np.array(OUTSIDE)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))
