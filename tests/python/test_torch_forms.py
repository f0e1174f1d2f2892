"""What PyTorch users write: other forms of calls, nested checkpoints, and a whole script with another import."""

# shard: networks
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import phlox as px

SCRIPT = Path(__file__).parent / "scripts" / "spirals.py"


def test_what_is_said_of_the_memory_of_new_tensors():
    x = px.ones(1, 2, 3, 4)
    assert px.zeros_like(x, memory_format=px.preserve_format).stride() == x.stride()
    assert px.empty_like(x, memory_format=px.channels_last).stride() == (24, 1, 8, 2)
    assert px.zeros(2, 3, layout=px.strided, pin_memory=True).tolist() == [[0.0] * 3] * 2
    assert x.new_full((2,), 7.0, pin_memory=False).tolist() == [7.0, 7.0]
    assert px.normal(0.0, 1.0, (2, 3), layout=px.strided).shape == (2, 3)
    with pytest.raises(px.NotSupportedError, match="no sparse_coo tensors"):
        px.zeros(3, layout=px.sparse_coo)


def test_memory_in_another_order_of_dimensions():
    x = px.empty_permuted((2, 3, 4), (0, 2, 1), dtype=px.int32, pin_memory=False)
    assert x.shape == (2, 3, 4) and x.stride() == (12, 1, 3) and x.dtype == px.int32
    assert px.empty_permuted((), ()).shape == ()
    for order in ((0, 1), (0, 0, 1), (0, 1, 3), (-1, 0, 1)):
        with pytest.raises(ValueError, match="empty_permuted: .* is no order of 3 dimensions"):
            px.empty_permuted((2, 3, 4), order)


def test_random_integers_below_a_bound_like_another_tensor():
    x = px.randint_like(px.zeros(1000), 3)
    assert x.dtype == px.float32 and sorted(set(x.tolist())) == [0, 1, 2]
    assert set(px.randint_like(px.zeros(1000), 3, 5).tolist()) == {3, 4}
    assert px.randint_like(px.zeros(4), high=2, dtype=px.int64).dtype == px.int64


def test_factors_with_info():
    a = px.tensor([[1.0, 2.0], [3.0, 4.0]])
    factors, pivots = px.lu(a)
    p, lower, upper = px.lu_unpack(factors, pivots)
    assert (p @ lower @ upper).tolist() == a.tolist() and len(a.lu()) == 2
    infos = px.lu(px.tensor([[1.0, 2.0], [2.0, 4.0]]), get_infos=True)
    assert len(infos) == 3 and infos[2].item() == 2 and px.lu(a, get_infos=True)[2].item() == 0
    with pytest.raises(px.errors.LinAlgError, match="lu: the matrix is singular"):
        px.lu(px.zeros(2, 2))


def test_normalisations_with_their_statistics():
    x = px.from_numpy(np.random.default_rng(0).standard_normal((4, 6, 5)))
    weight, bias = px.arange(6.0, dtype=px.float64), px.ones(6, dtype=px.float64)
    F = px.nn.functional  # noqa: N806

    def same(statistics, dims, shape):
        mean, factor = statistics
        np.testing.assert_allclose(mean.numpy(), x.numpy().reshape(shape).mean(dims).reshape(mean.shape))
        variance = x.numpy().reshape(shape).var(dims).reshape(mean.shape)
        np.testing.assert_allclose(factor.numpy(), 1 / np.sqrt(variance + 1e-3))

    result, *statistics = px.native_layer_norm(x, (5,), None, None, 1e-3)
    assert (result == F.layer_norm(x, (5,), eps=1e-3)).all() and statistics[0].shape == (4, 6, 1)
    same(statistics, 2, (4, 6, 5))
    result, *statistics = px.native_group_norm(x, weight, bias, 4, 6, 5, 3, 1e-3)
    assert (result == F.group_norm(x, 3, weight, bias, 1e-3)).all() and statistics[0].shape == (4, 3)
    same(statistics, 2, (4, 3, 10))
    with pytest.raises(px.ShapeError, match="native_group_norm: the input is not one of 4 x 6 x 7"):
        px.native_group_norm(x, weight, bias, 4, 6, 7, 3, 1e-3)
    result, *statistics = px.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-3)
    assert (result == F.batch_norm(x, None, None, weight, bias, True, 0.1, 1e-3)).all()
    same(statistics, (0, 2), (4, 6, 5))
    running = px.zeros(6, dtype=px.float64), px.ones(6, dtype=px.float64)
    result, *statistics = px.native_batch_norm(x, weight, bias, *running, False, 0.1, 1e-3)
    assert (result == F.batch_norm(x, *running, weight, bias, eps=1e-3)).all()
    assert [s.shape for s in statistics] == [(0,), (0,)]


