#include "phlox/core/device.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>

#include "phlox/base/error.h"

namespace phlox {

namespace {

constexpr std::string_view type_names[device_type_count] = {"cpu", "cuda", "null"};

std::atomic<Device> current_default{Device{}};

[[noreturn]] void throw_unknown(std::string_view name) {
  fail<DeviceError>(ErrorCode::unknown_device, "\"{}\" is not a device", name)
      .hint("\"cpu\" or \"cuda:0\"")
      .raise();
}

}  // namespace

std::string to_string(Device device) {
  std::string_view name = type_names[static_cast<int>(device.type)];
  if (device.type != DeviceType::cuda) return std::string(name);
  return fmt::format("{}:{}", name, device.index);
}

Device parse_device(std::string_view name) {
  std::string_view type = name.substr(0, name.find(':'));
  unsigned index = 0;
  if (type.size() != name.size()) {
    const char* end = name.data() + name.size();
    auto [rest, error] = std::from_chars(name.data() + type.size() + 1, end, index);
    if (error != std::errc() || rest != end || index > 255) throw_unknown(name);
  }
  for (int i = 0; i < device_type_count; ++i) {
    if (type_names[i] != type) continue;
    auto kind = static_cast<DeviceType>(i);
    if (kind != DeviceType::cuda && index != 0) throw_unknown(name);
    return {kind, static_cast<std::uint8_t>(index)};
  }
  throw_unknown(name);
}

bool is_available(Device device) { return device.type != DeviceType::cuda; }

Device default_device() { return current_default.load(std::memory_order_relaxed); }

void set_default_device(Device device) {
  if (!is_available(device))
    fail<DeviceError>(ErrorCode::unknown_device, "the device {} is not available here", to_string(device))
        .hint("\"cpu\"")
        .raise();
  current_default.store(device, std::memory_order_relaxed);
}

}  // namespace phlox
