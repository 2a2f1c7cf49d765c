"""The worker's decoders in the worker's jail, without the networks, which take a second for each picture."""

from __future__ import annotations

import sys

from watcher.errors import PictureError
from watcher.jail import enter
from watcher.jail.probe import probe
from watcher.picture import codecs
from watcher.worker import protocol


def decode(data: bytes) -> protocol.Header:
    """Decode each frame, with its metadata, as the worker does; return the answer."""
    image = codecs.open_header(data)
    if codecs.frame_count(image) > 1:
        return {"state": "done", "frames": len(list(codecs.decode_frames(image, "all")))}
    picture = codecs.decode(image, "all")
    return {"state": "done", "frames": 1, "exif": picture.exif is not None, "xmp": picture.xmp is not None}


def main() -> None:
    codecs.load_decoders()
    layers = [*enter.enter_before_threads(), *enter.enter_with_threads()]
    refused = probe()
    protocol.write_message(
        sys.stdout.buffer, {"layers": [layer.name for layer in layers if layer.active], "refused": refused}
    )
    while (message := protocol.read_message(sys.stdin.buffer)) is not None:
        try:
            answer = decode(message[1])
        except PictureError as error:
            answer = {"state": "failed", "detail": error.detail}
        protocol.write_message(sys.stdout.buffer, answer)


if __name__ == "__main__":
    main()
