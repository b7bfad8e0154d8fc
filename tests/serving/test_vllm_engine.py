"""vLLM says what the plain model says: prompts of every kind, adapters, a killed engine."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed: make vllm"),
    # Its own code and that of its libraries warns; an engine takes a while on a busy machine.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(900),
]

N_NEW = 24


@dataclass(frozen=True)
class Served:
    """An engine and the plain model it has to agree with."""

    model: Any
    plain: Any
    adapted: Any
    folder: Path


def plain_ids(model: Any, processor: Any, prompt: Any) -> list[int]:
    """Greedy ids of the plain forward."""
    import torch

    inputs = processor(prompt)
    with torch.inference_mode():
        out = model.generate(
            **inputs, max_new_tokens=N_NEW, do_sample=False, pad_token_id=0, eos_token_id=1
        )
    return out[0, inputs["input_ids"].shape[1] :].tolist()


def engine_ids(model: Any, prompts: list[Any], adapters: list[str | None]) -> list[list[int]]:
    """Greedy ids of the engine, all prompts in one batch."""
    return ids_of(model, list(map(model.engine_prompt, prompts)), adapters)


def ids_of(model: Any, prompts: list[Any], adapters: list[str | None]) -> list[list[int]]:
    """Greedy ids of the engine for prompts in vLLM's own form."""
    import asyncio

    from vllm import SamplingParams

    async def one(asked: Any, adapter: str | None) -> list[int]:
        params = SamplingParams(temperature=0.0, max_tokens=N_NEW)
        got = [o async for o in model.engine.outputs(asked, params, model.lora(adapter))]
        return list(got[-1].outputs[0].token_ids)

    async def together() -> list[list[int]]:
        return list(await asyncio.gather(*map(one, prompts, adapters)))

    return model.engine.run(together())


def letters(text: str) -> str:
    """Leave out bytes that make no letter; detokenizers differ in how many signs they put there."""
    return text.replace("\ufffd", "").strip()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from ecg_llm.lm_transformers import TransformersModel
    from ecg_llm.serving.vllm_textmodel import VllmModel
    from tests.serving.tiny_vllm import write_adapter, write_checkpoint

    folder = tmp_path_factory.mktemp("checkpoint")
    adapter = tmp_path_factory.mktemp("adapter")
    adapted = write_adapter(adapter, folder, write_checkpoint(folder))
    model = VllmModel(folder, adapters={"ward": adapter}, max_model_len=1024)
    yield Served(model, TransformersModel(folder), adapted, folder)
    model.close()
    gc.collect()  # vLLM leaves its sockets' context to it, and the warning to whoever comes next


@pytest.fixture(scope="module")
def asked() -> dict[str, Any]:
    from tests.serving.tiny_vllm import prompts

    return prompts()


@pytest.fixture(scope="module")
def wanted(served: Served, asked: dict[str, Any]) -> dict[str, list[int]]:
    processor = served.plain.processor
    return {name: plain_ids(served.plain.model, processor, p) for name, p in asked.items()}


def test_the_prompts_have_different_answers(wanted):
    assert len({tuple(ids) for ids in wanted.values()}) == len(wanted)


def test_every_kind_of_prompt_alone_has_the_ids_of_the_plain_model(served, asked, wanted):
    assert {name: engine_ids(served.model, [p], [None])[0] for name, p in asked.items()} == wanted


def test_a_batch_with_warm_caches_has_them_too(served, asked, wanted):
    names = [*asked, *reversed(asked)]
    got = engine_ids(served.model, [asked[name] for name in names], [None] * len(names))
    assert got == [wanted[name] for name in names]


def test_an_adapter_and_its_base_share_a_batch(served, asked, wanted):
    processor = served.plain.processor
    adapted = {name: plain_ids(served.adapted, processor, p) for name, p in asked.items()}
    assert all(adapted[name] != wanted[name] for name in asked)
    names = [name for name in asked for _ in range(2)]
    got = engine_ids(served.model, [asked[name] for name in names], ["ward", None] * len(asked))
    assert got == [ids for name in asked for ids in (adapted[name], wanted[name])]


def test_an_unknown_adapter_is_named(served, asked):
    from ecg_llm.errors import ConfigError

    with pytest.raises(ConfigError, match=r"no adapter is called 'clinic'; there are ward"):
        served.model.generate([asked["text"]], adapter="clinic")


def page_of(name: str) -> bytes:
    """Draw an example as a page."""
    import io

    import PIL.Image

    from ecg_llm.io import read_record
    from ecg_llm.render.page import page_scene
    from ecg_llm.render.raster import rasterise
    from tests.serving.conftest import EXAMPLES

    scene, _ = page_scene(read_record(EXAMPLES / f"{name}.hea"))
    image = PIL.Image.fromarray(rasterise(scene, 120))
    page = io.BytesIO()
    image.save(page, "PNG")
    return page.getvalue()


