"""The BiLSTM's CUDA kernels on a GPU: run by benchmarks/gpu_check.sh, as tests/test_gpu.py is."""

import sys

import numpy as np
import pytest
import torch
from bilstm_policy import bilstm_case, in_float64, utterance_by_utterance
from helpers import ROOT

from gban_edge.core import native

sys.path.insert(0, str(ROOT / "benchmarks"))
from bilstm_device import DeviceBiLSTM

pytestmark = pytest.mark.gpu

ULP = {torch.float32: 2.0**-23, torch.float16: 2.0**-10}
LIMITS = {torch.float32: 1e-5, torch.float16: 4e-3}  # where no peer runs beside


@pytest.fixture(scope="module", autouse=True)
def _gpu():
    assert torch.cuda.is_available(), "these tests need a GPU"
    assert native().cuda_built(), "these tests need a build with CUDA (GBAN_CUDA=1)"
    torch.backends.cudnn.allow_tf32 = False


def sizes(seed: int, hidden: int):
    rng = np.random.default_rng(seed)
    batch = int(rng.choice([1, 2, 5, 8, 9, 40]))
    layers = int(rng.choice([1, 1, 2, 3]))
    return [
        (batch, int(rng.integers(1, 90)), 4 * int(rng.integers(1, 100)), hidden, layers)
        for _ in range(1 + seed % 2)
    ]


def on_gpu(cases, dtype):
    run = DeviceBiLSTM(native(), [c.lstm for c in cases], dtype, "cuda")
    return run, [c.x.cuda() for c in cases], [c.lengths.cuda() for c in cases]


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("hidden", [128, 256])
@pytest.mark.parametrize("seed", range(12))
def test_errors_against_float64(seed, hidden, dtype):
    """At most twice cuDNN's own error and two units in the last place; float32 also 1e-5."""
    cases = [bilstm_case(seed, dtype, *size) for size in sizes(seed, hidden)]
    run, inputs, lengths = on_gpu(cases, dtype)
    for _ in range(2):
        out = run(inputs, lengths)
    for (states, last), case, x in zip(out, cases, inputs, strict=True):
        gold = in_float64(case)
        peer = utterance_by_utterance(case.lstm.to("cuda", dtype), x, case.lengths)
        case.lstm.to("cpu", torch.float32)
        for got, theirs, want in zip((states, last), peer, gold, strict=True):
            allowed = 2 * float((theirs.cpu().double() - want).abs().max()) + 2 * ULP[dtype]
            if dtype == torch.float32:
                allowed = max(allowed, 1e-5)
            assert float((got.cpu().double() - want).abs().max()) <= allowed


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("hidden", [128, 256])
def test_the_same_bits_every_time(hidden, dtype):
    cases = [bilstm_case(i, dtype, 8, 60, 36, hidden, 2) for i in range(2)]
    run, inputs, lengths = on_gpu(cases, dtype)
    first = [x.clone() for pair in run(inputs, lengths) for x in pair]
    for _ in range(50):
        again = [x for pair in run(inputs, lengths) for x in pair]
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("dtype", ULP)
@pytest.mark.parametrize("hidden", [128, 256])
def test_one_captured_graph_serves_all_lengths(hidden, dtype):
    cases = [
        bilstm_case(i, dtype, 1, k, w, hidden, 2) for i, (k, w) in enumerate([(44, 36), (10, 384)])
    ]
    inputs = [torch.randn(1, *c.x.shape[1:]).to("cuda", dtype) for c in cases]
    run, _, lengths = on_gpu(cases, dtype)
    run(inputs, lengths)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run(inputs, lengths)
    for k, n in ((1, 1), (2, 10), (44, 3), (17, 7)):
        for given, length in zip(lengths, (k, n), strict=True):
            given.fill_(length)
        graph.replay()
        torch.cuda.synchronize()
        for (states, last), case, x, length in zip(out, cases, inputs, (k, n), strict=True):
            again = case._replace(x=x.cpu(), lengths=torch.tensor([length]))
            want_states, want_last = in_float64(again)
            for got, want in ((states, want_states), (last, want_last)):
                assert float((got.cpu().double() - want).abs().max()) < LIMITS[dtype]


def test_a_nan_or_an_impossible_length_stays_in_its_utterance():
    for dtype in ULP:
        case = bilstm_case(1, dtype, 5, 12, 36, 256, 2)
        run, (x,), (n,) = on_gpu([case], dtype)
        n.fill_(12)
        x = torch.randn_like(x)
        x[1, 3, 2] = torch.nan
        n[2], n[3] = 0, 13
        ((_, last),) = run([x], [n])
        assert last[[1, 2, 3]].isnan().all()
        assert last[[0, 4]].isfinite().all()


def test_a_size_without_a_kernel_says_so():
    assert native().cuda_bilstm_refusal("float16", 0, 64) == (
        "hidden must be 128 or 256 on a GPU, got 64; use backend cpu"
    )
