"""align_pool as a PyTorch op: its derivative, its registration, torch.compile, and GBAN with it."""

import numpy as np
import pytest
import torch
from helpers import SMALL, alignment_case, ragged_batch

from gban_edge import models, ops
from gban_edge.core import native
from gban_edge.ops.alignment_torch import align_pool_backward_op, align_pool_op


def tensors(seed: int, precision=np.float32, limit: int | None = None):
    """speech, text (requiring gradients) and lengths of a random ragged case, cut to ``limit``."""
    speech, text, k, n = alignment_case(seed, precision)
    speech, text = speech[:, :limit, :limit], text[:, :limit, :limit]
    k, n = np.minimum(k, speech.shape[1]), np.minimum(n, text.shape[1])
    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in (speech, text)]
    return *leaves, torch.from_numpy(k), torch.from_numpy(n)


def gradients(function, speech, text, *lengths, weights=True):
    """d/dspeech and d/dtext of a random projection of the outputs."""
    out = function(speech, text, *lengths, return_weights=weights)
    draw = torch.Generator().manual_seed(0)
    outputs = out[:4] if weights else out[:2]
    upstream = [torch.randn(x.shape, generator=draw, dtype=torch.float64) for x in outputs]
    return torch.autograd.grad(outputs, (speech, text), [u.to(speech.dtype) for u in upstream])


@pytest.mark.parametrize("isa", native().available_isas())
@pytest.mark.parametrize("weights", [True, False])
def test_gradients_equal_autograd_of_the_reference_on_200_random_ragged_shapes(isa, weights):
    native().set_isa(isa)
    for seed in range(200):
        speech, text, k, n = tensors(seed)
        got = gradients(ops.align_pool, speech, text, k, n, weights=weights)
        wide = [x.detach().double().requires_grad_() for x in (speech, text)]
        gold = gradients(ops.align_pool_ref, *wide, k, n, weights=weights)
        for mine, theirs in zip(got, gold, strict=True):
            scale = max(1e-30, float(theirs.abs().max()))
            assert float((mine - theirs).abs().max()) < 1e-5 * scale
    native().set_isa(native().available_isas()[-1])


@pytest.mark.parametrize("function", [ops.align_pool, ops.align_pool_ref])
def test_gradcheck(function):
    for seed in range(6):
        speech, text, k, n = tensors(seed, np.float64, limit=6)
        assert torch.autograd.gradcheck(
            lambda s, t, k=k, n=n: function(s, t, k, n, return_weights=True)[:4], (speech, text)
        )


