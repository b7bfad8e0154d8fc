"""The language model's training: batches, stages from end to end, rewards, adaptation."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from safetensors.numpy import load_file  # noqa: E402

from ecg_llm.analysis import analyse  # noqa: E402
from ecg_llm.chat_layout import END, SPECIAL, layout  # noqa: E402
from ecg_llm.claims.check import check_text  # noqa: E402
from ecg_llm.claims.stated import missing  # noqa: E402
from ecg_llm.data_builders.synthetic import synthetic_ecg  # noqa: E402
from ecg_llm.data_builders.talk import (  # noqa: E402
    Talk,
    doubted,
    held,
    mixed,
    report_answer,
    value_answer,
    varied,
    verify_answer,
)
from ecg_llm.errors import ConfigError  # noqa: E402
from ecg_llm.lm_onnx import OnnxModel, projected, read_safetensors  # noqa: E402
from ecg_llm.lm_transformers import TransformersModel, load_checkpoint  # noqa: E402
from ecg_llm.model import (  # noqa: E402
    EcgLlmConfig,
    EcgLlmForConditionalGeneration,
    EcgLlmProcessor,
)
from ecg_llm.prompt import Prompt, build_from_facts, facts_of  # noqa: E402
from ecg_llm.training import language  # noqa: E402
from ecg_llm.training.few_shot import Example, adapt, adapt_files  # noqa: E402
from ecg_llm.training.language import (  # noqa: E402
    Features,
    Objective,
    _loss_of,
    _rate_at,
    batches,
    fit,
)
from ecg_llm.training.language_batches import (  # noqa: E402
    IGNORED,
    OwnLayout,
    encode,
    pack,
    train_tokenizer,
    wrapped,
)
from ecg_llm.training.language_memory import memory, read_sizes  # noqa: E402
from ecg_llm.training.language_recipe import load_language_recipe  # noqa: E402
from ecg_llm.training.language_stages import (  # noqa: E402
    _answer,
    _fresh_model,
    _prepared,
    put_encoder,
    save,
    with_adapters,
)
from ecg_llm.training.reward import reward  # noqa: E402
from ecg_llm.training.talks import ALL, SLOT, TEXT, TOKENS, draw, posed  # noqa: E402

WIDTH = 256
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def facts():
    return facts_of(analyse(synthetic_ecg(bpm=112, seed=3).record))


@pytest.fixture(scope="module")
def talks(facts):
    about = {"records": ("a",), "facts": (facts,), "labels": ("STACH", "LVH")}
    return {
        "report": [Talk(kind="report", turns=("Report this ECG.", ""), **about)],
        "verify": [Talk(kind="verify", turns=("Is there sinus tachycardia?", "STACH"), **about)],
        "value": [Talk(kind="value", turns=("What is the PR?", "pr_ms"), **about)],
        "wave": [Talk(kind="wave", turns=("How tall is the R wave in V5?", "r_mv V5"), **about)],
        "stated": [Talk(kind="stated", turns=("Is there LVH?", "yes"), **about)],
        "talk": [Talk(kind="talk", turns=("Hello", "Good day.", "More?", "No."), **about)],
    }


@pytest.fixture(scope="module")
def tokenizer(talks):
    drawn = itertools.islice(draw(talks, Random(0), [(TEXT, 1.0)], vary=0.5), 200)
    return train_tokenizer(
        (text for _, prompt, said in drawn for text in (layout(prompt.messages, 0), said)), 700
    )


@pytest.fixture(scope="module")
def features():
    rng = torch.Generator().manual_seed(0)
    return Features(
        tokens={"a": torch.randn(8, WIDTH, generator=rng)},
        vector={"a": torch.randn(WIDTH, generator=rng)},
    )


def small(**changes):
    return load_language_recipe(
        "lm", **{"width": 64, "layers": 2, "heads": 4, "rows": 2, "steps": 3, **changes}
    )


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    return _fresh_model(small(), tokenizer.get_vocab_size())


def test_a_canonical_report_is_borne_out_and_complete(facts):
    text = report_answer(facts, TEXT, ())
    checked = check_text(text, facts=facts)
    assert checked
    assert {claim.status for claim in checked} == {"supported"}
    assert missing(text, facts.findings.values()) == ()
    prompt = build_from_facts(None, [facts], [], parts=TEXT)
    assert held(text, prompt.text())


def test_without_text_the_report_says_what_people_saw_and_no_number(facts):
    text = report_answer(facts, TOKENS, ("LVH", "STACH"))
    assert text == "Sinus tachycardia. Left ventricular hypertrophy."


def test_answers_follow_changed_values(facts):
    changed = varied(facts, Random(1))
    assert value_answer("qrs_ms", changed) != value_answer("qrs_ms", facts)
    assert held(
        value_answer("heart_rate_bpm", changed).split(" (")[0],
        build_from_facts(None, [changed], [], parts=TEXT).text(),
    )
    assert verify_answer("AFIB", facts).startswith("No. Atrial fibrillation is absent")


def test_what_is_doubted_is_so_in_the_prompt_and_in_a_report_that_holds(facts):
    others = facts_of(analyse(synthetic_ecg(bpm=70, seed=5).record))
    pool = {code: [found] for code, found in others.findings.items() if found.status == "present"}
    mix = mixed(facts, pool, Random(2))
    seen = set()
    for seed in range(12):
        made = doubted(mix, ("LVH", "CLBBB", "AFIB"), Random(seed))
        shown = build_from_facts(None, [made], [], parts=TEXT).text()
        text = report_answer(made, TEXT, ())
        for line in shown.splitlines():
            word, _, name = line.removeprefix("- ").partition(" ")
            if word in ("probable", "possible"):
                seen.add(word)
                assert f"{word.capitalize()} {name}." in text
                assert f"{word} {name.partition(':')[0]}" in text.partition("Impression: ")[2]
        assert {claim.status for claim in check_text(text, facts=made)} == {"supported"}
    assert "probable" in seen


def test_a_report_on_tokens_and_text_says_what_the_text_shows(facts):
    assert report_answer(facts, ALL, ("LVH",)) == report_answer(facts, TEXT, ())


def test_a_slot_is_drawn_for_every_record_also_where_pages_are_mixed_in(talks, facts):
    two = {"records": ("a", "b"), "facts": (facts, facts), "labels": ()}
    asked = {**talks, "qa": [Talk(kind="qa", turns=("Which is new?", "none"), **two)]}
    mixture = [(ALL, 0.5), (TOKENS, 0.5)]
    for talk, prompt, _ in itertools.islice(draw(asked, Random(0), mixture, pages=0.5), 300):
        assert len(prompt.records) == len(talk.records)


def test_only_the_assistants_words_are_learnt(talks, tokenizer):
    talk = talks["talk"][0]
    prompt, said = posed([talk], Random(0), TEXT)
    row = encode(OwnLayout(tokenizer, 10), prompt, said, talk)
    learnt = [token for token, label in zip(row.ids, row.labels, strict=True) if label != IGNORED]
    end = SPECIAL.index(END)
    assert tokenizer.decode(learnt, skip_special_tokens=False).count(END) == 2
    assert learnt.count(end) == 2
    assert tokenizer.decode([t for t in learnt if t != end]) == "Good day.No."


def test_packing_keeps_conversations_whole_and_apart(talks, tokenizer, model):
    recipe = small(length=400)
    batch = next(batches(talks, OwnLayout(tokenizer, 10), recipe, 0))
    starts = (batch.positions == 0) & (batch.ids != SPECIAL.index("<|pad|>"))
    assert starts.sum() > 2
    alone = encode(OwnLayout(tokenizer, 10), *posed_row(talks))
    twice = next(pack([alone, alone], length=2 * len(alone.ids), n_rows=1))
    once = next(pack([alone], length=len(alone.ids), n_rows=1))
    with torch.inference_mode():
        assert torch.allclose(_loss_of(model, twice, None), _loss_of(model, once, None), atol=1e-5)


def posed_row(talks):
    talk = talks["value"][0]
    return (*posed([talk], Random(0), TEXT), talk)


def test_each_digit_is_a_token_of_its_own(tokenizer):
    words = [tokenizer.decode([k]) for k in tokenizer.encode("QRS 104 ms, −0.32 mV").ids]
    assert [word.strip() for word in words if any(c.isdigit() for c in word)] == list("104032")


def test_a_stopped_run_goes_on_to_the_same_weights(talks, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(language, "SAVE_EVERY_S", 0.0)

    def run(out, recipe, stop_at=99):
        torch.manual_seed(0)
        made = _fresh_model(small(), tokenizer.get_vocab_size())
        drawn = batches(talks, OwnLayout(tokenizer, 10), recipe, 0)
        fit(made, itertools.islice(drawn, stop_at), recipe, out, tell=lambda _: None)
        return made

    recipe = small(steps=4, warmup=0.0, peak_lr=1e-3)
    whole = run(tmp_path / "whole", recipe)
    cut = tmp_path / "cut"
    with pytest.raises(StopIteration):
        run(cut, recipe, stop_at=2)
    assert torch.load(cut / "checkpoint.pt", weights_only=True)["step"] == 2
    again = run(cut, recipe)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (cut / "curve.png").is_file()
    with pytest.raises(ConfigError, match="another peak_lr; give another --out"):
        run(cut, replace(recipe, peak_lr=2e-3))
    (cut / "checkpoint.pt").write_bytes((cut / "checkpoint.pt").read_bytes()[:5000])
    with pytest.raises(ConfigError, match="this checkpoint is damaged; remove it"):
        run(cut, recipe)


def test_a_stop_changes_no_figure_of_the_history(tokenizer, model, talks, tmp_path, monkeypatch):
    monkeypatch.setattr(language, "SAVE_EVERY_S", 0.0)
    losses = [float(k) for k in range(1, 21)]
    left = iter(losses)
    weight = next(model.parameters())

    def _loss_of(*_):
        return weight.sum() * 0 + next(left)

    monkeypatch.setattr(language, "_loss_of", _loss_of)
    batch = next(batches(talks, OwnLayout(tokenizer, 10), small(), 0))

    def run(n):
        judge = lambda: {"held_out_loss": 1.0}  # noqa: E731
        drawn = itertools.islice(itertools.repeat(batch), n)
        return fit(model, drawn, small(steps=20), tmp_path, judge=judge, tell=lambda _: None)

    with pytest.raises(StopIteration):
        run(15)
    kept = json.loads(json.dumps(run(20)))
    assert [row["loss"] for row in kept if "loss" in row] == [sum(losses) / 20]
    assert run(20) == kept, "a run that is done is not judged again"


def test_conversations_too_long_for_a_row_do_not_run_for_ever(talks, tokenizer):
    with pytest.raises(ConfigError, match="more than 20 tokens"):
        next(batches(talks, OwnLayout(tokenizer, 10), small(length=20), 0))


def test_the_rate_rises_and_falls():
    assert _rate_at(0.0, 0.1) < _rate_at(0.1, 0.1) == 1.0
    assert _rate_at(1.0, 0.1) == pytest.approx(0.0)


def test_align_changes_projectors_only_and_adapters_merge(talks, tokenizer, model, features):
    recipe = small(text=0.0, tokens=1.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.requires_grad_(False)
    model.ecg_projector.requires_grad_(True)
    _loss_of(model, next(batches(talks, OwnLayout(tokenizer, 10), recipe, 0)), features).backward()
    assert model.ecg_projector.vector_in.weight.grad.abs().sum() > 0
    adapted = with_adapters(model, 2)
    learning = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert any("lora_A" in name for name in learning)
    assert any("ecg_projector" in name for name in learning)
    assert not any("embed_tokens" in name for name in learning)
    batch = next(batches(talks, OwnLayout(tokenizer, 10), small(both=1.0, text=0.0), 0))
    _loss_of(adapted, batch, features).backward()
    merged = adapted.merge_and_unload()
    for name, p in merged.named_parameters():
        assert torch.allclose(before[name], p, atol=1e-6), name


def test_processes_have_the_same_gradients_whatever_their_batches_hold(
    talks, tokenizer, model, monkeypatch
):
    """On a text-only batch of one process the others waited for its projectors' gradients."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    adapted = with_adapters(model, rank=2)
    of_text = batches({"report": talks["report"]}, OwnLayout(tokenizer, 10), small(text=1.0), 0)
    objective = Objective(adapted, None)
    assert objective._no_split_modules == ["LlamaDecoderLayer"]
    objective(next(of_text)).backward()
    learning = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert any("image_projector" in name for name in learning)
    assert all(p.grad is not None for p in learning.values())


