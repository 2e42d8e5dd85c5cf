"""Writes parity/fixtures/encoders: a tiny CLIP and a tiny ViT with random weights, and their features, by Transformers.

    python parity/encoders.py [FOLDER]
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
    ViTConfig,
    ViTModel,
)

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fixtures" / "encoders"
folder.mkdir(parents=True, exist_ok=True)


def spread(model):
    """Scales up the weights: with default ones, features hardly depend on the input."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
            elif parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


torch.manual_seed(0)
shared = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
text = CLIPTextConfig(vocab_size=120, max_position_embeddings=20, eos_token_id=119, bos_token_id=118, **shared)
vision = CLIPVisionConfig(image_size=32, patch_size=8, **shared)
clip = spread(CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24)))
clip.save_pretrained(folder / "clip")
vit = spread(ViTModel(ViTConfig(image_size=32, patch_size=8, **shared), add_pooling_layer=False))
vit.save_pretrained(folder / "vit")

pictures = torch.randn(3, 3, 32, 32)
ids = torch.full((3, 20), 119)
for row, length in enumerate((4, 9, 18)):
    ids[row, 0] = 118
    ids[row, 1 : 1 + length] = torch.randint(0, 118, (length,))
with torch.no_grad():
    out = clip(input_ids=ids, pixel_values=pictures)
    text_features = clip.text_projection(clip.text_model(ids).pooler_output)
    picture_features = clip.visual_projection(clip.vision_model(pictures).pooler_output)
    unit = lambda x: x / x.norm(dim=-1, keepdim=True)
    assert torch.allclose(unit(text_features), out.text_embeds, atol=1e-6)
    assert torch.allclose(unit(picture_features), out.image_embeds, atol=1e-6)
    class_features = vit(pictures).last_hidden_state[:, 0]
# A picture of waves and steps, resized by PIL: smaller, larger, and one side each.
y, x = np.mgrid[0:45, 0:60]
waves = [np.sin(x / 3 + y / 5), np.cos(x * y / 90), ((x // 7 + y // 5) % 2) * 2 - 1]
picture = np.stack([(w * 110 + 128).clip(0, 255) for w in waves], axis=-1).astype(np.uint8)
resized = {}
for width, height in ((20, 15), (133, 100), (31, 70)):
    for name, kernel in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
        result = np.asarray(Image.fromarray(picture).resize((width, height), kernel))
        resized[f"{name} {width}x{height}"] = torch.from_numpy(result.copy())

# End-to-end scores of pictures: the last two against the first two, and against a text each.
letters = [chr(ord("a") + i) for i in range(26)]
vocabulary = {token: i for i, token in enumerate([*letters, *(f"{letter}</w>" for letter in letters)])}
(folder / "clip" / "vocab.json").write_text(json.dumps({**vocabulary, "<|startoftext|>": 118, "<|endoftext|>": 119}))
(folder / "clip" / "merges.txt").write_text("#version: 0.2\n")
tokenizer = CLIPTokenizer.from_pretrained(folder / "clip", model_max_length=20)
photos = [Image.open(file).convert("RGB") for file in sorted((folder / "pictures").glob("*.png"))]
texts = ["a dog in snow", "a red clock"]
see = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
look = CLIPImageProcessor(
    size={"shortest_edge": 37}, crop_size=32, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
)
# DreamMatcher: squares first; DINO gets a larger picture in -1..1, with positions interpolated as in its own code.
wide = ViTModel(ViTConfig(image_size=40, patch_size=8, **shared), add_pooling_layer=False).eval()
state = vit.state_dict()
grid = state["embeddings.position_embeddings"][:, 1:].reshape(1, 4, 4, 32).permute(0, 3, 1, 2)
larger = torch.nn.functional.interpolate(grid, scale_factor=(5 + 0.1) / 4, mode="bicubic")
state["embeddings.position_embeddings"] = torch.cat(
    [state["embeddings.position_embeddings"][:, :1], larger.permute(0, 2, 3, 1).reshape(1, 25, 32)], 1
)
wide.load_state_dict(state)
squares = [photo.resize((256, 256), Image.BICUBIC) for photo in photos]
small = np.stack([np.asarray(photo.resize((40, 40), Image.BICUBIC)) for photo in photos])
with torch.no_grad():
    tokens = tokenizer(texts, padding="max_length", max_length=20, return_tensors="pt").input_ids
    words = unit(clip.text_projection(clip.text_model(tokens).pooler_output))
    seen = unit(clip.visual_projection(clip.vision_model(see(photos, return_tensors="pt").pixel_values).pooler_output))
    looked = unit(vit(look(photos, return_tensors="pt").pixel_values).last_hidden_state[:, 0])
    seen_squares = unit(
        clip.visual_projection(clip.vision_model(see(squares, return_tensors="pt").pixel_values).pooler_output)
    )
    planes = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1
    looked_wide = unit(wide(planes).last_hidden_state[:, 0])


def scores(seen, looked):
    return [
        {
            "clipT": (seen[2 + i] @ words[i]).item(),
            "clipI": (seen[2 + i] @ seen[:2].T).mean().item(),
            "dino": (looked[2 + i] @ looked[:2].T).mean().item(),
        }
        for i in range(2)
    ]


expected = {"dreambooth": scores(seen, looked), "dreammatcher": scores(seen_squares, looked_wide)}
(folder / "scores.json").write_text(json.dumps({"texts": texts, "scores": expected}, indent=2) + "\n")

save_file(
    {
        "picture": torch.from_numpy(picture),
        **resized,
        "pictures": pictures,
        "ids": ids.to(torch.int32),
        "text_features": text_features.contiguous(),
        "picture_features": picture_features.contiguous(),
        "class_features": class_features.contiguous(),
    },
    folder / "features.safetensors",
)
