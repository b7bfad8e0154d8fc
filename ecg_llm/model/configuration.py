"""What an ECG language model consists of."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig
from transformers.models.auto import CONFIG_MAPPING

from ecg_llm.errors import ConfigError


class EcgLlmConfig(PretrainedConfig):
    """Settings of an ECG language model.

    Parameters
    ----------
    text_config : PretrainedConfig or dict, optional
        Of the language model: any causal one of transformers.
    encoder_config : dict, optional
        Fields of `ecg_llm.encoders.signal.SignalEncoderConfig`; None for a model that is given
        the encoder's outputs.
    encoder_width : int
        Features of the encoder's tokens and of its vector.
    pooled_tokens : int
        Tokens that one ECG's encoder tokens are averaged to, in order of time; 0 keeps each.
    vector_tokens : int
        Tokens made of the vector of the whole record.
    encoder_tokens : int
        Tokens that the encoder gives for one ECG; only needed where ``pooled_tokens`` is 0.
    projector_width : int, optional
        Hidden features of the projectors; by default as many as the language model has.
    ecg_token_id, image_token_id : int
        Ids of the slots that tokens are spliced into.
    bundled_encoder : bool
        Whether the encoder's weights are those of ``ecg_llm/weights`` and not in the checkpoint.
    **kwargs
        As for every configuration of transformers.

    Examples
    --------
    >>> EcgLlmConfig(text_config={"model_type": "llama"}, pooled_tokens=8).tokens_per_ecg
    10
    """

    model_type = "ecg_llm"
    sub_configs = {"text_config": AutoConfig}  # noqa: RUF012 (the form transformers reads)

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        encoder_config: dict[str, Any] | None = None,
        encoder_width: int = 192,
        pooled_tokens: int = 8,
        vector_tokens: int = 2,
        encoder_tokens: int = 0,
        projector_width: int | None = None,
        ecg_token_id: int = 3,
        image_token_id: int = 4,
        bundled_encoder: bool = False,
        **kwargs: Any,
    ) -> None:
        """Read the settings, the language model's by its ``model_type``."""
        if text_config is None:
            text_config = {"model_type": "llama"}
        if isinstance(text_config, dict):
            kind = text_config.get("model_type", "llama")
            if kind not in CONFIG_MAPPING:
                raise ConfigError(
                    f"text_config: transformers knows no model type {kind!r}; name that of a "
                    "causal language model, such as llama, qwen3 or gemma3_text."
                )
            text_config = CONFIG_MAPPING[kind](**text_config)
        self.text_config = text_config
        self.encoder_config = encoder_config
        self.encoder_width = encoder_width
        self.pooled_tokens = pooled_tokens
        self.vector_tokens = vector_tokens
        self.encoder_tokens = encoder_tokens
        self.projector_width = projector_width
        self.ecg_token_id = ecg_token_id
        self.image_token_id = image_token_id
        self.bundled_encoder = bundled_encoder
        kwargs.setdefault("tie_word_embeddings", bool(text_config.tie_word_embeddings))
        super().__init__(**kwargs)
        if self.tokens_per_ecg < 1:
            raise ConfigError(
                "an ECG would take no token: set pooled_tokens, or encoder_tokens where pooled_"
                "tokens is 0, or vector_tokens."
            )

    @property
    def tokens_per_ecg(self) -> int:
        """Slots that one ECG or image takes in the prompt."""
        return (self.pooled_tokens or self.encoder_tokens) + self.vector_tokens
