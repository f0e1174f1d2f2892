#include "phlox/core/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "phlox/core/recording.h"
#include "phlox/core/sample_mode.h"
#include "phlox/core/strided.h"
#include "phlox/core/watch_bit.h"

namespace phlox {

namespace {

// Blocks of this size are named for the list in an OutOfMemoryError.
constexpr std::size_t labelled_bytes = std::size_t{1} << 20;

TensorImpl* new_impl() {
  auto* impl = new (allocate(sizeof(TensorImpl))) TensorImpl;
  impl->inference = thread_mode.inference;
  return impl;
}

PHLOX_COLD void label_storage(const TensorImpl* impl) {
  Shape shape(std::span<const std::int64_t>(impl->sizes, impl->rank));
  label_block(impl->storage->data, impl->storage->bytes,
              fmt::format("{}[{}]", info(impl->dtype).short_name, to_string(shape)));
}

// Gives the tensor memory for `count` elements.
void attach_storage(TensorImpl* impl, Device device) {
  if (device.type == DeviceType::cuda) [[unlikely]]
    fail<DeviceError>(ErrorCode::unknown_device, "the device {} is not available here", to_string(device))
        .raise();
  std::size_t bytes;
  if (__builtin_mul_overflow(static_cast<std::size_t>(impl->count),
                             static_cast<std::size_t>(element_size(impl->dtype)), &bytes) ||
      bytes > static_cast<std::size_t>(INT64_MAX) - 4096) [[unlikely]]
    fail<OutOfMemoryError>(ErrorCode::out_of_memory, "no memory for {} elements of {}", impl->count,
                           info(impl->dtype).name)
        .raise();
  impl->storage = make_storage(bytes);
  impl->device = device;
  impl->storage->device = device;
  if (bytes >= labelled_bytes && impl->has_data()) [[unlikely]]
    label_storage(impl);
}

// Releases a half-made tensor when an exception passes.
struct ImplGuard {
  TensorImpl* impl;
  ~ImplGuard() {
    if (impl) deallocate(impl, sizeof(TensorImpl));
  }
  TensorImpl* done() { return std::exchange(impl, nullptr); }
};

Tensor adopt(TensorImpl* impl) { return Tensor(Reference<TensorImpl>::adopt(impl)); }

// True when the dimensions other than 1 have the strides that a dense tensor has in the given order, innermost last.
bool is_dense_in_order(const TensorImpl& t, const int* order) {
  std::int64_t expected = 1;
  for (int i = t.rank - 1; i >= 0; --i) {
    int d = order[i];
    if (t.sizes[d] != 1 && t.strides[d] != expected) return false;
    expected *= t.sizes[d];
  }
  return true;
}

constexpr int channels_last_4d[] = {0, 2, 3, 1};
constexpr int channels_last_5d[] = {0, 2, 3, 4, 1};

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(convert<float>(value));
  } else if constexpr (std::is_arithmetic_v<From> && std::is_arithmetic_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_arithmetic_v<From>) {
    return To(static_cast<typename To::value_type>(value));
  } else if constexpr (std::is_arithmetic_v<To>) {
    return convert<To>(value.real());
  } else {
    return To(value);
  }
}

[[noreturn]] void throw_not_a_leaf(const Tensor& tensor, const char* what) {
  fail<GradientError>(ErrorCode::not_a_leaf, "{}: only leaves, which no operation has made, allow this", what)
      .detail("tensor", describe(tensor))
      .hint("<tensor>.detach() is a leaf of the same data")
      .raise();
}

}  // namespace

void TensorImpl::update_layout() {
  std::int64_t total = 1;
  for (int i = 0; i < rank; ++i) total *= sizes[i];
  count = total;
  std::int64_t expected = 1;
  bool dense = true;
  for (int i = rank - 1; i >= 0; --i) {
    if (sizes[i] != 1) {
      dense &= strides[i] == expected;
      expected *= sizes[i];
    }
  }
  contiguous = dense || total == 0;
}

