"""The decoder of a small language model as an ONNX graph that holds no weights of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecg_llm.errors import ConfigError

OPSET = 17
_KERNELS = "com.microsoft"
_TO_END = 2**62


def export_decoder(folder: Path) -> Path:
    """Write ``decoder.onnx`` beside a checkpoint whose language model is a Llama.

    Returns
    -------
    Path
        The graph. Its weights are names of tensors in ``model.safetensors``, a matrix transposed,
        which `ecg_llm.lm_onnx` hands over when it opens the graph.

    Raises
    ------
    ConfigError
        If the language model is of another family.
    """
    import onnx
    from onnx import TensorProto, helper

    text = json.loads((folder / "config.json").read_text(encoding="utf-8"))["text_config"]
    if text["model_type"] != "llama" or not text.get("tie_word_embeddings"):
        raise ConfigError(
            f"{folder}: the language model is {text['model_type']!r}; only Llamas with tied "
            "embeddings are exported. Serve others with transformers or vLLM."
        )
    width, heads, shared = (
        text[name] for name in ("hidden_size", "num_attention_heads", "num_key_value_heads")
    )
    size = text.get("head_dim") or width // heads
    if size % 16:
        raise ConfigError(
            f"{folder}: {size} features a head; ONNX Runtime's attention needs a multiple of 16."
        )
    epsilon = text["rms_norm_eps"]
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(name: str, *shape: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="model.safetensors")
        weights.append(tensor)
        return name

    def node(kind: str, inputs: list[str], outputs: list[str], **settings: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, outputs, **settings))
        return outputs[0]

    def linear(x: str, name: str, n_in: int, n_out: int) -> str:
        full = f"language_model.model.layers.{name}.weight"
        return node("MatMul", [x, weight(full, n_in, n_out)], [f"{name}_out"])

    def norm(x: str, name: str) -> str:
        gain = weight(f"language_model.model.{name}.weight", width)
        return node(
            "SimplifiedLayerNormalization", [x, gain], [f"{name}_out"], epsilon=epsilon, axis=-1
        )

    hidden = "embedded"
    inner = text["intermediate_size"]
    caches = []
    for k in range(text["num_hidden_layers"]):
        x = norm(hidden, f"layers.{k}.input_layernorm")
        q = linear(x, f"{k}.self_attn.q_proj", width, heads * size)
        key = linear(x, f"{k}.self_attn.k_proj", width, shared * size)
        value = linear(x, f"{k}.self_attn.v_proj", width, shared * size)
        past = [f"past_key_{k}", f"past_value_{k}"]
        present = [f"present_key_{k}", f"present_value_{k}"]
        caches.append((past, present))
        seen = node(
            "GroupQueryAttention",
            [q, key, value, *past, "last_place", "total_length", "cosines", "sines"],
            [f"{k}.attended", *present],
            domain=_KERNELS,
            num_heads=heads,
            kv_num_heads=shared,
            do_rotary=1,
        )
        out = linear(seen, f"{k}.self_attn.o_proj", heads * size, width)
        hidden = node("Add", [hidden, out], [f"{k}.after_attention"])
        x = norm(hidden, f"layers.{k}.post_attention_layernorm")
        gate = linear(x, f"{k}.mlp.gate_proj", width, inner)
        up = linear(x, f"{k}.mlp.up_proj", width, inner)
        open_ = node("Sigmoid", [gate], [f"{k}.open"])
        silu = node("Mul", [gate, open_], [f"{k}.silu"])
        mixed = node("Mul", [silu, up], [f"{k}.mixed"])
        out = linear(mixed, f"{k}.mlp.down_proj", inner, width)
        hidden = node("Add", [hidden, out], [f"{k}.after_mlp"])
    for name, value_ in (("to_end", [_TO_END]), ("along", [1])):
        constant = helper.make_tensor(name, TensorProto.INT64, [1], value_)
        weights.append(constant)
    last = node("Slice", [hidden, "first_wanted", "to_end", "along"], ["wanted"])
    last = norm(last, "norm")
    words = weight("language_model.model.embed_tokens.weight", width, text["vocab_size"])
    node("MatMul", [last, words], ["logits"])

    def info(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    cache = [1, shared, "past", size]
    inputs = [
        info("embedded", [1, "length", width]),
        info("first_wanted", [1], TensorProto.INT64),
        info("last_place", [1], TensorProto.INT32),
        info("total_length", [], TensorProto.INT32),
        info("cosines", ["places", size // 2]),
        info("sines", ["places", size // 2]),
        *(info(name, cache) for past, _ in caches for name in past),
    ]
    grown = [1, shared, "total", size]
    outputs = [
        info("logits", [1, "n_wanted", text["vocab_size"]]),
        *(info(name, grown) for _, present in caches for name in present),
    ]
    graph = helper.make_graph(nodes, "decoder", inputs, outputs, initializer=weights)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_KERNELS, 1)],
        ir_version=9,
        producer_name="ecg_llm",
    )
    path = folder / "decoder.onnx"
    onnx.save(model, path)
    return path
