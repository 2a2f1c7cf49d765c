"""Build the icons' bitmaps from their SVGs, in place: `python assets/icons.py`.

    icon.svg        -> icon.png (256 pixels), icon.ico (Windows), icon.icns (macOS)
    tray/STATE.svg  -> tray/STATE-SIDE.png: what a panel shows while nobg is idle, working, paused or wants attention

Needs `rsvg-convert` (Debian's librsvg2-bin) and Pillow. Each size is drawn from the SVG, never made from a larger one:
the drawings lie on a grid of 16, so that small sizes are sharp. The same versions of both make the same bytes; what is
not as it was before is said. Look at tray icons of 16 and 22 pixels on a light and on a dark panel before committing.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
PNG = 256
ICO = (16, 20, 24, 32, 48, 64, 256)
ICNS = (32, 64, 128, 256, 512, 1024)  # all that Pillow puts into one
TRAY = (16, 22, 24, 32, 48, 64)
STATES = ("idle", "working", "paused", "attention")


def draw(svg: Path, side: int) -> Image.Image:
    """The drawing in RGBA, `side` pixels wide and high."""
    command = ["rsvg-convert", "--width", str(side), "--height", str(side), str(svg)]
    png = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGBA")


def draw_for_macos(svg: Path, side: int) -> Image.Image:
    """The same with the margin that Apple's icons have: of 1024 pixels the drawing takes 824."""
    margin = round(side * 100 / 1024)
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(draw(svg, side - 2 * margin), (margin, margin))
    return canvas


def encode(images: list[Image.Image], kind: str) -> bytes:
    """A file with one image (PNG) or several, the largest last (ICO, ICNS)."""
    buffer = io.BytesIO()
    sizes = [image.size for image in images]
    images[-1].save(buffer, kind, optimize=True, append_images=images[:-1], sizes=sizes)
    return buffer.getvalue()


def build() -> Iterator[tuple[Path, bytes]]:
    """Each file and its content."""
    icon = HERE / "icon.svg"
    yield HERE / "icon.png", encode([draw(icon, PNG)], "PNG")
    yield HERE / "icon.ico", encode([draw(icon, side) for side in ICO], "ICO")
    yield HERE / "icon.icns", encode([draw_for_macos(icon, side) for side in ICNS], "ICNS")
    for state in STATES:
        for side in TRAY:
            png = encode([draw(HERE / "tray" / f"{state}.svg", side)], "PNG")
            yield HERE / "tray" / f"{state}-{side}.png", png


def main() -> None:
    """Write what differs, and say so."""
    total = 0
    for path, content in build():
        total += len(content)
        if not path.exists() or path.read_bytes() != content:
            print(f"{'differs' if path.exists() else 'new'}: {path.relative_to(HERE)}, {len(content):,} bytes")
            path.write_bytes(content)
    print(f"{total:,} bytes in all")


if __name__ == "__main__":
    main()
