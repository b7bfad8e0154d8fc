"""Language models of other families: their own tokenizers and chat templates, from end to end."""

from __future__ import annotations

import json
import shutil
from random import Random

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("pyarrow")

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors  # noqa: E402
from transformers import (  # noqa: E402
    AutoModel,
    AutoModelForCausalLM,
    AutoProcessor,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from ecg_llm import lm  # noqa: E402
from ecg_llm.analysis import analyse  # noqa: E402
from ecg_llm.cli.app import app  # noqa: E402
from ecg_llm.data_builders.build import build as build_set  # noqa: E402
from ecg_llm.data_builders.build_synthetic import Synthetic  # noqa: E402
from ecg_llm.data_builders.synthetic import synthetic_ecg  # noqa: E402
from ecg_llm.data_builders.talk import Talk  # noqa: E402
from ecg_llm.errors import ConfigError  # noqa: E402
from ecg_llm.lm_transformers import load_checkpoint, model_folder  # noqa: E402
from ecg_llm.prompt import build, facts_of  # noqa: E402
from ecg_llm.training.language_base import make_base  # noqa: E402
from ecg_llm.training.language_batches import IGNORED, encode, layout_of  # noqa: E402
from ecg_llm.training.talks import TEXT, posed  # noqa: E402

run = CliRunner().invoke
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
}
# As Qwen's, Llama 3's and Gemma 3's templates lay turns out, with their own special tokens.
QWEN = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "<|begin|>{% for m in messages %}<|start|>{{ m['role'] }}<|stop|>\n\n{{ m['content'] }}<|eot|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
GEMMA = (
    "<bos>{% set ns = namespace(first='') %}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% set ns.first = m['content'] + '\n\n' %}{% else %}<start_of_turn>"
    "{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ ns.first }}{{ m['content'] }}"
    "<end_of_turn>\n{% set ns.first = '' %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
FAMILIES = {
    "qwen3": (Qwen3Config, QWEN, ("<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|im_end|>"),
    "llama": (
        LlamaConfig,
        LLAMA,
        ("<|begin|>", "<|start|>", "<|stop|>", "<|eot|>"),
        "<|eot|>",
        "<|eot|>",
    ),
    # Gemma ends a turn by another token than a text.
    "gemma3": (
        Gemma3TextConfig,
        GEMMA,
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        "<eos>",
        "<end_of_turn>",
    ),
}


def language_model(family, folder):
    """Save a tiny model of random weights, as one is downloaded."""
    config, template, special, eos, _ = FAMILIES[family]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE({word: k for k, word in enumerate(alphabet)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens(list(special))
    if family == "llama":  # which puts its first token before any text, asked or not
        first = ("<|begin|>", bpe.token_to_id("<|begin|>"))
        bpe.post_processor = processors.TemplateProcessing("<|begin|> $A", None, [first])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=eos,
        chat_template=template,
        additional_special_tokens=list(special),
    )
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(
        config(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **SHAPE)
    )
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def facts():
    return facts_of(analyse(synthetic_ecg(bpm=112, seed=3).record))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "set"
    build_set(Synthetic(12, seed=5, fs=100), out, workers=1, progress=False)
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_every_answer_is_learnt_and_nothing_else(family, facts, tmp_path):
    base = make_base(language_model(family, tmp_path / "lm"), tmp_path / "base")
    laid = layout_of(AutoProcessor.from_pretrained(base))
    turns = ("Hello", "Good day.", "More?", "No.")
    talk = Talk(kind="talk", turns=turns, records=("a",), facts=(facts,), labels=())
    prompt, said = posed([talk], Random(0), TEXT)
    row = encode(laid, prompt, said, talk)
    learnt = [token for token, label in zip(row.ids, row.labels, strict=True) if label != IGNORED]
    end = FAMILIES[family][4]
    text = laid.tokenizer.decode(learnt, skip_special_tokens=False)
    assert text == f"Good day.{end}No.{end}"
    assert laid.ids(prompt) == row.ids[: len(laid.ids(prompt))]


@pytest.mark.parametrize("family", ["qwen3", "gemma3"])
def test_any_family_is_made_trained_and_used(family, records, tmp_path):
    language_model(family, tmp_path / "lm")
    made = run(
        app,
        [
            "train",
            "base",
            "--language-model",
            str(tmp_path / "lm"),
            "--out",
            str(tmp_path / "base"),
        ],
    )
    assert made.exit_code == 0, made.output
    recipe = tmp_path / "mine.toml"
    recipe.write_text('stage = "sft"\nlength = 3000\nrows = 1\ntokens = 0.5\ntext = 0.5\n')
    command = ["train", "sft", "--base", str(tmp_path / "base"), "--records", str(records)]
    command += ["--recipe", str(recipe), "--steps", "2", "--out", str(tmp_path / "out")]
    done = run(app, command)
    assert done.exit_code == 0, done.output
    engine = lm.load(str(tmp_path / "out" / "model"))
    asked = build(None, [analyse(synthetic_ecg(seed=4, fs=100).record)])
    assert len(engine.generate([asked], max_new_tokens=4)) == 1
    assert all(score < 0 for score in engine.score(asked, ["yes", "no"]))
    card = json.loads((tmp_path / "out" / "model" / "card.json").read_text())
    assert card["model"].startswith(
        f"{'gemma3_text' if family == 'gemma3' else family} of 2 layers"
    )
    assert card["data"]["records"].startswith("synthetic (ecg_llm")
    assert list(card["licences"].values()) == ["Apache-2.0"]
    config = engine.model.config
    assert (config.tokens_per_ecg, config.bundled_encoder) == (52, True)
    adapter = tmp_path / "out" / "adapter"
    assert json.loads((adapter / "card.json").read_text()) == card
    assert not (adapter / "README.md").exists(), "peft's empty form"
    assert isinstance(AutoModel.from_pretrained(tmp_path / "out" / "model"), type(engine.model))
    # The trained model is the base with its adapter merged.
    merged = load_checkpoint(adapter)[0].state_dict()
    for name, weight in engine.model.state_dict().items():
        torch.testing.assert_close(weight, merged[name], atol=2e-2, rtol=2e-2)


def test_a_model_with_an_encoder_of_its_own_keeps_it(records, tmp_path):
    from ecg_llm.encoders.signal import SignalEncoderConfig
    from ecg_llm.training.store import load_encoder, save_encoder

    torch.manual_seed(1)
    other = tmp_path / "encoder"
    save_encoder(SignalEncoderConfig.of_size("mini").build(), other, {})
    base = make_base(language_model("qwen3", tmp_path / "lm"), tmp_path / "base", encoder=other)
    recipe = tmp_path / "mine.toml"
    recipe.write_text('stage = "align"\nlength = 3000\nrows = 1\ntokens = 1.0\ntext = 0.0\n')
    command = ["train", "align", "--base", str(base), "--records", str(records), "--recipe"]
    command += [str(recipe), "--steps", "1", "--out", str(tmp_path / "out")]
    refused = run(app, command)
    assert refused.exit_code == 2
    assert "an encoder of its own" in refused.output
    narrow = tmp_path / "narrow"
    narrow.mkdir()
    (narrow / "signal_encoder.json").write_text('{"config": {"width": 64}}')
    refused = run(app, [*command, "--encoder", str(narrow)])
    assert refused.exit_code == 2
    assert "its projectors take 256 features, but the encoder gives 64" in refused.output
    done = run(app, [*command, "--encoder", str(other)])
    assert done.exit_code == 0, done.output
    model, _ = load_checkpoint(tmp_path / "out" / "model")
    assert not model.config.bundled_encoder
    for name, weight in load_encoder(other).state_dict().items():
        torch.testing.assert_close(model.encoder.state_dict()[name], weight, atol=1e-2, rtol=1e-2)


def test_an_adapter_finds_its_model_beside_it_or_says_what_is_missing(tmp_path):
    base = make_base(language_model("qwen3", tmp_path / "lm"), tmp_path / "base")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    text = json.dumps({"base_model_name_or_path": "runs/base"})
    (adapter / "adapter_config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"the model in 'runs/base'.*is not there"):
        load_checkpoint(adapter)
    shutil.copytree(base, tmp_path / "runs" / "base")
    assert model_folder(adapter) == tmp_path / "runs" / "base"


def test_what_cannot_be_a_base_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"no config\.json is there"):
        make_base(tmp_path, tmp_path / "base")
    folder = language_model("qwen3", tmp_path / "lm")
    with pytest.raises(ConfigError, match=r"type 'qwen3', which reads no ECGs; begin with"):
        load_checkpoint(folder)
    other = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=1, n_head=2))
    other.save_pretrained(tmp_path / "gpt2")
    for path in (*folder.glob("*token*"), folder / "chat_template.jinja"):
        shutil.copy(path, tmp_path / "gpt2")
    with pytest.raises(ConfigError, match="GPT2LMHeadModel is no plain language model"):
        make_base(tmp_path / "gpt2", tmp_path / "base")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    for template, told in (
        (None, "has no chat template"),
        ("{{ raise_exception('only user and model') }}", "takes no system message"),
    ):
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        settings.pop("chat_template", None)
        if template:
            settings["chat_template"] = template
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        with pytest.raises(ConfigError, match=told):
            make_base(folder, tmp_path / "base")
