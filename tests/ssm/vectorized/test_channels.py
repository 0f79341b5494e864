"""The compiled convolution: equal to FFTs in double precision, sequence by sequence by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ns4d.ssm import convolution, convolve, vectorized
from ns4d.ssm.convolution import convolution_gradients
from ns4d.ssm.vectorized import channels as channels_file
from ns4d.ssm.vectorized.code import LANES, WIDTHS
from ssm_strategies import few, normal, seeds

ROUNDING = 2.0**-24
Results = tuple[Tensor, Tensor, Tensor]


def single(*shape: int, seed: int) -> Tensor:
    return normal(*shape, seed=seed, dtype=torch.float32)


@st.composite
def problems(draw: Callable) -> Results:
    """Inputs, kernels, gradients; batches and channels that fill the lanes, or do not."""
    b, h = draw(st.integers(1, LANES + 3)), draw(st.integers(1, LANES + 2))
    length, seed = draw(st.integers(LANES, 150)), draw(seeds)
    return drawn(b, h, length, seed)


def drawn(b: int, h: int, length: int, seed: int = 0) -> Results:
    return (
        single(b, h, length, seed=seed),
        single(h, length, seed=seed + 1),
        single(b, h, length, seed=seed + 2),
    )


def computed(u: Tensor, k: Tensor, g: Tensor) -> Results:
    return vectorized.convolve(u, k), *vectorized.gradients(u, k, g)


def wanted(u: Tensor, k: Tensor, g: Tensor) -> Results:
    """By the FFTs of torch in double precision, which the compiled code leaves to them."""
    u, k, g = u.double(), k.double(), g.double()
    assert not vectorized.serves(u, k)
    of_u, of_k = convolution_gradients(u, k, g)
    assert of_u is not None
    assert of_k is not None
    return convolve(u, k), of_u, of_k


def require_close(got: Results, expected: Results, problem: Results) -> None:
    """Within some roundings of what an FFT sums, the norms of its two sequences."""
    u, k, g = (tensor.double().norm(dim=-1) for tensor in problem)
    scales = (u * k, g * k, (u * g).sum(0))
    for one, other, scale in zip(got, expected, scales, strict=True):
        assert one.dtype == torch.float32
        error = (one.double() - other).abs().amax(-1)
        assert (error <= 8 * ROUNDING * scale).all(), (error / scale).max() / ROUNDING


@few
@given(problems())
def test_it_is_the_convolution_with_its_gradients(problem):
    require_close(computed(*problem), wanted(*problem), problem)


@pytest.mark.parametrize("length", [*range(LANES, 3 * LANES), 240, 288, 300, 784, 1000, 1024])
def test_every_length_is_right(length):
    """Those of all radices, those that fill no block, those of the data sets."""
    problem = drawn(3, 2, length)
    require_close(computed(*problem), wanted(*problem), problem)


def test_a_sequence_as_long_as_a_second_of_sound():
    problem = drawn(2, 1, 16000)
    require_close(computed(*problem), wanted(*problem), problem)


@few
@given(problems(), st.data())
def test_a_sequence_is_convolved_as_if_alone(problem, data):
    """Whatever lane it has, whatever the others are: no bit differs."""
    u, k, g = problem
    b = data.draw(st.integers(0, len(u) - 1))
    h = data.draw(st.integers(0, len(k) - 1))
    y, of_u, _ = computed(u, k, g)
    at = (slice(b, b + 1), slice(h, h + 1))
    alone = computed(u[at], k[at[1]], g[at])
    assert torch.equal(alone[0], y[at])
    assert torch.equal(alone[1], of_u[at])


@few
@given(problems(), st.data())
def test_what_is_not_a_number_stays_in_its_sequence(problem, data):
    u, k, g = problem
    b = data.draw(st.integers(0, len(u) - 1))
    u[b, 0, 0] = torch.nan
    y, of_u, of_k = computed(u, k, g)
    assert y[b, 0].isnan().all()
    y[b, 0] = 0
    assert y.isfinite().all()
    assert of_u.isfinite().all()
    assert of_k[0].isnan().all()
    assert of_k[1:].isfinite().all()


def test_a_kernel_that_is_not_a_number_spoils_its_channel_alone():
    u, k, g = drawn(3, 4, 40)
    k[1, 7] = torch.inf
    y, of_u, of_k = computed(u, k, g)
    for each in (y, of_u):
        assert each[:, 1].isnan().all()
        assert each[:, [0, 2, 3]].isfinite().all()
    assert of_k.isfinite().all()


@few
@given(problems())
def test_the_gradients_are_the_adjoints(problem):
    """Of a map that is linear in u and in k: <g, y> = <∂u, u> = <∂k, k>."""
    u, k, g = problem
    y, of_u, of_k = (each.double() for each in computed(u, k, g))
    products = [(g * y).sum(), (of_u * u).sum(), (of_k * k).sum()]
    scale = g.double().norm() * y.norm() + of_k.norm() * k.double().norm()
    for product in products[1:]:
        assert abs(product - products[0]) <= 32 * ROUNDING * scale


def test_it_is_causal():
    """An output owes nothing, not even a rounding's worth of its size, to what comes later."""
    u, k, _ = drawn(2, 3, 784)
    later = u.clone()
    later[..., 400:] = 0
    before, after = vectorized.convolve(later, k), vectorized.convolve(u, k)
    scale = u.norm(dim=-1) * k.norm(dim=-1)
    assert ((before - after)[..., :400].abs().amax(-1) <= 8 * ROUNDING * scale).all()
    assert (before - after)[..., 400:].abs().amax() > 1


