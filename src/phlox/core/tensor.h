// Tensor: a small handle to an n-dimensional strided array.
//
//   auto x = phlox::ones({2, 3});
//   auto y = (x * 2.0).sum(0);           // f32[3], every line runs now
//   float first = y[0].item<float>();
//
// Copying a Tensor shares the data; clone() copies it. Sizes and strides count elements. A tensor that was never
// given a value is "undefined"; using it throws StateError. All operations of ops/ that take a tensor first are
// methods as well, from the same definitions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/core/allocator.h"
#include "phlox/core/arguments.h"
#include "phlox/core/device.h"
#include "phlox/core/dtype.h"
#include "phlox/core/gradient_node.h"
#include "phlox/core/int_list.h"
#include "phlox/core/mode.h"
#include "phlox/core/scalar.h"
#include "phlox/core/storage.h"

namespace phlox {

struct Index;

// What a tensor consists of. Users hold Tensor; kernels and bindings look inside.
struct TensorImpl {
  ReferenceCount references;
  DType dtype = DType::float32;
  Device device;
  std::uint8_t rank = 0;
  bool contiguous = true;      // row-major without gaps
  bool inference = false;      // made in inference mode
  bool is_view = false;        // made by a viewing operation (detach() does not count)
  bool is_cut_off = false;     // a view that was made while no gradients were recorded
  std::uint32_t history = 0;   // of the storage when a view was made or last brought up to date
  TensorImpl* base = nullptr;  // owned: what a view looks at, no view itself
  Storage* storage = nullptr;
  std::int64_t offset = 0;  // of the first element, in elements
  std::int64_t count = 0;   // of elements
  AutogradRecord* autograd = nullptr;
  void* python_object = nullptr;  // the Python object that owns this handle, if one lives
  std::int64_t sizes[max_rank];
  std::int64_t strides[max_rank];

  // Throws GraphError for a tensor that was made while a function was captured: it has no data.
  void* address() const {
    if (!storage->data && !thread_mode.abstract) [[unlikely]]
      throw_without_data();
    return static_cast<char*>(storage->data) + offset * element_size(dtype);
  }
  bool has_data() const { return storage->data != nullptr; }
  // Recomputes `count` and `contiguous` from sizes and strides.
  void update_layout();
  // Makes this a view of `from`, or of what that is a view of.
  void set_base(const TensorImpl& from) {
    is_view = true;
    is_cut_off = from.is_cut_off || thread_mode.gradients_off;
    base = from.is_view && from.base ? from.base : const_cast<TensorImpl*>(&from);
    base->references.acquire();
  }
  // Makes this no view of anything.
  void forget_base();
  [[noreturn]] void throw_without_data() const;
};
void destroy(TensorImpl* impl);

namespace detail {
// After a write in place with gradients through the base of a view or another view of it: gives the view the history
// of the elements as they are now. False where that cannot be told. In ops/view_history.cc.
bool renew_view(TensorImpl* view);
// Tells the interpreters that the gradient kept by a leaf is about to be read or replaced. In ops/primitives.
void note_gradient_access(const Tensor& leaf, bool reads);
}  // namespace detail

// Options of functions that create tensors. Unset fields mean the defaults.
struct TensorOptions {
  std::optional<DType> dtype = std::nullopt;    // the default dtype, or that of the values
  std::optional<Device> device = std::nullopt;  // the default device
  bool requires_grad = false;                   // makes a leaf of which gradients are kept
};

// Memory format of contiguous().
enum class MemoryFormat : std::uint8_t { row_major, channels_last };

// An argument that may be a tensor or a number: add(x, 1.5). It borrows; never keep one.
class Operand {
 public:
  // A tensor, which must outlive the call.
  Operand(const Tensor& tensor) : tensor_(&tensor) {}
  // A number of any kind. Its dtype is weak: it does not widen that of tensors.
  Operand(Scalar scalar) : scalar_(scalar) {}
  // The same from C++ numbers.
  template <class T>
    requires std::is_arithmetic_v<T>
  Operand(T value) : scalar_(value) {}
  // The same from complex numbers.
  template <class T>
  Operand(std::complex<T> value) : scalar_(value) {}

  // Which of the two it is.
  bool is_tensor() const { return tensor_ != nullptr; }
  // The tensor; only where is_tensor() is true.
  const Tensor& tensor() const { return *tensor_; }
  // The number; only where is_tensor() is false.
  const Scalar& scalar() const { return scalar_; }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar scalar_;
};

// A number, or a list of these: what Tensor({{1, 2}, {3, 4}}) is made from.
class NestedValues {
 public:
  // One number.
  template <class T>
    requires std::is_arithmetic_v<T>
  NestedValues(T value) : scalar_(value) {}
  // One complex number.
  template <class T>
  NestedValues(std::complex<T> value) : scalar_(value) {}
  // A list, which may hold lists.
  NestedValues(std::initializer_list<NestedValues> list) : list_(list), is_list_(true) {}