def test_checkpointing_computes_layers_anew_and_changes_nothing(
    talks, tokenizer, model, features, tmp_path
):
    saved = save(model, EcgLlmProcessor(wrapped(tokenizer), 10), tmp_path / "base")
    learnt, calls = {}, {}
    for checkpointing in (False, True):
        recipe = small(stage="sft", text=0.5, both=0.5, checkpointing=checkpointing, lora_rank=2)
        torch.manual_seed(0)
        adapted = _prepared(load_checkpoint(saved)[0], recipe)
        seen = []
        first = adapted.get_base_model().language_model.model.layers[0].mlp
        first.register_forward_pre_hook(lambda *_, seen=seen: seen.append(1))
        drawn = batches(talks, OwnLayout(tokenizer, 10), recipe, seed=0)
        fit(adapted, drawn, recipe, tmp_path / str(checkpointing), features=features)
        calls[checkpointing] = len(seen)
        learnt[checkpointing] = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    assert calls == {False: recipe.steps, True: 2 * recipe.steps}
    for name, weight in learnt[False].items():
        torch.testing.assert_close(learnt[True][name], weight)


def test_memory_is_counted_from_the_sizes(model, tmp_path):
    text = model.config.text_config.to_dict()
    recipe = small(stage="sft", lora_rank=2)
    one = memory(recipe, text)
    adapted = with_adapters(
        EcgLlmForConditionalGeneration(
            EcgLlmConfig(text_config=text, encoder_width=256, pooled_tokens=0, encoder_tokens=50)
        ),
        rank=2,
    )
    learnt = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in adapted.parameters() if not p.requires_grad)
    assert one.learnt == pytest.approx(16e-9 * learnt)
    assert one.frozen == pytest.approx(2e-9 * frozen)
    four = memory(replace(recipe, four_bit=True, checkpointing=True), text, processes=2)
    assert four.frozen < one.frozen / 2
    assert four.within == pytest.approx(one.within / text["num_hidden_layers"])
    assert one.gathered == 0 < four.gathered
    path = tmp_path / "config.json"
    for wrong in ("[]", "no JSON", '{"width": 8}'):
        path.write_text(wrong)
        with pytest.raises(ConfigError, match="of a language model like"):
            read_sizes(path)
    path.write_text(json.dumps({"text_config": text}))
    assert read_sizes(path)["hidden_size"] == text["hidden_size"]


