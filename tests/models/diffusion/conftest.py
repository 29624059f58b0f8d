"""Tiny image pipelines with random weights, saved as diffusers saves the real ones."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

PLAN = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
NET: dict[str, Any] = {
    "block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 32, "attention_head_dim": 8,
    "norm_num_groups": 8, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
}  # fmt: skip
XL = {
    "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "transformer_layers_per_block": (1, 2),
    "projection_class_embeddings_input_dim": 32 + 6 * 8, "use_linear_projection": True, "cross_attention_dim": 64,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {  # what each supported family is like
    "sd-turbo": {"scheduler": "EulerDiscreteScheduler"},
    "sdxl-turbo": {"scheduler": "EulerAncestralDiscreteScheduler", "net": XL},
    "sdxs": {"scheduler": "DEISMultistepScheduler", "net": {"mid_block_type": None}},
    "lcm": {"scheduler": "LCMScheduler", "net": {"time_cond_proj_dim": 32}},
    "lcm-lora-sd": {"scheduler": "DDIMScheduler", "lcm_lora": True},
    "lcm-lora-sdxl": {"scheduler": "DDIMScheduler", "net": XL, "lcm_lora": True},
}


def words(folder: Path) -> Any:
    """A tokenizer of single bytes."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(known)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True, model_max_length=77), len(known)


def save(
    folder: Path, scheduler: str, prediction: str = "epsilon", net: dict[str, Any] | None = None, lcm_lora: bool = False
) -> Path:
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    tokenizer, count = words(folder.with_name(f"{folder.name}-words"))
    torch.manual_seed(0)
    text = CLIPTextConfig(
        hidden_size=32, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2, vocab_size=count,
        bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=1, projection_dim=32,
    )  # fmt: skip
    unet = diffusers.UNet2DConditionModel(
        **NET | (net or {}), sample_size=16, up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")
    )
    vae = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(32,) * 4, decoder_block_out_channels=(32,) * 4,
        num_encoder_blocks=(1,) * 4, num_decoder_blocks=(1,) * 4,
    )  # fmt: skip
    parts = {"vae": vae, "text_encoder": CLIPTextModel(text), "unet": unet, "tokenizer": tokenizer}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts["scheduler"] = getattr(diffusers, scheduler)(**PLAN, prediction_type=prediction)
        if net is not None and "addition_embed_type" in net:
            more = {"text_encoder_2": CLIPTextModelWithProjection(text), "tokenizer_2": tokenizer}
            pipeline = diffusers.StableDiffusionXLPipeline(**parts, **more)
        else:
            none = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
            pipeline = diffusers.StableDiffusionPipeline(**parts, **none)
        pipeline.save_pretrained(folder)
    if lcm_lora:
        add_lora(folder, "lcm", unet, "lcm_lora")
    return folder


def add_lora(
    folder: Path, name: str, unet: Any, where: str = "loras", kohya: bool = False, seed: int = 1, part: str = "unet"
) -> Path:
    """Random low-rank changes of a network's attention, in PEFT's names or kohya's."""
    random, tensors = torch.Generator().manual_seed(seed), {}
    for layer, module in unet.named_modules():
        if layer.endswith((".to_q", ".to_k", ".to_v", ".to_out.0")):
            down = torch.randn(4, module.weight.shape[1], generator=random) / 4
            up = torch.randn(module.weight.shape[0], 4, generator=random) / 4
            if kohya:
                key = f"lora_unet_{layer.replace('.', '_')}"
                tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
                tensors[f"{key}.alpha"] = torch.tensor(2.0)
            else:
                tensors |= {f"{part}.{layer}.lora_A.weight": down, f"{part}.{layer}.lora_B.weight": up}
    (folder / where).mkdir(exist_ok=True)
    save_file(tensors, folder / where / f"{name}.safetensors")
    return folder / where / f"{name}.safetensors"


def add_control(folder: Path, name: str) -> None:
    """A ControlNet whose last layers are not zeros, as they are in a new one."""
    import diffusers

    torch.manual_seed(5)
    net = diffusers.ControlNetModel(**NET, conditioning_embedding_out_channels=(16, 32, 32, 32))
    for each in net.parameters():
        if not each.any():
            torch.nn.init.normal_(each, std=0.05)
    net.save_pretrained(folder / f"controlnet_{name}")


