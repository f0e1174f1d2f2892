"""Modules, optimisers, schedules and data loaders that are misused."""

import phlox as px
from phlox import nn
from phlox.data import DataLoader, Dataset, TensorDataset


def forgotten_super_init():
    """
    phlox.errors.StateError: [E0703] Net: the module is used before Module.__init__() has run
      at   modules.py:LINE   self.layer = nn.Linear(2, 2)
      try  super().__init__() as the first line of __init__
    """

    class Net(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    Net()


def forgotten_super_init_found_by_the_call():
    """
    phlox.errors.StateError: [E0703] Net: the module is used before Module.__init__() has run
      at   modules.py:LINE   Net()(px.ones(2))
      try  super().__init__() as the first line of __init__
    """

    class Net(nn.Module):
        def __init__(self):
            self.size = 2

        def forward(self, x):
            return x

    Net()(px.ones(2))


def forgotten_forward():
    """
    phlox.errors.StateError: [E0703] Net: the class does not define forward
      at   modules.py:LINE   Net()(px.ones(2))
      try  forward(self, x) in Python, Tensor forward(Tensor x) in C++: what the module computes
    """

    class Net(nn.Module):
        pass

    Net()(px.ones(2))


def forward_with_too_many_inputs():
    """
    phlox.errors.TypeError: [E0104] Linear.forward: these arguments do not fit
      got  phlox.Tensor, phlox.Tensor
      at   modules.py:LINE   net(px.ones(2), px.ones(2))
      try  Linear.forward(input: phlox.Tensor)
    """
    net = nn.Linear(2, 2)
    net(px.ones(2), px.ones(2))


def unknown_keys():
    """
    phlox.errors.StateError: [E0701] load_state_dict: the keys differ from those of Linear, 1 are missing and 1 unexpected
      missing     bias
      unexpected  bais
      at          modules.py:LINE   net.load_state_dict({"weight": px.ones(2, 2), "bais": px.ones(2)})
      try         strict=False loads what fits and returns the names of the rest
    """
    net = nn.Linear(2, 2)
    net.load_state_dict({"weight": px.ones(2, 2), "bais": px.ones(2)})


def stored_shapes():
    """
    phlox.errors.StateError: [E0702] load_state_dict: 2 shapes differ from those of Sequential
      shape  0.weight: stored is [4,2], the module has [3,2]
      shape  0.bias: stored is [4], the module has [3]
      at     modules.py:LINE   net.load_state_dict({"0.weight": px.ones(4, 2), "0.bias": px.ones(4)})
    """
    net = nn.Sequential(nn.Linear(2, 3))
    net.load_state_dict({"0.weight": px.ones(4, 2), "0.bias": px.ones(4)})


def parameter_replaced_by_a_tensor():
    """
    phlox.errors.TypeError: [E0104] Linear: the parameter "weight" cannot become a plain tensor
      at   modules.py:LINE   net.weight = px.ones(2, 2)
      try  px.nn.Parameter(tensor), or with px.no_grad(): module.weight.copy_(tensor)
    """
    net = nn.Linear(2, 2)
    net.weight = px.ones(2, 2)


def parameter_replaced_by_a_list():
    """
    phlox.errors.TypeError: [E0104] Linear: the parameter "weight" cannot become a list
      at   modules.py:LINE   net.weight = [1.0]
      try  px.nn.Parameter(...), or None
    """
    net = nn.Linear(2, 2)
    net.weight = [1.0]


def name_with_a_dot():
    """
    phlox.errors.ValueError: [E0703] Module: nothing can be registered under "a.b", the name holds a dot
      at  modules.py:LINE   net.add_module("a.b", nn.Linear(1, 1))
    """
    net = nn.Module()
    net.add_module("a.b", nn.Linear(1, 1))


def module_as_its_own_part():
    """
    phlox.errors.ValueError: [E0703] Sequential: the part "me" is the module itself or contains it
      at   modules.py:LINE   net.add_module("me", net)
      try  a list, self.parent = [parent], keeps a module without making it a part
    """
    net = nn.Sequential(nn.Linear(2, 2))
    net.add_module("me", net)


def part_that_refers_to_its_parent():
    """
    phlox.errors.ValueError: [E0703] Child: the part "parent" is the module itself or contains it
      at   modules.py:LINE   net.child.parent = net
      try  a list, self.parent = [parent], keeps a module without making it a part
    """

    class Child(nn.Module):
        pass

    net = nn.Module()
    net.child = Child()
    net.child.parent = net


def part_that_is_no_module():
    """
    phlox.errors.TypeError: [E0104] Sequential: the part "1" must be a module, not the function relu
      at   modules.py:LINE   nn.Sequential(nn.Linear(1, 1), px.relu)
      try  a function is called in forward(); nn.ReLU() is the module for px.relu
    """
    nn.Sequential(nn.Linear(1, 1), px.relu)


def class_in_place_of_a_module():
    """
    phlox.errors.TypeError: [E0104] Sequential: the part "1" must be a module, not the class ReLU
      at   modules.py:LINE   nn.Sequential(nn.Linear(1, 1), nn.ReLU)
      try  nn.ReLU() makes a module of the class nn.ReLU
    """
    nn.Sequential(nn.Linear(1, 1), nn.ReLU)


def number_of_features_as_text():
    """
    phlox.errors.TypeError: [E0104] Linear: these arguments do not fit
      got  str, int
      at   modules.py:LINE   nn.Linear("16", 4)
      try  Linear(in_features: int, out_features: int, bias: bool = True, *, device: object | None = None, dtype: object | None = None)
    """
    nn.Linear("16", 4)


def negative_number_of_features():
    """
    phlox.errors.ValueError: [E0101] Linear: numbers of features must not be negative, -1 and 4 are given
      at  modules.py:LINE   nn.Linear(-1, 4)
    """
    nn.Linear(-1, 4)


def groups_that_do_not_divide():
    """
    phlox.errors.ValueError: [E0101] convolution: 3 input and 8 output channels cannot be cut into 2 groups
      at  modules.py:LINE   nn.Conv2d(3, 8, 3, groups=2)
    """
    nn.Conv2d(3, 8, 3, groups=2)


def unknown_padding_mode():
    """
    phlox.errors.ValueError: [E0103] convolution: the padding mode "mirror" is not known
      at   modules.py:LINE   nn.Conv2d(3, 8, 3, padding_mode="mirror")
      try  zeros, reflect, replicate or circular
    """
    nn.Conv2d(3, 8, 3, padding_mode="mirror")


def optimizer_without_parameters():
    """
    phlox.errors.ValueError: [E0101] optimizer: there are no parameters
      at   modules.py:LINE   px.optim.SGD([], lr=0.1)
      try  net.parameters(); layers in a plain list are no part of the net, in a ModuleList they are
    """
    px.optim.SGD([], lr=0.1)


def optimizer_of_a_module():
    """
    phlox.errors.TypeError: [E0104] SGD: params must be tensors or groups of them, not Linear
      at   modules.py:LINE   px.optim.SGD(net, lr=0.1)
      try  net.parameters()
    """
    net = nn.Linear(2, 2)
    px.optim.SGD(net, lr=0.1)


def optimizer_of_results():
    """
    phlox.errors.ValueError: [E0607] optimizer: a parameter is the result of operations
      parameter  y  f32[2] cpu   modules.py:LINE   px.optim.SGD([y], lr=0.1)
      try        y.detach().requires_grad_()
    """
    w = px.ones(2, requires_grad=True)
    y = w * 2
    px.optim.SGD([y], lr=0.1)


def negative_learning_rate():
    """
    phlox.errors.ValueError: [E0101] optimizer: the learning rate -1 is negative
      at  modules.py:LINE   px.optim.SGD([w], lr=-1.0)
    """
    w = px.ones(2, requires_grad=True)
    px.optim.SGD([w], lr=-1.0)


def nesterov_without_momentum():
    """
    phlox.errors.ValueError: [E0101] SGD: nesterov needs a momentum and no dampening
      at  modules.py:LINE   px.optim.SGD([w], lr=0.1, nesterov=True)
    """
    w = px.ones(2, requires_grad=True)
    px.optim.SGD([w], lr=0.1, nesterov=True)


def unknown_setting_of_an_optimizer():
    """
    phlox.errors.TypeError: [E0104] SGD: there is no setting "momentun"
      settings  lr, momentum, dampening, weight_decay, nesterov, maximize
      at        modules.py:LINE   px.optim.SGD([w], lr=0.1, momentun=0.9)
    """
    w = px.ones(2, requires_grad=True)
    px.optim.SGD([w], lr=0.1, momentun=0.9)


def unknown_setting_of_a_group():
    """
    phlox.errors.TypeError: [E0104] SGD: there is no setting "beta"
      settings  lr, momentum, dampening, weight_decay, nesterov, maximize
      at        modules.py:LINE   optimizer.param_groups[0]["beta"] = 0.5
    """
    w = px.ones(2, requires_grad=True)
    optimizer = px.optim.SGD([w], lr=0.1)
    optimizer.param_groups[0]["beta"] = 0.5


def state_of_another_optimizer():
    """
    phlox.errors.StateError: [E0701] load_state_dict: group 0 is stored with 2 parameters, and the optimizer has 1
      at  modules.py:LINE   optimizer.load_state_dict(other.state_dict())
    """
    w = px.ones(2, requires_grad=True)
    optimizer = px.optim.SGD([w], lr=0.1)
    other = px.optim.Adam([px.ones(3, requires_grad=True), px.ones(3, requires_grad=True)])
    optimizer.load_state_dict(other.state_dict())


def schedule_of_a_module():
    """
    phlox.errors.TypeError: [E0104] StepLR: these arguments do not fit
      got  Linear, int
      at   modules.py:LINE   px.optim.lr_scheduler.StepLR(net, 10)
      try  StepLR(optimizer: phlox.optim.Optimizer, step_size: int, gamma: float = 0.1)
    """
    net = nn.Linear(2, 2)
    px.optim.lr_scheduler.StepLR(net, 10)


def dataset_of_different_lengths():
    """
    phlox.errors.ValueError: [E0901] TensorDataset: the tensors have different numbers of examples
      first  f32[4,2] cpu
      other  f32[3] cpu
      at     modules.py:LINE   TensorDataset(px.ones(4, 2), px.ones(3))
    """
    TensorDataset(px.ones(4, 2), px.ones(3))


def position_beyond_the_dataset():
    """
    phlox.errors.IndexError: [E0501] dataset: there is no example 4 among 4
      at  modules.py:LINE   data[4]
    """
    data = TensorDataset(px.ones(4, 2))
    data[4]


def examples_of_different_shapes():
    """
    phlox.errors.ShapeError: [E0205] stack: tensors 0 and 1 have different shapes
      tensor 0  f32[1] cpu
      tensor 1  f32[2] cpu
      at        modules.py:LINE   next(iter(DataLoader(Words(), batch_size=2)))
    """

    class Words(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return px.ones(index + 1)

    next(iter(DataLoader(Words(), batch_size=2)))


def list_as_input():
    """
    phlox.errors.TypeError: [E0104] Linear.forward: these arguments do not fit
      got  list
      at   modules.py:LINE   layer([1.0, 2.0])
      try  Linear.forward(input: phlox.Tensor)
    """
    layer = nn.Linear(2, 2)
    layer([1.0, 2.0])


def loss_without_a_target():
    """
    phlox.errors.TypeError: [E0104] CrossEntropyLoss.forward: these arguments do not fit
      got  phlox.Tensor
      at   modules.py:LINE   loss(logits)
      try  CrossEntropyLoss.forward(input: phlox.Tensor, target: phlox.Tensor)
    """
    loss = nn.CrossEntropyLoss()
    logits = px.ones(2, 3)
    loss(logits)


def batch_of_one_in_training():
    """
    phlox.errors.ValueError: [E0101] batch_norm: one value a channel has no variance to train with
      input  x  f32[1,3] cpu   modules.py:LINE   norm(x)
      try    a larger batch, or eval()
    """
    norm = nn.BatchNorm1d(3)
    x = px.ones(1, 3)
    norm(x)


def integer_parameters():
    """
    phlox.errors.TypeError: [E0104] Module.to: parameters need a floating dtype, not int64
      at   modules.py:LINE   net.to(px.int64)
      try  model.to(px.float32)
    """
    net = nn.Linear(2, 2)
    net.to(px.int64)


def step_size_of_nothing():
    """
    phlox.errors.ValueError: [E0101] StepLR: step_size must be positive
      at  modules.py:LINE   px.optim.lr_scheduler.StepLR(optimizer, 0)
    """
    optimizer = px.optim.SGD([px.ones(2, requires_grad=True)], lr=0.1)
    px.optim.lr_scheduler.StepLR(optimizer, 0)


def batch_size_of_nothing():
    """
    phlox.errors.ValueError: [E0901] DataLoader: batch_size must be a positive integer or None, not 0
      at  modules.py:LINE   DataLoader(data, batch_size=0)
    """
    data = TensorDataset(px.ones(4, 2))
    DataLoader(data, batch_size=0)


def batch_size_as_a_fraction():
    """
    phlox.errors.ValueError: [E0901] DataLoader: batch_size must be a positive integer or None, not 1.5
      at  modules.py:LINE   DataLoader(data, batch_size=1.5)
    """
    data = TensorDataset(px.ones(4, 2))
    DataLoader(data, batch_size=1.5)


def negative_number_of_workers():
    """
    phlox.errors.ValueError: [E0901] DataLoader: num_workers must be an integer from 0 to 2147483647, not -1
      at  modules.py:LINE   DataLoader(data, num_workers=-1)
    """
    data = TensorDataset(px.ones(4, 2))
    DataLoader(data, num_workers=-1)


def shuffle_beside_a_sampler():
    """
    phlox.errors.ValueError: [E0901] DataLoader: shuffle and sampler exclude each other
      at  modules.py:LINE   DataLoader(data, shuffle=True, sampler=[0, 1])
    """
    data = TensorDataset(px.ones(4, 2))
    DataLoader(data, shuffle=True, sampler=[0, 1])


def number_as_dataset():
    """
    phlox.errors.TypeError: [E0901] DataLoader: int is no dataset, it has no __getitem__ and no __len__
      at   modules.py:LINE   DataLoader(5)
      try  a subclass of px.data.Dataset, or of px.data.IterableDataset for examples without numbers
    """
    DataLoader(5)


def dataset_without_length():
    """
    phlox.errors.TypeError: [E0901] DataLoader: Numbers is no dataset, it has no __len__
      at   modules.py:LINE   DataLoader(Numbers())
      try  a subclass of px.data.Dataset, or of px.data.IterableDataset for examples without numbers
    """

    class Numbers(Dataset):
        def __getitem__(self, index):
            return px.tensor(index)

    DataLoader(Numbers())


def dataset_without_items():
    """
    phlox.errors.NotSupportedError: [E0901] Numbers: the dataset does not define __getitem__
      at   modules.py:LINE   next(iter(DataLoader(Numbers())))
      try  def __getitem__(self, index): gives the example of this number
    """

    class Numbers(Dataset):
        def __len__(self):
            return 3

    next(iter(DataLoader(Numbers())))


def split_that_does_not_add_up():
    """
    phlox.errors.ValueError: [E0901] random_split: the lengths [3, 2] do not add up to the 4 examples
      at   modules.py:LINE   px.data.random_split(data, [3, 2])
      try  fractions that add up to 1 fit any number of examples
    """
    data = TensorDataset(px.ones(4, 2))
    px.data.random_split(data, [3, 2])