def test_modes_of_grid_samplers_are_numbers():
    rng = np.random.default_rng(0)
    image, grid = (
        px.from_numpy(rng.standard_normal((2, 3, 4, 5))),
        px.from_numpy(rng.uniform(-1.5, 1.5, (2, 3, 3, 2))),
    )
    F = px.nn.functional  # noqa: N806
    for i, mode in enumerate(("bilinear", "nearest", "bicubic")):
        for j, padding in enumerate(("zeros", "border", "reflection")):
            expected = F.grid_sample(image, grid, mode, padding, align_corners=True)
            assert (px.grid_sampler_2d(image, grid, i, j, True) == expected).all()
    with pytest.raises(ValueError, match="grid_sampler_2d: modes are 0, 1 or 2, not 3 and 0"):
        px.grid_sampler_2d(image, grid, 3, 0, False)
    with pytest.raises(px.ShapeError, match="grid_sampler_3d: takes 5 dimensions, not 4"):
        px.grid_sampler_3d(image, grid, 0, 0, False)


def test_tensors_of_many_dimensions():
    x = px.ones([1] * 31 + [2])
    assert x.ndim == 32 and (x + x).sum().item() == 4 and x.transpose(0, 31).shape[0] == 2
    assert px.from_numpy(np.ones([1] * 30)).ndim == 30
    with pytest.raises(px.ShapeError, match="33 dimensions"):
        x[None]


def test_layers_keep_sizes_that_are_none():
    x = px.zeros(1, 2, 5, 7)
    assert px.nn.AdaptiveAvgPool2d((None, 3))(x).shape == (1, 2, 5, 3)
    assert px.nn.AdaptiveMaxPool2d([2, None])(x).shape == (1, 2, 2, 7)


def test_truth_values_are_no_positions():
    with pytest.raises(TypeError, match="narrow: 'start' must be an integer"):
        px.narrow(px.ones(5, 4), 0, px.tensor(False), 2)
    with pytest.raises(TypeError, match="integer tensor of one element"):
        [1, 2][px.tensor(True)]


def test_positions_of_parts_are_a_list():
    assert [p.tolist() for p in px.tensor_split(px.arange(4), px.tensor([1, 3]))] == [[0], [1, 2], [3]]
    for positions in (px.ones(2, 2, dtype=px.int64), [[1, 2]]):
        with pytest.raises(
            px.ShapeError, match="tensor_split: positions are a list, not one of 2 dimensions"
        ):
            px.tensor_split(px.arange(4), positions)


def test_a_mean_keeps_its_fraction():
    with pytest.raises(px.DTypeError, match="mean: of dtype int64 it would have no fraction"):
        px.mean(px.ones(3), dtype=px.int64)
    assert px.mean(px.tensor([1, 2]), dtype=px.float64).item() == 1.5


def test_gradient_takes_one_spacing_for_each_dimension():
    x = px.arange(12.0).reshape(3, 4)
    assert px.gradient(x, spacing=0.5)[0].tolist() == [[8.0] * 4] * 3
    assert [g.tolist() for g in px.gradient(x, spacing=[2.0, 0.5])] == [[[2.0] * 4] * 3, [[2.0] * 4] * 3]
    with pytest.raises(px.ShapeError, match="1 spacings for 2 dimensions"):
        px.gradient(x, spacing=[0.5])


def test_alpha_scales_the_second_operand():
    x, y = px.tensor([1.0, 2.0], requires_grad=True), px.tensor([10, 20])
    total = px.add(x, y, alpha=0.5)
    assert total.tolist() == [6, 12] and x.sub(y, alpha=2).tolist() == [-19, -38]
    total.sum().backward()
    assert x.grad.tolist() == [1, 1]
    out = px.empty(2)
    assert px.add(x.detach(), 1, alpha=3, out=out) is out and out.tolist() == [4, 5]
    assert out.add_(y, alpha=0.1).sub_(1, alpha=2).tolist() == [3, 5]
    with pytest.raises(TypeError, match="bogus"):
        px.add(x, y, alpha=1, bogus=2)
    with pytest.raises(px.errors.TypeError, match="no argument 'alpha'"):
        px.mul(x, y, alpha=1)


