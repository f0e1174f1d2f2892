// Checkpoints: everything that training needs to go on, in one file that is written atomically. A program
// killed at any moment finds the last complete one.
//
//   Checkpoint checkpoint;
//   checkpoint.step = step;
//   checkpoint["model"] = net.state_dict();
//   checkpoint["optimizer"] = optimizer.state_dict();
//   checkpoint["loader"] = loader.state_dict();
//   checkpoint["random"] = random_state();
//   save_checkpoint("runs/digits", checkpoint, {.keep = 3});
//
//   if (auto found = load_latest_checkpoint("runs/digits")) net.load_state_dict(found->part("model"));
//
// A checkpoint is a safetensors file: the tensors of each part under "part/", and the step in the metadata.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "phlox/core/random.h"
#include "phlox/io/safetensors.h"

namespace phlox {

struct Checkpoint {
  std::int64_t step = 0;
  std::map<std::string, StateDict> parts;
  Metadata metadata;  // notes of the user's

  StateDict& operator[](const std::string& part) { return parts[part]; }
  // Throws StateError when there is no such part.
  const StateDict& part(const std::string& name) const;
};

struct CheckpointOptions {
  int keep = 3;  // the number of newest files that stay; 0 keeps all
};

// Writes folder/checkpoint-STEP.safetensors, making the folder if need be, and then removes older ones.
// Returns the path. Throws FileError [E0805], ValueError for a part whose name is empty or holds '/'.
std::filesystem::path save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                                      CheckpointOptions options = {});
// Throws FileError and FormatError as load_safetensors does.
Checkpoint load_checkpoint(const std::filesystem::path& path);
// The same from memory. `name` stands in messages.
Checkpoint load_checkpoint_bytes(std::span<const std::uint8_t> bytes, std::string_view name = "<memory>");
// The newest checkpoint of the folder that can be read, passing over damaged files; nothing when the folder is not
// there or holds no checkpoint. Throws FileError [E0801] when the folder cannot be read and when none of its
// checkpoints can: training then does not begin anew by mistake.
std::optional<Checkpoint> load_latest_checkpoint(const std::filesystem::path& folder);
// The files of the folder in the order of their steps; none where there is no folder. Throws FileError [E0801].
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& folder);

// State of a random generator as tensors, and back. Throws StateError on missing entries.
StateDict random_state(const Generator& generator = default_generator());
void set_random_state(const StateDict& state, Generator& generator = default_generator());

}  // namespace phlox
