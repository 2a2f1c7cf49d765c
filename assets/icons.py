"""Build the icons' bitmaps from their SVGs, in place: `python assets/icons.py`.

    icon.svg        -> icon.png (256 pixels), icon.ico (Windows), icon.icns (macOS)
    tray/STATE.svg  -> tray/STATE-SIDE.png: what a panel shows while nobg is idle, working, paused or wants attention

Needs `rsvg-convert` (Debian's librsvg2-bin) and Pillow. Each size is rendered from the SVG and none is reduced from a
larger one: the drawings lie on a grid of 16, so that small sizes are sharp. The same versions of both programs write
the same bytes; the script prints which files changed. Before committing, look at the tray icons of 16 and 22 pixels on
a light and on a dark panel.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
PNG_SIDE = 256
ICO_SIDES = (16, 20, 24, 32, 48, 64, 256)
ICNS_SIDES = (32, 64, 128, 256, 512, 1024)  # all that Pillow writes into one file
TRAY_SIDES = (16, 22, 24, 32, 48, 64)
STATES = ("idle", "working", "paused", "attention")


def draw(svg: Path, side: int) -> Image.Image:
    """Render the drawing as RGBA, `side` pixels wide and high."""
    command = ["rsvg-convert", "--width", str(side), "--height", str(side), str(svg)]
    png = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGBA")


def draw_for_macos(svg: Path, side: int) -> Image.Image:
    """Render the drawing with the margin of Apple's icons: it takes 824 of 1024 pixels."""
    margin = round(side * 100 / 1024)
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(draw(svg, side - 2 * margin), (margin, margin))
    return canvas


def encode(images: list[Image.Image], kind: str) -> bytes:
    """Return a file of this kind with one image (PNG) or several, the largest last (ICO, ICNS)."""
    buffer = io.BytesIO()
    sizes = [image.size for image in images]
    images[-1].save(buffer, kind, optimize=True, append_images=images[:-1], sizes=sizes)
    return buffer.getvalue()


def build() -> Iterator[tuple[Path, bytes]]:
    """Yield each file and its content."""
    icon = HERE / "icon.svg"
    yield HERE / "icon.png", encode([draw(icon, PNG_SIDE)], "PNG")
    yield HERE / "icon.ico", encode([draw(icon, side) for side in ICO_SIDES], "ICO")
    yield HERE / "icon.icns", encode([draw_for_macos(icon, side) for side in ICNS_SIDES], "ICNS")
    for state in STATES:
        for side in TRAY_SIDES:
            png = encode([draw(HERE / "tray" / f"{state}.svg", side)], "PNG")
            yield HERE / "tray" / f"{state}-{side}.png", png


def main() -> None:
    """Write the files that differ and print their names."""
    total = 0
    for path, content in build():
        total += len(content)
        if not path.exists() or path.read_bytes() != content:
            print(f"{'changed' if path.exists() else 'new'}: {path.relative_to(HERE)}, {len(content):,} bytes")
            path.write_bytes(content)
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main()