@pytest.mark.parametrize("threads", [2, 3, 64])
def test_threads_change_no_bit(threads):
    problem = drawn(3, 37, 40)  # channels that no number of parts divides
    alone = computed(*problem)
    torch.set_num_threads(threads)
    for got, expected in zip(computed(*problem), alone, strict=True):
        assert torch.equal(got, expected)


def test_the_same_call_gives_the_same_bits():
    problem = drawn(LANES - 1, 5, 100)
    for got, expected in zip(computed(*problem), computed(*problem), strict=True):
        assert torch.equal(got, expected)


def test_memory_order_does_not_matter():
    """Transposed inputs, sliced kernels, an expanded gradient."""
    u = single(2, 40, 3, seed=0).mT
    k = single(3, 80, seed=1)[:, ::2]
    g = single(2, 3, 1, seed=2).expand(-1, -1, 40)
    copies = [each.contiguous() for each in (u, k, g)]
    for got, expected in zip(computed(u, k, g), computed(*copies), strict=True):
        assert torch.equal(got, expected)


def test_arguments_are_left_alone():
    problem = drawn(2, 3, 40)
    kept = [each.clone() for each in problem]
    computed(*problem)
    for each, before in zip(problem, kept, strict=True):
        assert torch.equal(each, before)


def test_no_sequences_give_none():
    u, k = torch.zeros(0, 3, 40), torch.ones(3, 40)
    y, of_u, of_k = computed(u, k, u)
    assert y.shape == of_u.shape == (0, 3, 40)
    assert torch.equal(of_k, torch.zeros(3, 40))


class TestWhoServes:
    """`convolve` takes the compiled code for what it is made for, FFTs of torch for the rest."""

    @pytest.fixture
    def calls(self, monkeypatch):
        """How often the compiled code is called."""
        calls = []
        for name in ("convolve", "gradients"):
            function = getattr(vectorized, name)
            monkeypatch.setattr(
                convolution.vectorized,
                name,
                lambda *args, name=name, function=function: calls.append(name) or function(*args),
            )
        return calls

    @pytest.mark.parametrize(
        ("dtype", "length", "served"),
        [
            (torch.float32, LANES, True),
            (torch.float32, LANES - 1, False),
            (torch.float64, 784, False),
        ],
    )
    def test_single_precision_of_some_length(self, calls, dtype, length, served):
        u, k = torch.ones(2, 3, length, dtype=dtype), torch.ones(3, length, dtype=dtype)
        y = convolve(u.requires_grad_(), k.requires_grad_())
        y.sum().backward()
        assert calls == (["convolve", "gradients"] if served else [])
        torch.testing.assert_close(y[0, 0], torch.arange(1, length + 1, dtype=dtype))

    def test_gradients_of_another_precision(self, calls):
        """Autograd would have cast them; whoever calls by hand gets what the FFTs make of them."""
        u, k, g = drawn(2, 3, 40)
        for other in (g.double(), u.double()):
            of_u, of_k = convolution_gradients(u, k, other)
            expected = convolution_gradients(u, k, other.float())
            torch.testing.assert_close((of_u, of_k), expected, rtol=0, atol=1e-4, check_dtype=False)
        assert calls == ["gradients"] * 2

    def test_gradients_that_are_differentiated_again(self):
        """As in a penalty on the gradient: in single precision as in double."""
        found = []
        for dtype in (torch.float32, torch.float64):
            u, k = (each.to(dtype).requires_grad_() for each in drawn(2, 3, 40)[:2])
            y = convolve(u, k)
            (g,) = torch.autograd.grad((y**2).sum(), u, create_graph=True)
            found.append(torch.autograd.grad(y.sum() + (g**2).sum(), k)[0].double())
        assert found[1].norm() > 1e3
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4 * float(found[1].max()))

    def test_half_precision_is_convolved_in_that_of_the_kernel(self, calls):
        u, k = torch.ones(1, 1, 40, dtype=torch.bfloat16), torch.ones(1, 40)
        assert convolve(u, k).dtype == torch.float32
        assert calls == ["convolve"]

    def test_no_fft_of_torch_is_left(self):
        u, k = torch.ones(2, 3, 40).requires_grad_(), torch.ones(3, 40).requires_grad_()
        with torch.autograd.profiler.profile() as profile:
            convolve(u, k).sum().backward()
        averages = profile.key_averages()
        assert averages is not None
        assert not [event.key for event in averages if "fft" in event.key]


