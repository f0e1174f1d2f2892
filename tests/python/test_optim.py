"""Optimisers and schedules: groups, settings, state."""

import pytest

import phlox as px
from phlox import optim


def parameter(value=1.0):
    return px.tensor([value], requires_grad=True)


def step(optimizer, p):
    optimizer.zero_grad()
    (p * p).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
def test_each_goes_downhill(make):
    p = parameter()
    optimizer = make([p], lr=0.1)
    for _ in range(20):
        step(optimizer, p)
    assert abs(p.item()) < 0.9


def test_sgd_by_hand():
    p = parameter()
    optimizer = optim.SGD([p], 0.1, 0.5)
    step(optimizer, p)
    assert p.item() == pytest.approx(0.8)
    step(optimizer, p)
    assert p.item() == pytest.approx(0.8 - 0.1 * (0.5 * 2 + 1.6))


def test_groups_have_settings_of_their_own():
    a, b = parameter(), parameter()
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.0}], lr=0.1, momentum=0.9)
    (a * b).sum().backward()
    optimizer.step()
    assert a.item() == pytest.approx(0.9) and b.item() == 1
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.0]
    assert optimizer.param_groups[0]["params"][0] is a
    for group in optimizer.param_groups:
        group["lr"] = 0.5
        group["momentum"] = 0.1
    assert optimizer.param_groups[1]["lr"] == 0.5 and optimizer.param_groups[0]["momentum"] == 0.1
    optimizer.add_param_group({"params": [parameter()], "lr": 2.0})
    assert len(optimizer.param_groups) == 3 and optimizer.param_groups[2]["lr"] == 2


def test_state_continues_exactly():
    p, q = parameter(), parameter()
    first, second = optim.Adam([p], lr=0.1), optim.Adam([q], lr=0.3)
    for _ in range(3):
        step(first, p)
    with px.no_grad():
        q.copy_(p)
    second.load_state_dict(first.state_dict())
    step(first, p)
    step(second, q)
    assert p.item() == q.item() and second.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"learning_rate": 1.0}, {"lr": "fast"}])
def test_wrong_settings(wrong):
    with pytest.raises((px.errors.ValueError, px.errors.TypeError)):
        optim.SGD([parameter()], **wrong)


def test_wrong_parameters():
    with pytest.raises(px.errors.ValueError, match="no parameters"):
        optim.SGD([])
    with pytest.raises(px.errors.TypeError, match="not a tensor"):
        optim.SGD([3])


SCHEDULES = [
    (lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
    (lambda o: optim.lr_scheduler.MultiStepLR(o, milestones=[1, 3]), [1, 0.1, 0.1, 0.01, 0.01]),
    (lambda o: optim.lr_scheduler.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
    (lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=4), [1, 0.853553, 0.5, 0.146447, 0]),
    (lambda o: optim.lr_scheduler.LinearLR(o, 0.5, total_iters=2), [0.5, 0.75, 1, 1, 1]),
    (lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)), [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
]


@pytest.mark.parametrize("make, expected", SCHEDULES)
def test_schedules(make, expected):
    optimizer = optim.SGD([parameter()], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in expected:
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected, abs=1e-6)
    assert schedule.last_epoch == len(expected)
    assert repr(schedule).startswith(type(schedule).__name__ + "(") and "\n" not in repr(schedule)
    step = optim.lr_scheduler.StepLR(optimizer, step_size=30)
    assert repr(step) == "StepLR(step_size=30, gamma=0.1)"


def test_schedules_after_one_another_and_plateau():
    optimizer = optim.SGD([parameter()], lr=1.0)
    rising = optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    falling = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    both = optim.lr_scheduler.SequentialLR(optimizer, [rising, falling], [2])
    assert repr(rising) == "LinearLR(start_factor=0.5, end_factor=1, total_iters=2)"
    assert repr(both) == "SequentialLR(2 schedules, milestones=[2])"
    for _ in range(3):
        both.step()
    assert both.get_last_lr() == [0.5]
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    assert repr(plateau) == 'ReduceLROnPlateau(mode="min", factor=0.1, patience=0)'
    for loss in (px.tensor(1.0), 1.0):
        plateau.step(loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_groups_are_updated_like_dicts():
    optimizer = optim.SGD([parameter()], lr=0.1, momentum=0.9)
    group = optimizer.param_groups[0]
    group.update({"lr": 0.5, "momentum": 0.0})
    assert (group["lr"], group.get("momentum"), group.setdefault("initial_lr", 3.0)) == (0.5, 0, 0.1)
    group.update(momentum=0.8)
    assert group["momentum"] == 0.8
    assert optimizer.defaults["lr"] == 0.5 and "params" not in optimizer.defaults
    with pytest.raises(px.errors.TypeError, match="no setting"):
        group["learning_rate"] = 1.0


def test_a_closure_computes_the_loss_before_the_step():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1 and p.item() == pytest.approx(0.8)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.item() == 0
    optimizer.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize("make, _", SCHEDULES)
def test_schedules_go_on_where_they_were_saved(make, _):
    optimizers = [optim.SGD([parameter()], lr=1.0) for _ in range(2)]
    first, second = (make(optimizer) for optimizer in optimizers)
    for _ in range(3):
        first.step()
    second.load_state_dict(first.state_dict())
    assert second.last_epoch == 3 and second.get_last_lr() == first.get_last_lr()
    first.step()
    second.step()
    assert second.get_last_lr() == first.get_last_lr()


def test_plateaus_tell_their_rates_and_are_restored():
    optimizers = [optim.SGD([parameter()], lr=1.0) for _ in range(2)]
    first, second = (optim.lr_scheduler.ReduceLROnPlateau(o, patience=1) for o in optimizers)
    for loss in (1.0, 1.0):
        first.step(loss)
    second.load_state_dict(first.state_dict())
    for schedule in (first, second):
        schedule.step(1.0)
        assert schedule.get_last_lr() == [pytest.approx(0.1)]


def test_one_cycle_moves_momentum_the_other_way():
    optimizer = optim.AdamW([parameter()], lr=1.0)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=10)
    rates, betas = [], []
    for _ in range(10):
        rates += schedule.get_last_lr()
        betas.append(optimizer.param_groups[0]["betas"][0])
        schedule.step()
    assert max(rates) == pytest.approx(0.5) and rates.index(max(rates)) == 2
    assert rates[0] == pytest.approx(0.02) and rates[-1] == pytest.approx(2e-6)
    assert betas[0] == pytest.approx(0.95) and min(betas) == pytest.approx(0.85)
