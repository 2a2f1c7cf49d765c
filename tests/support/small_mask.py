"""Run a model on a sample at a small size, and write the alpha to stdout: a program that an emulator can run.

Arguments: the name of a model in the catalogue and, optionally, another file with that model's input and output.
"""

import sys
from pathlib import Path

from PIL import Image

from watcher.matting import looks, models, modes
from watcher.matting.networks import inference

SIDE, SIDE_FOR_PEOPLE = 128, 256  # a person of 128 pixels is too small
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


def infer_sample(model: models.Model, data: bytes) -> bytes:
    """Return the alpha of the sample: the bytes of side x side float32. `data`: the bytes of the model's file."""
    view = modes.View(model, SIDE_FOR_PEOPLE if model.finds_people else SIDE)
    network = inference.load_network(data, model, threads=1)
    with Image.open(SAMPLES / ("astronaut.jpg" if model.finds_people else "coffee.jpg")) as image:
        values = inference.network_input(image, looks.whole_look(view, image.size))
    return inference.infer_alpha(network, values).tobytes()


if __name__ == "__main__":
    template = models.find_in_catalogue(sys.argv[1])
    content = Path(sys.argv[2]).read_bytes() if len(sys.argv) > 2 else models.read(template)
    sys.stdout.buffer.write(infer_sample(template, content))
