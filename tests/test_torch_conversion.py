"""Converting models, finding codes after training, checkpoints; and what is refused, with the model unchanged.

Fifteen seconds of processor time.
"""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import refmodel as mx

torch = pytest.importorskip("torch", minversion="2.13")
safetensors = pytest.importorskip("safetensors.torch")
mxt = pytest.importorskip("refmodel.torch")
ptq = pytest.importorskip("refmodel.torch.ptq")
nn = torch.nn

METHODS = ("direct", "searched", "gptq", "error_diffusion")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Network(nn.Module):
    """Convolution, embedding, a shared layer, a tied weight, integer buffers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Embedding(20, 64)
        self.conv = nn.Sequential(nn.Conv2d(1, 40, 3, padding=1), nn.BatchNorm2d(40), nn.ReLU())
        self.first = nn.Linear(64, 64)
        self.again = self.first
        self.head = nn.Linear(64, 20, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("positions", torch.arange(5))

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        x = self.embed(indices)
        x = x + self.conv(x[:, None]).mean(1)
        return self.head(torch.relu(self.again(torch.relu(self.first(x)))))


def indices(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 20, (4, 6), generator=torch.Generator().manual_seed(seed))


def converted(model: nn.Module, *calls: tuple, **config) -> nn.Module:
    prepared = mxt.prepare(model.eval(), mxt.MXQuantConfig(**config))
    for call in calls:
        prepared(*call)
    return mxt.convert(prepared)


def state(model: nn.Module) -> dict[str, object]:
    return {
        **{k: v.clone() for k, v in model.state_dict().items()},
        "": repr(model),
        "ids": [*map(id, model.modules())],
    }


def unchanged(model: nn.Module, before: dict[str, object]) -> bool:
    now = state(model)
    return now.keys() == before.keys() and all(
        torch.equal(now[k], v) if isinstance(v, torch.Tensor) else now[k] == v for k, v in before.items()
    )


# Conversion


def test_layers_are_replaced_and_the_model_is_not():
    model = Network()
    before = state(model)
    found = converted(
        model, embeddings=True, w_dtype="mxfp4_e2m1", exclude=["conv"], overrides={"h*": {"w_dtype": "mxfp8_e5m2"}}
    )
    assert unchanged(model, before)
    assert type(found.conv[0]) is nn.Conv2d
    assert found.first is found.again
    assert type(found.first) is mxt.MXLinear
    assert found.head.weight is found.embed.weight
    assert not found.first.training
    names = {name: m.spec.weight.name for name, m in found.named_modules() if isinstance(m, mxt.MXLayer)}
    assert names == {"embed": "mxfp4_e2m1", "first": "mxfp4_e2m1", "head": "mxfp8_e5m2"}
    assert not found._forward_pre_hooks
    loss = found(indices()).square().sum()
    loss.backward()
    assert model.embed.weight.grad is None
    assert found.embed.weight.grad.abs().sum() > 0


def test_the_config_reaches_the_layers():
    config = mxt.MXQuantConfig(
        w_dtype="mxfp6_e2m3", act_dtype="mxint8", block_size=16, round="rtz", scale_rule="rceil",
        grad_dtype="mxfp8_e5m2", round_backward="stochastic", rule="exact_fp32", seed=5,
    )  # fmt: skip
    spec = mxt.convert(mxt.prepare(Network(), config)).head.spec
    assert (spec.weight.element.name, spec.weight.block_size, spec.activation.name) == ("e2m3", 16, "mxint8_16")
    assert (spec.options.rounding, spec.options.scale_rule, spec.rule.name) == ("rtz", "rceil", "exact_fp32")
    assert (spec.options_backward.rounding, spec.options_backward.scale_rule) == ("stochastic", "rceil")
    assert (spec.gradient.name, spec.seed) == ("mxfp8_e5m2_16", 5 + 2)
    only = mxt.MXQuantConfig(weight_only=True).spec()
    assert only.activation is None
    assert only.of_activations().weight is None


ATTENTION = [
    {},
    {"batch_first": True, "bias": False},
    {"kdim": 24, "vdim": 40},
]


@pytest.mark.parametrize("arguments", ATTENTION, ids=str)
def test_attention_in_parts_is_that_of_torch(arguments):
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(32, 4, **arguments).eval()
    if plain.in_proj_bias is not None:
        nn.init.normal_(plain.in_proj_bias)
        nn.init.normal_(plain.out_proj.bias)
    shape = (3, 5, 7) if plain.batch_first else (5, 3, 7)
    query = drawn(*shape[:2], 32)
    memory = (3, 7) if plain.batch_first else (7, 3)
    key, value = drawn(*memory, plain.kdim, seed=1), drawn(*memory, plain.vdim, seed=2)
    parts = mxt.MultiheadAttention(plain)
    padding = torch.zeros(3, 7, dtype=torch.bool)
    padding[1, 5:] = True
    masks = [None, drawn(5, 7) > 0.8, drawn(5, 7), drawn(12, 5, 7) > 0.8]
    for mask, pad, average in product(masks, (None, padding), (True, False)):
        options = {"attn_mask": mask, "key_padding_mask": pad, "average_attn_weights": average}
        if mask is not None and pad is not None and mask.dtype != pad.dtype:
            continue
        for one, other in zip(parts(query, key, value, **options), plain(query, key, value, **options), strict=True):
            torch.testing.assert_close(one, other, equal_nan=True)
    assert parts(query, key, value, need_weights=False)[1] is None
    single = [x[0] if plain.batch_first else x[:, 0] for x in (query, key, value)]
    for one, other in zip(parts(*single), plain(*single), strict=True):
        torch.testing.assert_close(one, other)


def test_the_fused_kernel_of_an_encoder_does_not_pass_by():
    """In eval mode without gradients torch would take the weights of the layers and not call them."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(64, 4, 96, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = drawn(2, 5, 64)
    with torch.no_grad():
        for exclude in ([], ["*self_attn"], ["*linear1", "*linear2"]):
            found = converted(model, exclude=exclude, w_dtype="mxfp4_e2m1")
            called = []
            layers = [m for m in found.modules() if isinstance(m, mxt.MXLayer)]
            for m in layers:
                m.register_forward_hook(lambda m, *_, called=called: called.append(m))
            y = found(x)
            assert set(called) == set(layers)
            assert not torch.equal(y, model(x))
        same = converted(model, w_dtype=mx.BlockFormat("wide", mx.get_element("int8"), mx.get_scale("float32"), 1),
                         weight_only=True)  # fmt: skip
        torch.testing.assert_close(same(x), model(x), rtol=0.1, atol=0.1)
    names = [name for name, m in found.named_modules() if isinstance(m, mxt.MXAttention)]
    assert names == ["layers.0.self_attn.attention", "layers.1.self_attn.attention"]
    assert all(found.get_submodule(name).spec.activation.name == "mxfp8_e4m3" for name in names)


