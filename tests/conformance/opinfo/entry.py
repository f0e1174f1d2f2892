"""The checks of one entry of PyTorch's OpInfo database. Each sample is passed, or says in a few words what is wrong."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from .tensors import Library, NotConvertible, as_array, difference, flattened, tolerance_of

EXACT_DTYPES = (torch.float64, torch.int64, torch.complex128, torch.bool)
REDUCED_DTYPES = (torch.float32, torch.bfloat16)
DERIVATIVE_TOLERANCE = (1e-6, 1e-8)
BATCHED_SAMPLES = 24  # of each entry; a call inside vmap is many

# Private functions of PyTorch and those that compile CUDA.
PRIVATE = re.compile(r"^_(?!_)|\._|torch\.ops|jiterator|triton")
# What they give is random, or memory as it is found: only dtype and shape can be compared.
RANDOM = set(
    """bernoulli cauchy exponential geometric log_normal normal uniform multinomial rand_like randint randint_like randn
    randn_like randperm poisson empty empty_like empty_strided empty_permuted new_empty new_empty_strided resize_ resize_as_
    pca_lowrank svd_lowrank nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d nn.functional.alpha_dropout
    nn.functional.feature_alpha_dropout nn.functional.rrelu nn.functional.fractional_max_pool2d
    nn.functional.fractional_max_pool3d nn.functional.multi_head_attention_forward""".split()
)
# Results that are free up to signs or rotations: the entry's own function takes that freedom away.
FREE = re.compile(r"(linalg\.(eig|eigh|svd|qr|lstsq|ldl_factor.*|lu.*)|svd|qr|geqrf|lu|lu_unpack)$")

# Which of equal elements is named first is free, so that positions are compared by the elements there.
POSITIONS = {"sort": 1, "argsort": 0, "topk": 1, "kthvalue": 1, "mode": 1}
# The argument of which one triangle is read, or that is taken for Hermitian: derivatives are compared along such matrices.
HERMITIAN = {"linalg.cholesky": 0, "linalg.cholesky_ex": 0, "linalg.eigh": 0}
TRIANGULAR = {"cholesky_inverse": 0, "cholesky_solve": 1, "triangular_solve": 1}

REFUSALS = (ValueError, TypeError, RuntimeError, IndexError, OverflowError)


class Outcomes:
    """What came of the samples of one check."""

    def __init__(self) -> None:
        self.samples = 0
        self.failed: list[str] = []

    def add(self, where: str, what: str | None) -> None:
        self.samples += 1
        if what is not None:
            self.failed.append(f"{where}: {what}")

    def as_dict(self) -> dict:
        return {"samples": self.samples, "failed": self.failed}


def brief(error: BaseException) -> str:
    text = str(error).split("\n")[0]
    return f"{type(error).__name__}: {text[:160]}"


def leaves_of(tree):
    return [x for x in tree_flatten(tree)[0] if isinstance(x, torch.Tensor) and x.requires_grad]


class EntryCheck:
    def __init__(self, entry, library: Library, checks: set[str]) -> None:
        self.entry, self.library, self.checks = entry, library, checks
        self.outcomes: dict[str, Outcomes] = {}
        self.function = library.function(entry)

    def run(self) -> dict:
        name = self.entry.name
        if PRIVATE.search(name):
            return {"status": "private"}
        if self.function is None:
            return {"status": "unresolved"}
        if name in RANDOM:
            self.each_sample("random", EXACT_DTYPES, self.same_shape)
            return self.result("random")
        if "forward" in self.checks:
            self.each_sample("forward", EXACT_DTYPES, self.same_result)
        if "reduced" in self.checks:
            self.each_sample("reduced", REDUCED_DTYPES, self.same_result)
        if self.entry.supports_autograd:
            if "gradient" in self.checks or "double_backward" in self.checks:
                self.each_sample(
                    "gradient", (torch.float64, torch.complex128), self.same_gradients, requires_grad=True
                )
            if "forward_mode" in self.checks and self.entry.supports_forward_ad:
                self.each_sample("forward_mode", (torch.float64,), self.same_tangents, requires_grad=True)
        if "vmap" in self.checks:
            self.each_sample("vmap", (torch.float64,), self.vmap_is_a_loop, limit=BATCHED_SAMPLES)
        if "errors" in self.checks and self.entry.error_inputs_func is not None:
            self.refuses_bad_input()
        return self.result("checked")

    def result(self, status: str) -> dict:
        return {"status": status, "checks": {name: o.as_dict() for name, o in self.outcomes.items()}}

    def add(self, check: str, where: str, what: str | None) -> None:
        self.outcomes.setdefault(check, Outcomes()).add(where, what)

    def each_sample(self, check, dtypes, judge, requires_grad=False, limit=None):
        for dtype in dtypes:
            if dtype not in self.entry.supported_dtypes("cpu"):
                continue
            torch.manual_seed(0)
            for number, sample in enumerate(
                self.entry.sample_inputs("cpu", dtype, requires_grad=requires_grad)
            ):
                if number == limit:
                    break
                where = f"{str(dtype).removeprefix('torch.')} {number}"
                try:
                    what = judge(sample, dtype, where)
                except NotConvertible as error:
                    what = f"not convertible: {error}"
                except Exception as error:  # whatever a library throws is an answer
                    what = brief(error)
                if what != "nothing to compare":
                    self.add(check, where, what)

    def call_both(self, sample):
        """The results of both libraries, and the arguments of ours."""
        arguments = (sample.input, sample.args, sample.kwargs)
        ours = self.library.tree(arguments)
        if self.entry.name.endswith("_") and not self.entry.name.endswith(
            "__"
        ):  # it writes into shared memory
            arguments = torch.utils._pytree.tree_map_only(torch.Tensor, torch.Tensor.clone, arguments)
        want = self.entry(arguments[0], *arguments[1], **arguments[2])
        got = self.function(ours[0], *ours[1], **ours[2])
        if FREE.match(self.entry.name):
            want, got = sample.output_process_fn_grad(want), sample.output_process_fn_grad(got)
        return got, want, ours

    def same_shape(self, sample, dtype, where):
        got, want, _ = self.call_both(sample)
        ours, theirs = flattened(got), flattened(want)
        describe = lambda x: (str(x.dtype).rpartition(".")[2], tuple(x.shape))  # noqa: E731
        ours, theirs = [describe(x) for x in ours], [describe(x) for x in theirs]
        return None if ours == theirs else f"{ours}, not {theirs}"

    def same_result(self, sample, dtype, where):
        if sample.kwargs.get("dropout_p", 0) > 0:
            return self.same_shape(sample, dtype, where)
        got, want, _ = self.call_both(sample)
        exact = None
        if dtype not in (torch.complex128, torch.bool) and not FREE.match(self.entry.name):
            exact = self.in_double(sample, dtype, want)
        if self.entry.name in POSITIONS:
            got, want = self.elements_at(got, sample), self.elements_at(want, sample)
            exact = None
        return difference(got, want, tolerance_of(self.entry, dtype), exact, widen=True)

    def elements_at(self, result, sample):
        """A result with the elements that its positions name in their place."""
        result = flattened(result)
        place = POSITIONS[self.entry.name]
        positions = torch.from_numpy(np.array(as_array(result[place])[1]))
        before = 1 if self.entry.name in ("topk", "kthvalue") else 0
        dim = sample.kwargs.get("dim", sample.args[before] if len(sample.args) > before else -1)
        source = sample.input.detach()
        if source.ndim == 0:
            result[place] = source.reshape(1)[positions]
        elif positions.ndim < source.ndim:
            result[place] = source.gather(dim, positions.unsqueeze(dim)).squeeze(dim)
        else:
            result[place] = source.gather(dim, positions)
        return result

    def along_matrices(self, sample, derivatives):
        """Derivatives, or the directions of tangents, as far as they stay within the matrices that the entry takes."""
        derivatives = list(derivatives)
        if (i := HERMITIAN.get(self.entry.name)) is not None:
            derivatives[i] = (derivatives[i] + derivatives[i].mH) / 2
        if (i := TRIANGULAR.get(self.entry.name)) is not None:
            flags = dict(zip(("upper", "transpose", "unitriangular"), sample.args[i:])) | sample.kwargs
            upper = flags.get("upper", self.entry.name == "triangular_solve")
            diagonal = 1 if flags.get("unitriangular") else 0
            x = derivatives[i]
            derivatives[i] = x.triu(diagonal) if upper else x.tril(-diagonal)
        return derivatives

    def in_double(self, sample, dtype, want):
        """PyTorch's result from the same numbers in float64; None when it cannot say."""
        floats = (torch.float32, torch.bfloat16)
        widen = lambda t: t.double() if t.dtype in floats else t  # noqa: E731
        wide = list(
            torch.utils._pytree.tree_map_only(torch.Tensor, widen, (sample.input, sample.args, sample.kwargs))
        )
        if dtype == torch.int64 and isinstance(wide[0], torch.Tensor):
            wide[0] = wide[0].double()
        if wide[2].get("dtype") in floats:  # of what is made from numbers
            wide[2] = {**wide[2], "dtype": torch.float64}
        try:
            exact = self.entry(wide[0], *wide[1], **wide[2])
        except Exception:
            return None
        shapes = [[getattr(x, "shape", None) for x in flattened(t)] for t in (exact, want)]
        return exact if shapes[0] == shapes[1] else None

    def same_gradients(self, sample, dtype, where):
        leaves = leaves_of((sample.input, sample.args, sample.kwargs))
        if not leaves or sample.kwargs.get("dropout_p", 0) > 0:
            return "nothing to compare"
        got, want, ours = self.call_both(sample)
        our_leaves = [x for x in tree_flatten(ours)[0] if self.library.carries_gradient(x)]
        got, want = flattened(got), flattened(want)
        chosen = [i for i, t in enumerate(want) if isinstance(t, torch.Tensor) and t.requires_grad]
        if not chosen:
            return "nothing to compare"
        if len(got) != len(want):
            return f"{len(got)} results, not {len(want)}"
        got, want = [got[i] for i in chosen], [want[i] for i in chosen]
        weights = [torch.randn_like(t, requires_grad=True) for t in want]
        our_weights = [self.library.leaf(w) for w in weights]
        twice = "double_backward" in self.checks and self.entry.supports_gradgrad
        first = torch.autograd.grad(want, leaves, weights, allow_unused=True, create_graph=twice)
        our_first = self.gradients(got, our_leaves, our_weights, create_graph=twice)
        ours_filled = [as_torch(x) for x in filled(our_first, leaves)]
        what = difference(
            self.along_matrices(sample, ours_filled),
            self.along_matrices(sample, filled(first, leaves)),
            DERIVATIVE_TOLERANCE,
        )
        if twice and what is None:
            try:
                second = self.same_second(
                    sample, first, our_first, [*leaves, *weights], [*our_leaves, *our_weights]
                )
            except Exception as error:
                second = brief(error)
            if second != "nothing to compare":
                self.add("double_backward", where, second)
        return what

    def gradients(self, outputs, inputs, weights, create_graph=False):
        carrying = [i for i, o in enumerate(outputs) if self.library.carries_gradient(o)]
        if not carrying:  # as good as a gradient of zeros
            return [None] * len(inputs)
        return self.library.module.autograd.grad(
            [outputs[i] for i in carrying],
            inputs,
            [weights[i] for i in carrying],
            allow_unused=True,
            create_graph=create_graph,
        )

    def same_second(self, sample, first, our_first, inputs, our_inputs):
        chosen = [i for i, g in enumerate(first) if g is not None and g.requires_grad]
        if not chosen:  # constant gradients: ours have no derivative but zeros either
            ours = [g for g in our_first if g is not None and g.requires_grad]
            if not ours:
                return None
            found = self.gradients(ours, our_inputs, [g.detach() + 1 for g in ours])
            return None if all(g is None or not g.any() for g in found) else "second derivatives of constants"
        weights = self.along_matrices(sample, [torch.randn_like(x) for x in inputs[: len(first)]])
        weights = [weights[i] for i in chosen]
        second = torch.autograd.grad([first[i] for i in chosen], inputs, weights, allow_unused=True)
        our_weights = [self.library.leaf(w) for w in weights]
        our_second = self.gradients([our_first[i] for i in chosen], our_inputs, our_weights)
        return difference(
            self.along_matrices(sample, [as_torch(x) for x in filled(our_second, inputs)]),
            self.along_matrices(sample, filled(second, inputs)),
            DERIVATIVE_TOLERANCE,
        )

    def same_tangents(self, sample, dtype, where):
        arguments = (sample.input, sample.args, sample.kwargs)
        leaves = leaves_of(arguments)
        if not leaves:
            return "nothing to compare"
        tangents = self.along_matrices(sample, [torch.randn_like(t) for t in leaves])
        ours = self.library.tree(arguments)
        want = self.forward_mode(torch, self.entry, arguments, leaves, tangents, sample)
        our_leaves = [x for x in tree_flatten(ours)[0] if self.library.carries_gradient(x)]
        our_tangents = [self.library.leaf(t) for t in tangents]
        got = self.forward_mode(self.library.module, self.function, ours, our_leaves, our_tangents, sample)
        return difference(got, want, DERIVATIVE_TOLERANCE)

    def forward_mode(self, module, function, arguments, leaves, tangents, sample):
        flat, structure = tree_flatten(arguments)
        places = [i for i, x in enumerate(flat) if any(x is leaf for leaf in leaves)]

        def of_leaves(*given):
            values = list(flat)
            for place, value in zip(places, given):
                values[place] = value
            x, args, kwargs = tree_unflatten(values, structure)
            result = function(x, *args, **kwargs)
            if FREE.match(self.entry.name):
                result = sample.output_process_fn_grad(result)
            floating = lambda t: isinstance(t, module.Tensor) and (t.is_floating_point() or t.is_complex())  # noqa: E731
            return tuple(t for t in flattened(result) if floating(t))

        primals = tuple(flat[i].detach() for i in places)
        return module.func.jvp(of_leaves, primals, tuple(tangents))[1]

    def vmap_is_a_loop(self, sample, dtype, where):
        """Floating arguments come twice, as they are and three quarters as large; every second sample, integers do too."""
        ours = self.library.tree((sample.input, sample.args, sample.kwargs))
        flat, structure = tree_flatten(ours)
        with_integers = int(where.rpartition(" ")[2]) % 2 == 1
        places = [
            i
            for i, x in enumerate(flat)
            if self.library.is_tensor(x) and (x.is_floating_point() or (with_integers and x.ndim > 0))
        ]
        if not places:
            return "nothing to compare"
        pairs = [(flat[i], flat[i] * 0.75 if flat[i].is_floating_point() else flat[i]) for i in places]

        def function(*given):
            values = list(flat)
            for place, value in zip(places, given):
                values[place] = value
            x, args, kwargs = tree_unflatten(values, structure)
            result = self.function(x, *args, **kwargs)
            if FREE.match(self.entry.name):
                result = sample.output_process_fn_grad(result)
            return tuple(t for t in flattened(result) if self.library.is_tensor(t))

        stack = self.library.module.stack
        try:
            loop = [function(*(pair[i] for pair in pairs)) for i in (0, 1)]
            looped = [stack([a, b]) for a, b in zip(*loop)]
        except Exception:  # no sample, or results that depend on the values in their shapes
            return "nothing to compare"
        if not looped:
            return "nothing to compare"
        batched = self.library.module.vmap(function)(*(stack(list(pair)) for pair in pairs))
        return difference(list(batched), looped, (1e-9, 1e-9))

    def refuses_bad_input(self):
        for number, bad in enumerate(self.entry.error_inputs("cpu")):
            sample, where = bad.sample_input, f"error {number}"
            try:
                x, args, kwargs = self.library.tree((sample.input, sample.args, sample.kwargs))
            except Exception:
                continue
            try:
                self.function(x, *args, **kwargs)
            except REFUSALS:
                self.add("errors", where, None)
            except Exception as error:
                self.add("errors", where, f"{brief(error)} (not a typed error)")
            else:
                regular = str(getattr(bad, "error_regex", ""))[:100]
                refused = self.is_refused_by_pytorch(sample)
                self.add(
                    "errors",
                    where,
                    f"accepted, {'where PyTorch says: ' + regular if refused else 'as by PyTorch'}",
                )

    def is_refused_by_pytorch(self, sample) -> bool:
        """Some samples ask another function than the one that they name: (2).__rsub__(3) is a method of int."""
        try:
            self.entry(sample.input, *sample.args, **sample.kwargs)
        except Exception:
            return True
        return False


def as_torch(value) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    name, array = as_array(value)
    return torch.from_numpy(np.array(array)).to(getattr(torch, name))


def filled(gradients, leaves):
    """Gradients with zeros where there are none."""
    return [torch.zeros_like(leaf) if g is None else g for g, leaf in zip(gradients, leaves)]
