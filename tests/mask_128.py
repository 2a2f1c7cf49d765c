"""Run a model on a sample squashed to 128 x 128 and write the alpha's bytes to stdout; also under an emulator."""

import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from watcher import matting, models

SIDE = 128
SAMPLE = Path(__file__).parent.parent / "assets" / "samples" / "coffee.jpg"


def mask(model_file: bytes) -> bytes:
    """The alpha: 128 x 128 float32."""
    model = replace(models.DEFAULT, side=SIDE)
    session = matting.load(model_file, model, threads=1)
    with Image.open(SAMPLE) as image:
        values = matting.network_input(image, model)
    return matting.alpha(session, values).tobytes()


if __name__ == "__main__":
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else models.read(models.DEFAULT)
    sys.stdout.buffer.write(mask(data))
