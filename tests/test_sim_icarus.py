"""The RTL units against the model in Icarus; a file of its own, so that it runs beside test_sim.py."""

from __future__ import annotations

import pytest
from unit_cases import CASES, check


@pytest.mark.parametrize(("unit", "configuration"), CASES)
def test_units_give_the_bits_of_the_model_in_icarus(unit, configuration, tmp_path):
    check("icarus", unit, configuration, tmp_path)
