"""Functions for test_syntax_plain.py: branches, loops, jumps, exceptions, patterns."""

# ruff: noqa
# fmt: off

from comparison import note


def if_elif_else(a):
    if note(a) > 3:
        return "big"
    elif note(a) > 1:
        return "middle"
    else:
        return "small"


def if_without_else(a):
    x = 1
    if a:
        x = 2
    return x


def if_not_a_bool(a):
    if []:
        return 1
    if "text":
        return 2
    return a


def if_of_an_object_that_refuses(a):
    class Odd:
        def __bool__(self):
            raise ValueError("no truth")

    if Odd():
        return 1
    return a


def while_with_else(a):
    n = 0
    while note(n) < a:
        n += 1
        if n == 3:
            break
    else:
        return "else", n
    return "break", n


def while_continue(a):
    n, seen = 0, []
    while n < 6:
        n += 1
        if n % 2:
            continue
        seen.append(n)
    return seen


def while_true(a):
    while True:
        a += 1
        if a > 10:
            return a


def while_test_that_fails(a):
    while 1 / (6 - a):
        a += 1
    return a


def for_else_reached(a):
    for i in range(a):
        note(i)
    else:
        note("else")
    return i


def for_else_broken(a):
    for i in range(10):
        if i == a:
            break
    else:
        return "else"
    return i


def for_over_nothing_leaves_no_target(a):
    for i in []:
        pass
    return i


def for_over_what_is_no_iterable(a):
    for i in a:
        note(i)


def for_over_a_failing_iterator(a):
    def values():
        yield 1
        raise KeyError("two")

    for i in values():
        note(i)


def for_with_return(a):
    for i in range(10):
        for j in range(10):
            if i * j == a:
                return i, j
    return None


def for_in_for_with_break_and_else(a):
    found = []
    for i in range(4):
        for j in range(4):
            if j == i:
                break
            if j + i == a:
                found.append((i, j))
                continue
        else:
            found.append("else")
        if i == 3:
            break
    else:
        found.append("never")
    return found


def for_in_while(a):
    out = []
    while a:
        a -= 1
        for c in "abc":
            if c == "b" and a == 1:
                continue
            if c == "c" and a == 2:
                break
            out.append((a, c))
        else:
            out.append("whole")
    return out


def for_unpacks(a):
    total = 0
    for i, (j, *k) in [(1, (2, 3, 4)), (5, (6,))]:
        total += i * j + sum(k)
    return total


def for_stores_in_attribute_and_item(a):
    class Box:
        pass

    box, items = Box(), {}
    for box.value in range(3):
        note(box.value)
    for items[note("key")], box.other in [(1, 2), (3, 4)]:
        pass
    return box.value, box.other, items


def for_changes_what_it_runs_over(a):
    items = [1, 2, 3]
    for i in items:
        if len(items) < 6:
            items.append(i * 2)
    return items


def for_closes_a_generator_on_break(a):
    def values():
        try:
            yield 1
            yield 2
        finally:
            note("closed")

    for i in values():
        if i == 1:
            break
    note("after")
    return i


def for_over_an_iterator_without_iter(a):
    class Next:
        def __init__(self):
            self.n = 0

        def __next__(self):
            self.n += 1
            if self.n > 3:
                raise StopIteration
            return self.n

    class Source:
        def __iter__(self):
            return Next()

    seen = []
    for i in Source():
        if i == 5:
            break
        seen.append(i)
    return seen


def try_finally_return(a):
    try:
        return note("try")
    finally:
        note("finally")


def finally_overrides(a):
    for i in range(3):
        try:
            if i == 1:
                return "try"
        finally:
            note(i)
            if i == 1:
                break
    return "end"


def try_except_else(a):
    try:
        x = 10 // a
    except ZeroDivisionError as error:
        note(str(error))
        return "zero"
    else:
        note("else")
    finally:
        note("finally")
    return x


