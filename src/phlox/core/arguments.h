// Types of the parameters of operations. They read well in C++ and map one to one to Python.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "phlox/core/device.h"
#include "phlox/core/dtype.h"
#include "phlox/core/int_list.h"
#include "phlox/core/scalar.h"

namespace phlox {

class Tensor;
class Operand;
class Generator;

// One dimension or several: sum(x, 0), sum(x, {0, 2}).
struct DimList : IntList {
  using IntList::IntList;
  DimList() = default;
  DimList(const IntList& list) : IntList(list) {}
  DimList(std::int64_t dim) : IntList({dim}) {}
  DimList(int dim) : IntList({dim}) {}
};

using OptionalDims = std::optional<DimList>;
using OptionalDim = std::optional<std::int64_t>;
using OptionalInt = std::optional<std::int64_t>;
using OptionalDouble = std::optional<double>;
using OptionalBool = std::optional<bool>;
using OptionalScalar = std::optional<Scalar>;
using OptionalDType = std::optional<DType>;
using OptionalDevice = std::optional<Device>;
using OptionalString = std::optional<std::string>;
// May be undefined: an optional tensor.
using OptionalTensor = std::optional<Tensor>;
using OptionalOperand = std::optional<Operand>;
// A list of any length, such as the sizes of a split.
using Integers = std::vector<std::int64_t>;
using Doubles = std::vector<double>;
using TensorList = std::vector<Tensor>;
using TensorPair = std::tuple<Tensor, Tensor>;
using TensorTriple = std::tuple<Tensor, Tensor, Tensor>;
using TensorQuadruple = std::tuple<Tensor, Tensor, Tensor, Tensor>;

}  // namespace phlox