def test_unbiased_is_the_old_name_of_a_correction():
    x = px.randn(3, 4)
    assert px.std(x, unbiased=False).item() == px.std(x, correction=0).item()
    assert px.equal(x.var(0, unbiased=True, keepdim=True), x.var(0, correction=1, keepdim=True))
    assert px.equal(px.var_mean(x, dim=1, unbiased=False)[0], x.var(1, correction=0))


def test_lists_of_tensors_without_brackets():
    a, b = px.randn(3, 4), px.randn(4, 5)
    assert px.equal(px.einsum("ij,jk->ik", a, b), px.einsum("ij,jk->ik", [a, b]))
    assert px.equal(px.einsum("ij->ji", a), a.T)
    rows, columns = px.meshgrid(px.arange(2), px.arange(3), indexing="ij")
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]] and columns.shape == (2, 3)
    assert [t.shape for t in px.broadcast_tensors(px.ones(3, 1), px.ones(4))] == [(3, 4), (3, 4)]
    assert px.block_diag(a, b).shape == (7, 9)
    assert px.cartesian_prod(px.arange(2), px.arange(3)).shape == (6, 2)
    with pytest.raises(px.errors.TypeError):
        px.cat(a, a)


def test_results_that_are_asked_for():
    x = px.tensor([3, 1, 3, 0])
    assert [p.tolist() for p in px.nonzero(x, as_tuple=True)] == [[0, 1, 2]]
    assert x.nonzero(as_tuple=False).shape == (3, 1)
    values, inverse, counts = px.unique(x, return_inverse=True, return_counts=True)
    assert values.tolist() == [0, 1, 3] and inverse.tolist() == [2, 1, 2, 0] and counts.tolist() == [1, 1, 2]
    assert x.unique(return_counts=True)[1].tolist() == [1, 1, 2]
    assert x.unique(return_inverse=True)[1].tolist() == inverse.tolist()
    assert px.unique(x, sorted=True).tolist() == [0, 1, 3]
    runs, lengths = px.unique_consecutive(px.tensor([1, 1, 2]), return_counts=True)
    assert runs.tolist() == [1, 2] and lengths.tolist() == [2, 1]


def test_one_number_stands_for_all_scales():
    image = px.ones(1, 1, 2, 3)
    assert px.nn.functional.interpolate(image, scale_factor=2).shape == (1, 1, 4, 6)
    assert px.nn.functional.interpolate(image, scale_factor=[2, 3.0]).shape == (1, 1, 4, 9)


def test_layers_of_a_dtype():
    layer = px.nn.Linear(2, 3, device="cpu", dtype=px.float64)
    assert layer.weight.dtype == layer.bias.dtype == px.float64 and layer(
        px.ones(2, dtype=px.float64)
    ).shape == (3,)
    assert px.nn.BatchNorm2d(4, dtype=px.bfloat16).running_mean.dtype == px.bfloat16


def test_padding_by_name():
    x = px.randn(1, 2, 7, 5)
    assert px.nn.Conv2d(2, 3, (3, 5), padding="same", dilation=(2, 1))(x).shape == (1, 3, 7, 5)
    assert px.nn.Conv2d(2, 3, 3, padding="valid")(x).shape == (1, 3, 5, 3)
    assert px.nn.Conv2d(2, 3, 2, padding="same")(x).shape == (1, 3, 7, 5)
    with pytest.raises(px.errors.ValueError, match="same"):
        px.nn.Conv2d(2, 3, 3, stride=2, padding="same")
    with pytest.raises(px.errors.ValueError, match="full"):
        px.nn.Conv1d(2, 3, 3, padding="full")


def test_the_class_makes_tensors():
    assert px.Tensor(2, 3).shape == (2, 3) and px.Tensor(4).shape == (4,) and px.Tensor([4]).tolist() == [4]
    assert px.Tensor().shape == (0,) and px.Tensor(px.ones(2)).tolist() == [1, 1]


