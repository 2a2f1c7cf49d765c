"""Compare nobg's PNG writer with Pillow's, in turn: `python benchmarks/png.py CUT-OUT.png…`."""

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
    """Print a row for each picture: seconds and bytes of Pillow (level 1) and of nobg."""
    print("| picture | megapixels | Pillow | nobg | ratio | Pillow | nobg |\n|---|---|---|---|---|---|---|")
    for path in map(Path, sys.argv[1:]):
        image = Image.open(path).convert("RGBA")
        pixels = np.asarray(image)
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(5):
            start = time.perf_counter()
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=1)
            middle = time.perf_counter()
            nobg_bytes = len(png.encode(pixels, None))
            times[0].append(middle - start)
            times[1].append(time.perf_counter() - middle)
        pillow, nobg = map(statistics.median, times)
        sizes = f"{len(buffer.getvalue()):,} bytes | {nobg_bytes:,} bytes"
        print(
            f"| {path.name} | {pixels.size / 4e6:.2f} | {pillow:.3f} s | {nobg:.3f} s | {pillow / nobg:.1f} | {sizes} |"
        )


if __name__ == "__main__":
    main()