def test_page_images_are_digitised_by_the_reader_and_told_apart_by_what_they_show(served):
    import io
    import uuid

    import PIL.ExifTags
    import PIL.Image

    from ecg_llm.io import read_bytes
    from ecg_llm.prompt import Prompt

    asked, wanted = [], []
    for name in ("00177_hr", "00338_hr"):
        page = page_of(name)
        record = read_bytes(page, "page.png")
        assert record.origin == "page"
        prompt = Prompt(
            messages=({"role": "user", "content": [{"type": "image"}]},), records=(record,)
        )
        wanted.append(plain_ids(served.plain.model, served.plain.processor, prompt))
        image = PIL.Image.open(io.BytesIO(page))
        # vLLM would take this for the image's identity.
        image.getexif()[PIL.ExifTags.Base.ImageID] = uuid.UUID(int=0)
        laid_out = served.model.engine_prompt(prompt)
        asked.append(laid_out | {"multi_modal_data": {"image": [image]}})
    assert wanted[0] != wanted[1]
    assert ids_of(served.model, asked, [None, None]) == wanted


def test_text_and_stream_are_those_of_the_transformers_engine(served, asked):
    prompts = list(asked.values())
    answers = served.model.generate(prompts, max_new_tokens=N_NEW)
    plain = served.plain.generate(prompts, max_new_tokens=N_NEW)
    assert list(map(letters, answers)) == list(map(letters, plain))
    pieces = list(served.model.stream(asked["two"], max_new_tokens=N_NEW))
    assert "".join(pieces) == answers[list(asked).index("two")]
    assert len(pieces) > 1


def test_numbers_are_read_from_the_prompt_as_the_transformers_engine_does(served):
    from ecg_llm.lm_transformers import TransformersModel
    from tests.serving.tiny_vllm import number_prompts

    prompts = number_prompts()
    wanted = served.plain.generate(prompts, max_new_tokens=60)
    free = TransformersModel(served.folder, read_numbers=False).generate(prompts, max_new_tokens=60)
    assert wanted != free
    got = served.model.generate(prompts, max_new_tokens=60)
    assert list(map(letters, got)) == list(map(letters, wanted))


def test_an_answer_keeps_to_a_json_schema(served, asked):
    import json

    schema = {
        "type": "object",
        "properties": {"af": {"type": "boolean"}, "lead": {"enum": ["V1", "V2"]}},
        "required": ["af", "lead"],
        "additionalProperties": False,
    }
    (answer,) = served.model.generate([asked["one"]], max_new_tokens=64, schema=schema)
    said = json.loads(answer)
    assert isinstance(said["af"], bool)
    assert said["lead"] in ("V1", "V2")


def test_a_listener_who_leaves_frees_the_engine(served, asked):
    pieces = served.model.stream(asked["one"], max_new_tokens=900)
    next(pieces)
    pieces.close()
    end = time.monotonic() + 60
    while served.model.engine.n_open and time.monotonic() < end:
        time.sleep(0.05)
    assert served.model.engine.n_open == 0


HOLDER = """
import sys, time
from pathlib import Path
from ecg_llm.serving.vllm_textmodel import VllmModel
if __name__ == "__main__":
    print("pids", *VllmModel(Path(sys.argv[1]), max_model_len=512).engine.pids(), flush=True)
    time.sleep(600)
"""


def test_an_engine_ends_with_a_server_that_was_killed(served, tmp_path):
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    holder = subprocess.Popen(
        [sys.executable, script, served.folder], stdout=subprocess.PIPE, text=True
    )
    with holder, holder.stdout as said:
        pids = next(line for line in said if line.startswith("pids")).split()[1:]
        assert pids and all(Path(f"/proc/{pid}").exists() for pid in pids)
        holder.kill()
    end = time.monotonic() + 60
    while any(_runs(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: str) -> bool:
    """Whether a process is there and no mere entry of the table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_engine_says_so(served, asked):
    from ecg_llm.serving.errors import UnavailableError

    engine = served.model.engine
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            served.model.generate([asked["one"]], max_new_tokens=900)
        except BaseException as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not engine.n_open:
        time.sleep(0.01)
    for pid in engine.pids():
        os.kill(pid, signal.SIGKILL)
    asking.join(60)
    assert [type(error) for error in failures] == [UnavailableError]
    assert failures[0].status == 503 and failures[0].retry_after_s
    with pytest.raises(UnavailableError):
        served.model.generate([asked["one"]], max_new_tokens=4)
    assert not served.model.alive


def test_a_server_starts_another_engine_in_the_place_of_a_killed_one(served, asked):
    from ecg_llm.serving.engine import EngineHost, RemoteModel
    from ecg_llm.serving.vllm_textmodel import VllmModel

    host = EngineHost(partial(VllmModel, served.folder, max_model_len=512))
    host.start()
    try:
        assert host.wait(300), host.fault
        said = RemoteModel(host, 60).generate([asked["one"]], max_new_tokens=4)
        # Linux keeps children by the thread that started them.
        tasks = Path(f"/proc/{host.pid}/task").glob("*/children")
        for pid in [int(pid) for task in tasks for pid in task.read_text().split()]:
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 60
        while host.state == "ready" and time.monotonic() < end:
            time.sleep(0.1)
        assert host.state != "ready"
        assert host.wait(300) and host.restarts == 1
        assert RemoteModel(host, 60).generate([asked["one"]], max_new_tokens=4) == said
    finally:
        host.close()
