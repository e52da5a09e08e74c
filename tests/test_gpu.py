"""The CUDA kernels on a GPU: run by benchmarks/gpu_check.sh, where a missing GPU is a failure."""

import numpy as np
import pytest
import torch
from alignment_policy import assert_within_policy
from helpers import SMALL, ragged_batch

from gban_edge import ops
from gban_edge.core import native
from gban_edge.ops import alignment_cuda
from gban_edge.ops.alignment_torch import align_pool_backward_op, align_pool_op

pytestmark = pytest.mark.gpu

TYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture(scope="module", autouse=True)
def _gpu():
    assert torch.cuda.is_available(), "these tests need a GPU"
    assert native().cuda_built(), "these tests need a build with CUDA (GBAN_CUDA=1)"
    assert native().cuda_devices()["found"], native().cuda_devices()["reason"]


def case(seed: int, dtype: torch.dtype, large: bool = False):
    rng = np.random.default_rng(seed)
    batch = int(rng.choice([1, 2, 5, 40]))
    steps, words = int(rng.integers(1, 900 if large else 200)), int(rng.integers(1, 90))
    size = 8 * int(rng.integers(1, 129 if large else 40))
    deviation = np.sqrt(np.exp(rng.uniform(-3, 0.7)) / np.sqrt(size))
    draw = torch.Generator().manual_seed(seed)
    states = [
        (torch.randn(batch, n, size, generator=draw) * deviation).to("cuda", dtype)
        for n in (steps, words)
    ]
    lengths = [torch.tensor(rng.integers(1, n + 1, batch), device="cuda") for n in (steps, words)]
    return *states, *lengths


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("seed", range(70))
def test_errors_against_float64(seed, dtype):
    speech, text, k, n = case(seed, dtype, large=seed % 7 == 6)
    assert alignment_cuda.supports(speech)
    assert_within_policy(speech, text, k, n, seed)


@pytest.mark.parametrize("dtype", TYPES)
def test_the_same_bits_every_time(dtype):
    for seed in (3, 6, 13):
        speech, text, k, n = case(seed, dtype, large=True)
        first = align_pool_op(speech, text, k, n, True)
        for _ in range(5):
            again = align_pool_op(speech, text, k, n, True)
            assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_maps_strided_views_and_padding():
    speech, text, k, n = case(5, torch.float32)
    wide = torch.full((speech.shape[0], 2 * speech.shape[1], speech.shape[2] + 8), torch.nan)
    wide = wide.cuda()
    wide[:, ::2, :-8] = speech
    view = wide[:, ::2, :-8]
    shifted = torch.empty(speech.numel() + 1, device="cuda")[1:].view_as(speech).copy_(speech)
    gold = ops.align_pool_ref(speech.double(), text.double(), k, n, True, True)
    for states in (speech, view, shifted, speech.transpose(1, 2).contiguous().transpose(1, 2)):
        out = ops.align_pool(states, text, k, n, True, True)
        for got, want in zip(out, gold, strict=True):
            torch.testing.assert_close(got.double(), want, rtol=1e-4, atol=1e-5)
    empty = ops.align_pool(speech[:0], text[:0])
    assert empty.speech.shape == (0, speech.shape[2])


def test_impossible_lengths_give_nan_there_alone():
    speech, text, _, _ = case(2, torch.float32)
    speech, text = speech.repeat(3, 1, 1), text.repeat(3, 1, 1)
    batch = speech.shape[0]
    k = torch.full((batch,), speech.shape[1], device="cuda")
    k[1] = speech.shape[1] + 1
    out = ops.align_pool(speech, text, k)
    assert out.speech[1].isnan().all()
    assert out.text[1].isnan().all()
    assert out.speech[[0, 2]].isfinite().all()
    with pytest.raises(ValueError, match="speech_lengths must lie in"):
        ops.align_pool(speech, text, k.cpu())


def test_other_types_and_sizes_take_the_formulas():
    for dtype, size in ((torch.float64, 16), (torch.float32, 12), (torch.float32, 1032)):
        speech = torch.randn(2, 9, size, device="cuda", dtype=dtype)
        text = torch.randn(2, 5, size, device="cuda", dtype=dtype)
        assert not alignment_cuda.supports(speech)
        gold = ops.align_pool_ref(speech, text)
        torch.testing.assert_close(ops.align_pool(speech, text).speech, gold.speech)


def test_mixed_devices_are_refused():
    with pytest.raises(ValueError, match="one device, got cuda:0, cpu"):
        ops.align_pool(torch.ones(1, 2, 8, device="cuda"), torch.ones(1, 2, 8))


@pytest.mark.parametrize("dtype", TYPES)
def test_opcheck(dtype):
    speech, text, k, n = case(1, dtype)
    leaves = [x.requires_grad_() for x in (speech, text)]
    torch.library.opcheck(align_pool_op, (*leaves, k, n, False))
    plain = [x.detach() for x in leaves]
    out = align_pool_op(*plain, k, n, False)
    upstream = [torch.randn_like(x) for x in out[:4]]
    torch.library.opcheck(align_pool_backward_op, (*plain, k, n, *out[6:], *upstream))


def test_a_captured_graph_replays_beside_other_work():
    for seed in (3, 6):
        speech, text, k, n = case(seed, torch.float32, large=True)
        ops.align_pool(speech, text, k, n)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph), torch.no_grad():
            out = ops.align_pool(speech, text, k, n)
        other = torch.cuda.Stream()
        fresh = torch.randn_like(speech)
        for _ in range(5):
            with torch.cuda.stream(other), torch.no_grad():
                ops.align_pool(fresh, text, k, n)
            graph.replay()
        torch.cuda.synchronize()
        gold = ops.align_pool_ref(speech.double(), text.double(), k, n)
        torch.testing.assert_close(out.speech.double(), gold.speech, rtol=1e-4, atol=1e-5)


def test_torch_compile_without_a_graph_break():
    speech, text, k, n = case(8, torch.float32)
    leaves = [x.requires_grad_() for x in (speech, text)]

    def loss(s, t):
        out = ops.align_pool(s * 2, t, k, n, return_weights=True)
        return out.speech.square().sum() + out.text.sum() + out.speech_weights.square().sum()

    got = torch.compile(loss, fullgraph=True)(*leaves)
    gold = loss(*leaves)
    torch.testing.assert_close(got, gold)
    for mine, theirs in zip(
        torch.autograd.grad(got, leaves), torch.autograd.grad(gold, leaves), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_gban_trains_on_the_gpu_as_on_the_cpu():
    from gban_edge import models  # needs safetensors, which no other test here does

    config = SMALL.from_dict({**SMALL.to_dict(), "hidden": 16})
    batch = ragged_batch(np.random.default_rng(0), config, 6)
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = models.build("gban", config).to(device)
        logits = model(*(x.to(device) for x in batch)).logits
        logits.square().sum().backward()
        found.append([logits.cpu(), *(p.grad.cpu() for p in model.parameters())])
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-2, atol=1e-3)
