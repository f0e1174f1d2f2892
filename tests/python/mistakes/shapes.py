"""Sizes and dimensions that do not fit."""

import phlox as px
from phlox import nn
from phlox.nn import functional as F


def inner_sizes_of_a_product():
    """
    phlox.errors.ShapeError: [E0203] matmul: inner sizes differ, 4 and 3
      lhs  x   f32[3,4] cpu   shapes.py:LINE   h = x @ w1
      rhs  w1  f32[3,4] cpu
      try  x @ w1.T, which gives f32[3,3]
    """
    x = px.ones(3, 4)
    w1 = px.ones(3, 4)
    h = x @ w1
    return h


def inner_sizes_of_a_matrix_and_a_vector():
    """
    phlox.errors.ShapeError: [E0203] matmul: inner sizes differ, 4 and 3
      lhs  x  f32[3,4] cpu   shapes.py:LINE   px.matmul(x, v)
      rhs  v  f32[3] cpu
    """
    x, v = px.ones(3, 4), px.ones(3)
    px.matmul(x, v)


def product_with_a_scalar_tensor():
    """
    phlox.errors.ShapeError: [E0204] matmul: a number has no dimension to multiply over
      lhs  x  f32[3,4] cpu   shapes.py:LINE   x @ s
      rhs  s  f32[] cpu
      try  x * s
    """
    x, s = px.ones(3, 4), px.tensor(2.0)
    x @ s


def broadcast():
    """
    phlox.errors.ShapeError: [E0201] add: shapes [3,4] and [3] do not broadcast
      lhs  x  f32[3,4] cpu   shapes.py:LINE   return x + y
      rhs  y  f32[3] cpu
      try  sizes must be equal or 1, counted from the last dimension; unsqueeze() or reshape() one side
    """
    x, y = px.ones(3, 4), px.ones(3)
    return x + y


def broadcast_of_intermediate_results():
    """
    phlox.errors.ShapeError: [E0201] mul: shapes [3,4] and [3] do not broadcast
      lhs  x.exp()  f32[3,4] cpu   shapes.py:LINE   return x.exp() * (y + 1)
      rhs  y + 1    f32[3] cpu
      try  sizes must be equal or 1, counted from the last dimension; unsqueeze() or reshape() one side
    """
    x, y = px.ones(3, 4), px.ones(3)
    return x.exp() * (y + 1)


def broadcast_in_place():
    """
    phlox.errors.ShapeError: [E0201] add: the result [2,3] does not fit the target [3]
      target   x  f32[3] cpu     shapes.py:LINE   x += y
      operand  y  f32[2,3] cpu
      try      use the form that returns a new tensor
    """
    x, y = px.ones(3), px.ones(2, 3)
    x += y


def reshape():
    """
    phlox.errors.ShapeError: [E0202] reshape: 12 elements do not fill [5,2]
      at   shapes.py:LINE   x.reshape(5, 2)
      try  the product of the sizes must be the number of elements
    """
    x = px.ones(3, 4)
    x.reshape(5, 2)


def reshape_with_two_unknown_sizes():
    """
    phlox.errors.ShapeError: [E0101] reshape: a second -1 in [-1,-1]
      at   shapes.py:LINE   x.reshape(-1, -1)
      try  one size may be -1, all others are counts
    """
    x = px.ones(3, 4)
    x.reshape(-1, -1)


def view_of_a_transposed_matrix():
    """
    phlox.errors.ShapeError: [E0209] view: [4,3] with strides [1,4] cannot be seen as [12] without a copy
      input  x  f32[4,3] cpu   shapes.py:LINE   x.view(12)
      try    reshape() copies where it must
    """
    x = px.ones(3, 4).T
    x.view(12)


def dimension_of_a_sum():
    """
    phlox.errors.ShapeError: [E0206] sum: dimension 2 does not exist in a tensor of 2 dimensions
      allowed  -2 to 1
      at       shapes.py:LINE   x.sum(2)
    """
    x = px.ones(3, 4)
    x.sum(2)


def dimension_given_twice():
    """
    phlox.errors.ShapeError: [E0210] mean: dimension 0 is named twice
      at  shapes.py:LINE   x.mean((0, -2))
    """
    x = px.ones(3, 4)
    x.mean((0, -2))


def dimension_of_a_softmax():
    """
    phlox.errors.ShapeError: [E0206] softmax: dimension 2 does not exist in a tensor of 2 dimensions
      allowed  -2 to 1
      at       shapes.py:LINE   px.softmax(scores, dim=2)
    """
    scores = px.ones(8, 10)
    px.softmax(scores, dim=2)


