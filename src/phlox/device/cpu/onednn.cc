#if defined(PHLOX_ONEDNN)

#include "phlox/device/cpu/onednn.h"

#include "phlox/base/error.h"
#include "phlox/core/allocator.h"

namespace phlox::cpu::onednn {

namespace {

const dnnl::stream& stream() {
  static const dnnl::stream& instance = *new dnnl::stream(engine());
  return instance;
}

struct Scratchpad {
  explicit Scratchpad(std::size_t size) : bytes(size), data(size ? allocate(size) : nullptr) {}
  ~Scratchpad() {
    if (data) deallocate(data, bytes);
  }
  Scratchpad(const Scratchpad&) = delete;
  Scratchpad& operator=(const Scratchpad&) = delete;
  std::size_t bytes;
  void* data;
};

void check(dnnl_status_t status, const char* what) {
  if (status != dnnl_success) throw dnnl::error(status, what);
}

}  // namespace

// Never destroyed: threads that end after main() still hold primitives.
const dnnl::engine& engine() {
  static const dnnl::engine& instance = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return instance;
}

bool has_bfloat16() {
  static const bool has = [] {
#if defined(__x86_64__)
    // dot products of bfloat16 pairs (AVX512_BF16)
    return __builtin_cpu_supports("avx512bf16") != 0;
#else
    return false;
#endif
  }();
  return has;
}

Memory::data_type data_type(DType dtype) {
  return dtype == DType::bfloat16 ? Memory::data_type::bf16 : Memory::data_type::f32;
}

std::uint64_t Key::hash() const {
  std::uint64_t h = 0x9e3779b97f4a7c15u;
  for (int i = 0; i < size_; ++i) {
    h = (h ^ static_cast<std::uint64_t>(values_[i])) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  }
  return h;
}

Executable::Executable(const dnnl::primitive& primitive, const Description& scratchpad,
                       std::initializer_list<std::pair<int, Description>> arguments)
    : primitive_(primitive), scratchpad_bytes_(scratchpad.get_size()) {
  memories_.reserve(arguments.size() + 1);
  for (const auto& [argument, description] : arguments) {
    descriptions_.push_back(description);
    memories_.emplace_back(description, engine(), nullptr);
    arguments_.push_back({argument, memories_.back().get()});
  }
  if (scratchpad_bytes_) {
    memories_.emplace_back(scratchpad, engine(), nullptr);
    arguments_.push_back({DNNL_ARG_SCRATCHPAD, memories_.back().get()});
  }
}

void Executable::run(std::initializer_list<const void*> addresses) {
  std::size_t i = 0;
  for (const void* address : addresses)
    check(dnnl_memory_set_data_handle(memories_[i++].get(), const_cast<void*>(address)), "address");
  Scratchpad scratchpad(scratchpad_bytes_);
  if (scratchpad.data)
    check(dnnl_memory_set_data_handle(memories_.back().get(), scratchpad.data), "scratchpad");
  check(dnnl_primitive_execute(primitive_.get(), stream().get(), static_cast<int>(arguments_.size()),
                               arguments_.data()),
        "execution");
}

void guard(const char* operation, const std::function<void()>& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    switch (error.status) {
      case dnnl_out_of_memory:
        fail<OutOfMemoryError>(ErrorCode::out_of_memory, "{}: oneDNN ran out of memory", operation).raise();
      case dnnl_unimplemented:
        fail<NotSupportedError>(ErrorCode::no_kernel, "{}: oneDNN has no kernel for these sizes and dtypes",
                                operation)
            .raise();
      default:
        fail<StateError>(ErrorCode::not_supported, "{}: oneDNN failed: {}", operation, error.what()).raise();
    }
  }
}

}  // namespace phlox::cpu::onednn

#endif
