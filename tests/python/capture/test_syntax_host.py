"""What a capture hears of host state, which calls are converted, and what errors and debuggers show."""

# shard: graph

import functools
import sys
import traceback

import host_programs
import pytest
from fake import Box, FakeBackend, unboxed
from phlox.capture import Backend, Place, capturing, convert, do_not_convert

import phlox as px
from phlox import nn


class Recorder(Backend):
    def __init__(self):
        self.reads, self.writes, self.places = [], [], []

    def observe(self, kind, owner, name, value, place):
        self.reads.append((kind, name, value))
        self.places.append(place)

    def mutate(self, kind, owner, name, value, place):
        self.writes.append((kind, name, value))
        self.places.append(place)


def recorded(function, *arguments):
    backend = Recorder()
    with capturing(backend):
        result = convert(function)(*arguments)
    return backend, result


def test_reads():
    backend, _ = recorded(host_programs.reads)
    config = host_programs.CONFIG
    assert backend.reads == [
        ("global", "FLAG", True),
        ("global", "math", host_programs.math),
        ("global", "pi", host_programs.math.pi),
        ("global", "SCALE", 2.0),
        ("class", "__class__", host_programs.Config),
        ("global", "CONFIG", config),
        ("attribute", "rate", 3),
        ("global", "SETTINGS", host_programs.SETTINGS),
        ("item", "rate", [0.1, 0.2]),
        ("item", 1, 0.2),
        ("global", "px", px),
        ("global", "relu", px.relu),
        ("attribute", "names", ["x"]),
    ]
    first = host_programs.reads.__code__.co_firstlineno
    assert backend.places[0] == Place(host_programs.__file__, first + 1, "reads")


def test_reads_in_nested_functions():
    backend, _ = recorded(host_programs.reads_in_nested)
    assert [r[1] for r in backend.reads] == ["__class__", "CONFIG", "rate", "SCALE"]


def test_closure_cells_are_reported_with_their_cell():
    inner = host_programs.closure()

    class Owners(Recorder):
        def observe(self, kind, owner, name, value, place):
            assert owner is inner.__closure__[0]
            super().observe(kind, owner, name, value, place)

    backend = Owners()
    with capturing(backend):
        assert convert(inner)() == 4
    assert backend.reads == [("free", "n", 3)]


def test_writes(monkeypatch):
    monkeypatch.setattr(host_programs, "COUNT", 0)
    config, table, items = host_programs.Config(), {}, [1]
    backend, _ = recorded(host_programs.writes, config, table, items)
    assert [w[:2] for w in backend.writes] == [
        ("global", "COUNT"),
        ("attribute", "rate"),
        ("attribute", "rate"),
        ("item", "k"),
        ("item", "k"),
        ("method", "append"),
        ("method", "+="),
        ("item", "k"),
        ("attribute", "rate"),
        ("attribute", "a"),
        ("item", "b"),
    ]
    assert [w[2] for w in backend.writes[:5]] == [1, 2, 3, 1, 2]
    assert items == [1, 4, 5] and table == {"b": 2} and config.a == 1 and host_programs.COUNT == 1


def test_writes_to_a_closure():
    backend, result = recorded(host_programs.counter())
    assert result == 1 and backend.writes == [("free", "n", 1)]


def test_a_write_that_is_refused_does_not_happen():
    class Strict(Backend):
        def mutate(self, kind, owner, name, value, place):
            raise RuntimeError(f"{kind} {name}")

    config = host_programs.Config()

    def change(config):
        config.rate = 9

    with capturing(Strict()), pytest.raises(RuntimeError, match="attribute rate"):
        convert(change)(config)
    assert config.rate == 3


def test_own_objects_are_free():
    backend, result = recorded(host_programs.own_objects)
    assert not backend.writes and result == host_programs.own_objects()
    assert [r for r in backend.reads if r[0] != "global"] == []


def test_modules_call_converted_forwards():
    x = px.ones(2)
    net = host_programs.Outer()

    def run(net, n):
        return net(x, n)

    for module in (net, net.eval()):
        for n in (3, -3):
            with capturing(FakeBackend()):
                result = convert(run)(module, Box(n))
            assert unboxed(result) == module(x, n)
    backend = FakeBackend()
    with capturing(backend):
        net(x, 1)
    assert ("attribute", "training", False) in backend.observed


def test_modules_within_those_of_the_package(monkeypatch):
    monkeypatch.setattr(host_programs, "BOX", Box(1))
    calls = []

    class Choosing(FakeBackend):
        def cond(self, test, true_function, false_function, names, place):
            calls.append(place.function)
            return true_function()

    net = nn.Sequential(nn.ReLU(), host_programs.Leaf())
    with capturing(Choosing()):
        assert net(px.ones(2)).sum().item() == 4
        net.register_forward_hook(lambda module, arguments, output: output * 2)
        assert net(px.ones(2)).sum().item() == 8
    assert calls == ["forward", "forward"]
    with pytest.raises(TypeError, match="truth of a box"):
        net(px.ones(2))  # outside of a capture nothing is converted


