"""Mutants of the model: what the interpreter cannot see is none, and a changed number is killed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("cosmic_ray", reason="mutation of the model needs the extra mutation: pip install -e '.[mutation]'")

from flows.model_mutation import mutants, run
from flows.model_mutation.questions import Question, digest_of_questions
from refmodel.vectors.conversions import make_quantize_vectors


@pytest.fixture(scope="module")
def questions():
    vectors = make_quantize_vectors("mxfp4_e2m1", count=1, seed=1)
    answers = [vectors.by_oracle(i) for i in range(vectors.vectors)]
    codes = {name: np.array([each[name] for each in answers]) for name in ("elements", "scale")}
    return [Question("quantize", vectors, codes)]


def test_a_wrong_answer_is_a_difference_and_the_model_as_it_is_has_none(questions):
    asked, source = pickle.dumps(questions), mutants.read_source("rounding")
    assert run._ask(asked, "rounding", source) is None
    assert run._ask(asked, "rounding", source.replace("fraction > 0.5", "fraction >= 0.5")) == "quantize"
    assert run._ask(asked, "rounding", source.replace("np.floor(", "np.flor(")).startswith("AttributeError")
    assert digest_of_questions(questions) != digest_of_questions([])


def test_annotations_are_no_mutants():
    found = mutants.sample_mutants("rounding", 40, 1)
    assert len(found) == 40
    assert all(each.before != each.after for each in found)
    assert not any(each.before.startswith(("random: NDArray", "odd: NDArray")) for each in found)
    assert found == mutants.sample_mutants("rounding", 40, 1)
