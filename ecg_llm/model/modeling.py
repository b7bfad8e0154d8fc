"""A causal language model that reads ECGs: encoder, projectors, and one place of splicing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from ecg_llm.errors import ConfigError
from ecg_llm.model.configuration import EcgLlmConfig
from ecg_llm.model.projector import Projector, pooling

ENCODER_WEIGHTS = Path(__file__).parent.parent / "weights" / "signal_encoder.safetensors"
_RECORD_INPUTS = ("ecg_signal", "ecg_present", "ecg_calibrated", "ecg_tokens", "ecg_vector")


class EcgLlmForConditionalGeneration(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """Language model with an ECG encoder in front.

    Parameters
    ----------
    config : EcgLlmConfig
        Of the parts.

    Notes
    -----
    A page image is digitised by the processor and then takes the same way as a recording, through
    a projector of its own. ECGs and images come in the order of their slots.
    """

    config_class = EcgLlmConfig
    base_model_prefix = "language_model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement: ClassVar[list[str]] = ["past_key_values"]
    _keys_to_ignore_on_load_missing: ClassVar[list[str]] = [r"^encoder\."]

    def __init__(self, config: EcgLlmConfig) -> None:
        super().__init__(config)
        text = config.text_config
        self.encoder = None if config.encoder_config is None else _encoder(config)
        shape = (
            config.encoder_width,
            text.hidden_size,
            config.projector_width or text.hidden_size,
            config.pooled_tokens,
            config.vector_tokens,
        )
        self.ecg_projector = Projector(*shape)
        self.image_projector = Projector(*shape)
        self.language_model = AutoModelForCausalLM.from_config(text)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint, with the bundled encoder if it names that one.

        Parameters
        ----------
        *args, **kwargs
            As for every model of transformers.

        Returns
        -------
        EcgLlmForConditionalGeneration
        """
        if kwargs.get("quantization_config") is not None:
            need_bitsandbytes()
        loaded = super().from_pretrained(*args, **kwargs)
        model = loaded[0] if isinstance(loaded, tuple) else loaded
        if model.config.bundled_encoder and model.encoder is not None:
            load_bundled_encoder(model.encoder)
        return loaded

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> None:
        """Save the checkpoint, without the encoder if it is the bundled one.

        Parameters
        ----------
        save_directory : path
            Folder of the checkpoint.
        **kwargs
            As for every model of transformers.
        """
        if self.config.bundled_encoder and kwargs.get("state_dict") is None:
            own = self.state_dict()
            kwargs["state_dict"] = {k: v for k, v in own.items() if not k.startswith("encoder.")}
        super().save_pretrained(save_directory, **kwargs)

    def get_input_embeddings(self) -> nn.Module:
        """Give the language model's embedding of tokens."""
        return self.language_model.get_input_embeddings()  # type: ignore[no-any-return]

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding of tokens.

        Parameters
        ----------
        value : nn.Module
            The new one.
        """
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Give the language model's last layer."""
        return self.language_model.get_output_embeddings()  # type: ignore[no-any-return]

    def encode(
        self, ecg_signal: Tensor, ecg_present: Tensor, ecg_calibrated: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the encoder.

        Parameters
        ----------
        ecg_signal : Tensor, shape (n_ecgs, 12, n_samples), mV
            At the encoder's sampling rate.
        ecg_present : Tensor of bool, same shape
            Which samples were recorded.
        ecg_calibrated : Tensor of bool, shape (n_ecgs,)
            Whether the gain is known.

        Returns
        -------
        tokens : Tensor, shape (n_ecgs, pooled_tokens, encoder_width)
            All of the encoder's tokens where ``pooled_tokens`` is 0.
        vector : Tensor, shape (n_ecgs, encoder_width)

        Raises
        ------
        ConfigError
            If the model has no encoder.
        """
        if self.encoder is None:
            raise ConfigError(
                "this model was built without an encoder (encoder_config is None): give "
                "ecg_tokens and ecg_vector, or set encoder_config."
            )
        out = self.encoder(ecg_signal.to(self.dtype), ecg_present, ecg_calibrated)
        pooled = self.config.pooled_tokens
        # Tokens of a stretch that was not recorded say nothing: they stay out of the averages.
        n, count = out.tokens.shape[:2]
        seen = ecg_present.any(1).reshape(n, count, -1).any(-1)
        if not pooled:
            return out.tokens * seen[..., None], out.vector
        kept = [row[there] for row, there in zip(out.tokens, seen, strict=True)]
        return torch.stack([pooling(len(row), pooled).to(row) @ row for row in kept]), out.vector

    def project(self, tokens: Tensor, vector: Tensor, from_page: Tensor | None = None) -> Tensor:
        """Bring the encoder's features of ECGs and images into the language model's space.

        Parameters
        ----------
        tokens : Tensor, shape (n_ecgs, n_tokens, encoder_width)
            From `encode`.
        vector : Tensor, shape (n_ecgs, encoder_width)
            From `encode`.
        from_page : Tensor of bool, shape (n_ecgs,), optional
            Which were read from a page image; none by default.

        Returns
        -------
        Tensor, shape (n_ecgs, tokens_per_ecg, hidden_size)
        """
        weight = self.ecg_projector.token_in.weight
        tokens, vector = tokens.to(weight), vector.to(weight)
        out = self.ecg_projector(tokens, vector)
        if from_page is not None and bool(from_page.any()):
            paged = self.image_projector(tokens, vector)
            out = torch.where(from_page[:, None, None].to(out.device), paged, out)
        return out  # type: ignore[no-any-return]

    def splice(self, input_ids: Tensor, features: Tensor, from_page: Tensor | None) -> Tensor:
        """Embed the words and put the ECGs' tokens into their slots, after counting both.

        Parameters
        ----------
        input_ids : Tensor of int, shape (batch, length)
            With slots.
        features : Tensor, shape (n_ecgs, tokens_per_ecg, hidden_size)
            From `project`, in the order of the slots.
        from_page : Tensor of bool, shape (n_ecgs,), optional
            Which are images.

        Returns
        -------
        Tensor, shape (batch, length, hidden_size)

        Raises
        ------
        ConfigError
            If slots and tokens differ in number, for recordings or for images.
        """
        of_ecg = input_ids == self.config.ecg_token_id
        of_image = input_ids == self.config.image_token_id
        n_pages = 0 if from_page is None else int(from_page.sum())
        each = self.config.tokens_per_ecg
        for name, slots, n_records in (
            ("ecg", int(of_ecg.sum()), len(features) - n_pages),
            ("image", int(of_image.sum()), n_pages),
        ):
            if slots != n_records * each:
                raise ConfigError(
                    f"{slots} <{name}> slots in the prompt but {n_records * each} tokens of "
                    f"{n_records} records ({each} each); build prompts with prompt.build() and "
                    "lay them out with the processor."
                )
        embedded = self.get_input_embeddings()(input_ids)
        slots_here = (of_ecg | of_image)[..., None]
        return embedded.masked_scatter(slots_here, features.to(embedded))  # type: ignore[no-any-return]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        ecg_signal: Tensor | None = None,
        ecg_present: Tensor | None = None,
        ecg_calibrated: Tensor | None = None,
        ecg_tokens: Tensor | None = None,
        ecg_vector: Tensor | None = None,
        from_page: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Predict the next tokens of a conversation on ECGs.

        Parameters
        ----------
        input_ids, attention_mask, position_ids, past_key_values, inputs_embeds, labels
            As for every causal language model of transformers.
        ecg_signal, ecg_present, ecg_calibrated : Tensor, optional
            As for `encode`: one row for each ECG or image, in the order of the slots.
        ecg_tokens, ecg_vector : Tensor, optional
            In their place, what the encoder gave for them.
        from_page : Tensor of bool, shape (n_ecgs,), optional
            Which of them are images.
        **kwargs
            For the language model.

        Returns
        -------
        CausalLMOutputWithPast
        """
        if inputs_embeds is None and input_ids is not None:
            if ecg_signal is not None and ecg_present is not None and ecg_calibrated is not None:
                ecg_tokens, ecg_vector = self.encode(ecg_signal, ecg_present, ecg_calibrated)
            if ecg_tokens is not None and ecg_vector is not None:
                features = self.project(ecg_tokens, ecg_vector, from_page)
            else:
                width = self.config.text_config.hidden_size
                features = torch.zeros(0, self.config.tokens_per_ecg, width)
            if past_key_values is None or past_key_values.get_seq_length() == 0:
                inputs_embeds = self.splice(input_ids, features, from_page)
            else:
                inputs_embeds = self.get_input_embeddings()(input_ids)
        return self.language_model(  # type: ignore[no-any-return]
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            labels=labels,
            **kwargs,
        )

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Give the inputs of one step; the ECGs go in with the first one only.

        Parameters
        ----------
        *args, **kwargs
            As for every model of transformers.

        Returns
        -------
        dict
        """
        first = kwargs.get("is_first_iteration", False) or not kwargs.get("use_cache", True)
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(*args, **kwargs)
        if not first:
            for name in (*_RECORD_INPUTS, "from_page"):
                inputs.pop(name, None)
        return inputs


def _encoder(config: EcgLlmConfig) -> nn.Module:
    """Build the signal encoder."""
    from ecg_llm.encoders.signal import SignalEncoder, SignalEncoderConfig

    stored = config.encoder_config or {}  # JSON knows no tuples
    settings: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
    }
    encoder: nn.Module = SignalEncoder(SignalEncoderConfig(**settings))
    return encoder


def load_bundled_encoder(encoder: nn.Module) -> None:
    """Give an encoder the weights that come with ecg_llm.

    Parameters
    ----------
    encoder : SignalEncoder
        Of the bundled size.

    Raises
    ------
    ConfigError
        If they are not installed.
    """
    from safetensors.torch import load_file

    if not ENCODER_WEIGHTS.is_file():
        raise ConfigError(
            f"{ENCODER_WEIGHTS}: not there, but the checkpoint uses the bundled encoder; "
            "install ecg_llm with its weights."
        )
    kept = load_file(ENCODER_WEIGHTS)
    encoder.load_state_dict({k[8:]: kept[k] for k in kept if k.startswith("encoder.")})


def need_bitsandbytes() -> None:
    """Say what 4-bit weights need before transformers fails inside.

    Raises
    ------
    ConfigError
        If bitsandbytes is not installed.
    """
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        raise ConfigError(
            "4-bit weights need bitsandbytes, which is not installed: pip install bitsandbytes, "
            "or load without quantization_config."
        )