def test_onnx_and_transformers_say_the_same(
    talks, tokenizer, model, features, tmp_path, monkeypatch
):
    save(model, EcgLlmProcessor(wrapped(tokenizer), 10), tmp_path)
    here, there = OnnxModel(tmp_path), TransformersModel(tmp_path)
    found = features.tokens["a"].numpy(), features.vector["a"].numpy()
    for kind in ("ecg", "image"):
        weights = here._projectors[kind]
        net = getattr(there.model, f"{kind}_projector")
        with torch.inference_mode():
            wanted = net(torch.from_numpy(found[0])[None], torch.from_numpy(found[1])[None])[0]
        assert np.allclose(projected(*found, weights, 8, 2), wanted.numpy(), atol=1e-5)
    for talk in (talks["report"][0], talks["value"][0]):
        prompt, _ = posed([talk], Random(0), TEXT)
        assert here.generate([prompt], max_new_tokens=24) == there.generate(
            [prompt], max_new_tokens=24
        )
        assert (
            "".join(there.stream(prompt, max_new_tokens=24)).strip()
            == here.generate([prompt], max_new_tokens=24)[0].strip()
        )
        assert here.score(prompt, ["yes", "no QRS"]) == pytest.approx(
            there.score(prompt, ["yes", "no QRS"]), abs=1e-3
        )
    assert (tmp_path / "decoder.onnx").stat().st_size < 20_000
    assert read_safetensors(tmp_path / "model.safetensors")
    prompt = build_from_facts(None, [talks["report"][0].facts[0]], [SLOT], parts=ALL)
    with pytest.raises(ConfigError, match="slots in the prompt"):
        here.embed(Prompt(messages=prompt.messages))


