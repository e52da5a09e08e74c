"""Every precision and instruction set of the CPU engine against float64, at the authors' sizes.

The utterances, the answers and the tolerances are those of tests/parity.py.
"""

import numpy as np
import pytest
from parity import TOLERANCES, deviations, gaps_of_other_labels

from gban_edge.core import native


def assert_equal_bits(some: list[dict], others: list[dict]) -> None:
    for one, other in zip(some, others, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture
def instruction_set():
    """To choose one, the fastest being chosen again afterwards."""
    before = native().current_isa()
    yield native().set_isa
    native().set_isa(before)


def test_the_utterances_tell_something(parity_case):
    """Labels of every class, probabilities near to each other and far apart, all lengths."""
    assert set(parity_case.probabilities.argmax(axis=1)) == {0, 1, 2, 3}
    assert {len(ids) for ids in parity_case.ids} == set(range(41))
    assert (min(map(len, parity_case.frames)), max(map(len, parity_case.frames))) == (2, 747)
    confidence = parity_case.probabilities.max(axis=1)
    assert confidence.min() < 0.4
    assert confidence.max() > 0.9


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("isa", native().available_isas())
def test_the_cpu_engine(parity_case, instruction_set, isa, precision):
    instruction_set(isa)
    engine = native().Engine(str(parity_case.model.path), precision)
    assert (engine.isa, engine.precision) == (isa, precision)
    alone = [
        engine.run([x], [ids])[0]
        for x, ids in zip(parity_case.frames, parity_case.ids, strict=True)
    ]
    found, allowed = deviations(parity_case, alone), TOLERANCES[precision]
    assert all(f <= a for f, a in zip(found, allowed, strict=True)), found
    assert (gaps_of_other_labels(parity_case, alone) <= allowed.probability).all()
    assert_equal_bits(alone, engine.run(parity_case.frames, parity_case.ids))
    assert_equal_bits(alone, engine.run(parity_case.frames, parity_case.ids, threads=2))
    assert_equal_bits(
        alone[:20],
        [
            engine.run([parity_case.frames[i]], [parity_case.ids[i]], threads=2)[0]
            for i in range(20)
        ],
    )


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_less_precision_is_less_precise(parity_case, precision):
    """Else the tolerances above would compare fp32 with fp32."""
    engine = native().Engine(str(parity_case.model.path), precision)
    found = deviations(parity_case, engine.run(parity_case.frames, parity_case.ids))
    assert found.logit > 2 * TOLERANCES["fp32"].logit