def test_open_files():
    file = io.BytesIO()
    px.save({"best": np.float32(3), "seen": [np.int64(2), np.bool_(True)], "x": px.arange(2)}, file)
    file.seek(0)
    found = px.load(file)
    assert found["best"] == 3 and type(found["best"]) is float and found["seen"] == [2, True]
    assert found["x"].tolist() == [0, 1]
    for write, expected in (
        (lambda file: np.save(file, np.arange(2)), [0, 1]),
        (lambda file: np.savez(file, x=np.arange(2)), {"x": [0, 1]}),
    ):
        file = io.BytesIO()
        write(file)
        file.seek(0)
        found = px.load(file)
        assert (found.tolist() if isinstance(expected, list) else {"x": found["x"].tolist()}) == expected
    with pytest.raises(px.errors.FormatError, match="load: "):
        px.load(io.BytesIO(b"nothing"))
    for wrong in (3, io.StringIO()):
        with pytest.raises(px.errors.TypeError, match="save: a path or a file of bytes"):
            px.save({}, wrong)
        with pytest.raises(px.errors.TypeError, match="load: a path or a file of bytes"):
            px.load(wrong)


def test_checkpoints_come_back_as_they_were(tmp_path):
    net = px.nn.Linear(2, 3)
    optimizer = px.optim.Adam(net.parameters())
    net(px.ones(1, 2)).sum().backward()
    optimizer.step()
    given = {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": 0.5,
        "notes": ["a", None, True],
        "shape": (1, 2),
        7: {"model.weight": px.ones(1)},
        "a": {"b": px.zeros(1)},
        "a.b": px.ones(1),
    }
    px.save(given, tmp_path / "all.pt")
    found = px.load(tmp_path / "all.pt")
    assert list(found) == list(given)
    assert (found["epoch"], found["best"], found["notes"], found["shape"]) == (
        3,
        0.5,
        ["a", None, True],
        (1, 2),
    )
    assert found["a"]["b"].item() == 0 and found["a.b"].item() == 1 and found[7]["model.weight"].item() == 1
    other = px.nn.Linear(2, 3)
    other.load_state_dict(found["model"])
    again = px.optim.Adam(other.parameters())
    again.load_state_dict(found["optimizer"])
    assert px.equal(other.weight, net.weight)
    assert all(px.equal(v, again.state_dict()[k]) for k, v in optimizer.state_dict().items())

    missing = tmp_path / "missing"
    for path in (missing, missing / "x.npz", missing / "x.npy"):
        with pytest.raises(FileNotFoundError) as error:
            px.load(path)
        assert type(error.value) is px.errors.FileNotFoundError and isinstance(error.value, px.FileError)
    for read in (px.io.load_safetensors, px.io.load_npz, px.io.load_npy, px.io.load_metadata):
        with pytest.raises(FileNotFoundError):
            read(missing)
    with pytest.raises(FileNotFoundError):
        px.save({}, missing / "x")
    px.save(px.arange(3), tmp_path / "one.pt")
    assert px.load(tmp_path / "one.pt").tolist() == [0, 1, 2]
    px.save(net.state_dict(), tmp_path / "state.pt")
    assert px.io.load_metadata(tmp_path / "state.pt") == {}  # a plain state dict is plain safetensors
    for wrong in ({"x": {1.5: 2}}, {"x": object()}, object()):
        with pytest.raises(px.errors.TypeError):
            px.save(wrong, tmp_path / "wrong.pt")
    with pytest.raises(px.errors.TypeError, match="npz"):
        px.save({"epoch": 3}, tmp_path / "wrong.npz")
    assert not list(tmp_path.glob("wrong*"))


@pytest.mark.parametrize(
    "structure", ["{", '{"tensor": "b"}', '{"dict": [1]}', '{"other": 1}', '{"tensor": []}']
)
def test_a_structure_that_does_not_fit_is_an_error(tmp_path, structure):
    px.io.save_safetensors({"a": px.ones(1)}, tmp_path / "x.pt", {"phlox.structure": structure})
    with pytest.raises(px.FormatError, match="phlox.structure"):
        px.load(tmp_path / "x.pt")


