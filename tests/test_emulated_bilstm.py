"""The BiLSTM's CUDA kernels on the CPU, from their binding down, against nn.LSTM in float64."""

import sys

import numpy as np
import pytest
import torch
from bilstm_policy import bilstm_case, in_float64
from emulated import emulated_module
from helpers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
from bilstm_device import DeviceBiLSTM, directions

LIMITS = {torch.float32: 1e-5, torch.float16: 2e-3}
# Processors: an H200, an Orin NX, and one so small that directions take turns.
DEVICES = (132, 8, 4)


@pytest.fixture(autouse=True)
def core():
    module = emulated_module()
    module.set_device(8, 166912)
    return module


def assert_right(core, dtype, cases, int32=False):
    run = DeviceBiLSTM(core, [c.lstm for c in cases], dtype, "cpu")
    lengths = [c.lengths.int() if int32 else c.lengths for c in cases]
    for _ in range(2):  # the second call finds what the first has left
        out = run([c.x for c in cases], lengths)
        for (states, last), case in zip(out, cases, strict=True):
            gold_states, gold_last = in_float64(case)
            for got, want in ((states, gold_states), (last, gold_last)):
                torch.testing.assert_close(got.double(), want, rtol=0, atol=LIMITS[dtype])
            beyond = torch.arange(states.shape[1]) >= case.lengths[:, None]
            assert bool((states[beyond] == 0).all())


@pytest.mark.parametrize("dtype", LIMITS)
def test_the_authors_sizes(dtype, core):
    cases = [bilstm_case(i, dtype, 1, k, w, 128, 1) for i, (k, w) in enumerate([(6, 36), (3, 384)])]
    assert_right(core, dtype, cases)


@pytest.mark.parametrize("dtype", LIMITS)
def test_256_hidden_units(dtype, core):
    assert_right(core, dtype, [bilstm_case(0, dtype, 1, 3, 36, 256, 1)])


@pytest.mark.parametrize("dtype", LIMITS)
def test_random_ragged_batches_and_layers(dtype, core):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        batch, layers = int(rng.integers(1, 12)), int(rng.integers(1, 4))
        core.set_device(DEVICES[seed % 3], 166912)
        core.set_schedule(seed)
        cases = [
            bilstm_case(10 * seed + i, dtype, batch, int(rng.integers(1, 20)),
                        4 * int(rng.integers(1, 20)), 32, layers)
            for i in range(1 + seed % 2)
        ]  # fmt: skip
        assert_right(core, dtype, cases, int32=seed % 2 == 0)


def test_strided_inputs(core):
    case = bilstm_case(3, torch.float16, 2, 5, 12, 32, 1)
    wide = torch.full((2, 10, 20), torch.nan, dtype=torch.float16)
    wide[:, ::2, :12] = case.x
    assert_right(core, torch.float16, [case._replace(x=wide[:, ::2, :12])])


def test_a_size_without_a_kernel_says_so(core):
    assert core.cuda_bilstm_refusal("float16", 0, 128) == ""
    reason = "hidden must be 128 or 256 on a GPU, got 96; use backend cpu"
    assert core.cuda_bilstm_refusal("float16", 0, 96) == reason
    core.set_device(4, 166912)
    assert "at least 8 processors, this one has 4" in core.cuda_bilstm_refusal("float32", 0, 256)
    with pytest.raises(ValueError, match="type must be float32 or float16, got bfloat16"):
        core.cuda_bilstm_refusal("bfloat16", 0, 128)


def test_weights_of_a_wrong_shape_or_width_are_named(core):
    lstm = torch.nn.LSTM(6, 32, bidirectional=True)
    with pytest.raises(ValueError, match="width must be a multiple of 4 from 4 on, got 6"):
        core.cuda_bilstm_pack("float32", 6, 32, directions(lstm))
    with pytest.raises(
        ValueError, match=r"layer 0: w_ih must have shape \[128, 8\], got \[128, 6\]"
    ):
        core.cuda_bilstm_pack("float32", 8, 32, directions(lstm))
    with pytest.raises(ValueError, match="layers must be at least 1, got 0"):
        core.cuda_bilstm_pack("float32", 8, 32, [])