  // Whether it is a list, which may be empty, or a number.
  bool is_list() const { return is_list_; }
  // The number.
  const Scalar& scalar() const { return scalar_; }
  // The elements of the list.
  const std::vector<NestedValues>& list() const { return list_; }

 private:
  Scalar scalar_;
  std::vector<NestedValues> list_;
  bool is_list_ = false;
};

// An array of numbers of one dtype on one device, with a shape and strides. A Tensor is a handle: copying it copies no
// data, and all copies see what is written. Operations are functions, px::sum(x, 0), and methods, x.sum(0); names and
// parameters are the same in Python. A handle that was made without arguments is undefined, and using it is a StateError.
//
//   Tensor x = randn({3, 4}).set_requires_grad();
//   Tensor loss = (x.matmul(ones({4, 2})) * 2.0).sum();
//   loss.backward();                       // x.grad() is the gradient, f32[3,4]
//   float first = loss.item<float>();
class Tensor {
 public:
  Tensor() = default;
  // Takes over what the library works with; programs do not call this.
  explicit Tensor(Reference<TensorImpl> impl) : impl_(std::move(impl)) {}
  // A 0-d tensor from a number: Tensor(2.5).
  explicit Tensor(Scalar value, TensorOptions options = {});
  // From a list, or lists of lists of equal length: Tensor({1, 2, 3}), Tensor({{1.5, 2}, {3, 4}}). Integers give
  // int64, truth values bool, anything else the default dtype. Throws ShapeError for lists of different lengths.
  explicit Tensor(std::initializer_list<NestedValues> values, TensorOptions options = {});

  // False for a handle that was made without arguments, and for an optional tensor that is not there.
  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const = delete;  // ambiguous: write defined() or item<bool>()

  // --- layout
  // The sizes of the dimensions.
  Shape shape() const { return Shape(std::span<const std::int64_t>(impl()->sizes, impl()->rank)); }
  // How many elements lie between neighbours along each dimension; negative for reversed views.
  Strides strides() const { return Strides(std::span<const std::int64_t>(impl()->strides, impl()->rank)); }
  // The size of one dimension, which may count from the end. Throws ShapeError.
  std::int64_t size(std::int64_t dim) const;
  // The stride of one dimension, in elements. Throws ShapeError.
  std::int64_t stride(std::int64_t dim) const;
  // The number of dimensions.
  int rank() const { return impl()->rank; }
  // The same, under PyTorch's name.
  int dim() const { return impl()->rank; }
  // The number of elements.
  std::int64_t numel() const { return impl()->count; }
  // The type of the elements.
  DType dtype() const { return impl()->dtype; }
  // Where the elements are.
  Device device() const { return impl()->device; }
  // Where the first element is in the memory that views share, in elements.
  std::int64_t storage_offset() const { return impl()->offset; }
  // Whether elements lie in row-major order without gaps.
  bool is_contiguous() const { return impl()->contiguous; }
  // True when the innermost dimension in memory is the second one (4-d and 5-d tensors).
  bool is_channels_last() const;
  // Whether both look at the same block of memory, as a tensor and its views do.
  bool shares_storage_with(const Tensor& other) const { return impl()->storage == other.impl()->storage; }

  // --- data
  // The first element. Throws DTypeError when T is not the dtype.
  template <class T>
  T* data() const {
    if (dtype_of<T> != impl()->dtype) throw_wrong_data_type(dtype_of<T>);
    return static_cast<T*>(data_pointer());
  }
  // Throws GraphError while a function is captured, as do data(), item() and to_vector().
  void* data_pointer() const;
  // The only element. Throws ValueError when there is not exactly one.
  Scalar item() const;
  // The only element, converted to T. Throws ValueError when there is not exactly one.
  template <class T>
  T item() const {
    Scalar s = item();
    if constexpr (std::is_same_v<T, bool>) return s.boolean();
    else if constexpr (std::is_integral_v<T>) return static_cast<T>(s.integer());
    else if constexpr (requires { typename T::value_type; }) return T(s.complex());
    else return static_cast<T>(s.real());
  }
  // All elements in logical order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;
  // Values, dtype and what else Python's repr() shows; the middle of large tensors is left out.
  std::string to_string() const;

  // --- moving and casting
  // The elements in another dtype; the tensor itself if it has that dtype, unless `copy`.
  Tensor to(DType dtype, bool copy = false) const;
  // The elements on another device, likewise.
  Tensor to(Device device, bool copy = false) const;

  // --- indexing as in NumPy: x[{1, Slice{0, 5}, ellipsis, newaxis, mask}], assignment with index_put_
  Tensor operator[](std::initializer_list<Index> indices) const;
  // A slice of the first dimension, as a view. Throws IndexError.
  Tensor operator[](std::int64_t index) const;
  // The elements at integer positions of the first dimension, or those where a boolean tensor is true.
  Tensor operator[](const Tensor& indices) const;
  // Writes a value, broadcast, to what the index names: x[1, 0:5] = value in Python.
  void set(std::initializer_list<Index> indices, const Operand& value) const;