def test_names_that_scripts_expect():
    px.backends.cudnn.benchmark = True
    assert not px.backends.mps.is_available() and not px.backends.cudnn.is_available()
    px.random.manual_seed(3)
    first = px.rand(2)
    px.manual_seed(3)
    assert px.equal(first, px.rand(2)) and px.initial_seed() == 3
    assert px.cuda.memory_allocated() == 0
    x = px.ones(2, requires_grad=True)
    px.utils.checkpoint.checkpoint(lambda y: (y * y).sum(), x, use_reentrant=False).backward()
    assert x.grad.tolist() == [2, 2]
    with px.autograd.set_detect_anomaly(True), pytest.raises(px.GradientError):
        (px.zeros(1, requires_grad=True).sqrt() * 0).sum().backward()
    px.autograd.set_detect_anomaly(False)
    (px.zeros(1, requires_grad=True).sqrt() * 0).sum().backward()


def test_a_usual_script_runs(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["best"] >= 0.95


def test_what_is_different_on_purpose():
    # docs/coming-from-pytorch.md says so.
    assert (px.tensor(2.0, dtype=px.float64) * px.ones(2)).dtype == px.float64
    assert issubclass(px.ShapeError, ValueError) and issubclass(px.GradientError, RuntimeError)
    assert px.arange(3)[::-1].stride() == (-1,) and px.ones(2, 3).flip(0).stride() == (-3, 1)
    for dtype in (px.uint16, px.uint32, px.uint64):
        assert px.sort(px.tensor([3, 1], dtype=dtype) + 1).values.tolist() == [2, 4]
    assert px.tensor([1, 2]).mean().item() == 1.5
    scores = px.randn(2, 3)
    labels = px.tensor([0, 2])
    assert px.equal(px.cross_entropy(scores, labels), px.cross_entropy(scores, labels.to(px.int32)))
    assert (px.tensor([5]) // 0).item() == 0 and px.tensor(float("nan")).int().item() == 0
    image = px.nn.Conv2d(3, 4, 1)(px.ones(2, 3, 4, 4))
    assert not image.is_contiguous() and image.view(2, -1).shape == (2, 64)
    x = px.ones(3, requires_grad=True)
    y = x * 2
    y[0] = 5
    y.sum().backward()
    assert x.grad.tolist() == [0, 2, 2]
    with px.no_grad():
        row = y[:1]
    with pytest.raises(px.GradientError, match=r"view that was made under no_grad\(\)"):
        row.mul_(x[:1])
    with pytest.raises(AttributeError, match="px.relu"):
        px.reluu  # noqa: B018


def test_assert_close():
    close = px.testing.assert_close
    close(px.ones(3), px.ones(3) + 1e-7)
    close({"a": [px.ones(2), 1]}, {"a": [np.ones(2, np.float32), 1]})
    close(px.tensor([1.0, float("nan")]), px.tensor([1.0, float("nan")]), equal_nan=True)
    close(px.tensor([True]), px.tensor([True]))
    close(px.ones(1), px.ones(1, dtype=px.float64), check_dtype=False)
    close(px.zeros(2), px.full((2,), 0.1), rtol=0, atol=0.2)
    for actual, expected, said in (
        (
            px.ones(2, 2),
            px.tensor([[1.0, 1.0], [2.5, 1.0]]),
            r"1 of 4 elements .* 1.5; the first, at \[1, 0\]: 1.0 and 2.5",
        ),
        (px.ones(2), px.ones(3), "shapes differ"),
        (px.ones(1), px.ones(1, dtype=px.float64), "dtypes differ"),
        (px.tensor([True]), px.tensor([False]), "True and False"),
        (px.tensor([1, 2]), px.tensor([1, 3]), "2 and 3"),
        (px.tensor(float("nan")), px.tensor(float("nan")), "not close"),
        ([1], [1, 2], "lengths differ"),
        ({"a": 1}, {"b": 1}, "keys differ"),
    ):
        with pytest.raises(AssertionError, match=said):
            close(actual, expected)
    with pytest.raises(AssertionError, match="^mine$"):
        close(1, 2, msg="mine")


def test_settings_that_change_nothing():
    for word in ("high", "medium", "highest"):
        px.set_float32_matmul_precision(word)
        assert px.get_float32_matmul_precision() == word
    with pytest.raises(px.errors.ValueError, match="not 'low'"):
        px.set_float32_matmul_precision("low")