def test_one_output_alone_can_be_differentiated():
    speech, text, k, n = tensors(4)
    for i in range(4):
        got, gold = (
            torch.autograd.grad(f(speech, text, k, n, True)[i].square().sum(), (speech, text))
            for f in (ops.align_pool, ops.align_pool_ref)
        )
        for mine, theirs in zip(got, gold, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_only_one_side_needs_a_gradient():
    speech, text, k, n = tensors(5)
    got = torch.autograd.grad(ops.align_pool(speech, text.detach(), k, n).text.sum(), speech)
    gold = torch.autograd.grad(ops.align_pool_ref(speech, text, k, n).text.sum(), speech)
    torch.testing.assert_close(got, gold, rtol=1e-4, atol=1e-5)


def test_nothing_reaches_the_padding():
    speech, text, k, n = tensors(7)
    both = gradients(ops.align_pool, speech, text, k, n)
    for gradient, lengths in zip(both, (k, n), strict=True):
        for row, length in zip(gradient, lengths.tolist(), strict=True):
            assert not row[length:].any()


@pytest.mark.parametrize("precision", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("ragged", [True, False])
def test_opcheck(precision, ragged):
    speech, text, k, n = tensors(8, limit=7)
    speech, text = (x.detach().to(precision).requires_grad_() for x in (speech, text))
    lengths = (k, n) if ragged else (None, None)
    for maps in (False, True):
        torch.library.opcheck(align_pool_op, (speech, text, *lengths, maps))
    plain = [x.detach() for x in (speech, text)]
    out = align_pool_op(*plain, *lengths, False)
    upstream = [torch.randn_like(x) for x in out[:4]]
    torch.library.opcheck(align_pool_backward_op, (*plain, *lengths, *out[6:], *upstream))
    torch.library.opcheck(
        align_pool_backward_op, (*plain, *lengths, *out[6:], *upstream[:2], None, None)
    )


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_precision_on_the_cpu_rounds_only_its_inputs_and_outputs(precision):
    speech, text, k, n = tensors(9)
    halves = [x.detach().to(precision) for x in (speech, text)]
    out = ops.align_pool(*halves, k, n, return_weights=True)
    gold = ops.align_pool_ref(*(x.double() for x in halves), k, n, return_weights=True)
    for mine, theirs in zip(out[:4], gold[:4], strict=True):
        assert mine.dtype == precision
        torch.testing.assert_close(mine, theirs.to(precision), rtol=2**-7, atol=1e-5)


@pytest.mark.parametrize("lengths", [True, False])
def test_torch_compile_has_no_graph_break_and_gives_the_same(lengths):
    def loss(speech, text, k, n):
        out = ops.align_pool(speech * 2, text, k, n, return_weights=True)
        return out.speech.square().sum() + out.text.sum() + out.speech_weights.square().sum()

    speech, text, k, n = tensors(10)
    k, n = (k, n) if lengths else (None, None)
    explained = torch._dynamo.explain(loss)(speech, text, k, n)
    assert explained.graph_break_count == 0, explained.break_reasons
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    got, gold = compiled(speech, text, k, n), loss(speech, text, k, n)
    torch.testing.assert_close(got, gold)
    torch.testing.assert_close(
        torch.autograd.grad(got, (speech, text)), torch.autograd.grad(gold, (speech, text))
    )
    with torch.no_grad():
        torch.testing.assert_close(compiled(speech, text, k, n), gold)


def test_bad_lengths_are_named_from_within_a_compiled_graph():
    compiled = torch.compile(
        lambda s, t, k: ops.align_pool(s, t, k).speech, fullgraph=True, backend="aot_eager"
    )
    for precision in (torch.float32, torch.float64):
        with pytest.raises(ValueError, match=r"speech_lengths must lie in 1..3, got 4 at index 1"):
            compiled(
                torch.ones(2, 3, 8, dtype=precision), torch.ones(2, 2, 8, dtype=precision),
                torch.tensor([1, 4]),
            )  # fmt: skip


def test_without_gradients_the_values_are_the_same():
    speech, text, k, n = tensors(11)
    with_gradient = ops.align_pool(speech, text, k, n, return_weights=True)
    with torch.no_grad():
        without = ops.align_pool(speech, text, k, n, return_weights=True)
    for mine, theirs in zip(without[:4], with_gradient[:4], strict=True):
        assert torch.equal(mine, theirs)


def test_the_reference_can_be_chosen():
    speech, text, k, n = tensors(12)
    with ops.reference():
        chosen = ops.align_pool(speech, text, k, n)
    assert torch.equal(chosen.speech, ops.align_pool_ref(speech, text, k, n).speech)
    assert "AlignPool" not in chosen.speech.grad_fn.name()
    with ops.reference(), ops.reference(False):
        assert not torch.equal(ops.align_pool(speech, text, k, n).speech, torch.zeros(1))
    out = ops.align_pool(speech, text, k, n)
    assert "align_pool" in out.speech.grad_fn.name()


def test_gban_learns_through_the_op_as_through_the_reference():
    batch = ragged_batch(np.random.default_rng(0), SMALL, 5)
    results = []
    for enabled in (False, True):
        torch.manual_seed(0)
        model = models.build("gban", SMALL).double()
        with ops.reference(enabled):
            output = model(batch[0].double(), *batch[1:], return_alignment=True)
            loss = output.logits.square().sum() + output.alignment[0].square().sum()
            loss.backward()
        results.append([p.grad for p in model.parameters()])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)
