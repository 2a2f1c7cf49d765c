"""cards.py: one source for what is stated of each model, and the documents that show it."""

import dataclasses
from pathlib import Path

import pytest

from assets.models import write_cards
from tests.conftest import ROOT
from watcher.matting import cards, models
from watcher.matting.models import Model

every_model = pytest.mark.parametrize("model", models.CATALOGUE, ids=lambda model: model.name)


@every_model
def test_the_models_readme_has_each_field_of_the_card_verbatim(model: Model) -> None:
    card = write_cards.render_card(model)
    for value in (model.name, model.sha256, *cards.as_dict(model.card).values()):
        assert value is None or value in card
    assert card in write_cards.README.read_text()


@pytest.mark.parametrize("path", [write_cards.README, ROOT / "docs" / "models.md"], ids=["assets", "docs"])
def test_each_document_has_the_cards_as_they_are_now(path: Path) -> None:
    """If this fails: python assets/models/write_cards.py FILE."""
    if path != write_cards.README and not path.exists():
        pytest.skip("there is no such page")
    text = path.read_text()
    assert write_cards.replace_cards(text) == text


def test_a_readme_without_its_comments_is_refused() -> None:
    with pytest.raises(ValueError, match="two comments"):
        write_cards.replace_cards("# The models\n")


def test_files_of_the_same_weights_have_the_same_terms() -> None:
    for names in (("isnet-int8", "isnet-fp16", "isnet-general-use"), ("u2net-int8", "u2net")):
        same = [models.find_in_catalogue(name) for name in names]
        assert len({model.card.weights for model in same}) == 1
        assert len({model.licence for model in same}) == 1


def test_the_terms_name_the_training_set_and_what_it_may_be_used_for() -> None:
    terms = models.find_in_catalogue("isnet-int8").licence
    assert "Apache-2.0" in terms
    assert "DIS5K" in terms
    assert "non-commercial" in terms


@every_model
def test_each_card_states_what_is_known_in_plain_text(model: Model) -> None:
    values = cards.as_dict(model.card)
    assert set(values) == set(write_cards.LABELS)
    weights = {field.name for field in dataclasses.fields(cards.Weights)}
    assert weights | {field.name for field in dataclasses.fields(cards.Card)} - {"weights"} == set(values)
    for value in filter(None, values.values()):
        assert value == value.strip().removesuffix(".")
        assert not set(value) & {"|", "\n"}
