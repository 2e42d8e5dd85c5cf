"""Writes parity/fixtures/text: a small CLIP vocabulary, and the ids from Transformers' CLIPTokenizer for many prompts.

    python parity/text.py
"""
import json
import random
from pathlib import Path

from transformers import CLIPTokenizer

folder = Path(__file__).parent / "fixtures" / "text"
folder.mkdir(parents=True, exist_ok=True)

printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
letters = {b: chr(b) for b in printable}
for n, b in enumerate(b for b in range(256) if b not in letters):
    letters[b] = chr(256 + n)
symbols = [letters[b] for b in printable] + [letters[b] for b in range(256) if b not in printable]
symbols += [s + "</w>" for s in symbols]
merges = "c a|ca t</w>|d o|do g</w>|i n</w>|t h|th e</w>|s n|sn o|sno w</w>|h a|ha t</w>|' s</w>|a n|an d</w>|r e|re d</w>|1 2".split("|")
symbols += [m.replace(" ", "") for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
(folder / "vocab.json").write_text(json.dumps({s: i for i, s in enumerate(symbols)}, ensure_ascii=False))
(folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
(folder / "tokenizer_config.json").write_text(json.dumps({**special, "pad_token": "<|endoftext|>", "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}))
(folder / "special_tokens_map.json").write_text(json.dumps({**special, "pad_token": "!"}))

prompts = [
    "", "a cat", "A CAT in THE snow!! it's 2024's 'tis", "don't we'll I'd they've I'M", "emoji 😀 🐱‍👤 ok", "naïve café Å",
    "日本語 テスト 中文", "tab\tnew\nline  double", "ctrl \x00 \x07 x", "soft\u00adhyphen zero\u200bwidth nb\u00a0sp",
    "literal <|endoftext|> here <|startoftext|>", "a_b-c/d\\e", "İstanbul ß ẞ ΟΔΟΣ Σ", "e\u0301 combining", "½ ² ³ Ⅷ ٣",
    "... !!! ?!", "x" * 200, "red cat and dog " * 40, "ﬁ ligature", "'S 'T", "a\u2028b\u3000c",
]
random.seed(0)
alphabet = "catdoghe  '.,!012éßΣ日😀\t<>|_-sTD"
prompts += ["".join(random.choice(alphabet) for _ in range(random.randint(1, 40))) for _ in range(80)]
tokenizer = CLIPTokenizer.from_pretrained(folder)
tokenizer.pad_token = "!"
cases = []
for prompt in prompts:
    ids = tokenizer(prompt, truncation=True, max_length=77)["input_ids"]
    cases.append({"prompt": prompt, "ids": ids})
(folder / "cases.json").write_text(json.dumps(cases))
