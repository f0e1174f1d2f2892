"""Random numbers have the distribution that their names say: Kolmogorov-Smirnov and chi-square tests with fixed seeds."""

# shard: tensors

import numpy as np
import pytest
import scipy.stats
from scipy import special

import phlox as px

COUNT = 20000

CONTINUOUS = {
    "uniform": (lambda n: px.uniform(-1.0, 3.0, n), scipy.stats.uniform(-1, 4)),
    "truncated_normal": (
        lambda n: px.truncated_normal(1.0, 2.0, -1.0, 2.0, n),
        scipy.stats.truncnorm(-1, 2, 1, 2),
    ),
    "truncated_normal tail": (
        lambda n: px.truncated_normal(0.0, 1.0, 4.0, 6.0, n),
        scipy.stats.truncnorm(4, 6),
    ),
    "exponential": (lambda n: px.exponential(2.5, n), scipy.stats.expon(scale=1 / 2.5)),
    "cauchy": (lambda n: px.cauchy(1.0, 2.0, n), scipy.stats.cauchy(1, 2)),
    "log_normal": (lambda n: px.log_normal(0.5, 0.25, n), scipy.stats.lognorm(0.25, scale=np.exp(0.5))),
    "gumbel": (lambda n: px.gumbel(1.0, 2.0, n), scipy.stats.gumbel_r(1, 2)),
    "gamma": (lambda n: px.gamma(2.5, 3.0, n), scipy.stats.gamma(2.5, scale=1 / 3)),
    "gamma below 1": (lambda n: px.gamma(0.3, 1.0, n), scipy.stats.gamma(0.3)),
    "gamma large": (lambda n: px.gamma(1e5, 1.0, n, dtype=px.float64), scipy.stats.gamma(1e5)),
    "beta": (lambda n: px.beta(0.5, 2.0, n), scipy.stats.beta(0.5, 2)),
}