def test_a_folder_without_the_graph_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"decoder\.onnx"):
        OnnxModel(tmp_path)


def test_an_answer_with_slots_needs_features(talks, tokenizer, model, features):
    prompt, _ = posed([talks["report"][0]], Random(0), TOKENS)
    with pytest.raises(ConfigError, match="no features"):
        _answer(model, OwnLayout(tokenizer, 10), prompt, None, ("a",))
    laid = OwnLayout(tokenizer, 10)
    assert isinstance(_answer(model, laid, prompt, features, ("a",), max_new_tokens=2), str)


def test_the_reward_prefers_what_the_record_bears_out(facts):
    good = report_answer(facts, TEXT, ())
    rate = facts.values["heart_rate_bpm"].value
    wrong = good.replace(f"{rate:.0f} bpm", "61 bpm")
    silent, padded = "The ECG was read.", good + " It is what it is." * 60
    scores = [reward(text, facts, {"STACH": 100.0}).total for text in (good, wrong, silent, padded)]
    assert scores[0] == max(scores)
    assert scores[0] > scores[1] > scores[2]
    assert reward(wrong, facts).contradicted > 0


def test_a_few_examples_lower_their_loss_through_the_projectors_alone(
    talks, tokenizer, model, features, tmp_path
):
    save(model, EcgLlmProcessor(wrapped(tokenizer), 10), tmp_path)
    loaded = TransformersModel(tmp_path)
    kept = loaded.model.language_model.model.layers[0].mlp.up_proj.weight.detach().clone()
    prompt, _ = posed([talks["stated"][0]], Random(0), TOKENS)
    examples = [Example(prompt, "yes")] * 5
    given = [features.inputs(["a"], torch.device("cpu"))] * 5
    losses = adapt(loaded.model, loaded.processor, examples, steps=12, features=given)
    assert losses[-1] < losses[0]
    odd = [Example(prompt, "<ecg> yes <|end|>")] * 5  # words that look like slots and ends
    adapt(loaded.model, loaded.processor, odd, steps=1, features=given)
    with pytest.raises(ConfigError, match="at most 512"):
        adapt(loaded.model, loaded.processor, [Example(prompt, "no " * 600)], features=given)
    assert torch.equal(kept, loaded.model.language_model.model.layers[0].mlp.up_proj.weight)