void TensorImpl::throw_without_data() const {
  const Shape shape(std::span<const std::int64_t>(sizes, rank));
  if (active_vmaps && active_vmaps == interpreters())
    fail<GraphError>(ErrorCode::value_while_capturing,
                     "the values of a tensor are asked for inside of vmap, where they differ between samples")
        .detail("tensor", fmt::format("{}[{}]", info(dtype).short_name, to_string(shape)))
        .hint("compute with tensors; px.where chooses between two of them")
        .raise();
  fail<GraphError>(ErrorCode::value_while_capturing,
                   "the values of a tensor are asked for that was made while a function is captured")
      .detail("tensor", fmt::format("{}[{}]", info(dtype).short_name, to_string(shape)))
      .hint("compute with tensors until the captured function returns")
      .raise();
}

void destroy(TensorImpl* impl) {
  if (impl->autograd) {
    if (const auto& accumulator = impl->autograd->accumulator)
      static_cast<AccumulateGradient*>(accumulator.get())->forget_leaf(impl);
    delete impl->autograd;
  }
  if (impl->base && impl->base->references.release()) destroy(impl->base);
  if (impl->storage->references.release()) destroy(impl->storage);
  deallocate(impl, sizeof(TensorImpl));
}

void TensorImpl::forget_base() {
  is_view = is_cut_off = false;
  TensorImpl* old = std::exchange(base, nullptr);
  if (old && old->references.release()) destroy(old);
}

// --- making

Tensor make_tensor(const Shape& shape, DType dtype, Device device) {
  TensorImpl* impl = new_impl();
  ImplGuard guard{impl};
  impl->dtype = dtype;
  impl->rank = static_cast<std::uint8_t>(shape.size());
  std::int64_t stride = 1;
  bool unusual = false, empty = false;
  for (std::size_t i = shape.size(); i-- > 0;) {
    std::int64_t size = shape[i];
    impl->sizes[i] = size;
    impl->strides[i] = stride;
    unusual |= size < 0;
    empty |= size == 0;
    unusual |= __builtin_mul_overflow(stride, size == 0 ? 1 : size, &stride);
  }
  if (unusual) [[unlikely]]
    element_count(shape);
  impl->count = empty ? 0 : stride;
  attach_storage(impl, device);
  return adopt(guard.done());
}

Tensor make_tensor_like(const Tensor& like, const Shape& shape, DType dtype) {
  const TensorImpl* from = like.impl();
  bool same_order = from->contiguous || from->rank != shape.rank() || from->count == 0;
  for (int i = 0; i < from->rank && !same_order; ++i)
    same_order = from->sizes[i] != 1 && from->strides[i] == 0;  // expanded: there is no order to keep
  if (same_order) return make_tensor(shape, dtype, from->device);

  // Dimensions from the outermost in memory to the innermost; sizes of 1 say nothing and stay where they are.
  int order[max_rank];
  for (int i = 0; i < from->rank; ++i) order[i] = i;
  if (like.is_channels_last()) {
    std::copy_n(from->rank == 4 ? channels_last_4d : channels_last_5d, from->rank, order);
  } else {
    std::stable_sort(order, order + from->rank,
                     [&](int a, int b) { return std::abs(from->strides[a]) > std::abs(from->strides[b]); });
  }
  Tensor result = make_tensor(shape, dtype, from->device);
  TensorImpl* impl = result.impl();
  std::int64_t stride = 1;
  for (int i = impl->rank - 1; i >= 0; --i) {
    impl->strides[order[i]] = stride;
    stride *= std::max<std::int64_t>(impl->sizes[order[i]], 1);
  }
  impl->update_layout();
  return result;
}

Tensor make_view(const Tensor& base, const Shape& shape, const Strides& strides, std::int64_t offset) {
  TensorImpl* from = base.impl();
  TensorImpl* impl = new_impl();
  impl->dtype = from->dtype;
  impl->device = from->device;
  impl->rank = static_cast<std::uint8_t>(shape.size());
  impl->set_base(*from);
  impl->inference |= from->inference;
  impl->offset = offset;
  impl->storage = from->storage;
  impl->storage->references.acquire();
  impl->history = impl->storage->history.load(std::memory_order_relaxed);
  std::copy_n(shape.begin(), shape.size(), impl->sizes);
  std::copy_n(strides.begin(), shape.size(), impl->strides);
  impl->update_layout();
  return adopt(impl);
}

