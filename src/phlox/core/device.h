// Where a tensor lives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace phlox {

// Kinds of devices. `null` has shapes and no memory, for looking at programs without running them.
enum class DeviceType : std::uint8_t { cpu, cuda, null };
// How many kinds there are.
inline constexpr int device_type_count = 3;

// A device: its kind, and which one of that kind.
struct Device {
  DeviceType type = DeviceType::cpu;  // the kind
  std::uint8_t index = 0;             // which one
  friend bool operator==(const Device&, const Device&) = default;
};

// "cpu", "cuda:0". parse_device throws DeviceError when no such device can exist.
std::string to_string(Device device);
Device parse_device(std::string_view name);
// True when the device can be used now.
bool is_available(Device device);
// The device of new tensors.
Device default_device();
// Throws DeviceError when the device is not available.
void set_default_device(Device device);

}  // namespace phlox