class Sub(nn.Linear):
    pass


def with_layer(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(32, 32), nn.Sequential(layer))


@pytest.mark.parametrize(
    ("model", "config", "error", "words"),
    [
        (Network, {"exclude": ["nothing"]}, mx.UnknownNameError, "nothing"),
        (Network, {"overrides": {"secnd": {}}}, mx.UnknownNameError, "secnd"),
        (Network, {"exclude": ["*"]}, mx.DefinitionError, "no layer"),
        (nn.ReLU, {}, mx.DefinitionError, "no layer"),
        (lambda: nn.Linear(3, 3), {}, mx.ModuleError, "from_float"),
        (lambda: with_layer(Sub(32, 32)), {}, mx.ModuleError, "1.0"),
        (lambda: with_layer(nn.LazyLinear(3)), {}, mx.ModuleError, "1.0"),
        (lambda: with_layer(nn.utils.parametrizations.weight_norm(nn.Linear(32, 32))), {}, mx.ModuleError, "1.0"),
        (lambda: with_layer(nn.Linear(32, 32, device="meta")), {}, mx.ModuleError, "1.0"),
        (lambda: with_layer(nn.Embedding(3, 32, max_norm=1)), {"embeddings": True}, mx.ModuleError, "max_norm"),
        (lambda: with_layer(nn.MultiheadAttention(32, 2, add_zero_attn=True)), {}, mx.ModuleError, "1.0"),
        (lambda: with_layer(nn.Conv2d(3, 3, 3)), {"method": "gptq"}, mx.ModuleError, "1.0"),
        (lambda: converted(Network()), {}, mx.ModuleError, "MXConv2d"),
    ],
)
def test_what_prepare_refuses(model, config, error, words):
    model = model()
    before = {**model.__dict__}
    kinds = [type(m) for m in model.modules()]
    with pytest.raises(error, match=words):
        mxt.prepare(model, mxt.MXQuantConfig(**config))
    assert model.__dict__ == before
    assert [type(m) for m in model.modules()] == kinds


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"w_dtype": "fp4"}, mx.UnknownNameError),
        ({"method": "awq"}, mx.UnknownNameError),
        ({"round": "nearest"}, mx.UnknownNameError),
        ({"overrides": {"a": {"dtype": 1}}}, mx.UnknownNameError),
        ({"overrides": {"a": {"w_dtype": "fp4"}}}, mx.UnknownNameError),
        ({"exclude": "head"}, mx.DefinitionError),
        ({"rule": "exact_fp32", "weight_only": True}, mx.DefinitionError),
        ({"block_size": 0}, mx.DefinitionError),
    ],
)
def test_what_a_config_refuses(config, error):
    with pytest.raises(error):
        mxt.MXQuantConfig(**config)