Tensor wrap_memory(void* data, const Shape& shape, const Strides& strides, DType dtype,
                   void (*release)(void*), void* owner, bool read_only) {
  std::int64_t count = element_count(shape);
  std::int64_t extent = count == 0 ? 0 : 1;
  for (std::size_t i = 0; i < shape.size() && count > 0; ++i)
    extent += std::max<std::int64_t>(strides[i], 0) * (shape[i] - 1);
  TensorImpl* impl = new_impl();
  impl->dtype = dtype;
  impl->rank = static_cast<std::uint8_t>(shape.size());
  std::copy_n(shape.begin(), shape.size(), impl->sizes);
  std::copy_n(strides.begin(), shape.size(), impl->strides);
  impl->update_layout();
  impl->storage =
      wrap_storage(data, static_cast<std::size_t>(extent * element_size(dtype)), release, owner, read_only);
  return adopt(impl);
}

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape) {
  if (element_count(shape) != static_cast<std::int64_t>(values.size()))
    fail<ShapeError>(ErrorCode::wrong_element_count, "{} values do not fill the shape [{}]", values.size(),
                     to_string(shape))
        .raise();
  Tensor result = make_tensor(shape, dtype_of<T>, Device{});
  if (!values.empty()) std::memcpy(result.impl()->address(), values.data(), values.size_bytes());
  return result;
}

namespace {

// Appends the numbers in row-major order and notes, or checks, the size at each depth.
void append_numbers(const std::vector<NestedValues>& list, std::size_t depth, Shape& shape,
                    std::vector<Scalar>& numbers) {
  const auto size = static_cast<std::int64_t>(list.size());
  if (shape.size() == depth && numbers.empty()) shape.push_back(size);
  bool fits = depth < shape.size() && shape[depth] == size;
  for (const NestedValues& value : list) {
    if (!fits) break;
    if (value.is_list()) append_numbers(value.list(), depth + 1, shape, numbers);
    else if (shape.size() == depth + 1) numbers.push_back(value.scalar());
    else fits = false;
  }
  if (!fits) fail<ShapeError>(ErrorCode::sizes_differ, "Tensor: the lists have different lengths").raise();
}

}  // namespace

Tensor::Tensor(std::initializer_list<NestedValues> values, TensorOptions options) {
  Shape shape;
  std::vector<Scalar> numbers;
  append_numbers(values, 0, shape, numbers);
  Scalar::Kind kind = numbers.empty() ? Scalar::Kind::floating : Scalar::Kind::boolean;
  for (const Scalar& number : numbers) kind = std::max(kind, number.kind());
  const auto widest =
      std::find_if(numbers.begin(), numbers.end(), [&](const Scalar& s) { return s.kind() == kind; });
  const DType dtype = options.dtype.value_or(widest == numbers.end() ? default_dtype() : widest->dtype());
  Tensor result = make_tensor(shape, dtype, Device{});
  char* target = static_cast<char*>(result.impl()->address());
  for (const Scalar& number : numbers) {
    number.check_fits(dtype);
    number.store(dtype, target);
    target += element_size(dtype);
  }
  *this = result.to(options.device.value_or(default_device()));
  if (options.requires_grad) set_requires_grad();
}

Tensor::Tensor(Scalar value, TensorOptions options) {
  DType dtype = options.dtype.value_or(value.dtype());
  value.check_fits(dtype);
  *this = make_tensor({}, dtype, options.device.value_or(default_device()));
  value.store(dtype, impl_->address());
  if (options.requires_grad) set_requires_grad();
}

// --- layout

std::int64_t Tensor::size(std::int64_t dim) const {
  const TensorImpl* t = impl();
  int d = normalize_dim(dim, t->rank, "size");
  return t->rank == 0 ? 1 : t->sizes[d];
}

std::int64_t Tensor::stride(std::int64_t dim) const {
  const TensorImpl* t = impl();
  int d = normalize_dim(dim, t->rank, "stride");
  return t->rank == 0 ? 1 : t->strides[d];
}

bool Tensor::is_channels_last() const {
  const TensorImpl& t = *impl();
  if (t.rank == 4) return is_dense_in_order(t, channels_last_4d);
  return t.rank == 5 && is_dense_in_order(t, channels_last_5d);
}

// --- data

void* Tensor::data_pointer() const {
  if (interpreters()) [[unlikely]]
    impl()->throw_without_data();
  return impl()->address();
}