OTHER_WIDTH = """
import torch
from ns4d.ssm import vectorized
from ns4d.ssm.vectorized.code import LANES

assert LANES == {lanes}
normal = lambda *shape: torch.randn(*shape, generator=torch.Generator().manual_seed(0))
for length in (16, 17, 60, 100, 784):
    u, k, g = normal(19, 3, length), normal(3, length), normal(19, 3, length)
    got = vectorized.convolve(u, k), *vectorized.gradients(u, k, g)
    leaves = [tensor.double().requires_grad_() for tensor in (u, k)]
    spectra = [torch.fft.rfft(leaf, 2 * length) for leaf in leaves]
    y = torch.fft.irfft(spectra[0] * spectra[1], 2 * length)[..., :length]
    expected = y, *torch.autograd.grad(y, leaves, g.double())
    for one, other in zip(got, expected, strict=True):
        atol = 2e-6 * float(other.abs().max())
        torch.testing.assert_close(one.double(), other, rtol=0, atol=atol)
print("equal")
"""


def in_new_process(code: str, lanes: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NS4D_LANES": lanes, **more}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("lanes", [width for width in WIDTHS if width != LANES])
def test_the_code_for_other_processors_is_right(lanes, tmp_path):
    # In a cache of its own: Numba's index does not bear writers of unlike code.
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    ran = in_new_process(OTHER_WIDTH.format(lanes=lanes), str(lanes), **cache)
    assert ran.stdout.strip() == "equal", ran.stderr


def test_an_impossible_width_is_named():
    ran = in_new_process("import ns4d.ssm.vectorized", "7")
    assert "NS4D_LANES: expected one of (4, 8, 16), got 7" in ran.stderr


def test_a_room_begins_where_vectors_may():
    """The compiled code reads rows at multiples of 64 bytes."""
    plan = channels_file.plan_for(784)
    assert channels_file._room(plan, 3).data_ptr() % 64 == 0


WRONG_SHAPES = """
import torch
from ns4d.errors import ShapeError
from ns4d.ssm import convolve
from ns4d.ssm.convolution import convolution_gradients

u, k = torch.zeros(2, 3, 40), torch.zeros(3, 40)
for call in (
    lambda: convolve(u[0], k),
    lambda: convolve(u, k[:2]),
    lambda: convolve(u, k[:, 1:]),
    lambda: convolve(u, k.mT),
    lambda: convolution_gradients(u, k[:1], u),
    lambda: convolution_gradients(u, k, u[:1]),
):
    try:
        call()
    except ShapeError as error:
        print(error)
"""


def test_compiled_code_sees_no_wrong_shape():
    """Refused without the annotations' checks too, which only tests have."""
    ran = in_new_process(WRONG_SHAPES, str(LANES))
    fix = "Put the batch first, the channels second, time last."
    kernels = "kernels k: expected (3, 40), one per channel, as long as the input"
    assert ran.stdout.splitlines() == [
        f"inputs u: expected (batch, channels, length), got (3, 40). {fix}",
        f"{kernels}, got (2, 40). {fix}",
        f"{kernels}, got (3, 39). {fix}",
        f"{kernels}, got (40, 3). {fix}",
        f"{kernels}, got (1, 40). {fix}",
        f"gradient g: expected (2, 3, 40), the shape of the inputs, got (1, 3, 40). {fix}",
    ], ran.stderr


COMPILED_BY_TORCH = """
import torch
from ns4d.ssm import convolve

from torch.fx.experimental.proxy_tensor import make_fx

u, k = torch.randn(2, 3, 40).requires_grad_(), torch.randn(3, 40).requires_grad_()
compiled = torch.compile(convolve, backend="aot_eager")
results = []
for function in (convolve, compiled):
    y = function(u, k)
    results.append((y.detach(), *torch.autograd.grad((y**2).sum(), (u, k))))
torch.testing.assert_close(*results, rtol=1e-4, atol=1e-3)
u, k = u.detach(), k.detach()
for traced in (make_fx(convolve)(u, k), torch.jit.trace(convolve, (u, k))):
    torch.testing.assert_close(traced(u + 1, k), convolve(u + 1, k), rtol=1e-4, atol=1e-4)
print("equal")
"""


def test_what_torch_records_takes_its_ffts():
    """It calls with tensors that have shapes, but no numbers yet, or writes down what is done."""
    ran = in_new_process(COMPILED_BY_TORCH, str(LANES))
    assert ran.stdout.strip() == "equal", ran.stderr


OTHER_DEFAULTS = """
import torch
from ns4d.ssm import vectorized

u, k, g = torch.randn(2, 3, 40), torch.randn(3, 40), torch.randn(2, 3, 40)
expected = vectorized.convolve(u, k), *vectorized.gradients(u, k, g)
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
got = vectorized.convolve(u, k), *vectorized.gradients(u, k, g)
print(all(torch.equal(one, other) for one, other in zip(got, expected, strict=True)))
"""


def test_defaults_for_new_tensors_do_not_matter():
    ran = in_new_process(OTHER_DEFAULTS, str(LANES))
    assert ran.stdout.strip() == "True", ran.stderr
