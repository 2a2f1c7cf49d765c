"""Fit when the network for people counts: `python fit_person.py DIR`, from a set-up nobg with torch and scikit-learn.

DIR has photos with masks, as benchmarks/quality.py takes them. The column `category` of its index.csv names a person, a
portrait or something else. Two things are fitted:

1. The probability of a person: a logistic regression on the 1,280 pooled features of MODNet's deepest layer. It is
   written to modnet-person.json, from which build.py makes the network's second output.
2. The trust in MODNet's mask, where it sees more than the other networks and where it sees less: two logistic
   regressions on `fusion.trust_features`, fitted by gradient descent on the loss of the mask that results (soft IoU and
   mean absolute difference at 64 x 64). The table is printed; it belongs into watcher/matting/fusion.py.

The networks' answers differ a little between processors, so another machine prints a table that differs in the second
digit. If modnet-person.json changes, build modnet-int8.onnx again.

First, both are cross-validated over six folds of the photos, and the scores of photos that a fold has not seen are
printed. Where a trust is fitted, the probability of each photo comes from a fit without that photo.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from watcher.matting import fusion, models, modes
from watcher.matting.networks import inference

HERE = Path(__file__).parent
SIDE = 64  # at which masks are compared
FOLDS = 6
GATE_STRENGTH = 0.01  # of the first regression: 1 / the weight of its penalty
PENALTY, THING_PENALTY = 0.003, 0.5  # on the squared weights of the trust, and on trust where there is no person
STEPS, RATE, BATCH = 400, 0.05, 64


def shrink(alpha: Any, side: int) -> Any:
    """Resize (s, s) to (side, side): the mean of each area, or bilinearly where it grows."""
    kind = Image.Resampling.BOX if len(alpha) > side else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.ascontiguousarray(alpha, np.float32)).resize((side, side), kind))


def grey(path: Path) -> Any:
    """Return a mask, (64, 64), 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255


