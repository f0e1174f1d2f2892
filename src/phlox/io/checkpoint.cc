#include "phlox/io/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "phlox/io/file.h"

namespace phlox {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "checkpoint-";
constexpr std::string_view suffix = ".safetensors";
constexpr const char* step_key = "phlox.step";
constexpr const char* format_key = "phlox.checkpoint";
constexpr const char* format_version = "1";

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || last != text.data() + text.size()) return {};
  return value;
}

std::optional<std::int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() < prefix.size() + suffix.size())
    return {};
  return parse_integer(
      std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
}

[[noreturn]] void raise_malformed(std::string_view file, const std::string& what) {
  fail<FormatError>(ErrorCode::file_malformed, "load_checkpoint: {}", what).detail("file", file).raise();
}

Checkpoint unpack(SafetensorsFile file, std::string_view path) {
  Checkpoint checkpoint;
  if (file.metadata[format_key] != format_version) raise_malformed(path, "this is no checkpoint");
  const auto step = parse_integer(file.metadata[step_key]);
  if (!step) raise_malformed(path, "the step is missing");
  checkpoint.step = *step;
  std::map<std::string, std::int64_t> announced;
  for (const auto& [key, value] : file.metadata) {
    constexpr std::string_view part_key = "phlox.part.";
    if (key.starts_with(part_key)) {
      const std::string part = key.substr(part_key.size());
      checkpoint.parts[part];
      announced[part] = parse_integer(value).value_or(-1);
    } else if (!key.starts_with("phlox.")) {
      checkpoint.metadata[key] = value;
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    const auto slash = name.find('/');
    const auto part = checkpoint.parts.find(name.substr(0, slash == name.npos ? 0 : slash));
    if (part == checkpoint.parts.end()) {
      raise_malformed(path, fmt::format("the tensor \"{}\" belongs to no part", io::printable(name)));
    }
    part->second.set(name.substr(slash + 1), tensor);
  }
  for (const auto& [part, count] : announced) {
    if (static_cast<std::int64_t>(checkpoint.parts[part].size()) != count) {
      raise_malformed(path, fmt::format("the part \"{}\" has not the {} tensors that are announced",
                                        io::printable(part), count));
    }
  }
  return checkpoint;
}

}  // namespace

const StateDict& Checkpoint::part(const std::string& name) const {
  const auto found = parts.find(name);
  if (found != parts.end()) return found->second;
  std::string known;
  for (const auto& [part, state] : parts) known += (known.empty() ? "" : ", ") + part;
  fail<StateError>(ErrorCode::state_keys_differ, "checkpoint: there is no part \"{}\"", name)
      .detail("parts", known)
      .raise();
}

std::filesystem::path save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint,
                                      CheckpointOptions options) {
  StateDict all;
  Metadata metadata = checkpoint.metadata;
  metadata[format_key] = format_version;
  metadata[step_key] = std::to_string(checkpoint.step);
  for (const auto& [part, state] : checkpoint.parts) {
    if (part.empty() || part.find('/') != part.npos) {
      fail<ValueError>(ErrorCode::invalid_value, "save_checkpoint: a part cannot be called \"{}\"", part)
          .hint("a name without '/'")
          .raise();
    }
    all.merge(part + "/", state);
    metadata["phlox.part." + part] = std::to_string(state.size());
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    fail<FileError>(ErrorCode::file_write_failed, "save_checkpoint: cannot make the folder, {}",
                    error.message())
        .detail("folder", folder.string())
        .raise();
  }
  fs::path path = folder / fmt::format("{}{:08}{}", prefix, checkpoint.step, suffix);
  save_safetensors(path, all, metadata);

  if (options.keep > 0) {
    auto files = list_checkpoints(folder);
    // The file just written stays, even where a folder holds later steps of another run.
    std::erase(files, path);
    const auto others = static_cast<std::size_t>(options.keep - 1);
    for (std::size_t i = 0; i + others < files.size(); ++i) fs::remove(files[i], error);
  }
  return path;
}

Checkpoint load_checkpoint(const fs::path& path) { return unpack(load_safetensors(path), path.string()); }

Checkpoint load_checkpoint_bytes(std::span<const std::uint8_t> bytes, std::string_view name) {
  return unpack(load_safetensors_bytes(bytes, name), name);
}

std::vector<fs::path> list_checkpoints(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto step = step_of(entry->path())) found.emplace_back(*step, entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fail<FileError>(ErrorCode::file_not_found, "list_checkpoints: cannot read the folder, {}",
                    error.message())
        .detail("folder", folder.string())
        .raise();
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::optional<Checkpoint> load_latest_checkpoint(const fs::path& folder) {
  for (;;) {
    const auto files = list_checkpoints(folder);
    std::optional<std::string> fault;  // of the newest that is there and cannot be read
    for (auto path = files.rbegin(); path != files.rend(); ++path) {
      const auto pass_over = [&](const Error& error) {
        std::error_code ignored;
        // Another process may have removed it since the folder was listed.
        if (!fault && fs::symlink_status(*path, ignored).type() != fs::file_type::not_found) {
          fault = fmt::format("{}: {}", path->filename().string(), error.summary());
        }
      };
      try {
        return load_checkpoint(*path);
      } catch (const FormatError& error) {
        pass_over(error);  // damaged from outside: saving is atomic
      } catch (const FileError& error) {
        pass_over(error);
      }
    }
    if (fault) {
      fail<FileError>(ErrorCode::file_not_found,
                      "load_latest_checkpoint: there are checkpoints, and none of them can be read")
          .detail("folder", folder.string())
          .detail("newest", *fault)
          .hint("to begin anew, another folder, or this one without the damaged files")
          .raise();
    }
    if (files.empty()) return {};
  }
}

StateDict random_state(const Generator& generator) {
  const GeneratorState state = generator.state();
  StateDict result;
  result.set_integer("seed", static_cast<std::int64_t>(state.seed));
  result.set_integer("stream", static_cast<std::int64_t>(state.stream));
  result.set_integer("counter", static_cast<std::int64_t>(state.counter));
  return result;
}

void set_random_state(const StateDict& state, Generator& generator) {
  generator.set_state({static_cast<std::uint64_t>(state.integer("seed")),
                       static_cast<std::uint64_t>(state.integer("stream")),
                       static_cast<std::uint64_t>(state.integer("counter"))});
}

}  // namespace phlox