DISCRETE = {
    "geometric": (lambda n: px.geometric(0.3, n), scipy.stats.geom(0.3)),
    "poisson": (lambda n: px.poisson(3.5, n), scipy.stats.poisson(3.5)),
    "poisson large": (lambda n: px.poisson(80.0, n), scipy.stats.poisson(80)),
    "binomial": (lambda n: px.binomial(12, 0.2, n), scipy.stats.binom(12, 0.2)),
    "binomial large": (lambda n: px.binomial(200, 0.7, n), scipy.stats.binom(200, 0.7)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name):
    draw, law = CONTINUOUS[name]
    px.manual_seed(11)
    values = draw((COUNT,)).to(px.float64).numpy()
    assert np.isfinite(values).all()
    assert scipy.stats.kstest(values, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name):
    draw, law = DISCRETE[name]
    px.manual_seed(12)
    values = draw((COUNT,)).numpy().astype(int)
    low, high = law.ppf(0.001), law.ppf(0.999)
    edges = np.arange(low, high + 1)
    observed = np.array([(values <= edges[0]).sum(), *((values == e).sum() for e in edges[1:-1])])
    observed = np.append(observed, COUNT - observed.sum())
    expected = np.array([law.cdf(edges[0]), *law.pmf(edges[1:-1])])
    expected = np.append(expected, 1 - expected.sum()) * COUNT
    enough = expected >= 5
    assert (
        scipy.stats.chisquare(
            np.append(observed[enough], observed[~enough].sum()) if (~enough).any() else observed,
            np.append(expected[enough], expected[~enough].sum()) if (~enough).any() else expected,
        ).pvalue
        > 1e-3
    )


def test_dirichlet():
    px.manual_seed(13)
    points = px.dirichlet(px.tensor([0.5, 1.0, 2.0]), (COUNT,))
    assert points.shape == (COUNT, 3)
    np.testing.assert_allclose(points.sum(-1).numpy(), 1, rtol=1e-5)
    for i, a in enumerate([0.5, 1.0, 2.0]):
        assert scipy.stats.kstest(points[:, i].numpy(), scipy.stats.beta(a, 3.5 - a).cdf).pvalue > 1e-3


def test_categorical():
    px.manual_seed(14)
    logits = px.tensor([[0.0, 1.0, float("-inf"), 2.0], [3.0, 0.0, 0.0, 0.0]])
    drawn = px.categorical(logits, COUNT)
    assert drawn.shape == (2, COUNT)
    assert drawn.dtype == px.int64
    for row, probabilities in zip(drawn.numpy(), special.softmax(logits.numpy().astype(float), -1)):
        counts = np.bincount(row, minlength=4)
        possible = probabilities > 0
        assert counts[~possible].sum() == 0
        assert scipy.stats.chisquare(counts[possible], probabilities[possible] * COUNT).pvalue > 1e-3
    assert px.categorical(logits).shape == (2,)


@pytest.mark.parametrize("name", {**CONTINUOUS, **DISCRETE})
def test_seeds_decide(name):
    draw = {**CONTINUOUS, **DISCRETE}[name][0]
    px.manual_seed(5)
    first, second = draw((300,)), draw((300,))
    px.manual_seed(5)
    again = draw((300,))
    assert (first == again).all()
    assert not (first == second).all()


def test_threads_do_not_matter():
    threads = px.get_num_threads()
    results = []
    for count in (1, 2):
        px.set_num_threads(count)
        px.manual_seed(6)
        results.append(
            (px.gamma(0.7, 1.0, (4000,)), px.poisson(30.0, (4000,)), px.binomial(90, 0.4, (4000,)))
        )
    px.set_num_threads(threads)
    for one, two in zip(*results):
        assert (one == two).all()


@pytest.mark.parametrize("a", [0.05, 0.5, 1.0, 2.5, 30.0, 999.0, 1500.0, 1e6])
def test_gamma_gradient(a):
    """dz/da at a given rank: the inverse of the distribution function, differentiated."""
    px.manual_seed(15)
    shape_parameter = px.full((200,), a, dtype=px.float64, requires_grad=True)
    drawn = px.gamma(shape_parameter)
    drawn.sum().backward()
    z = drawn.detach().numpy()
    inside = (z > 1e-100) & (scipy.stats.gamma.cdf(z, a) > 1e-8) & (scipy.stats.gamma.sf(z, a) > 1e-8)
    z, found = z[inside], shape_parameter.grad.numpy()[inside]
    h = 1e-4 * min(a, 10 * a**0.5)  # a small part of the deviation
    low, high = (scipy.stats.gamma.cdf(z, a + s) for s in (-h, h))
    low_tail, high_tail = (scipy.stats.gamma.sf(z, a + s) for s in (-h, h))
    slope = np.where(low < 0.5, high - low, low_tail - high_tail) / (2 * h)
    wanted = -slope / scipy.stats.gamma.pdf(z, a)
    np.testing.assert_allclose(found, wanted, rtol=2e-4)


def test_gradients_of_the_mean():
    px.manual_seed(16)
    a = px.tensor(2.0, requires_grad=True)
    b = px.tensor(3.0, requires_grad=True)
    px.beta(a, b, (COUNT,)).mean().backward()  # a / (a + b)
    np.testing.assert_allclose([a.grad.item(), b.grad.item()], [3 / 25, -2 / 25], rtol=0.05)
    rate = px.tensor(2.0, requires_grad=True)
    px.exponential(rate, (COUNT,)).mean().backward()
    np.testing.assert_allclose(rate.grad.item(), -1 / 4, rtol=0.05)
    c = px.tensor([1.0, 3.0], requires_grad=True)
    px.dirichlet(c, (COUNT,))[:, 0].mean().backward()
    np.testing.assert_allclose(c.grad.numpy(), [3 / 16, -1 / 16], rtol=0.08)
    with pytest.raises(px.NotSupportedError):
        x = px.ones((2,), requires_grad=True)
        (first,) = px.autograd.grad(px.gamma(x).sum(), [x], create_graph=True)
        first.sum().backward()


def test_vmap_draws_for_each_sample():
    px.manual_seed(17)
    rates = px.full((3, 4), 5.0)
    drawn = px.vmap(lambda r: px.poisson(r), randomness="different")(rates)
    assert drawn.shape == (3, 4)
    assert not (drawn[0] == drawn[1]).all() or not (drawn[1] == drawn[2]).all()


def test_captured():
    @px.jit
    def draw(a):
        return px.gamma(a) + px.categorical(px.zeros((4,)))

    a = px.full((5,), 2.0)
    px.manual_seed(18)
    first = draw(a)
    second = draw(a)
    px.manual_seed(18)
    assert (px.gamma(a) + px.categorical(px.zeros((4,))) == first).all()
    assert not (first == second).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: px.gamma(-1.0),
        lambda: px.gamma(px.tensor([1.0, 0.0])),
        lambda: px.beta(0.0, 1.0),
        lambda: px.poisson(px.tensor([-1.0])),
        lambda: px.binomial(3, 1.5),
        lambda: px.binomial(2.5, 0.5),
        lambda: px.geometric(0.0),
        lambda: px.exponential(0.0),
        lambda: px.uniform(2.0, 1.0),
        lambda: px.truncated_normal(0.0, 1.0, 2.0, 1.0),
        lambda: px.categorical(px.tensor([float("nan"), 0.0])),
        lambda: px.categorical(px.zeros((3,)), -1),
        lambda: px.dirichlet(px.tensor([1.0, -1.0])),
    ],
)
def test_parameters_out_of_range(call):
    with pytest.raises(ValueError):
        call()


def test_sizes():
    assert px.gamma(px.ones((3, 1)), px.ones((4,))).shape == (3, 4)
    assert px.uniform(px.zeros((4,)), 1.0, (2, 4)).shape == (2, 4)
    assert px.poisson(2.0).shape == ()
    assert px.gamma(2.0, size=(0, 3)).shape == (0, 3)
    with pytest.raises(px.ShapeError):
        px.gamma(px.ones((3,)), 1.0, (4,))


@pytest.mark.parametrize("dtype", [px.float16, px.bfloat16, px.float64])
def test_dtypes(dtype):
    for drawn in (
        px.gamma(2.0, size=(5,), dtype=dtype),
        px.gumbel(size=(5,), dtype=dtype),
        px.poisson(3.0, (5,), dtype=dtype),
    ):
        assert drawn.dtype == dtype
        assert drawn.isfinite().all()