def concatenation():
    """
    phlox.errors.ShapeError: [E0205] cat: tensors 0 and 1 differ outside of dimension 0
      tensor 0  a  f32[2,3] cpu   shapes.py:LINE   px.cat([a, b])
      tensor 1  b  f32[2,4] cpu
    """
    a, b = px.ones(2, 3), px.ones(2, 4)
    px.cat([a, b])


def concatenation_of_nothing():
    """
    phlox.errors.ValueError: [E0101] cat: the list of tensors is empty
      at  shapes.py:LINE   px.cat([])
    """
    px.cat([])


def stack_of_different_shapes():
    """
    phlox.errors.ShapeError: [E0205] stack: tensors 0 and 1 have different shapes
      tensor 0  a  f32[2,3] cpu   shapes.py:LINE   px.stack([a, b])
      tensor 1  b  f32[2,4] cpu
    """
    a, b = px.ones(2, 3), px.ones(2, 4)
    px.stack([a, b])


def permutation():
    """
    phlox.errors.ShapeError: [E0204] permute: 2 dimensions are named, the tensor has 3
      input  x  f32[2,3,4] cpu   shapes.py:LINE   x.permute(0, 1)
    """
    x = px.ones(2, 3, 4)
    x.permute(0, 1)


def expand():
    """
    phlox.errors.ShapeError: [E0201] expand: size 4 of dimension 1 cannot become 8
      input  x  f32[3,4] cpu   shapes.py:LINE   x.expand(3, 8)
      size   [3,8]
      try    only sizes of 1 stretch
    """
    x = px.ones(3, 4)
    x.expand(3, 8)


def squeeze_of_a_dimension_that_is_not_there():
    """
    phlox.errors.ShapeError: [E0206] squeeze: dimension 5 does not exist in a tensor of 2 dimensions
      allowed  -2 to 1
      at       shapes.py:LINE   x.squeeze(5)
    """
    x = px.ones(3, 4)
    x.squeeze(5)


def largest_of_nothing():
    """
    phlox.errors.ShapeError: [E0208] max: no element to choose from
      input  x  f32[0,3] cpu   shapes.py:LINE   x.max(0)
      try    reduce over a dimension that holds elements
    """
    x = px.ones(0, 3)
    x.max(0)


def features_of_a_linear_layer():
    """
    phlox.errors.ShapeError: [E0203] linear: input has 12 features, the weight takes 16
      input   x  f32[8,12] cpu   shapes.py:LINE   layer(x)
      weight     f32[4,16] cpu   Linear "weight"
      try     x.flatten(1) joins all but the batch dimension; or a layer for 12 features
    """
    layer = nn.Linear(16, 4)
    x = px.ones(8, 12)
    layer(x)


def features_within_a_network():
    """
    phlox.errors.ShapeError: [E0203] linear: input has 8 features, the weight takes 4
      input   f32[5,8] cpu
      weight  f32[2,4] cpu   Linear "mlp.2.weight"
      at      shapes.py:LINE   return self.mlp(images)
      try     input.flatten(1) joins all but the batch dimension; or a layer for 8 features
    """

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.mlp = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(4, 2))

        def forward(self, images):
            return self.mlp(images)

    net, x = Net(), px.ones(5, 16)
    net(x)


def image_with_the_channels_last():
    """
    phlox.errors.ShapeError: [E0205] conv2d: input has 28 channels, the weight takes 3
      input   image  f32[1,28,28,3] cpu   shapes.py:LINE   conv(image)
      weight         f32[8,3,3,3] cpu     Conv2d "weight"
      try     channels are dimension 1; image.permute(0, 3, 1, 2) moves them there from the end
    """
    conv = nn.Conv2d(3, 8, 3)
    image = px.ones(1, 28, 28, 3)
    conv(image)


def image_without_channels():
    """
    phlox.errors.ShapeError: [E0204] conv2d: input needs 4 dimensions (batch, channels, 2 spatial), not 2
      input  image  f32[28,28] cpu   shapes.py:LINE   conv(image)
      try    image.unsqueeze(0) adds a batch dimension in front, image.unsqueeze(1) a channel
    """
    conv = nn.Conv2d(1, 8, 3)
    image = px.ones(28, 28)
    conv(image)


def kernel_larger_than_the_image():
    """
    phlox.errors.ShapeError: [E0205] conv2d: the kernel reaches over 5 positions, the padded input has 3
      input   image  f32[1,1,3,3] cpu   shapes.py:LINE   conv(image)
      weight         f32[8,1,5,5] cpu   Conv2d "weight"
      try     a smaller kernel or dilation, or more padding
    """
    conv = nn.Conv2d(1, 8, 5)
    image = px.ones(1, 1, 3, 3)
    conv(image)


