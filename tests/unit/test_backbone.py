"""Encoders of all kinds: their class, their width, their positions, and those that are refused."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from sentence_transformers import SentenceTransformer
from transformers import CONFIG_MAPPING, AutoModel, AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel, pipeline

from modeling_multitask import MultiTaskConfig, MultiTaskModel
from tests.conftest import tasks_of_each_type

SMALL = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
POSITIONS, PADDING = 40, 1
T5 = transformers.T5Config(vocab_size=40, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
OPT = transformers.OPTConfig(
    vocab_size=40,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    ffn_dim=64,
    max_position_embeddings=POSITIONS,
    word_embed_proj_dim=16,
    pad_token_id=0,
)
# Encoders that count positions from the padding id, and what their small configuration needs besides.
COUNTED_FROM_PADDING: dict[str, dict[str, Any]] = {
    "camembert": {},
    "data2vec-text": {},
    "esm": {"mask_token_id": 3, "position_embedding_type": "absolute"},
    "ibert": {},
    "lilt": {"hidden_size": 48, "max_2d_position_embeddings": 50},
    "longformer": {"attention_window": [4, 4]},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 8},
    "markuplm": {},
    "mpnet": {},
    "roberta": {},
    "roberta-prelayernorm": {},
    "xlm-roberta": {},
    "xlm-roberta-xl": {},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}


def of_config(config: Any, **settings: Any) -> MultiTaskModel:
    return MultiTaskModel(MultiTaskConfig(backbone_config=config, tasks=tasks_of_each_type(), **settings)).eval()


def saved(model: Any, folder: Path) -> Path:
    torch.manual_seed(0)
    model.save_pretrained(folder)
    return folder


def from_backbone(folder: Path, **settings: Any) -> MultiTaskModel:
    return MultiTaskModel.from_backbone(folder, tasks_of_each_type(), **settings)


def ids_of(length: int) -> torch.Tensor:
    return torch.arange(length)[None] % 30 + 4


@pytest.mark.parametrize("kind", COUNTED_FROM_PADDING)
def test_positions_behind_the_padding_id_are_not_counted(kind: str) -> None:
    words = {**SMALL, **COUNTED_FROM_PADDING[kind]}
    config = CONFIG_MAPPING[kind](**words, pad_token_id=PADDING, max_position_embeddings=POSITIONS)

    model = of_config(config)

    assert model.config.max_length == POSITIONS - PADDING - 1
    assert model(input_ids=ids_of(model.config.max_length)).embeddings.isfinite().all()
    with pytest.raises(ValueError, match=f"this encoder takes at most {POSITIONS - PADDING - 1} tokens"):
        of_config(config, max_length=POSITIONS - PADDING)


def test_positions_without_a_table_limit_only_the_default() -> None:
    config = transformers.LlamaConfig(**SMALL, max_position_embeddings=POSITIONS, pad_token_id=0)

    assert of_config(config).config.max_length == POSITIONS
    assert of_config(config, max_length=100)(input_ids=ids_of(100)).embeddings.isfinite().all()


def test_of_t5_only_the_encoder_is_loaded(tmp_path: Path) -> None:
    folder = saved(transformers.T5Model(T5), tmp_path / "t5")
    theirs = T5EncoderModel.from_pretrained(folder).eval()

    model = from_backbone(folder)
    model.save_pretrained(tmp_path / "model")
    again = MultiTaskModel.from_pretrained(tmp_path / "model").eval()

    states = theirs(input_ids=ids_of(9)).last_hidden_state
    assert torch.equal(model(input_ids=ids_of(9)).last_hidden_state, states)
    assert torch.equal(again(input_ids=ids_of(9)).last_hidden_state, states)
    assert again.config.backbone_config.is_encoder_decoder is False


def test_an_encoder_decoder_without_an_encoder_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="'bart' is an encoder-decoder, and transformers cannot load its"):
        of_config(transformers.BartConfig())


def test_the_width_is_that_of_the_states(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    folder = saved(AutoModel.from_config(OPT), tmp_path / "opt")

    model = from_backbone(folder)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    theirs = SentenceTransformer(str(tmp_path / "model"), trust_remote_code=True, device="cpu")

    assert (model.config.hidden_size, model.config.embedding_size) == (32, 16)
    ids = tokenizer(["good film"], return_tensors="pt")["input_ids"]
    embedding = MultiTaskModel.from_pretrained(tmp_path / "model").eval().embed(ids)
    assert embedding.shape == (1, 16)
    assert torch.allclose(torch.tensor(theirs.encode(["good film"])), embedding, atol=1e-6)


def test_a_funnel_is_saved_and_loaded(tmp_path: Path) -> None:
    config = transformers.FunnelConfig(
        vocab_size=40, block_sizes=[1, 1], d_model=32, n_head=2, d_head=16, d_inner=64, num_decoder_layers=1
    )
    model = from_backbone(saved(transformers.FunnelModel(config), tmp_path / "funnel"))

    model.save_pretrained(tmp_path / "model")
    again = MultiTaskModel.from_pretrained(tmp_path / "model").eval()

    assert torch.equal(again(input_ids=ids_of(9)).embeddings, model(input_ids=ids_of(9)).embeddings)
    short = saved(transformers.FunnelBaseModel(config), tmp_path / "short")
    with pytest.raises(ValueError, match=r"its weights lack \d+ tensors of FunnelModel, such as decoder\."):
        from_backbone(short)


def test_the_text_model_of_clip_is_an_encoder(tmp_path: Path) -> None:
    words = {name: size for name, size in SMALL.items() if name != "vocab_size"}
    config = transformers.CLIPTextConfig(vocab_size=40, **words, max_position_embeddings=20, eos_token_id=2)

    model = from_backbone(saved(transformers.CLIPTextModel(config), tmp_path))

    assert model(input_ids=ids_of(9)).last_hidden_state.shape == (1, 9, 32)


def test_the_whole_clip_is_refused(tmp_path: Path) -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    vision = {**small, "image_size": 8, "patch_size": 4}
    config = transformers.CLIPConfig(text_config={**small, "vocab_size": 40}, vision_config=vision, projection_dim=8)

    with pytest.raises(ValueError, match="CLIPModel cannot encode a text from its token ids"):
        from_backbone(saved(transformers.CLIPModel(config), tmp_path))


def test_of_texts_and_images_the_part_for_texts_is_read(tmp_path: Path) -> None:
    # P123
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    texts = {**small, "vocab_size": 40, "max_position_embeddings": POSITIONS, "num_key_value_heads": 2, "head_dim": 16}
    config = transformers.Gemma3Config(text_config=texts, vision_config={**small, "image_size": 28, "patch_size": 14})

    model = from_backbone(saved(transformers.Gemma3Model(config), tmp_path))

    sizes = (model.config.hidden_size, model.config.num_hidden_layers, model.config.vocab_size)
    assert sizes == (32, 2, 40)
    assert model.config.max_length == POSITIONS


def test_an_encoder_with_segments_of_another_form_is_refused(tmp_path: Path) -> None:
    folder = saved(transformers.TapasModel(transformers.TapasConfig(**SMALL)), tmp_path)

    with pytest.raises(ValueError, match="TapasModel cannot encode a text from its token ids and one segment of each"):
        from_backbone(folder)


@pytest.mark.skipif(importlib.util.find_spec("detectron2") is not None, reason="the package is installed")
def test_an_encoder_that_needs_another_package_is_refused(tmp_path: Path, backbone: Path) -> None:
    shutil.copy(backbone / "model.safetensors", tmp_path)
    transformers.LayoutLMv2Config(**SMALL).save_pretrained(tmp_path)

    with pytest.raises(
        ValueError, match=r"needs a package that is not installed \(LayoutLMv2Model requires the detect"
    ):
        from_backbone(tmp_path)


def test_a_model_without_a_class_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="transformers has no encoder for 'siglip_text_model'"):
        of_config(transformers.SiglipTextConfig(**SMALL))


def test_a_backbone_that_lacks_weights_is_refused(tmp_path: Path, backbone: Path) -> None:
    shallow = AutoModel.from_pretrained(backbone)
    shallow.encoder.layer = shallow.encoder.layer[:1]
    shallow.save_pretrained(tmp_path)
    transformers.AutoConfig.from_pretrained(backbone).save_pretrained(tmp_path)

    with pytest.raises(ValueError, match=r"lack 16 tensors of BertModel, such as encoder\.layer\.1\."):
        from_backbone(tmp_path)


def test_a_trained_model_is_not_a_backbone(tmp_path: Path, model: MultiTaskModel) -> None:
    model.save_pretrained(tmp_path)

    with pytest.raises(ValueError, match="not a plain encoder; train it further with start_from in a recipe"):
        from_backbone(tmp_path)


def test_a_plain_encoder_is_not_a_trained_model(backbone: Path) -> None:
    with pytest.raises(ValueError, match=r"is a plain encoder \(bert\); add heads to it with MultiTaskModel.from_back"):
        MultiTaskModel.from_pretrained(backbone)


def test_peft_saves_an_adapter_of_a_backbone(backbone: Path, tmp_path: Path) -> None:
    # peft compares the vocabulary with that of the backbone, which it reads by the class of the configuration.
    adapted = get_peft_model(from_backbone(backbone), LoraConfig(target_modules=["query"]))

    adapted.save_pretrained(tmp_path)

    assert (tmp_path / "adapter_model.safetensors").is_file()


def test_the_words_of_an_encoders_configuration_are_readable(model: MultiTaskModel) -> None:
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (32, 2)
    assert model.config.vocab_size == model.get_input_embeddings().num_embeddings


def test_resized_token_embeddings_are_saved_and_loaded(tmp_path: Path, model: MultiTaskModel) -> None:
    model.resize_token_embeddings(60)
    model.save_pretrained(tmp_path)

    again = MultiTaskModel.from_pretrained(tmp_path)

    assert again.config.vocab_size == again.config.backbone_config.vocab_size == 60
    assert torch.equal(again.get_input_embeddings().weight, model.get_input_embeddings().weight)


def test_the_outputs_begin_as_those_of_an_encoder(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase) -> None:
    batch = tokenizer(["good film", "the soup was not very good"], padding=True, return_tensors="pt")

    output = model.eval()(**batch)

    # The snippet of the model cards of sentence-transformers
    token_embeddings, mask = output[0], batch["attention_mask"].unsqueeze(-1).float()
    pooled = torch.sum(token_embeddings * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)
    assert torch.allclose(pooled, output.embeddings, atol=1e-6)
    assert model(**batch, return_dict=False)[0].shape == token_embeddings.shape
    assert list(output) == ["last_hidden_state", "logits", "embeddings"]


def test_with_labels_the_loss_is_the_first_output(model: MultiTaskModel) -> None:
    output = model(input_ids=ids_of(5), labels={"topic": torch.tensor([1])})

    assert list(output)[:4] == ["loss", "last_hidden_state", "logits", "embeddings"]


def test_features_are_extracted_by_the_pipeline_of_transformers(
    tmp_path: Path, model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    extract = pipeline("feature-extraction", model=str(tmp_path), trust_remote_code=True, device=-1)

    ids = AutoTokenizer.from_pretrained(tmp_path)("good film", return_tensors="pt")["input_ids"]
    assert torch.allclose(torch.tensor(extract("good film")), model.eval()(input_ids=ids).last_hidden_state, atol=1e-6)
