"""What captured `if`, `while` and `for` become: nodes of the graph that is being captured. Reads of the program are noted."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from types import BuiltinMethodType, MethodType
from typing import Any

from . import _phlox
from ._control_flow import truth
from ._exact_numbers import Number, call, differ_in_kind, rank, takes_numbers
from ._failure import fail
from ._phlox import Tensor
from ._structures import PLAIN, REGISTERED, bits, frozen, is_container, text_of
from .capture import ANYTHING, Backend, Place, Undefined, refuse
from .capture._backend import current, place

MOST_ATTEMPTS = 6  # at finding types of loop variables that no longer change


_METHODS = (MethodType, BuiltinMethodType, type(_phlox.Generator().manual_seed))


class _Leaf:
    """A tensor of this position; a number stands for one of any dtype. One that is `mixed` is a tensor on other ways."""

    def __init__(self, position: int, number: Any = None):
        self.position, self.number = position, number
        self.mixed = False
        self.loose = getattr(number, "loose", False)  # see Number

    @property
    def is_number(self) -> bool:
        """Whether it stays a number of the program."""
        return self.number is not None and not self.mixed

    def meet(self, other: _Leaf) -> None:
        """It is what the other one is, too."""
        self.mixed = not other.is_number or self.mixed
        if self.is_number and (isinstance(self.number, complex) or isinstance(other.number, complex)):
            refuse("complex_number")
        self.loose = (
            self.loose or other.loose or (self.is_number and differ_in_kind(self.number, other.number))
        )


class _Static:
    def __init__(self, value: Any):
        self.value = value


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex))


def _as_tensor(value: Any) -> Tensor:
    """A number of the program as a tensor."""
    return _phlox.as_tensor(value) if isinstance(value, complex) else Number(value).plain()


def _template(value: Any, tensors: list[Tensor]) -> Any:
    """The value with leaves for tensors and numbers, which are appended as tensors."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _Leaf(len(tensors) - 1, value if isinstance(value, Number) else None)
    if _is_number(value):
        tensors.append(_as_tensor(value))
        return _Leaf(len(tensors) - 1, value)
    if type(value) in (list, tuple):
        return type(value)(_template(part, tensors) for part in value)
    if type(value) is dict:
        return {key: _template(part, tensors) for key, part in value.items()}
    return _Static(value)


def _filled(template: Any, tensors: Sequence[Tensor]) -> Any:
    if isinstance(template, _Leaf):
        tensor = tensors[template.position]
        return Number(tensor, template.loose) if template.is_number else tensor
    if isinstance(template, _Static):
        return template.value
    if isinstance(template, dict):
        return {key: _filled(part, tensors) for key, part in template.items()}
    return type(template)(_filled(part, tensors) for part in template)


class _Branch:
    """One side of a condition, captured by itself."""

    def __init__(self, function: Callable[[], list]):
        self.template: Any = None

        def run(_: list[Tensor]) -> list[Tensor]:
            tensors: list[Tensor] = []
            self.template = _template(list(function()), tensors)
            return tensors

        self.part = _phlox._capture_part(run, [])
        self.choices: list[tuple[int, bool]] = []


