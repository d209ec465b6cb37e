"""Whether each text encoder of transformers works as a backbone.

A family is a `model_type`. `docs/reference/encoders.md` has the same table.
"""

from transformers.models.auto import modeling_auto

WORKS = "works"
DEPENDS = "works, but an answer depends on the padding of its batch"
BACKBONE = "BACKBONE"  # stands for the path of the backbone in a sentence
HEADING = "| Family | Outcome |\n|---|---|\n"


def _encoder_decoder(kind: str) -> str:
    return (
        f"backbone: {kind!r} is an encoder-decoder, and transformers cannot load its encoder alone; "
        "choose another backbone"
    )


# The outcome of each family: it works, or the sentence with which it is refused.
OUTCOMES = {
    "albert": WORKS,
    "arcee": WORKS,
    "axk1": WORKS,
    "axk2": WORKS,
    "bart": _encoder_decoder("bart"),
    "bert": WORKS,
    "big_bird": WORKS,
    "bigbird_pegasus": _encoder_decoder("bigbird_pegasus"),
    "biogpt": WORKS,
    "bloom": WORKS,
    "camembert": WORKS,
    "canine": (
        f"{BACKBONE}: encoding an empty text alone fails (RuntimeError: max_pool1d() Invalid computed output size: 0); "
        "choose another encoder; probe=false skips this check"
    ),
    "clip_text_model": WORKS,
    "cohere_compass_text": WORKS,
    "convbert": DEPENDS,
    "ctrl": WORKS,
    "data2vec-text": WORKS,
    "deberta": WORKS,
    "deberta-v2": WORKS,
    "deepseek_v2": WORKS,
    "deepseek_v3": WORKS,
    "diffllama": WORKS,
    "distilbert": WORKS,
    "doge": WORKS,
    "electra": WORKS,
    "emu3": WORKS,
    "ernie": WORKS,
    "esm": WORKS,
    "esmc": WORKS,
    "eurobert": WORKS,
    "exaone4": WORKS,
    "falcon": WORKS,
    "flaubert": WORKS,
    "fnet": DEPENDS,
    "funnel": (
        f"{BACKBONE}: encoding an empty text alone fails (RuntimeError: output with shape [1, 4, 2, 1] doesn't "
        "match the broadcast shape [1, 4, 2, 2]); choose another encoder; probe=false skips this check"
    ),
    "gemma": WORKS,
    "gemma2": WORKS,
    "gemma3": WORKS,
    "gemma3_text": WORKS,
    "glm": WORKS,
    "glm4": WORKS,
    "gpt-sw3": WORKS,
    "gpt2": WORKS,
    "gpt_bigcode": WORKS,
    "gpt_neo": WORKS,
    "gpt_neox": WORKS,
    "gpt_oss": WORKS,
    "gptj": WORKS,
    "gte": WORKS,
    "helium": WORKS,
    "hunyuan_v1_dense": WORKS,
    "hunyuan_v1_moe": WORKS,
    "ibert": WORKS,
    "jamba": WORKS,
    "jetmoe": WORKS,
    "jina_embeddings_v3": WORKS,
    "layoutlm": WORKS,
    "layoutlmv2": (
        f"backbone: {BACKBONE}: LayoutLMv2Model needs a package that is not installed (LayoutLMv2Model requires the "
        "detectron2 library but it was not found in your environment); choose another backbone"
    ),
    "layoutlmv3": WORKS,
    "lilt": WORKS,
    "llama": WORKS,
    "llama4": (
        f"backbone: {BACKBONE}: Llama4ForConditionalGeneration cannot encode a text from its token ids "
        "(AttributeError: 'MoeCausalLMOutputWithPast' object has no attribute 'image_outputs'); choose another backbone"
    ),
    "longformer": WORKS,
    "luke": WORKS,
    "markuplm": WORKS,
    "mbart": _encoder_decoder("mbart"),
    "megatron-bert": WORKS,
    "minicpm3": WORKS,
    "minimax": WORKS,
    "ministral": WORKS,
    "ministral3": WORKS,
    "mistral": WORKS,
    "mistral4": WORKS,
    "mixtral": WORKS,
    "mllama": WORKS,
    "mobilebert": WORKS,
    "modernbert": WORKS,
    "modernbert-decoder": WORKS,
    "modernvbert": WORKS,
    "molmo2_text": WORKS,
    "mpnet": WORKS,
    "mpt": WORKS,
    "mra": WORKS,
    "mt5": WORKS,
    "mvp": _encoder_decoder("mvp"),
    "nemotron": WORKS,
    "neomme": WORKS,
    "nomic_bert": WORKS,
    "nystromformer": DEPENDS,
    "olmo": WORKS,
    "olmo2": WORKS,
    "olmo3": WORKS,
    "openai-gpt": WORKS,
    "opt": WORKS,
    "perceiver": (
        f"backbone: {BACKBONE}: PerceiverModel cannot encode a text from its token ids (TypeError: "
        "PerceiverModel.forward() missing 1 required positional argument: 'inputs'); choose another backbone"
    ),
    "persimmon": WORKS,
    "phi": WORKS,
    "phi3": WORKS,
    "phimoe": WORKS,
    "plbart": _encoder_decoder("plbart"),
    "qwen2": WORKS,
    "qwen2_moe": WORKS,
    "qwen3": WORKS,
    "qwen3_5": WORKS,
    "qwen3_5_text": WORKS,
    "qwen3_moe": WORKS,
    "qwen3_next": WORKS,
    "reformer": (
        f"{BACKBONE}: one training step with the longest texts fails (ValueError: If training, sequence length 17 "
        "has to be a multiple of least common multiple chunk_length 8. Please consider padding the input to a length "
        "of 24.); choose another encoder; probe=false skips this check"
    ),
    "rembert": WORKS,
    "roberta": WORKS,
    "roberta-prelayernorm": WORKS,
    "roc_bert": WORKS,
    "roformer": WORKS,
    "seed_oss": WORKS,
    "smollm3": WORKS,
    "squeezebert": WORKS,
    "stablelm": WORKS,
    "starcoder2": WORKS,
    "t5": WORKS,
    "t5gemma": WORKS,
    "t5gemma2": _encoder_decoder("t5gemma2"),
    "tapas": (
        f"backbone: {BACKBONE}: TapasModel cannot encode a text from its token ids and one segment of each token "
        "(IndexError: too many indices for tensor of dimension 2); choose another backbone"
    ),
    "tipsv2_text_model": WORKS,
    "ultrabert": WORKS,
    "ultravbert": WORKS,
    "umt5": WORKS,
    "xlm": WORKS,
    "xlm-roberta": WORKS,
    "xlm-roberta-xl": WORKS,
    "xlnet": WORKS,
    "xmod": WORKS,
    "yoso": DEPENDS,
    "zamba": WORKS,
    "zamba2": WORKS,
}


def text_encoders() -> set[str]:
    """Return the families of the installed transformers that have a text encoder."""
    of_texts = (
        modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    )
    return {kind for names in of_texts for kind in names} & set(modeling_auto.MODEL_MAPPING_NAMES)


def outcome_table() -> str:
    """Return the table of the page."""
    rows = (f"| `{kind}` | {_shown(outcome)} |\n" for kind, outcome in sorted(OUTCOMES.items()))
    return HEADING + "".join(rows)


def _shown(outcome: str) -> str:
    return f"{outcome.capitalize()}." if outcome in (WORKS, DEPENDS) else f"Refused: `{outcome}`"
