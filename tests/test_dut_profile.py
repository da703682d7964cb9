"""Profiles: choices that several descriptions name, and what they decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from refmodel.accumulate import get_rule
from refmodel.conformance import Description, load_description
from refmodel.errors import DescriptionError

DESIGNS = Path(__file__).parent / "wrong_designs"

PROFILE = """
version = 1
[options]
scale_rule = "rceil"
overflow = "saturate"
[rules.house]
rule = { base = "block32_fp32_add", acc_round = "RZ", nan_pattern = 0x7FFFFFFF }
"""


def load(folder: Path, profile: str, name: str = "bias_kept", **changed: str) -> Description:
    """Load a description that names a profile."""
    (folder / "house.toml").write_text(profile)
    text = (DESIGNS / f"{name}.toml").read_text().replace("version = 1", 'version = 1\nprofile = "house.toml"')
    for source in (f"{name}.sv", f"{name}.vhd", "include"):
        text = text.replace(f'["{source}"]', f'["{DESIGNS / source}"]')
    for old, new in changed.items():
        text = text.replace(old, new)
    (folder / "mine.toml").write_text(text)
    return load_description(folder / "mine.toml")


def test_its_rules_are_those_of_the_design(tmp_path):
    described = load(tmp_path, PROFILE, **{'rules = "exact_fp32"': 'rules = "house"'})
    rule = described.configurations[0].rule.rule
    assert (rule.name, rule.acc_round, rule.nan_pattern) == ("house", "RZ", 0x7FFFFFFF)
    assert rule.group_round == get_rule("block32_fp32_add").group_round


def test_its_options_are_the_defaults_of_configurations(tmp_path):
    own = 'quick = true\noptions = { overflow = "overflow" }'
    for text, overflow in (("quick = true", "saturate"), (own, "overflow")):
        described = load(tmp_path, PROFILE, "ieee_e4m3", **{"quick = true": text})
        assert dict(described.configurations[0].options) == {"scale_rule": "rceil", "overflow": overflow}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("version = 1", "version = 2", "house.toml: key 'version': is 2"),
        ('scale_rule = "rceil"', 'scale = "rceil"', "house.toml: [options] key 'scale': unknown option"),
        ('"rceil"', '["rceil", "floor"]', "house.toml: [options]: gives several values for one option"),
        ('"saturate"', '"wrap"', "house.toml: [options] key 'overflow': unknown value of overflow: 'wrap'"),
        ('"block32_fp32_add"', '"nothing"', "house.toml: [rules.house] key 'rule'"),
        ("[options]", "rounding = 1\n[options]", "house.toml: key 'rounding': is unknown"),
        (PROFILE, "version", "house.toml: not valid TOML"),
    ],
)
def test_a_mistake_names_the_profile(old, new, sentence, tmp_path):
    with pytest.raises(DescriptionError) as caught:
        load(tmp_path, PROFILE.replace(old, new))
    assert sentence in str(caught.value)


def test_a_profile_that_is_not_there_is_said(tmp_path):
    load(tmp_path, PROFILE)
    (tmp_path / "house.toml").unlink()
    with pytest.raises(DescriptionError, match=r"house\.toml: cannot be read"):
        load_description(tmp_path / "mine.toml")
