"""The modes: `fast`, `balanced` and `best`, made of views by the networks in the package, or any single model."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.matting import models
from watcher.matting.models import Model


@dataclass(frozen=True)
class View:
    """One inference, by the network of `model`: on about side^2 pixels of input. See looks.py."""

    model: Model
    side: int


@dataclass(frozen=True, kw_only=True)
class Mode:
    """The views of each picture that become one alpha.

    The first view's model is the one that draws the outline. `glances`: views that come first, and decide how closely
    `views` look (looks.py). `saves_work`: where the subject is clear, the views see less than the whole picture.
    `memory`: the most bytes that a worker in this mode takes, a picture of 12 megapixels included. `good_for`: one line
    for people.
    """

    name: str
    views: tuple[View, ...]
    glances: tuple[View, ...] = ()
    saves_work: bool = False
    memory: int
    good_for: str

    @property
    def all_views(self) -> tuple[View, ...]:
        """Its views, those that draw the outline first."""
        return (*self.views, *self.glances)

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of its views, each once, in the order of the views."""
        return tuple(dict.fromkeys(view.model for view in self.all_views))

    def read_models(self) -> dict[str, bytes]:
        """Return the bytes of its models by name, their SHA-256 checked. Raises ModelError."""
        return {model.name: models.read(model) for model in self.models}


_ISNET = models.find_in_catalogue("isnet-int8")
_U2NET = models.find_in_catalogue("u2net-int8")
_MODNET = models.find_in_catalogue("modnet-int8")
_MB = 1_000_000

# Each is a point on the curve of quality against work that `benchmarks/quality.py` draws (docs/pictures/modes.png).
FAST = Mode(
    name="fast",
    views=(View(_U2NET, 256),),
    memory=550 * _MB,
    good_for="a quarter of the work; coarser at fine edges",
)
BALANCED = Mode(
    name="balanced",
    views=(View(_ISNET, 896),),
    glances=(View(_U2NET, 256), View(_MODNET, 384)),
    saves_work=True,
    memory=780 * _MB,
    good_for="everyday pictures",
)
BEST = Mode(
    name="best",
    views=(View(_ISNET, 896),),
    glances=(View(_U2NET, 256), View(_MODNET, 384)),
    memory=820 * _MB,
    good_for="softer hair and fur than balanced, for half as much work again on average",
)
MODES = (FAST, BALANCED, BEST)
DEFAULT = BALANCED


def find(name: str | None) -> Mode:
    """Return the mode called `name` (None: the default), or the one of that single model. Raises ModelError."""
    if name is None:
        return DEFAULT
    return next((mode for mode in MODES if mode.name == name), None) or single_model_mode(models.find(name))


def single_model_mode(model: Model) -> Mode:
    """Return the mode that has one view: the model at its own side."""
    return Mode(name=model.name, views=(View(model, model.side),), memory=model.memory, good_for=model.good_for)
