"""Small configurations of every text encoder of transformers."""

from typing import Any

from transformers import CONFIG_MAPPING

# Sizes by their names in the configurations of transformers.
SIZES = {
    "vocab_size": 100,
    "pad_token_id": 1,
    **dict.fromkeys(["bos_token_id", "cls_token_id"], 0),
    **dict.fromkeys(["eos_token_id", "sep_token_id"], 2),
    "image_size": 32,
    **dict.fromkeys(["hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size"], 32),
    **dict.fromkeys(["num_hidden_layers", "num_layers", "n_layers", "n_layer", "depth"], 2),
    **dict.fromkeys(["encoder_layers", "decoder_layers", "num_key_value_heads", "num_experts_per_tok"], 2),
    **dict.fromkeys(["num_attention_heads", "num_heads", "n_heads", "n_head", "attention_heads"], 4),
    **dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 4),
    **dict.fromkeys(["num_experts", "num_local_experts", "n_routed_experts"], 4),
    **dict.fromkeys(["head_dim", "d_kv", "d_head"], 8),
    **dict.fromkeys(["moe_intermediate_size", "shared_expert_intermediate_size", "patch_size"], 16),
    **dict.fromkeys(["intermediate_size", "d_ff", "dff", "d_inner", "n_inner", "hidden_dim"], 64),
    **dict.fromkeys(["ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim"], 64),
    **dict.fromkeys(["max_position_embeddings", "n_positions", "max_seq_len"], 64),
}
LATENT = {  # the latent attention of DeepSeek
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    **dict.fromkeys(["qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"], 8),
}
LINEAR = {  # the linear attention of Qwen
    **dict.fromkeys(["linear_key_head_dim", "linear_value_head_dim"], 8),
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
# Settings that depend on others, and sizes that only one family has.
SETTINGS: dict[str, dict[str, Any]] = {
    "axk1": {**LATENT, "n_group": 1, "topk_group": 1},
    "axk2": {**LATENT, "index_head_dim": 16, "index_n_heads": 2},
    "big_bird": {"attention_type": "original_full"},
    "canine": {"num_hash_buckets": 64, "local_transformer_stride": 8},
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}}},
    "deepseek_v2": LATENT,
    "deepseek_v3": {**LATENT, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    "emu3": {
        "vocabulary_map": {"<image>": 5},
        "vq_config": {"base_channels": 32, "codebook_size": 16, "channel_multiplier": [1], "num_res_blocks": 1},
    },
    "esmc": {"num_key_value_heads": 4},
    "funnel": {"block_sizes": [1, 1]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4},
    "layoutlmv3": {"coordinate_size": 6, "shape_size": 4},
    "lilt": {"hidden_size": 48, "max_2d_position_embeddings": 50},
    "llama4": {
        "vision_config": {"intermediate_size": 128}
        | dict.fromkeys(["vision_output_dim", "projector_input_dim", "projector_output_dim"], 32)
    },
    "longformer": {"attention_window": [4, 4]},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 8},
    "markuplm": {"max_depth": 4},
    "minicpm3": LATENT,
    "mistral4": {**LATENT, "head_dim": 16},
    "mllama": {"vision_config": {"intermediate_layers_indices": [0], "num_global_layers": 1}},
    "mobilebert": {"intra_bottleneck_size": 32, "true_hidden_size": 32},
    "neomme": {
        "head_dim": 16,
        "embedding_rank": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        "per_layer_config": {},
    },
    "perceiver": {
        "num_latents": 8,
        "d_latents": 32,
        "num_self_attends_per_block": 1,
        "num_self_attention_heads": 4,
        "num_cross_attention_heads": 4,
    },
    "qwen3_5": {"text_config": LINEAR},
    "qwen3_5_text": LINEAR,
    "qwen3_next": LINEAR,
    "reformer": {
        "attn_layers": ["local", "local"],
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [16, 16],
        "attention_head_size": 8,
        "feed_forward_size": 32,
        "local_attn_chunk_length": 8,
    },
    "roc_bert": {
        "pronunciation_vocab_size": 10,
        "pronunciation_embed_dim": 8,
        "shape_vocab_size": 10,
        "shape_embed_dim": 8,
    },
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "zamba": {
        "num_hidden_layers": 3,
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
        "mamba_dt_rank": 4,
        "attention_head_dim": 16,
        "attention_hidden_size": 64,
    },
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"]},
}


def small_config(kind: str) -> Any:
    """Return the configuration of a family with two layers and width 32."""
    words, own = _small_words(CONFIG_MAPPING[kind]()), SETTINGS.get(kind, {})
    parts = {name: {**words[name], **each} for name, each in own.items() if isinstance(words.get(name), dict)}
    return CONFIG_MAPPING[kind](**{**words, **own, **parts})


def _small_words(config: Any) -> dict[str, Any]:
    words = {name: size for name, size in SIZES.items() if name in config.to_dict()}
    parts = {name: getattr(config, name) for name in config.sub_configs}
    return words | {name: {**_small_words(part), "model_type": part.model_type} for name, part in parts.items() if part}