  // --- gradients
  // Whether gradients flow to it: a leaf that asks for them, or a result that depends on one.
  bool requires_grad() const { return current()->autograd && impl_->autograd->requires_grad; }
  // Whether no recorded operation made it; only leaves keep gradients by themselves.
  bool is_leaf() const { return !current()->autograd || !impl_->autograd->node; }
  // Marks a leaf. Throws GradientError for integer tensors and for tensors that operations have made.
  const Tensor& set_requires_grad(bool on = true) const;
  // The gradient that backward() has added up; undefined before.
  Tensor grad() const;
  // Replaces the gradient that is kept; an undefined tensor drops it.
  void set_grad(const Tensor& gradient) const;
  // Adds the gradients of this tensor with respect to all leaves into their grad().
  // `gradient` may be left out for a single element. `create_graph` records the backward pass itself.
  void backward(const Tensor& gradient = {}, std::optional<bool> retain_graph = {},
                bool create_graph = false) const;
  // The same data, cut off from gradients.
  Tensor detach() const;
  // Keeps grad() of a tensor that is not a leaf.
  const Tensor& retain_grad() const;
  // Called with the gradient when it is known; may return another in its place. Returns a number for remove_hook.
  std::int64_t register_hook(std::function<Tensor(const Tensor&)> hook) const;
  // Removes a hook by the number that registering it gave.
  void remove_hook(std::int64_t number) const;
  // Called with this leaf whenever a backward pass has added to its grad(), which the hook may use up and clear.
  std::int64_t register_post_accumulate_grad_hook(std::function<void(const Tensor&)> hook) const;
  // Counts the writes in place to this tensor and all that share its memory.
  std::uint32_t version() const { return impl()->storage->version.load(std::memory_order_relaxed); }

#include "phlox/core/tensor_methods.h"

  // --- inside
  TensorImpl* impl() const {
    if (!impl_) [[unlikely]]
      throw_undefined();
    return impl_.get();
  }
  TensorImpl* unsafe_impl() const { return impl_.get(); }
  // The same, with a history that is up to date.
  TensorImpl* current() const {
    TensorImpl* t = impl();
    if (t->is_view && t->history != t->storage->history.load(std::memory_order_relaxed)) [[unlikely]]
      detail::renew_view(t);
    return t;
  }
  const Reference<TensorImpl>& reference() const { return impl_; }

 private:
  [[noreturn]] static void throw_undefined();
  [[noreturn]] void throw_wrong_data_type(DType asked) const;

  Reference<TensorImpl> impl_;
};

// --- indexing
// Positions start, start + step, ... before stop, as Python slices them: x[{Slice{1, 5, 2}}].
struct Slice {
  std::optional<std::int64_t> start =
      {};                                 // from the beginning, or the end for negative steps, when not given
  std::optional<std::int64_t> stop = {};  // excluded; to the end, likewise
  std::int64_t step = 1;                  // not 0; a negative one walks backwards, still as a view
};
// As many whole dimensions as there are left.
struct Ellipsis {};
// A new dimension of size 1.
struct NewAxis {};
// Python's `...` in an index.
inline constexpr Ellipsis ellipsis{};
// Python's `None` in an index.
inline constexpr NewAxis newaxis{};

// One entry of an index: a position, a slice, `ellipsis`, `newaxis`, or an integer or boolean tensor.
struct Index : std::variant<std::int64_t, Slice, Ellipsis, NewAxis, Tensor> {
  using Base = std::variant<std::int64_t, Slice, Ellipsis, NewAxis, Tensor>;
  // A position, which may count from the end.
  Index(int position) : Base(static_cast<std::int64_t>(position)) {}
  // A position, which may count from the end.
  Index(std::int64_t position) : Base(position) {}
  // Several positions.
  Index(Slice slice) : Base(slice) {}
  // The dimensions that are not named.
  Index(Ellipsis e) : Base(e) {}
  // A dimension of size 1.
  Index(NewAxis n) : Base(n) {}
  // Integer positions, or a boolean mask, which takes as many dimensions as it has.
  Index(Tensor indices) : Base(std::move(indices)) {}
};

// --- making tensors (the operations that create are in ops/; these are the bare allocations)
// Uninitialised, row-major.
Tensor make_tensor(const Shape& shape, DType dtype, Device device = default_device());
// Uninitialised with the memory order of `like` (channels-last stays channels-last).
Tensor make_tensor_like(const Tensor& like, const Shape& shape, DType dtype);
// Another view of the same storage; carries no gradient record.
Tensor make_view(const Tensor& base, const Shape& shape, const Strides& strides, std::int64_t offset);
// A tensor on memory that somebody else owns; `release(owner)` is called when the last view has gone.
Tensor wrap_memory(void* data, const Shape& shape, const Strides& strides, DType dtype,
                   void (*release)(void*), void* owner, bool read_only = false);
// From values in row-major order. Throws ShapeError when their number does not fit.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape);

// "f32[3,4]", and with `device` "f32[3,4] cpu": for messages.
Description describe(const Tensor& tensor, bool device = true);

// Number of threads of the calling process used for operations is in core/parallel.h.

}  // namespace phlox