def test_what_is_left_alone():
    @do_not_convert
    def marked(x):
        return 1 if x else 2

    def through(x):
        return marked(x)

    with capturing(FakeBackend()), pytest.raises(TypeError, match="truth of a box"):
        convert(through)(Box(1))


def test_what_is_converted():
    class Choice:
        def __call__(self, x):
            return self.method(x) + self.static(x) + self.of_class(x)

        def method(self, x):
            return 1 if x > 0 else 2

        @staticmethod
        def static(x):
            return 10 if x > 0 else 20

        @classmethod
        def of_class(cls, x):
            return 100 if x > 0 else 200

    class Made:
        def __init__(self, x):
            self.x = 5 if x > 0 else 6

    def decorate(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args)

        return wrapper

    @decorate
    def decorated(x):
        return 1000 if x > 0 else 2000

    def all_of_them(x):
        partial = functools.partial(Choice.static, x)
        return Choice()(x), partial(), decorated(x), Made(x).x

    for x in (1, -1):
        with capturing(FakeBackend()):
            assert unboxed(convert(all_of_them)(Box(x))) == all_of_them(x)


def test_methods_in_classes_in_classes_are_converted():
    def nested(x):
        class A:
            class B:
                def choose(self, x):
                    return 1 if x > 0 else 2

            if x is not None:

                def choose(self, x):
                    return 3 if x > 0 else 4

        return A.B().choose(x), A().choose(x)

    for x in (1, -1):
        with capturing(FakeBackend()):
            assert unboxed(convert(nested)(Box(x))) == nested(x)


def test_the_capture_ends_with_an_error():
    with pytest.raises(KeyError), capturing(FakeBackend()):
        raise KeyError
    assert convert(host_programs.reads)() == host_programs.reads()
    assert px._phlox._set_forward_converter(None) is None


def texts_of_the_error(function, *arguments):
    with pytest.raises(px.PhloxError) as error:
        function(*arguments)
    shown = traceback.format_exception(error.value)
    return str(error.value), [line for line in shown if "host_programs" in line]


def test_errors_name_the_expressions_of_the_program():
    plain = texts_of_the_error(host_programs.fails, px.ones(2, 3))
    assert "doubled" in plain[0] and "x + 1" in plain[0] and "host_programs.py:" in plain[0]
    assert texts_of_the_error(convert(host_programs.fails), px.ones(2, 3)) == plain
    with capturing(FakeBackend()):
        assert texts_of_the_error(convert(host_programs.fails), px.ones(2, 3)) == plain


def test_errors_in_symbolic_branches_name_the_expressions_of_the_program():
    def fails(x, flag):
        if flag:
            y = x @ (x + 1)
            return y
        return x

    with capturing(FakeBackend()):
        text, _ = texts_of_the_error(convert(fails), px.ones(2, 3), Box(1))
    assert "lhs  x " in text and "rhs  x + 1" in text and "y = x @ (x + 1)" in text


def test_tracebacks_hold_no_frames_of_the_package():
    with pytest.raises(px.PhloxError) as error, capturing(FakeBackend()):
        convert(host_programs.fails)(px.ones(2, 3))
    files = [frame.filename for frame in traceback.extract_tb(error.value.__traceback__)]
    assert files == [__file__, host_programs.__file__]


def test_tracebacks_in_symbolic_branches_are_short():
    def fails(x):
        while x > 0:
            if x > 1:
                {}["missing"]
            x = x - 1
        return x

    with pytest.raises(KeyError) as error, capturing(FakeBackend()):
        convert(fails)(Box(2))
    frames = traceback.extract_tb(error.value.__traceback__)
    first = fails.__code__.co_firstlineno
    assert [f.lineno - first for f in frames[1:] if f.filename == __file__] == [1, 2, 3]
    assert len(frames) == 5, "one frame of the package is left"


def test_the_cause_and_context_of_an_error_stay():
    def fails(x):
        if x > 0:
            try:
                {}["missing"]
            except KeyError as error:
                if x > 1:
                    int("text")
                raise RuntimeError("caused") from error
        return x

    with pytest.raises(ValueError, match="text") as error, capturing(FakeBackend()):
        convert(fails)(Box(2))
    assert isinstance(error.value.__context__, KeyError) and not error.value.__suppress_context__


def test_a_debugger_sees_lines_and_variables():
    seen = []

    def program(a):
        b = a + 1
        if b > 1:
            b = b * 2
        return b

    def trace(frame, event, argument):
        if frame.f_code.co_filename != __file__:
            return None
        if event == "line":
            seen.append((frame.f_lineno - program.__code__.co_firstlineno, frame.f_locals.get("b")))
        return trace

    made = convert(program)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        made(1)
    finally:
        sys.settrace(before)
    assert seen == [(1, None), (2, 2), (3, 2), (4, 4)]
