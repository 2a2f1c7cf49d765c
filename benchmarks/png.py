"""Is writing PNG ourselves worth it? `python benchmarks/png.py CUT-OUT.png…` compares with Pillow, alternating."""

from __future__ import annotations

import io
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from watcher.picture import png


def main() -> None:
    """Print a row for each picture: seconds and bytes, Pillow's at level 1 and ours."""
    print("| picture | megapixels | Pillow | ours | ratio | Pillow | ours |\n|---|---|---|---|---|---|---|")
    for path in map(Path, sys.argv[1:]):
        image = Image.open(path).convert("RGBA")
        pixels = np.asarray(image)
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(5):
            start = time.perf_counter()
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=1)
            middle = time.perf_counter()
            ours = len(png.encode(pixels, None))
            times[0].append(middle - start)
            times[1].append(time.perf_counter() - middle)
        pillow, own = map(statistics.median, times)
        sizes = f"{len(buffer.getvalue()):,} bytes | {ours:,} bytes"
        print(
            f"| {path.name} | {pixels.size / 4e6:.2f} | {pillow:.3f} s | {own:.3f} s | {pillow / own:.1f} | {sizes} |"
        )


if __name__ == "__main__":
    main()