def test_examples_in_a_file_give_a_model_with_its_card(tokenizer, model, tmp_path):
    base, out = tmp_path / "base", tmp_path / "out"
    put_encoder(model, None)
    save(model, EcgLlmProcessor(wrapped(tokenizer), 10), base)
    card = {"licences": {"a": "b"}, "stages": [{"stage": "lm"}]}
    (base / "card.json").write_text(json.dumps(card))
    ecg = str(EXAMPLES / "00001_lr.hea")
    lines = [json.dumps({"ecg": ecg, "question": "Is it so?", "answer": "yes"})] * 5
    (tmp_path / "few.jsonl").write_text("\n".join(lines))
    assert adapt_files(base, tmp_path / "few.jsonl", out, steps=2, tell=lambda _: None) == out
    card = json.loads((out / "card.json").read_text())
    assert card["licences"] == {"a": "b"}
    assert [stage["stage"] for stage in card["stages"]] == ["lm", "adapt"]
    assert card["stages"][1]["examples"] == 5
    fusion = load_file(out / "fusion.safetensors")
    assert fusion and all("_projector." in name for name in fusion)
    assert (out / "decoder.onnx").is_file()


def test_recipes_refuse_what_they_do_not_know(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("peak_rl = 1e-3\n")
    with pytest.raises(ConfigError, match="did you mean 'peak_lr'"):
        load_language_recipe(str(path))
    path.write_text('peak_lr = "high"\n')
    with pytest.raises(ConfigError, match="float is needed"):
        load_language_recipe(str(path))
    with pytest.raises(ConfigError, match="of stage 'lm', where one of stage 'sft' is needed"):
        load_language_recipe("lm", "sft")
    with pytest.raises(ConfigError, match="did you mean 'sft-24gb'"):
        load_language_recipe("sft-24g")
    for name in ("lm", "align", "sft", "preference", "sft-24gb", "sft-80gb"):
        assert load_language_recipe(name).stage


def test_examples_must_be_a_handful(tmp_path):
    from ecg_llm.training.few_shot import _read_examples

    path = tmp_path / "few.jsonl"
    path.write_text(json.dumps({"ecg": "a.hea", "question": "?"}) + "\n")
    with pytest.raises(ConfigError, match="line 1"):
        _read_examples(path)
    for odd in ({"answer": ""}, {"answer": None}, {"answer": []}, {"ecg": []}, {"ecg": 5}):
        row = {"ecg": "a.hea", "question": "?", "answer": "yes", **odd}
        path.write_text(json.dumps(row) + "\n")
        with pytest.raises(ConfigError, match=r"line 1: it needs .* is no text"):
            _read_examples(path)
    path.write_text(json.dumps({"ecg": "a.hea", "question": "?", "answer": "yes"}) + "\n")
    with pytest.raises(ConfigError, match=r"line 1: .*a\.hea: no such file"):
        _read_examples(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text of UTF-8"):
        _read_examples(path)
    path.write_text("\n")
    with pytest.raises(ConfigError, match="0 examples"):
        _read_examples(path)
