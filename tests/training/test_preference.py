"""Drafts that the model writes while it learns, what they earn, and both ways of preferring."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("trl")

from ecg_llm.chat_layout import layout  # noqa: E402
from ecg_llm.data_builders import build as engine  # noqa: E402
from ecg_llm.data_builders import shards  # noqa: E402
from ecg_llm.data_builders.build_synthetic import Synthetic  # noqa: E402
from ecg_llm.errors import ConfigError  # noqa: E402
from ecg_llm.lm_transformers import load_checkpoint  # noqa: E402
from ecg_llm.model import EcgLlmProcessor  # noqa: E402
from ecg_llm.training import drafts, preference  # noqa: E402
from ecg_llm.training.drafts import Drafter, ask  # noqa: E402
from ecg_llm.training.language import Features  # noqa: E402
from ecg_llm.training.language_batches import train_tokenizer, wrapped  # noqa: E402
from ecg_llm.training.language_recipe import load_language_recipe  # noqa: E402
from ecg_llm.training.language_stages import _fresh_model, save  # noqa: E402
from ecg_llm.training.reward import Reward, mean, reward  # noqa: E402
from ecg_llm.training.talks import Sets  # noqa: E402

RECIPE = replace(load_language_recipe("preference"), steps=2, rows=2, lora_rank=2, peak_lr=0.05)
MODEL = replace(load_language_recipe("lm"), width=64, layers=1, heads=4)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    out = tmp_path_factory.mktemp("records") / "set"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_run_local", lambda tasks, workers: map(engine.build_shard, tasks))
        engine.build(Synthetic(10, seed=5, fs=100), out, progress=False)
    return out


@pytest.fixture(scope="module", autouse=True)
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drafts, "JUDGED", 2)
        patch.setattr(drafts, "LONGEST", 24)
        patch.setattr(preference, "LONGEST", 24)
        patch.setattr(preference, "ANSWERS", 2)
        patch.setattr(preference, "JUDGEMENTS", 1)
        yield


@pytest.fixture(scope="module")
def asked(records):
    return ask(records, RECIPE)


@pytest.fixture(scope="module")
def features(asked):
    rng = torch.Generator().manual_seed(0)
    names = sorted({one.record for part in asked for one in part})
    return Features(
        tokens={name: torch.randn(8, 256, generator=rng) for name in names},
        vector={name: torch.randn(256, generator=rng) for name in names},
    )


@pytest.fixture(scope="module")
def base(asked, tmp_path_factory):
    texts = [text for part in asked for one in part for text in (one.prompt.text(), one.canonical)]
    tokenizer = train_tokenizer(texts, 500)
    torch.manual_seed(0)
    model = _fresh_model(MODEL, tokenizer.get_vocab_size())
    processor = EcgLlmProcessor(wrapped(tokenizer), 10)
    return save(model, processor, tmp_path_factory.mktemp("base"))


@pytest.fixture
def drafter(base, asked, features):
    model, processor = load_checkpoint(base)
    return Drafter(model, processor, [*asked[0], *asked[1]], features, rank=2)


def test_records_held_apart_are_none_that_is_learnt_from(asked):
    learnt, judged = asked
    assert len(judged) == 2
    assert {one.record for one in learnt}.isdisjoint(one.record for one in judged)


def test_no_more_records_are_read_than_are_asked_about(records, asked, monkeypatch):
    read = []
    monkeypatch.setattr(drafts, "RECORDS", 1)
    monkeypatch.setattr(drafts, "read_row", lambda *of: read.append(of) or shards.read_row(*of))
    learnt, judged = ask(records, RECIPE)
    assert (len(learnt), len(judged)) == (1, 2)
    assert [one.record for one in judged] == [one.record for one in asked[1]]
    assert len(read) <= 4 < 8  # the one after the last ends it


def test_what_is_left_out_and_what_is_said_twice_costs_reward(asked):
    one = asked[0][0]
    whole = reward(one.canonical, one.facts)
    assert (whole.supported, whole.complete, whole.contradicted) == (1, 1, 0)
    values = next(part for part in one.canonical.split(". ") if part.startswith("Heart rate"))
    assert reward(one.canonical.replace(f"{values}.", ""), one.facts).complete < 1
    first = one.canonical.split(". ")[0]
    assert reward(f"{first}. {one.canonical}", one.facts).repeated > whole.repeated
    assert reward("", one.facts).total <= 0


def test_the_mean_of_rewards_is_of_each_part():
    none = Reward(supported=0, contradicted=0, complete=0, right=0, repeated=0, long=0)
    assert mean([none, replace(none, supported=1)]) == replace(none, supported=0.5)


def test_ecgs_as_words_are_what_the_model_splices(base, drafter, asked, features):
    model, processor = load_checkpoint(base)
    for place, one in enumerate(asked[0]):
        text = "tokens" if one.prompt.records else "none"
        ids = processor.tokenizer(layout(one.prompt.messages, 10))["input_ids"]
        given = features.inputs([one.record] if text == "tokens" else [], model.device)
        with torch.inference_mode():
            wanted = model(input_ids=torch.tensor([ids]), **given).logits
            found = drafter.policy(input_ids=torch.tensor([drafter.ids[place]])).logits
        torch.testing.assert_close(found, wanted)
    assert {bool(one.prompt.records) for one in asked[0]} == {True, False}


def test_no_number_counts_as_the_models_choice(drafter):
    torch.manual_seed(0)
    of_numbers = drafter.numbers.first
    for ids, free in drafter.write([0, 1, 2, 3] * 8, draw=True):
        assert len(ids) == len(free)
        assert not any(free[k] for k, token in enumerate(ids) if token in of_numbers)
        assert any(free)


def test_the_better_draft_of_a_pair_earns_more(drafter, asked):
    places = range(len(asked[0]))
    made = preference.pairs(drafter, places)
    assert made
    of = {drafter.texts[k]: k for k in places}
    for pair in made:
        place = of[pair["prompt"]]
        better, worse = (drafter.earns(place, pair[name]).total for name in ("chosen", "rejected"))
        assert better - worse >= preference.MARGIN
        assert pair["chosen"] == drafter.every[place].canonical  # fresh weights write nothing true


@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_preferences_are_learnt_and_saved(method, base, records, features, tmp_path):
    told = []
    recipe, sets = replace(RECIPE, method=method), Sets(records, base=base)
    made = preference.train_preference(sets, features, tmp_path, recipe, told.append)
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in history] == [0, 2]
    before, _ = load_checkpoint(base)
    after, _ = load_checkpoint(made)
    alone, _ = load_checkpoint(tmp_path / "adapter")  # is that of the whole model
    for name, weight in alone.state_dict().items():
        torch.testing.assert_close(weight, after.state_dict()[name], atol=1e-3, rtol=1e-3)
    words = "language_model.model.embed_tokens.weight"
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()
    assert torch.equal(old[words], new[words])
    maps = [name for name in old if name.endswith("q_proj.weight")]
    changed = any(not torch.equal(old[name], new[name]) for name in maps)
    assert changed == (method == "dpo")  # drafts of fresh weights all earn nothing: none is better
    assert json.loads((made / "card.json").read_text())["stages"][-1]["recipe"]["method"] == method
    if method == "dpo":
        drawn = (tmp_path / preference.PAIRS).read_bytes()
        # As if it had been stopped while it judged the last checkpoint, then while it wrote one.
        (tmp_path / "history.jsonl").write_text(json.dumps(history[0]) + "\n")
        (tmp_path / "checkpoint-9").mkdir()
        longer = replace(recipe, steps=3)
        run = (sets, features, tmp_path)
        preference.train_preference(*run, longer, told.append)
        assert (tmp_path / preference.PAIRS).read_bytes() == drawn
        lines = (tmp_path / "history.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [0, 2, 3]
        preference.train_preference(*run, longer, told.append)
        assert (tmp_path / "history.jsonl").read_text().splitlines() == lines  # it was done
        with pytest.raises(ConfigError, match="another lora_rank; give another --out"):
            preference.train_preference(*run, replace(longer, lora_rank=4), told.append)