class Range:
    """range() of which an argument is a tensor."""

    def __init__(self, *arguments: Any):
        start, stop, step = (0, arguments[0], 1) if len(arguments) == 1 else (*arguments, 1)[:3]
        for argument in arguments:
            if isinstance(argument, Tensor) and not _is_integer(argument):
                fail(
                    "TypeError",
                    "wrong_argument_type",
                    f"range: an integer is expected, not {argument.dtype.short_name}",
                    hint="range(int(n))" if isinstance(argument, Number) else "range(n.to(px.int64))",
                )
        self.start, self.step = start, step
        if isinstance(step, Tensor) or step != 1:
            count = -((start - stop) // step)
        else:
            count = stop - start if isinstance(start, Tensor) or start != 0 else stop
        count = _phlox.as_tensor(count).to(_phlox.dtypes["int64"])
        self.count = count.reshape(()).clamp_min(0)


def _is_integer(tensor: Tensor) -> bool:
    return not (tensor.dtype.is_floating_point or tensor.dtype.is_complex)


class GraphBackend(Backend):
    """Makes nodes of the graph that is being captured."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, Any, Any, Any, Place]] = []
        self.in_script = False
        self.raised: dict[str, BaseException] = {}  # by the text of the check that stands for it
        self._chosen: dict[int, Tensor] = {}  # that may be one of several, by the way that is taken
        self._held: list[tuple[Any, Any, Place]] = []  # containers that were read, and what they held then

    # --- what is symbolic

    def is_symbolic(self, value: Any) -> bool:
        return isinstance(value, Tensor)

    def is_symbolic_iterable(self, value: Any) -> bool:
        return isinstance(value, Range)

    def length(self, value: Range) -> Tensor:
        return value.count

    def item(self, value: Range, index: Any) -> Any:
        scaled = index if not isinstance(value.step, Tensor) and value.step == 1 else index * value.step
        return scaled if not isinstance(value.start, Tensor) and value.start == 0 else scaled + value.start

    def range(self, *arguments: Any) -> Range:
        return Range(*arguments)

    def callee(self, target: Any, otherwise: Any = None) -> Any:
        if any(target is known for known in (any, all, max, min)):
            return functools.partial(self._among, target)
        otherwise = target if otherwise is None else otherwise
        return functools.partial(call, target, otherwise) if takes_numbers(target) else otherwise

    def element(self, owner: Any, key: Any, value: Any) -> None:
        keys = key if type(key) is tuple else (key,)
        places = [k for k in keys if isinstance(k, (Tensor, list)) or hasattr(k, "__array_interface__")]
        if places and all(isinstance(k, Tensor) and k.ndim == 0 and rank(k.dtype) == 1 for k in places):
            # Eagerly it is a view, as that of an int; here it is taken from where the number says.
            _phlox._note_view(value, owner, lambda: owner[key])

    def kind(self, value: Any) -> str:
        return f"a {value.dtype} tensor" if isinstance(value, Tensor) else super().kind(value)

    # --- conditions

    def cond(
        self,
        test: Any,
        true_function: Callable[[], list],
        false_function: Callable[[], list],
        names: Sequence[str],
        place: Place,
    ) -> list:
        _refuse_in_vmap()
        condition = truth(test)
        yes, no = _Branch(true_function), _Branch(false_function)
        merged = [self._merge(a, b, yes, no) for a, b in zip(yes.template, no.template)]
        results = _phlox._add_cond(condition, yes.part, yes.choices, no.part, no.choices)
        return _filled(merged, self._noted(results))

    def _noted(self, tensors: list[Tensor]) -> list[Tensor]:
        """What comes out of a branch or a turn of a loop; eagerly each may be a tensor that exists."""
        self._chosen.update((id(tensor), tensor) for tensor in tensors)
        return tensors

    def _merge(self, a: Any, b: Any, yes: _Branch, no: _Branch) -> Any:
        if isinstance(a, _Leaf) and isinstance(b, _Leaf):
            if (
                _is_number(a.number)
                and type(a.number) is type(b.number)
                and bool(bits(a.number) == bits(b.number))
            ):
                return _Static(a.number)
            return self._choose(a, b, yes, no)
        if isinstance(a, _Static) and a.value is ANYTHING:
            return self._one_sided(b, no, yes)
        if isinstance(b, _Static) and b.value is ANYTHING:
            return self._one_sided(a, yes, no)
        for side in (a, b):
            if isinstance(side, _Static) and isinstance(side.value, Undefined):
                return side
        if isinstance(a, (list, tuple)) and type(a) is type(b) and len(a) == len(b):
            return type(a)(self._merge(x, y, yes, no) for x, y in zip(a, b))
        if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
            return {key: self._merge(a[key], b[key], yes, no) for key in a}
        return a

    @staticmethod
    def _choose(a: _Leaf, b: _Leaf, yes: _Branch, no: _Branch) -> _Leaf:
        yes.choices.append((a.position, a.number is not None))
        no.choices.append((b.position, b.number is not None))
        if a.number is None or b.number is None:
            return _Leaf(len(yes.choices) - 1)
        made = _Leaf(len(yes.choices) - 1, a.number)
        made.meet(b)
        return made

    def _one_sided(self, value: Any, having: _Branch, lacking: _Branch) -> Any:
        """The value of the one side; on the other anything will do."""
        if isinstance(value, _Leaf):
            having.choices.append((value.position, False))
            lacking.choices.append((-1, False))
            made = _Leaf(len(having.choices) - 1, value.number)  # a number stays one
            made.loose, made.mixed = value.loose, value.mixed
            return made
        if isinstance(value, dict):
            return {key: self._one_sided(part, having, lacking) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self._one_sided(part, having, lacking) for part in value)
        return value

    def _among(self, target: Any, *arguments: Any, **keywords: Any) -> Any:
        """any(), all(), max() and min() of values of which some are tensors."""
        values = list(arguments[0]) if len(arguments) == 1 else list(arguments)
        given = (values,) if len(arguments) == 1 else arguments
        if keywords or not any(isinstance(v, Tensor) for v in values):
            return target(*given, **keywords)
        if target in (any, all):
            return self._any_or_all(target, values)
        if len(values) > 1 and all(isinstance(v, Number) or _is_number(v) for v in values):
            return call(target, target, *values)
        found = values[0]
        for value in values[1:]:
            better = value > found if target is max else value < found
            found = self.cond(
                better,
                functools.partial(list, (value,)),
                functools.partial(list, (found,)),
                ["the value of the expression"],
                place(),
            )[0]
        return found

    @staticmethod
    def _any_or_all(target: Any, values: list[Any]) -> Any:
        join = _phlox.logical_or if target is any else _phlox.logical_and
        return Number(functools.reduce(join, map(truth, values)))

    def logical_and(self, left: Any, right: Callable[[], Any], place: Place) -> Any:
        return self.cond(left, lambda: [right()], lambda: [left], [".value"], place)[0]

    def logical_or(self, left: Any, right: Callable[[], Any], place: Place) -> Any:
        return self.cond(left, lambda: [left], lambda: [right()], [".value"], place)[0]

    def logical_not(self, value: Any) -> Any:
        return Number(_phlox.bitwise_not(truth(value)))

    def is_same(self, left: Any, right: Any) -> Any:
        if left is right:
            return True
        if isinstance(right, Number) and not isinstance(left, Number):
            left, right = right, left
        if isinstance(left, Number):
            if isinstance(right, bool) and not left.loose:
                is_bool = left.dtype is _phlox.dtypes["bool"]
                return is_bool and (left if right else self.logical_not(left))
            if isinstance(right, Number) or _is_number(right):
                refuse("identity", what="two numbers")
        elif isinstance(left, Tensor) and isinstance(right, Tensor) and self._may_be_same(left, right):
            refuse("identity", what="two tensors")
        return False

    def _may_be_same(self, left: Tensor, right: Tensor) -> bool:
        if id(left) in self._chosen or id(right) in self._chosen:
            return True
        # An argument may be the tensor around at another call.
        session = current.session
        return session is not None and any(
            session.is_given(a) and not session.is_given(b) and _phlox._is_around(b)
            for a, b in ((left, right), (right, left))
        )

    def assert_(self, test: Any, message: Callable[[], Any] | None, source: str, place: Place) -> None:
        said: Any = "" if message is None else message()
        if isinstance(said, type) and issubclass(said, BaseException):
            said = said()
        exception = said if isinstance(said, BaseException) and type(said) is not AssertionError else None
        if exception is not None:
            said = ": ".join(filter(None, (type(said).__name__, str(said))))
        text = f"line {place.line} of {place.function}(): {said or source}"
        if exception is not None and _can_be_raised_again(exception):
            self.raised[text] = exception
        _phlox._require(truth(test), text)

    # --- loops

    def while_loop(
        self,
        test: Callable[[list], Any],
        body: Callable[[list], list],
        names: Sequence[str],
        initial: list,
        place: Place,
    ) -> list:
        _refuse_in_vmap()
        state = _LoopState(names, initial, place)
        state.settle(lambda tensors: body(state.values(self._noted(tensors))))
        results = _phlox._while_loop(
            lambda tensors: truth(test(state.values(self._noted(tensors)))),
            lambda tensors: state.tensors_of(body(state.values(self._noted(tensors)))),
            state.tensors,
        )
        return state.after(self._noted(results))

    def for_loop(
        self,
        count: Any,
        body: Callable[[Any, list], list],
        names: Sequence[str],
        initial: list,
        place: Place,
    ) -> list:
        _refuse_in_vmap()
        state = _LoopState(names, initial, place)
        index = _phlox.as_tensor(0)
        state.settle(lambda tensors: body(Number(index), state.values(self._noted(tensors))))
        results = _phlox._for_loop(
            _phlox.as_tensor(count),
            lambda i, tensors: state.tensors_of(body(Number(i), state.values(self._noted(tensors)))),
            state.tensors,
        )
        return state.after(self._noted(results))

    # --- the program around

    def observe(self, kind: str, owner: Any, name: Any, value: Any, place: Place) -> None:
        if isinstance(owner, tuple) or type(owner) in REGISTERED:  # never changes
            return
        if isinstance(value, _METHODS) and getattr(value, "__self__", None) is owner:  # the program's text
            return
        if isinstance(owner, _phlox.Optimizer) and name in (
            "param_groups",
            "defaults",
        ):  # it notes its use itself
            return
        self.reads.append((kind, owner, name, value, place))
        if kind != "contents" and is_container(value):
            self._held.append((value, frozen(value), place))

    def check_unchanged(self) -> None:
        """Refuses changes of containers that nobody reported, such as those that reading a defaultdict makes."""
        self._chosen.clear()
        for value, before, where in self._held:
            if frozen(value) != before:
                fail(
                    "GraphError",
                    "not_capturable",
                    f"{_name_of(value)}, which line {where.line} of {where.function}() reads, is changed by the captured function, "
                    "though it exists outside",
                    hint=_INSTEAD_OF_CHANGES,
                )

    def observe_function(self, function: Any, place: Place) -> None:
        self.reads.append(("function", function, function.__name__, text_of(function), place))

    def mutate(self, kind: str, owner: Any, name: Any, value: Any, place: Place) -> None:
        if isinstance(owner, Tensor) and name == "grad":
            return  # part of the graph
        if (
            kind == "item" and type(owner).__module__ == "phlox.optim"
        ):  # a group of parameters, which says itself
            return
        if isinstance(owner, Tensor) and kind == "attribute" and not _phlox._is_around(owner):
            fail(
                "GraphError",
                "not_capturable",
                f"line {place.line} of {place.function}() sets `.{name}` of a tensor, which a graph does not keep",
                hint="a variable of the function, or set it after the call",
            )
        what = {"attribute": f"`.{name}` of {_name_of(owner)}", "item": f"an item of {_name_of(owner)}"}.get(
            kind, f"{_name_of(owner)} by {name}()" if kind == "method" else f"the variable `{name}`"
        )
        fail(
            "GraphError",
            "not_capturable",
            f"line {place.line} of {place.function}() changes {what}, which exists outside of the captured function",
            hint=_INSTEAD_OF_CHANGES,
        )


def _can_be_raised_again(exception: BaseException) -> bool:
    """Whether a copy is the same exception, and holds nothing that is of the capture only, such as a tensor."""
    try:
        again = copy.copy(exception)
    except Exception:  # what its __init__() makes of its arguments is not one of them
        return False
    same = type(again) is type(exception) and again.args == exception.args
    return same and all(isinstance(v, PLAIN) for v in (*exception.args, *vars(exception).values()))


_INSTEAD_OF_CHANGES = "return the new value; or keep it in a tensor and write into that: state.copy_(value)"


def _refuse_in_vmap() -> None:
    if not _phlox._is_capturing():
        fail(
            "GraphError",
            "not_capturable",
            "a condition on a tensor inside of vmap() differs between samples",
            hint="px.where(condition, a, b); or px.map(), one sample after the other",
        )


def _name_of(owner: Any) -> str:
    name = type(owner).__name__
    return f"{'an' if name[0] in 'aeiouAEIO' else 'a'} {name}"


class _LoopState:
    """The variables of a loop: tensors that go round, and values that stay."""

    def __init__(self, names: Sequence[str], initial: list, place: Place):
        self.names, self.place = names, place
        self.tensors: list[Tensor] = []
        self.template = _template(list(initial), self.tensors)
        self.weak = _weak_positions(self.template)

    def values(self, tensors: Sequence[Tensor]) -> list:
        # What was a number may be changed by +=, like one.
        fresh = [t.clone() if i in self.weak else t for i, t in enumerate(tensors)]
        return _filled(self.template, fresh)

    def settle(self, turn: Callable[[list[Tensor]], list]) -> None:
        """Runs the body until its results have the types of the state: numbers and what is not known yet take those."""
        for _ in range(MOST_ATTEMPTS):
            found: list[tuple[Any, list[tuple[Any, Any]]]] = []

            def run(tensors: list[Tensor]) -> list[Tensor]:
                new = turn(tensors)
                made: list[Tensor] = []
                template = _template(list(new), made)
                found.append((template, [(t.dtype, tuple(t.shape)) for t in made]))
                return made

            _phlox._capture_part(run, self.tensors)
            template, types = found[0]
            if not self._adopt(template, types):
                return

    def _adopt(self, after: Any, types: list[tuple[Any, Any]]) -> bool:
        """Takes over the types of weak variables; whether anything changed."""
        changed = False
        for i, (mine, new) in enumerate(zip(self.template, after)):
            if isinstance(mine, _Static) and mine.value is ANYTHING and not (isinstance(new, _Static)):
                zeros = [_phlox.zeros(shape, dtype=dtype) for dtype, shape in types]
                filled = _filled(new, zeros)
                self.template[i] = _template(filled, self.tensors)
                self.weak = _weak_positions(self.template)
                changed = True
        weak = _weak_positions(after)
        for mine, found in _pairs(self.template, after):
            position, new = mine.position, found.position
            dtype, shape = types[new]
            tensor = self.tensors[position]
            if mine.is_number:
                before = mine.mixed, mine.loose
                mine.meet(found)
                changed |= before != (mine.mixed, mine.loose)
            if new in weak or rank(dtype) < rank(tensor.dtype):  # 1.5 stays what it is where a turn gives 2
                dtype = _phlox.promote_types(dtype, tensor.dtype)
            if position in self.weak and (tensor.dtype != dtype or tuple(tensor.shape) != shape):
                self.tensors[position] = tensor.to(dtype).expand(shape) if tensor.ndim == 0 else tensor
                changed = True
        return changed

    def tensors_of(self, values: list) -> list[Tensor]:
        made: list[Tensor] = []
        after = _template(list(values), made)
        self._check(self.template, after, self.names)
        ordered = {mine.position: new.position for mine, new in _pairs(self.template, after)}
        return [
            made[ordered[i]]
            if made[ordered[i]].dtype == t.dtype or i not in self.weak
            else made[ordered[i]].to(t.dtype)
            for i, t in enumerate(self.tensors)
        ]

    def _check(self, before: Any, after: Any, names: Sequence[str]) -> None:
        for name, a, b in zip(names, before, after):
            if _shape_of(a) != _shape_of(b) and not _stays(a, b):
                fail(
                    "GraphError",
                    "not_capturable",
                    f"`{name}` is another kind of value after a turn of the loop in line {self.place.line}",
                    hint="a loop that depends on a tensor keeps the structure of its variables; collect results by writing "
                    "into a tensor: out[i] = x",
                )

    def after(self, results: list[Tensor]) -> list:
        return [
            Undefined(name, "in a loop that depends on a tensor", self.place.line)
            if isinstance(part, _Static) and isinstance(part.value, Undefined)
            else _filled(part, results)
            for name, part in zip(self.names, self.template)
        ]


def _stays(before: Any, after: Any) -> bool:
    if not isinstance(before, _Static):
        return False
    if isinstance(before.value, Undefined) or before.value is ANYTHING:
        return True
    return isinstance(after, _Static) and before.value is after.value


def _shape_of(template: Any) -> Any:
    if isinstance(template, _Leaf):
        return "tensor"
    if isinstance(template, _Static):
        return id(template.value)
    if isinstance(template, dict):
        return {key: _shape_of(part) for key, part in template.items()}
    return [type(template), *map(_shape_of, template)]


def _pairs(before: Any, after: Any) -> list[tuple[_Leaf, _Leaf]]:
    """Leaves that stand at the same place."""
    if isinstance(before, _Leaf):
        return [(before, after)] if isinstance(after, _Leaf) else []
    if isinstance(before, dict) and isinstance(after, dict):
        return [pair for key in before if key in after for pair in _pairs(before[key], after[key])]
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)):
        return [pair for a, b in zip(before, after) for pair in _pairs(a, b)]
    return []


def _weak_positions(template: Any) -> set[int]:
    if isinstance(template, _Leaf):
        return {template.position} if template.number is not None else set()
    if isinstance(template, _Static):
        return set()
    parts = template.values() if isinstance(template, dict) else template
    return {position for part in parts for position in _weak_positions(part)}