namespace {

// Values may be asked for where no interpreter is active, or where vmaps alone are and samples share the tensor.
void need_values(const TensorImpl& tensor) {
  if (!interpreters()) [[likely]]
    return;
  if (!tensor.has_data() || active_vmaps != interpreters()) tensor.throw_without_data();
}

}  // namespace

Scalar Tensor::item() const {
  const TensorImpl* t = impl();
  need_values(*t);
  if (t->count != 1)
    fail<ValueError>(ErrorCode::invalid_value, "item: a tensor of {} elements is not a single number",
                     t->count)
        .detail("tensor", describe(*this))
        .hint("index or reduce it first; tolist() in Python and to_vector() in C++ give all elements")
        .raise();
  return Scalar::load(t->dtype, t->address());
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const TensorImpl& t = *impl();
  need_values(t);
  if (!is_computable(t.dtype))
    fail<DTypeError>(ErrorCode::wrong_dtype, "to_vector: {} has no C++ type", info(t.dtype).name).raise();
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(t.count));
  visit_dtype(t.dtype, [&]<class From>() {
    const auto* data = static_cast<const From*>(t.address());
    for_each_offset(t, [&](std::int64_t offset) { values.push_back(convert<T>(data[offset])); });
  });
  return values;
}

#define PHLOX_INSTANTIATE(T)                            \
  template std::vector<T> Tensor::to_vector<T>() const; \
  template Tensor from_values<T>(std::span<const T>, const Shape&);
PHLOX_INSTANTIATE(bool)
PHLOX_INSTANTIATE(std::uint8_t)
PHLOX_INSTANTIATE(std::uint16_t)
PHLOX_INSTANTIATE(std::uint32_t)
PHLOX_INSTANTIATE(std::uint64_t)
PHLOX_INSTANTIATE(std::int8_t)
PHLOX_INSTANTIATE(std::int16_t)
PHLOX_INSTANTIATE(std::int32_t)
PHLOX_INSTANTIATE(std::int64_t)
PHLOX_INSTANTIATE(Half)
PHLOX_INSTANTIATE(BFloat16)
PHLOX_INSTANTIATE(float)
PHLOX_INSTANTIATE(double)
PHLOX_INSTANTIATE(std::complex<float>)
PHLOX_INSTANTIATE(std::complex<double>)
#undef PHLOX_INSTANTIATE

// --- gradients

