"""What conversations are read from: the right sets, or one message."""

from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from ecg_llm.data_builders.build import build  # noqa: E402
from ecg_llm.data_builders.build_synthetic import Synthetic  # noqa: E402
from ecg_llm.data_builders.instruct import CONVERSATIONS, Instruct  # noqa: E402
from ecg_llm.errors import ConfigError  # noqa: E402
from ecg_llm.eval import few_shot  # noqa: E402
from ecg_llm.training import language_features, language_stages  # noqa: E402
from ecg_llm.training.language_card import write_card  # noqa: E402
from ecg_llm.training.language_recipe import load_language_recipe  # noqa: E402
from ecg_llm.training.store import share_weights  # noqa: E402
from ecg_llm.training.talks import Sets, read_talks  # noqa: E402


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    build(Synthetic(12, seed=5, fs=100), folder / "records", workers=1, progress=False)
    build(Synthetic(3, seed=6, fs=100), folder / "others", workers=1, progress=False)
    build(
        Instruct(folder / "others"),
        folder / "talk",
        workers=1,
        progress=False,
        product=CONVERSATIONS,
    )
    return folder


def test_conversations_are_of_the_same_records(sets):
    read_talks(Sets(sets / "others", sets / "talk"))
    with pytest.raises(ConfigError, match=r"no conversations on .*records; ecgllm build inst"):
        read_talks(Sets(sets / "records", sets / "talk"))
    wrong = "a set of 'records', where one of 'instruct' is needed; ecgllm build instruct makes"
    with pytest.raises(ConfigError, match=wrong):
        read_talks(Sets(sets / "records", sets / "records"))
    with pytest.raises(ConfigError, match=wrong):
        few_shot._read_items(sets / "records", "val")


def test_a_set_with_nothing_to_hold_out_is_told(tmp_path):
    build(Synthetic(1, seed=6, fs=100), tmp_path / "set", workers=1, progress=False)
    with pytest.raises(ConfigError, match="no record of split 'val'"):
        read_talks(Sets(tmp_path / "set"), split="val")


def test_items_of_ecg_qa_are_there_and_whole(sets, tmp_path):
    with pytest.raises(ConfigError, match=r"neither ptbxl_single_verify\.json nor"):
        read_talks(Sets(sets / "records", qa=tmp_path))
    items = tmp_path / "ptbxl_single_verify.json"
    items.write_text('[{"question": "Is there noise?", "answer": ["yes"]}]')
    with pytest.raises(ConfigError, match="item 1 is no question on an ECG"):
        read_talks(Sets(sets / "records", qa=tmp_path))


def test_recipes_refuse_kinds_and_methods_that_are_not_there(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[weights]\nreprot = 1.0\n")
    with pytest.raises(ConfigError, match=r"unknown kind .reprot. \(did you mean .report."):
        load_language_recipe(str(path))
    path.write_text('method = "ppo"\n')
    with pytest.raises(ConfigError, match="method 'ppo'; it is one of dpo, grpo"):
        load_language_recipe(str(path))


def test_weights_may_be_read_by_whom_the_files_beside_them_may(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({}))
    weights = tmp_path / "model.safetensors"
    weights.touch(0o600)
    share_weights(tmp_path)
    assert stat.S_IMODE(weights.stat().st_mode) == (tmp_path / "config.json").stat().st_mode & 0o777


def test_recipes_that_show_nothing_or_have_no_time_are_refused():
    with pytest.raises(ConfigError, match="prompts show nothing"):
        load_language_recipe("lm", text=0.0, values=0.0)
    for minutes in (0.0, -1.0):
        with pytest.raises(ConfigError, match="minutes; give some, or steps"):
            load_language_recipe("lm", minutes=minutes)
    assert load_language_recipe("lm", minutes=0.0, steps=3).steps == 3


def test_a_tokenizer_of_another_run_is_not_taken_up(sets, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(language_stages, "TOKENIZER_TEXTS", 20)
    monkeypatch.setattr(language_stages, "_run", stop)  # before its first checkpoint
    for vocab in (400, 400):
        recipe = load_language_recipe("lm", vocab=vocab, width=32, layers=1, heads=2)
        with pytest.raises(KeyboardInterrupt):
            language_stages.train_lm(Sets(sets / "records"), tmp_path, recipe, print)
    recipe = replace(recipe, vocab=500)
    with pytest.raises(ConfigError, match="with another vocab; give another --out"):
        language_stages.train_lm(Sets(sets / "records"), tmp_path, recipe, print)


def test_a_card_counts_the_tokens_of_all_processes(sets, tmp_path, monkeypatch):
    shape = {"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 8}
    (tmp_path / "config.json").write_text(json.dumps({"text_config": shape}))
    recipe = load_language_recipe("lm", rows=2, length=100)
    history = [{"step": 5, "seconds": 9.0, "loss": 1.0}]
    monkeypatch.setenv("WORLD_SIZE", "4")
    card = json.loads(write_card(tmp_path, recipe, Sets(sets / "records"), history).read_text())
    assert card["stages"][0]["tokens"] == 4 * 5 * 2 * 100


def test_a_set_without_any_signal_gives_no_features(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(language_features, "_records", lambda folder: iter(()))
    with pytest.raises(ConfigError, match="not one of its records holds a signal"):
        language_features._encode_set(sets / "records", tmp_path / "f.npz", pooled_tokens=8)