def add_adapter(folder: Path, unet: Any) -> None:
    """An IP-Adapter of four tokens, and its image encoder."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(6)
    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=37, projection_dim=24, num_hidden_layers=2, num_attention_heads=4,
        image_size=32, patch_size=8,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * 32, 24), "image_proj.proj.bias": torch.randn(4 * 32),
        "image_proj.norm.weight": torch.ones(32), "image_proj.norm.bias": torch.zeros(32),
    }  # fmt: skip
    for n, name in enumerate(unet.attn_processors):
        if "attn2" in name:
            wide = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
            tensors |= {f"ip_adapter.{n}.to_{part}_ip.weight": torch.randn(wide, 32) / 4 for part in "kv"}
    (folder / "ip_adapter").mkdir()
    save_file(tensors, folder / "ip_adapter" / "ip-adapter.safetensors")


def add_eyes(folder: Path) -> None:
    """What sees depth and what sees a pose."""
    from transformers import (
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        Dinov2Config,
        VitPoseBackboneConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
    )  # fmt: skip

    torch.manual_seed(7)
    stages = [f"stage{n}" for n in range(1, 5)]
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14, mlp_ratio=1,
        out_features=stages, reshape_hidden_states=False,
    )  # fmt: skip
    depth = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[8] * 4,
        fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    DepthAnythingForDepthEstimation(depth).save_pretrained(folder / "depth_estimator")
    eyes = VitPoseBackboneConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=1)
    VitPoseForPoseEstimation(VitPoseConfig(backbone_config=eyes, num_labels=17)).save_pretrained(
        folder / "pose_estimator"
    )


def save_wan(folder: Path, lucy: bool = False) -> Path:
    """A causal video pipeline, as Wan 2.1's, or Lucy-Edit's, which is Wan 2.2 with the camera beside the noise."""
    import diffusers
    from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(["<pad>", "</s>", *letters])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    text = UMT5Config(vocab_size=len(letters) + 2, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    transformer = diffusers.WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, text_dim=32, freq_dim=32, ffn_dim=32, num_layers=2,
        rope_max_seq_len=32, **({"in_channels": 16, "out_channels": 8} if lucy else {}),
    )  # fmt: skip
    newer: dict[str, Any] = {
        "z_dim": 8, "is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12,
        "scale_factor_spatial": 16, "latents_mean": [0.1] * 8, "latents_std": [0.9] * 8,
    }  # fmt: skip
    vae = diffusers.AutoencoderKLWan(
        base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        **(newer if lucy else {"z_dim": 16}),
    )  # fmt: skip
    (diffusers.LucyEditPipeline if lucy else diffusers.WanPipeline)(
        tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>"),
        text_encoder=UMT5EncoderModel(text), transformer=transformer, vae=vae,
        scheduler=diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    ).save_pretrained(folder)  # fmt: skip
    add_lora(folder, "brush", transformer, part="transformer")
    return folder


def save_klein(folder: Path) -> Path:
    """An edit pipeline, as FLUX.2-klein's."""
    import diffusers
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: n for n, letter in enumerate(["<pad>", *letters])}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    text = Qwen3Config(
        vocab_size=len(letters) + 1, hidden_size=16, intermediate_size=16, num_hidden_layers=28, head_dim=8,
        num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    transformer = diffusers.Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4,
        mid_block_add_attention=False,
    )  # fmt: skip
    diffusers.Flux2KleinPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae,
        text_encoder=Qwen3ForCausalLM(text), tokenizer=tokenizer, transformer=transformer, is_distilled=True,
    ).save_pretrained(folder)  # fmt: skip
    add_lora(folder, "brush", transformer, part="transformer")
    return folder


@pytest.fixture(scope="session")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_klein(tmp_path_factory.mktemp("klein") / "tiny-klein")


@pytest.fixture(scope="session")
def wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_wan(tmp_path_factory.mktemp("wan") / "tiny-wan")


@pytest.fixture(scope="session")
def lucy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_wan(tmp_path_factory.mktemp("lucy") / "tiny-lucy", lucy=True)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def exact() -> Iterator[None]:
    """float32 on every CPU, as the loops that tests compare with; bfloat16 has tests of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reverie.models.diffusion.precision.fast_dtype", lambda: torch.float32)
        yield


@pytest.fixture(scope="session")
def turbo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One step, as SD-Turbo."""
    return save(tmp_path_factory.mktemp("sd") / "tiny-turbo", "EulerDiscreteScheduler")


@pytest.fixture(scope="session")
def lcm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps."""
    return save(tmp_path_factory.mktemp("sd") / "tiny-lcm", "LCMScheduler")


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps with everything beside it: LoRAs, ControlNets, an IP-Adapter."""
    from diffusers import UNet2DConditionModel

    folder = save(tmp_path_factory.mktemp("sd") / "tiny-full", "LCMScheduler")
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    add_lora(folder, "Ink", unet)
    add_lora(folder, "oil", unet, kohya=True, seed=2)
    for name in ("edges", "depth", "pose"):
        add_control(folder, name)
    add_adapter(folder, unet)
    add_eyes(folder)
    return folder