const Tensor& Tensor::set_requires_grad(bool on) const {
  TensorImpl* t = impl();
  if (!is_leaf()) {
    if (on) return *this;
    throw_not_a_leaf(*this, "requires_grad");
  }
  if (on) {
    if (!is_differentiable(t->dtype))
      fail<GradientError>(ErrorCode::requires_grad_dtype,
                          "requires_grad: only floating and complex tensors can require gradients, not {}",
                          info(t->dtype).name)
          .detail("tensor", describe(*this))
          .hint("<tensor>.to(float32)")
          .raise();
    if (t->inference)
      fail<GradientError>(ErrorCode::inference_tensor,
                          "requires_grad: a tensor made in inference mode cannot take part in gradients")
          .detail("tensor", describe(*this))
          .hint("clone() it outside inference mode")
          .raise();
    if (!t->autograd) t->autograd = new AutogradRecord;
    // Made here and not on first use, since several threads may use a parameter at once.
    if (!t->autograd->accumulator)
      t->autograd->accumulator = Reference<GradientNode>::adopt(new AccumulateGradient(t));
  }
  if (t->autograd) t->autograd->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const {
  if (thread_mode.interpreter_count) [[unlikely]]
    detail::note_gradient_access(*this, true);
  AutogradRecord* record = impl()->autograd;
  if (!record) return {};
  if (record->retained) return *record->retained;
  return Tensor(Reference<TensorImpl>::share(record->gradient));
}

void Tensor::set_grad(const Tensor& gradient) const {
  TensorImpl* t = impl();
  if (thread_mode.interpreter_count) [[unlikely]]
    detail::note_gradient_access(*this, false);
  if (gradient.defined()) {
    if (gradient.shape() != shape() || gradient.dtype() != t->dtype || gradient.device() != t->device)
      fail<GradientError>(ErrorCode::gradient_shape, "set_grad: the gradient must be like its tensor")
          .detail("tensor", describe(*this))
          .detail("gradient", describe(gradient))
          .raise();
    if (!t->autograd) t->autograd = new AutogradRecord;
  }
  if (!t->autograd) return;
  if (t->autograd->retained) {
    *t->autograd->retained = gradient;
    return;
  }
  Reference<TensorImpl> replacement = gradient.reference();
  // The old one is released last: it may hold the last reference to this tensor's record.
  auto old = Reference<TensorImpl>::adopt(std::exchange(t->autograd->gradient, replacement.detach()));
}

Tensor Tensor::detach() const { return shallow_alias(*this); }

// While a function is captured, hooks of tensors around it would change once, and not at each call.
static void refuse_lasting_change(const Tensor& tensor, const char* change) {
  if (!thread_mode.capture || tensor.impl()->autograd->capture == thread_mode.capture) return;
  fail<GraphError>(ErrorCode::not_capturable,
                   "{}: a captured function changes what backward() does at a tensor around it", change)
      .detail("tensor", describe(tensor))
      .hint("call it before the captured function, or on a tensor that the function computes")
      .raise();
}

const Tensor& Tensor::retain_grad() const {
  if (!requires_grad())
    fail<GradientError>(ErrorCode::no_gradient_path, "retain_grad: the tensor does not require gradients")
        .detail("tensor", describe(*this))
        .raise();
  if (is_leaf()) return *this;
  refuse_lasting_change(*this, "retain_grad");
  AutogradRecord* record = impl()->autograd;  // not before: a view may have got another just now
  if (record->retained) return *this;
  record->retained = std::make_shared<Tensor>();
  record->node->hooks().retained.emplace_back(record->output, record->retained);
  return *this;
}

std::int64_t Tensor::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  if (!requires_grad())
    fail<GradientError>(ErrorCode::no_gradient_path, "register_hook: the tensor does not require gradients")
        .detail("tensor", describe(*this))
        .raise();
  refuse_lasting_change(*this, "register_hook");
  Edge edge = gradient_edge(*this);
  std::int64_t number = next_hook_number();
  edge.node->hooks().before.emplace_back(
      number, [hook = std::move(hook), output = edge.output](std::span<Tensor> gradients) {
        if (!gradients[output].defined()) return;
        Tensor replacement = hook(gradients[output]);
        if (replacement.defined()) gradients[output] = std::move(replacement);
      });
  return number;
}

std::int64_t Tensor::register_post_accumulate_grad_hook(std::function<void(const Tensor&)> hook) const {
  if (!requires_grad() || !is_leaf())
    fail<GradientError>(ErrorCode::no_gradient_path,
                        "register_post_accumulate_grad_hook: only a leaf that requires gradients keeps them")
        .detail("tensor", describe(*this))
        .raise();
  refuse_lasting_change(*this, "register_post_accumulate_grad_hook");
  const std::int64_t number = next_hook_number();
  gradient_edge(*this).node->hooks().after.emplace_back(
      number, [hook = std::move(hook)](std::span<Tensor> leaf) { hook(leaf[0]); });
  return number;
}

void Tensor::remove_hook(std::int64_t number) const {
  if (!requires_grad()) return;
  refuse_lasting_change(*this, "remove_hook");
  GradientNode::Hooks* hooks = gradient_edge(*this).node->existing_hooks();
  if (!hooks) return;
  std::erase_if(hooks->before, [&](const auto& entry) { return entry.first == number; });
  std::erase_if(hooks->after, [&](const auto& entry) { return entry.first == number; });
}

// --- messages

Description describe(const Tensor& tensor, bool device) {
  if (!tensor.defined()) return {"undefined", nullptr};
  std::string text = fmt::format("{}[{}]", info(tensor.dtype()).short_name, to_string(tensor.shape()));
  if (device) text += " " + to_string(tensor.device());
  return {std::move(text), tensor.impl()};
}

void Tensor::throw_undefined() {
  fail<StateError>(ErrorCode::undefined_tensor, "a tensor is used that was never given a value").raise();
}

void Tensor::throw_wrong_data_type(DType asked) const {
  fail<DTypeError>(ErrorCode::wrong_dtype, "data: asked for {}, but the elements are {}", info(asked).name,
                   info(dtype()).name)
      .detail("tensor", describe(*this))
      .hint("to(dtype) casts")
      .raise();
}

}  // namespace phlox