def pooling_of_a_matrix():
    """
    phlox.errors.ShapeError: [E0204] max_pool2d: input needs 4 dimensions (batch, channels, 2 spatial), not 2
      input  x  f32[8,8] cpu   shapes.py:LINE   F.max_pool2d(x, 2)
      try    x.unsqueeze(0) adds a batch dimension in front, x.unsqueeze(1) a channel
    """
    x = px.ones(8, 8)
    F.max_pool2d(x, 2)


def batch_norm_of_other_channels():
    """
    phlox.errors.ShapeError: [E0205] batch_norm: the input has 4 channels, weight is for 8
      input   x  f32[2,4,5,5] cpu   shapes.py:LINE   norm(x)
      weight     f32[8] cpu         BatchNorm2d "weight"
    """
    norm = nn.BatchNorm2d(8)
    x = px.ones(2, 4, 5, 5)
    norm(x)


def layer_norm_of_another_size():
    """
    phlox.errors.ShapeError: [E0205] layer_norm: the last dimensions of the input are not [16]
      input  x  f32[2,8] cpu   shapes.py:LINE   norm(x)
      try    normalized_shape names the sizes of the last dimensions
    """
    norm = nn.LayerNorm(16)
    x = px.ones(2, 8)
    norm(x)


def targets_of_a_cross_entropy():
    """
    phlox.errors.ShapeError: [E0205] cross_entropy: the target does not fit the input
      input   logits  f32[8,10] cpu   shapes.py:LINE   F.cross_entropy(logits, labels)
      target  labels  i64[4] cpu
      try     input [N, classes, ...] goes with a target [N, ...] of class numbers
    """
    logits, labels = px.ones(8, 10), px.zeros(4, dtype=px.int64)
    F.cross_entropy(logits, labels)


def mean_squared_error_of_different_shapes():
    """
    phlox.errors.ShapeError: [E0205] mse_loss: input and target have different shapes
      input   prediction  f32[8,1] cpu   shapes.py:LINE   F.mse_loss(prediction, target)
      target  target      f32[8] cpu
      try     target.reshape(input.shape), or expand one of them on purpose
    """
    prediction, target = px.ones(8, 1), px.ones(8)
    F.mse_loss(prediction, target)


def einsum_of_different_sizes():
    """
    phlox.errors.ValueError: [E0211] einsum: 'j' has the sizes 4 and 5
      equation  ij,jk->ik
      operand   b  f32[5,6] cpu   shapes.py:LINE   px.einsum("ij,jk->ik", a, b)
    """
    a, b = px.ones(3, 4), px.ones(5, 6)
    px.einsum("ij,jk->ik", a, b)


def einsum_of_too_few_tensors():
    """
    phlox.errors.ValueError: [E0211] einsum: the equation has 2 terms, but there are 1 operands
      equation  ij,jk->ik
      at        shapes.py:LINE   px.einsum("ij,jk->ik", a)
    """
    a = px.ones(3, 4)
    px.einsum("ij,jk->ik", a)


def step_of_a_larger_operation():
    """
    phlox.errors.ShapeError: [E0203] scaled_dot_product_attention: query and key have one width, key and value one length
      query  query  f32[1,2,3,4] cpu   shapes.py:LINE   F.scaled_dot_product_attention(query, key, value)
      key    key    f32[1,2,3,5] cpu
      value  value  f32[1,2,3,4] cpu
    """
    query, key, value = px.ones(1, 2, 3, 4), px.ones(1, 2, 3, 5), px.ones(1, 2, 3, 4)
    F.scaled_dot_product_attention(query, key, value)


def choice_between_different_shapes():
    """
    phlox.errors.ShapeError: [E0201] where: shapes [3,4] and [3,4] and [5] do not broadcast
      input 0  x > 0  bool[3,4] cpu   shapes.py:LINE   px.where(x > 0, x, y)
      input 1  x      f32[3,4] cpu
      input 2  y      f32[5] cpu
      try      sizes must be equal or 1, counted from the last dimension; unsqueeze() or reshape() one side
    """
    x, y = px.ones(3, 4), px.ones(5)
    px.where(x > 0, x, y)


def windows_that_do_not_fit():
    """
    phlox.errors.ShapeError: [E0101] unfold: windows of 5, 1 apart, in dimension 0 of size 3
      input  x  f32[3,4] cpu   shapes.py:LINE   x.unfold(0, 5, 1)
    """
    x = px.ones(3, 4)
    x.unfold(0, 5, 1)
