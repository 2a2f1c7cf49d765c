"""Write the model cards into Markdown files: `python assets/models/write_cards.py [FILE…]`, from a set-up nobg.

The facts are in watcher/matting/cards.py and the catalogue; this module turns them into Markdown. A file has the two
comments BEGIN and END, and the cards are written between them; without FILE, it is README.md beside this module.
`--print` prints the Markdown instead. A test compares the files with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from watcher.matting import cards, memory, models
from watcher.matting.models import Model

README = Path(__file__).resolve().parent / "README.md"
BEGIN = "<!-- Cards, written by assets/models/write_cards.py: do not edit between these two comments. -->\n"
END = "<!-- End of the cards. -->\n"

LABELS = {
    "network": "network",
    "authors": "authors",
    "licence": "licence of the weights",
    "training_data": "trained on",
    "training_terms": "terms of the training data",
    "commercial_use": "commercial use",
    "origin": "origin",
    "made": "made",
    "figures": "figures",
}
"""Each field of a card -> what its row is called."""


def render() -> str:
    """Return all cards as Markdown: those of the models in the package first, then the others, in catalogue order."""
    others = [model for model in models.CATALOGUE if model not in models.SHIPPED]
    parts = ["## Models in the package\n", *map(render_card, models.SHIPPED)]
    parts += ["## Models that can be added\n", *map(render_card, others)]
    return "\n".join(parts)


def render_card(model: Model) -> str:
    """Return one card: a heading and a table with a row for each field."""
    rows = "".join(f"| {label} | {value} |\n" for label, value in card_rows(model))
    return f"### {model.name}\n\n{model.good_for[0].upper()}{model.good_for[1:]}.\n\n| | |\n|---|---|\n{rows}"


def card_rows(model: Model) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each row."""
    for field, value in cards.as_dict(model.card).items():
        yield LABELS[field], cards.NOT_RECORDED if value is None else value
    yield "file", f"`{model.file_name}`, {model.size:,} bytes, SHA-256 `{model.sha256}`"
    yield "input", describe_input(model)
    yield "output", "alpha in 0..1" + (", after a sigmoid" if model.outputs_logits else "")
    yield "memory", f"{memory.format_gigabytes(model.memory)} at most, a picture of 12 megapixels included"
    for source in model.sources:
        yield "found at", source


def describe_input(model: Model) -> str:
    """Return shape and normalisation of the network's input in words."""
    mean, std = (", ".join(map(str, values)) for values in (model.mean, model.std))
    return f"(1, 3, {model.side}, {model.side}), RGB, (x / 255 - mean) / std with mean {mean} and std {std}"


def replace_cards(text: str) -> str:
    """Return `text` with the cards between its two comments replaced. Raises ValueError if it lacks the comments."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError("The file does not have the two comments that enclose the cards.")
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


def main() -> None:
    """Write the cards into the files named on the command line, or print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", default=[README], help="default: the README.md")
    parser.add_argument("--print", action="store_true", help="print the cards and change no file")
    options = parser.parse_args()
    if options.print:
        print(render())
        return
    for file in options.files:
        file.write_text(replace_cards(file.read_text()))


if __name__ == "__main__":
    main()
