"""Schedules that step inside a captured training step: the rates of each call are those of the plain loop."""

# shard: graph

import pytest

import phlox as px
from phlox import nn, optim
from phlox.optim import lr_scheduler

SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 4]),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 5, 1e-3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=4),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=9),
    "OneCycleLR, linear": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, anneal_strategy="linear"),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.5, total_iters=2), lr_scheduler.ExponentialLR(o, 0.5)], [3]
    ),
}
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.05),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.05, momentum=0.5, centered=True),
}


def train(make_schedule, make_optimizer, captured, steps=9):
    """What each of some steps leaves: the parameters, the rate, the momentum."""
    px.manual_seed(0)
    net = nn.Linear(3, 2)
    optimizer = make_optimizer(net.parameters())
    schedule = make_schedule(optimizer)

    def step(x):
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
            schedule.step(loss)
        else:
            schedule.step()
        return loss.detach()

    run = px.jit(step) if captured else step
    seen = []
    for i in range(steps):
        loss = run(px.full((4, 3), 1.0 + i % 3))
        group = optimizer.param_groups[0]
        momentum = group["betas"] if "betas" in group.keys() else group["momentum"]
        seen.append(
            (
                loss.item(),
                net.weight.tolist(),
                group["lr"],
                momentum,
                schedule.state_dict()["last_epoch"].item(),
            )
        )
    if captured:
        assert run.capture_count <= 2  # an optimiser's first step may differ from the others
    return seen


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_and_parameters_equal_the_plain_loop(schedule, optimizer):
    arguments = SCHEDULES[schedule], OPTIMIZERS[optimizer]
    assert train(*arguments, captured=True) == train(*arguments, captured=False)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_a_plateau_is_seen_inside(mode, threshold_mode):
    def schedule(optimizer):
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, mode=mode, patience=1, cooldown=1, threshold_mode=threshold_mode
        )

    arguments = schedule, OPTIMIZERS["SGD"]
    captured = train(*arguments, captured=True, steps=20)
    assert captured == train(*arguments, captured=False, steps=20)
    assert len({rate for _, _, rate, _, _ in captured}) > 1


def test_a_factor_of_the_program_is_refused():
    parameter = nn.Parameter(px.ones(2))
    optimizer = optim.SGD([parameter], lr=0.1)
    schedule = lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
    with pytest.raises(px.GraphError, match="LambdaLR steps in a captured function"):
        px.jit(lambda: schedule.step())()
    schedule.step()
    assert schedule.last_epoch == 1


def test_a_momentum_that_a_schedule_changes_needs_no_new_capture():
    net = nn.Linear(2, 2)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=30)

    @px.jit
    def step(x):
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()

    for _ in range(20):
        step(px.ones(4, 2))
        schedule.step()
    assert step.capture_count == 1
    assert 0.85 < optimizer.param_groups[0]["momentum"] < 0.95