class Photos:
    """What the networks say of each photo, and the truth."""

    def __init__(self, folder: Path) -> None:
        with (folder / "index.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        mode = modes.BALANCED
        ensemble = inference.load_ensemble(mode.read_models(), mode, threads=2)
        people = models.find_in_catalogue("modnet-int8")
        pooled = _pooled_features(models.read(people))
        alphas, features, truths, void = [], [], [], []
        for row in rows:
            with Image.open(folder / "images" / f"{row['id']}.jpg") as image:
                rgb = image.convert("RGB")
            opinions, _ = inference.infer(ensemble, rgb)
            by_model = [[opinion.alpha for opinion in opinions if opinion.view.model == model] for model in mode.models]
            alphas.append([fusion.mean([fusion.downsample(alpha) for alpha in group]) for group in by_model])
            features.append(pooled(inference.first_inputs(ensemble, rgb)[-1]))
            truths.append(grey(folder / "masks" / f"{row['id']}.png"))
            path = folder / "void" / f"{row['id']}.png"
            void.append(grey(path) if path.exists() else np.zeros((SIDE, SIDE), np.float32))
        self.alphas, self.features = np.array(alphas), np.array(features)
        self.truths, self.judged = torch.tensor(np.array(truths)), torch.tensor(np.array(void) < 0.5).float()
        self.is_person = np.array(["person" in row["category"] or row["category"] == "portrait" for row in rows])
        small = [[shrink(alpha, SIDE) for alpha in group] for group in alphas]
        self.odds = torch.tensor(np.array([fusion.pooled_log_odds(group[:2]) for group in small]))
        self.people_odds = torch.tensor(np.array([fusion.log_odds(group[2]) for group in small]))


def _pooled_features(data: bytes) -> Any:
    """Return a function from the network's input to its pooled features (1280)."""
    model = onnx.load_from_string(data)
    (pool,) = [node for node in model.graph.node if node.op_type == "GlobalAveragePool"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(pool.output[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda values: session.run([pool.output[0]], {"input": values})[0].ravel()


def fit_gate(features: Any, is_person: Any) -> Any:
    """Fit the probability of a person to pooled features (N, 1280) and what each photo shows (N)."""
    gate = LogisticRegression(C=GATE_STRENGTH, class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), gate).fit(features, is_person)


def unseen_probabilities(photos: Photos, chosen: Any) -> Any:
    """Return the probability of a person for each photo: of the chosen ones, from fits without it."""
    probabilities = fit_gate(photos.features[chosen], photos.is_person[chosen]).predict_proba(photos.features)[:, 1]
    indices = np.flatnonzero(chosen)
    folds = np.random.RandomState(0).randint(0, FOLDS, len(indices))
    for fold in range(FOLDS):
        rest, held_out = indices[folds != fold], indices[folds == fold]
        gate = fit_gate(photos.features[rest], photos.is_person[rest])
        probabilities[held_out] = gate.predict_proba(photos.features[held_out])[:, 1]
    return probabilities


def fit_trust(photos: Photos, chosen: Any, probabilities: Any) -> tuple[Any, list[str], Any, Any, Any]:
    """Return the resulting masks of all photos, and names, means, deviations and layer of the trust."""
    described = [
        fusion.trust_features(*group, float(person)) for group, person in zip(photos.alphas, probabilities, strict=True)
    ]
    names = list(described[0])
    values = np.array([[row[name] for name in names] for row in described], np.float32)
    means, deviations = values[chosen].mean(0), values[chosen].std(0) + 1e-3
    inputs = torch.tensor(((values - means) / deviations).clip(-fusion.MAX_DEVIATION, fusion.MAX_DEVIATION))
    ramp = fusion.SURE_PERSON - fusion.MIN_PERSON
    share = torch.tensor(((probabilities - fusion.MIN_PERSON) / ramp).clip(0, 1)).float()
    is_thing = torch.tensor(~photos.is_person).float()
    torch.manual_seed(0)
    layer = torch.nn.Linear(len(names), 2)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    decisiveness = torch.nn.Parameter(torch.tensor(2.0))
    optimiser = torch.optim.Adam([*layer.parameters(), decisiveness], lr=RATE)
    indices = torch.tensor(np.flatnonzero(chosen))

    def masks(batch: Any) -> tuple[Any, Any]:
        trust = torch.sigmoid(layer(inputs[batch])) * share[batch, None]
        difference = photos.people_odds[batch] - photos.odds[batch]
        step = torch.where(difference > 0, trust[:, 0, None, None], trust[:, 1, None, None]) * difference
        return torch.sigmoid((photos.odds[batch] + step) * decisiveness), trust

    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS) + 0.002
        batch = indices[torch.randperm(len(indices))[:BATCH]]
        mask, trust = masks(batch)
        judged, truth = photos.judged[batch], photos.truths[batch]
        overlap = (torch.minimum(mask, truth) * judged).sum((1, 2))
        union = (torch.maximum(mask, truth) * judged).sum((1, 2)) + 1
        loss = (1 - overlap / union).mean() + 2 * ((mask - truth).abs() * judged).mean()
        loss = loss + PENALTY * (layer.weight**2).sum() + THING_PENALTY * (trust.mean(1) * is_thing[batch]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return masks(torch.arange(len(inputs)))[0], names, means, deviations, layer


def print_scores(name: str, photos: Photos, masks: Any) -> None:
    """Print mean IoU and MAE over all photos, and over those of people."""
    predicted, true, judged = (tensor.numpy() for tensor in (masks, photos.truths, photos.judged))
    firm, hard = (predicted >= 0.5) & (judged > 0), (true >= 0.5) & (judged > 0)
    iou = (firm & hard).sum((1, 2)) / np.maximum((firm | hard).sum((1, 2)), 1)
    mae = (np.abs(predicted - true) * judged).mean((1, 2))
    for group, chosen in (("all", np.ones(len(iou), bool)), ("people", photos.is_person)):
        print(f"{name}, {group}: IoU {iou[chosen].mean():.4f}, MAE {mae[chosen].mean():.4f}")


def main() -> None:
    """Cross-validate, then fit to all photos; write the first fit and print the second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    photos = Photos(parser.parse_args().folder)
    print_scores("without the network for people", photos, torch.sigmoid(2.2 * photos.odds))
    folds = np.random.RandomState(1).randint(0, FOLDS, len(photos.is_person))
    unseen = torch.zeros_like(photos.odds)
    for fold in range(FOLDS):
        chosen = folds != fold
        mask, *_ = fit_trust(photos, chosen, unseen_probabilities(photos, chosen))
        unseen[torch.tensor(~chosen)] = mask[torch.tensor(~chosen)]
    print_scores("with it, on photos that the fit has not seen", photos, unseen)
    everything = np.ones(len(photos.is_person), bool)
    _, names, means, deviations, layer = fit_trust(photos, everything, unseen_probabilities(photos, everything))
    scaler, gate = (step for _, step in fit_gate(photos.features, photos.is_person).steps)
    weights = gate.coef_[0] / scaler.scale_
    bias = float(gate.intercept_[0] - (gate.coef_[0] * scaler.mean_ / scaler.scale_).sum())
    fitted = {"weights": [round(float(weight), 5) for weight in weights], "bias": round(bias, 4)}
    (HERE / "modnet-person.json").write_text(json.dumps(fitted))
    up, down = layer.weight.detach().numpy()
    print("_TRUST_BIAS =", tuple(round(float(value), 4) for value in layer.bias.detach()))
    for row in zip(names, means, deviations, up, down, strict=True):
        print('    "{}": ({:.4f}, {:.4f}, {:.3f}, {:.3f}),'.format(*row))


if __name__ == "__main__":
    main()