def test_what_convert_refuses():
    model = Network()
    with pytest.raises(mx.DefinitionError, match="prepare"):
        mxt.convert(model)
    config = mxt.MXQuantConfig(method="gptq", exclude=["conv"])
    with pytest.raises(mx.DefinitionError, match="calibration"):
        mxt.convert(mxt.prepare(model, config))
    idle = nn.Sequential(nn.Linear(32, 32))
    idle[0].register_module("unused", nn.Linear(32, 32))
    prepared = mxt.prepare(idle, config.__class__(method="gptq"))
    prepared(drawn(4, 32))
    with pytest.raises(mx.DefinitionError, match="unused"):
        mxt.convert(prepared)
    prepared = mxt.prepare(nn.Sequential(nn.Linear(32, 32)), mxt.MXQuantConfig(method="error_diffusion"))
    prepared(torch.full((4, 32), torch.nan))
    with pytest.raises(mx.ValueRefusedError, match="layer '0'"):
        mxt.convert(prepared)
    assert len(prepared._forward_pre_hooks) == 1


# Codes found after training


@pytest.mark.parametrize("fmt", [*mx.OCP_FORMATS, "nvfp4"])
def test_searched_scales_leave_no_more_error(fmt):
    weight = drawn(24, 72).numpy() * 2.0 ** np.arange(-12, 12)[:, None].astype(np.float32)
    weight[0, :40] = 0
    weight[1, 3] = np.nan
    weight[2, 50] = 3e4
    options = mx.QuantizeOptions()
    found = ptq.searched(weight, mx.get_format(fmt), -1, options)
    direct = mx.quantize(weight, fmt)
    errors = [np.nansum((mx.dequantize(b, np.float64) - weight) ** 2, 1) for b in (found.blocks, direct)]
    assert (errors[0] <= errors[1]).all()
    # Where no element is clamped, and rounding is fine, the direct scale is the best one already.
    assert fmt in ("mxfp8_e5m2", "mxint8") or (errors[0] < errors[1]).any()
    np.testing.assert_array_equal(found.blocks.scales[1, 0], direct.scales[1, 0])
    along = ptq.searched(weight.T.copy(), mx.get_format(fmt), 0, options)
    np.testing.assert_array_equal(along.blocks.codes, found.blocks.codes)


def test_searched_scales_are_the_best_of_all_by_hand():
    """One block of INT4 with a power-of-two scale, every scale and every code tried in exact arithmetic."""
    fmt = mx.get_format("mxint4")
    draw = np.random.default_rng(1)
    for _ in range(5):
        block = draw.standard_normal(32).astype(np.float32)
        found = ptq.searched(block[None], fmt, -1, mx.QuantizeOptions()).blocks
        exact = [Fraction(float(x)) for x in block]

        def error(scale: int, exact: list[Fraction] = exact) -> Fraction:
            step = Fraction(2) ** (scale - 127 - 2)
            return sum(min((x - code * step) ** 2 for code in range(-7, 8)) for x in exact)

        direct = int(mx.quantize(block[None], fmt).scales[0, 0])
        best = min((direct - 1, direct, direct + 1), key=error)
        assert int(found.scales[0, 0]) == best
        assert best == min(range(direct - 4, direct + 5), key=error)