def try_in_loop(a):
    out = []
    for i in (1, 0, 2):
        try:
            if i == 2:
                break
            out.append(4 // i)
            continue
        except ZeroDivisionError:
            out.append("zero")
        finally:
            out.append("f")
    return out


def exception_name_is_deleted(a):
    try:
        raise KeyError("a")
    except KeyError as error:
        note(error)
    return error


def raise_from(a):
    try:
        {}["x"]
    except KeyError as error:
        raise ValueError("bad") from error


def reraise(a):
    try:
        int("x")
    except ValueError:
        note("seen")
        raise


def assert_with_message(a):
    assert a > 2, f"{a} is small"
    return a


def assert_alone(a):
    assert note(a) > 2
    return a


def assert_message_only_when_needed(a):
    assert True, note("message")
    return a


def unbound_local(a):
    if a > 100:
        x = 1
    return x


def unbound_in_expression(a):
    if a > 100:
        y = 1
    for _ in range(1):
        a = a + y
    return a


def unbound_after_del(a):
    x = 1
    if a:
        del x
    return x


def unbound_augmented(a):
    if a > 100:
        x = 0
    x += 1
    return x


def unbound_global(a):
    return nothing_of_this_name  # noqa: F821


def with_blocks(a):
    class Manager:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            note("enter " + self.name)
            return self

        def __exit__(self, kind, value, trace):
            note("exit " + self.name)
            return kind is KeyError

    with Manager("a") as first, Manager("b") as second:
        if a == 1:
            return first.name + second.name
        if a == 2:
            raise KeyError("swallowed")
        if a == 3:
            raise ValueError("not swallowed")
    for _ in range(2):
        with Manager("c") as (first).other:
            if a:
                continue
        break
    return first.other.name


def match_values(a):
    match a:
        case 0:
            return "zero"
        case 1 | 2:
            return "few"
        case int(x) if note(x) > 10:
            return "many"
        case _:
            return "other"


def match_structures(a):
    out = []
    for value in ([1, 2, 3], {"k": 5, "z": 6}, (1,), "text", None, 3.5):
        match value:
            case [first, *rest]:
                out.append((first, rest))
            case {"k": k, **others} if k > 1 and others:
                out.append((k, others))
            case str() as text:
                out.append(text)
                continue
            case None:
                break
        out.append("end")
    return out


def conditional_expressions(a):
    return (note("x") if a else note("y")), (1 if a > 5 else 2 if a > 2 else 3)


def boolean_operators(a):
    return (
        note(a) and note(0) and note(5),
        note(0) or note("") or note([]),
        a and "yes" or "no",
        not a,
        not note(""),
    )


def nested_boolean_operators(a):
    return (a or 0) and ((a > 1 and (note(1) or note(2))) or (note(3) and not note(4)))


def chained_comparisons(a):
    return note(1) < note(a) < note(5), 0 < a <= 2 != a, note(9) < note(8) < note(7), 1 < 2 < 3 < 4 > a


def chained_comparison_in_comprehension(a):
    return [x for x in range(10) if 1 < note(x) <= a < 10], {1 < x < 4: x for x in range(5)}


def comparison_operators(a):
    return a in [1, 2] and a not in (5,), a is None, a is not None, None is not a in [3]


def walrus(a):
    if (n := a + 1) > 2 and (m := n * 2):
        return n, m
    return n


def walrus_in_while(a):
    out = []
    while (a := a - 1) >= 0 and (b := a):
        out.append(b)
    return out, a


def walrus_in_comprehension(a):
    out = [last := x for x in range(a + 1) if (half := x // 2) or x]
    return out, last, half


def jumps_deep(a):
    out = []
    for i in range(3):
        while True:
            if i == 1:
                if a:
                    break
                out.append("no")
            for j in (1, 2):
                if j == 2:
                    if i == 2:
                        return out
                    break
                out.append((i, j))
            else:
                out.append("else")
            break
        else:
            out.append("while else")
        if i == a:
            continue
        out.append("end")
    return out


def del_variables(a):
    x, y, z = 1, 2, [3, 4, 5]
    del x, z[0], z[note(0)]
    return y, z


def pass_and_ellipsis(a):
    if a:
        pass
    else:
        ...
    for _ in ():
        pass


def while_else_with_return(a):
    while a > 0:
        a -= 1
    else:
        return "done", a


def long_elif_chain(a):
    if a == 10:
        r = "a"
    elif a == 9:
        r = "b"
    elif a == 8:
        r = "c"
    elif a == 7:
        r = "d"
    elif a == 6:
        r = "e"
    elif a == 5:
        r = "f"
    elif a == 4:
        r = "g"
    elif a == 3:
        r = "h"
    else:
        r = "i"
    return r


def multiline_error(a):
    return max(
        1,
        a / 0,
    )


def error_in_a_call(a):
    def inner(x):
        if x:
            raise RuntimeError("inner")

    return inner(a + 1)


def error_in_a_condition(a):
    if a and {}["missing"]:
        return 1


def error_in_an_attribute(a):
    return note(a).missing.more


def error_in_an_item(a):
    return [1, 2][note(5)]


def error_wrong_arguments(a):
    def two(x, y):
        return x + y

    return two(a)


def error_not_callable(a):
    return a(1)


def empty(a):
    """Nothing."""


def return_without_value(a):
    if a:
        return
    return 1


def condition_over_lines(a):
    class Odd:
        def __bool__(self):
            raise ValueError("no truth")

    if (
        Odd()
    ):
        return 1


def calls_over_lines(a):
    return [
        note(
            1
        ),
        len(
            a
        ),
    ]


def chain_over_lines(a):
    return (
        note(a)
        .real
        .missing
    )


def assert_over_lines(a):
    assert (
        a
        > 3
    ), (
        "message"
    )


def operators_over_lines(a):
    x = (
        a
        +
        "text"
    )
    return x
