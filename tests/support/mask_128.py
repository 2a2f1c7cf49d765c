"""Run a model on a sample squashed to 128 x 128 and write the alpha's bytes to stdout; also under an emulator."""

import sys
from pathlib import Path

from PIL import Image

from watcher.matting import inference, models, modes

SIDE = 128
SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "coffee.jpg"


def mask(model: models.Model, model_file: bytes) -> bytes:
    """The alpha: 128 x 128 float32."""
    view = modes.View(model, SIDE)
    network = inference.load_network(model_file, model, threads=1)
    with Image.open(SAMPLE) as image:
        values = inference.network_input(image, view)
    return inference.infer_alpha(network, values).tobytes()


if __name__ == "__main__":
    like = models.find_in_catalogue(sys.argv[1])
    data = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else models.read(like)
    sys.stdout.buffer.write(mask(like, data))