def moments(x: np.ndarray, z: np.ndarray | None = None):
    found = ptq.Moments(x.shape[1])
    found.add(x, x if z is None else z)
    return found


def correlated(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    mix = draw.standard_normal((columns // 2, columns)) * 2.0 ** draw.integers(-3, 3, columns)
    x = draw.standard_normal((rows, columns // 2)) @ mix + 0.3 * draw.standard_normal((rows, columns))
    return x.astype(np.float32)


@pytest.mark.parametrize("fmt", ["mxfp4_e2m1", "nvfp4", "mxint4", "mxfp6_e2m3"])
def test_methods_with_calibration_lower_the_error_of_the_output(fmt):
    x = correlated(400, 72)
    x[:, 7] = 0  # a column that is never used
    weight = drawn(24, 72).numpy()
    options = mx.QuantizeOptions()
    direct = mx.dequantize(mx.quantize(weight, fmt))
    base = np.square(x @ (direct - weight).T).sum()
    for method in (ptq.gptq, ptq.error_diffusion):
        found = method(weight, mx.get_format(fmt), options, moments(x))
        assert np.square(x @ (mx.dequantize(found.blocks) - weight).T).sum() < 0.7 * base, method
        assert found.shape == (24, 72)


def test_with_one_column_or_uncorrelated_inputs_nothing_is_to_be_made_good():
    weight = drawn(16, 64).numpy()
    fmt, options = mx.get_format("mxfp4_e2m1"), mx.QuantizeOptions()
    identity = moments(np.eye(64, dtype=np.float32))
    direct = ptq.searched(weight, fmt, -1, options).blocks
    for method in (ptq.gptq, ptq.error_diffusion):
        found = method(weight, fmt, options, identity).blocks
        np.testing.assert_array_equal(found.codes, direct.codes)
        np.testing.assert_array_equal(found.scales, direct.scales)
        empty = method(weight, fmt, options, moments(np.zeros((1, 64), np.float32))).blocks
        np.testing.assert_array_equal(empty.codes, direct.codes)


@pytest.mark.parametrize("sweeps", [0, 3])
def test_error_diffusion_follows_its_description_on_samples(sweeps, monkeypatch):
    """The same steps on outputs themselves, sample by sample, in place of sums of products."""
    monkeypatch.setattr(ptq, "MOST_SWEEPS", sweeps)
    x = correlated(50, 40, 1)
    z = (x + 0.1 * np.random.default_rng(2).standard_normal(x.shape)).astype(np.float32)
    weight = drawn(3, 40).numpy().astype(np.float64)
    fmt, options = mx.get_format("mxfp6_e3m2"), mx.QuantizeOptions()
    found = ptq.error_diffusion(weight.astype(np.float32), fmt, options, moments(x, z)).blocks
    scales = mx.decode("e8m0", found.scales).repeat(32, 1)[:, :40]
    z = z.astype(np.float64)
    error = np.zeros((3, 50))
    codes = np.zeros((3, 40), np.uint8)
    for i in range(40):
        error += weight[:, i, None] * x[:, i].astype(np.float64)
        codes[:, i] = mx.encode("e3m2", error @ z[:, i] / np.square(z[:, i]).sum() / scales[:, i])
        error -= (mx.decode("e3m2", codes[:, i]) * scales[:, i])[:, None] * z[:, i]
    for _ in range(sweeps):
        for i in range(40):
            without = error + (mx.decode("e3m2", codes[:, i]) * scales[:, i])[:, None] * z[:, i]
            trial = mx.encode("e3m2", without @ z[:, i] / np.square(z[:, i]).sum() / scales[:, i])
            after = without - (mx.decode("e3m2", trial) * scales[:, i])[:, None] * z[:, i]
            better = np.square(after).sum(1) < np.square(error).sum(1) * (1 - 1e-12)
            codes[better, i], error[better] = trial[better], after[better]
    np.testing.assert_array_equal(found.codes.reshape(3, -1)[:, :40], codes)


@pytest.mark.parametrize("method", METHODS)
def test_methods_in_a_model(method):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64), nn.LayerNorm(64), nn.Linear(64, 8))
    before = state(model)
    data = [torch.from_numpy(correlated(100, 64, seed)) for seed in range(3)]
    found = converted(model, *((x,) for x in data), w_dtype="mxfp4_e2m1", weight_only=True, method=method)
    assert unchanged(model, before)
    x = torch.from_numpy(correlated(200, 64, 0))
    error = (found(x) - model(x)).square().mean().item()
    direct = (converted(model, w_dtype="mxfp4_e2m1", weight_only=True)(x) - model(x)).square().mean().item()
    assert error <= direct
    if method == "error_diffusion":  # the second layer was calibrated on what the converted first one gives
        hidden, now = torch.relu(model[0](torch.cat(data))), torch.relu(found[0](torch.cat(data)))
        sums = ptq.Moments(96)
        start = 0
        for x in data:
            part = slice(start, start + len(x))
            sums.add(hidden[part].detach().numpy(), now[part].detach().numpy())
            start += len(x)
        by_hand = ptq.error_diffusion(model[2].weight.detach().numpy(), mx.get_format("mxfp4_e2m1"),
                                      found[2].spec.options, sums)  # fmt: skip
        same = (by_hand.blocks.codes == found[2].weight_mx.blocks.codes).mean()
        assert same > 0.99  # Float32 products of other batches differ in last bits


def test_methods_refuse_what_they_cannot_do():
    weight, stochastic = drawn(2, 32).numpy(), mx.QuantizeOptions(rounding="stochastic")
    fmt, sums = mx.get_format("mxint8"), moments(np.ones((1, 32), np.float32))
    for call in (lambda: ptq.searched(weight, fmt, -1, stochastic), lambda: ptq.gptq(weight, fmt, stochastic, sums)):
        with pytest.raises(mx.DefinitionError):
            call()
    with pytest.raises(mx.ValueRefusedError):
        ptq.error_diffusion(np.full((2, 32), np.inf, np.float32), fmt, mx.QuantizeOptions(), sums)


# Checkpoints


@pytest.fixture
def saved(tmp_path):
    model = Network()
    found = converted(
        model, method="searched", embeddings=True, w_dtype="mxfp6_e3m2", rule="exact_fp32",
        overrides={"head": {"w_dtype": "nvfp4", "act_dtype": "nvfp4"}},
    )  # fmt: skip
    path = tmp_path / "model.safetensors"
    mxt.save(found, path)
    return model, found, path


def test_a_checkpoint_gives_the_same_model(saved):
    _, found, path = saved
    other = Network()
    nn.init.ones_(other.first.weight)
    before = state(other)
    loaded = mxt.load(other, path)
    assert unchanged(other, before)
    x = indices()
    loaded.eval()
    found.eval()
    assert torch.equal(loaded(x), found(x))
    assert loaded.first is loaded.again
    for name, layer in found.named_modules():
        if isinstance(layer, mxt.MXLayer):
            twin = loaded.get_submodule(name)
            assert twin.spec == layer.spec
            assert np.array_equal(twin.weight_mx.blocks.codes, layer.weight_mx.blocks.codes)
            assert np.array_equal(twin.weight_mx.blocks.scales, layer.weight_mx.blocks.scales)
    # and as the documented layout has it
    tensors = safetensors.load(path.read_bytes())
    assert tensors["first.weight.codes"].shape == (64, 2, 24)
    blocks = found.first.weight_mx.blocks
    assert np.array_equal(mx.unpack(tensors["first.weight.codes"].numpy(), "e3m2"), blocks.codes)
    assert np.array_equal(tensors["first.weight.scales"].numpy(), blocks.scales)
    assert tensors["positions"].dtype is torch.int64
    assert "first.weight" not in tensors


def test_attention_in_a_checkpoint(tmp_path):
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 2, 48, batch_first=True), 1).eval()
    found = converted(model, act_dtype="mxint8", w_dtype="mxint8")
    mxt.save(found, tmp_path / "m.safetensors")
    loaded = mxt.load(copy.deepcopy(model), tmp_path / "m.safetensors").eval()
    x = drawn(2, 4, 32)
    with torch.no_grad():
        assert torch.equal(loaded(x), found(x))


def rewritten(path, change):
    """Write the file again with its description or its tensors changed."""
    data = path.read_bytes()
    tensors = safetensors.load(data)
    size = int.from_bytes(data[:8], "little")
    content = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["mx_model"])
    change(content, tensors)
    path.write_bytes(safetensors.save(tensors, {"mx_model": json.dumps(content)}))


CHANGES = {
    "version": lambda c, t: c.update(version=2),
    "version '1'": lambda c, t: c.update(version="1"),
    "no layers": lambda c, t: c.pop("layers"),
    "layers no object": lambda c, t: c.update(layers=3),
    "unknown layer": lambda c, t: c["layers"].update(second=c["layers"]["first"]),
    "unknown type": lambda c, t: c["layers"]["first"].update(type="MXConv3d"),
    "other type": lambda c, t: c["layers"]["first"].update(type="MXConv2d"),
    "unknown rule": lambda c, t: c["layers"]["first"]["spec"].update(rule={"name": 3}),
    "unknown option": lambda c, t: c["layers"]["first"]["spec"]["options"].update(rounding="up"),
    "more options": lambda c, t: c["layers"]["first"]["spec"]["options"].update(more="up"),
    "shape": lambda c, t: c["layers"]["first"]["weight"].update(shape=[32, 128]),
    "axis": lambda c, t: c["layers"]["first"]["weight"].update(axis=0),
    "layout": lambda c, t: c["layers"]["first"]["weight"].update(layout="zip"),
    "tensor scale": lambda c, t: c["layers"]["head"]["weight"].update(tensor_scale=-1.0),
    "no codes": lambda c, t: t.pop("first.weight.codes"),
    "short codes": lambda c, t: t.update({"first.weight.codes": t["first.weight.codes"][:1].clone()}),
    "float codes": lambda c, t: t.update({"first.weight.codes": t["first.weight.codes"].float()}),
    "no bias": lambda c, t: t.pop("first.bias"),
    "another tensor": lambda c, t: t.update(extra=torch.zeros(1)),
    "bias shape": lambda c, t: t.update({"first.bias": torch.zeros(3)}),
    "split": lambda c, t: c.update(split=["first"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_damaged_checkpoints_are_refused(saved, change):
    model, _, path = saved
    before = state(model)
    rewritten(path, CHANGES[change])
    with pytest.raises(mx.FileError, match="model"):
        mxt.load(model, path)
    assert unchanged(model, before)


def test_other_files_and_models_are_refused(saved, tmp_path):
    model, found, path = saved
    with pytest.raises(mx.FileError, match="exists"):
        mxt.save(found, path)
    mxt.save(found, path, replace=True)
    with pytest.raises(mx.FileError, match="suffix"):
        mxt.save(found, tmp_path / "model.bin")
    with pytest.raises(mx.ModuleError):
        mxt.save(model, tmp_path / "float.safetensors")
    for content in (b"", b"\x10", path.read_bytes()[:-40], safetensors.save({"a": torch.zeros(1)})):
        other = tmp_path / "other.safetensors"
        other.write_bytes(content)
        with pytest.raises(mx.FileError):
            mxt.load(model, other)
    with pytest.raises(mx.FileError):
        mxt.load(model, tmp_path / "none.safetensors")
    with pytest.raises(mx.FileError, match="lacks"):
        mxt.load(nn.Sequential(nn.Linear(3, 3)), path)
    with pytest.raises(mx.FileError, match="already"):
        mxt.load(found, path)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".mxref")]


def test_examples_in_the_documentation_print_what_it_says():
    import doctest
    from pathlib import Path

    torch.manual_seed(0)
    found = doctest.testfile(str(Path(__file__).parents[1] / "docs" / "torch.md"), module_relative=False)
    assert found.attempted >= 15
    assert found.failed == 0
    assert doctest.testmod(mxt).failed == 0
