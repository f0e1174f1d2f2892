#include "phlox/io/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <fstream>
#include <unordered_map>

#include "phlox/base/error.h"

namespace phlox {
namespace {

// --- protocol buffers: fields as they lie in the file

class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    tag(field, 0);
    varint(value);
    return *this;
  }
  Message& real(int field, double value) {
    tag(field, 1);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i) bytes_ += static_cast<char>(bits >> (8 * i));
    return *this;
  }
  Message& text(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void tag(int field, int kind) { varint(static_cast<std::uint64_t>(field << 3 | kind)); }
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// --- records: length, its checksum, bytes, their checksum

std::uint32_t masked_crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = ~0u;
  for (char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 255];
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string record(const Message& message) {
  const std::string length = little_endian(static_cast<std::uint64_t>(message.bytes().size()));
  return length + little_endian(masked_crc32c(length)) + message.bytes() +
         little_endian(masked_crc32c(message.bytes()));
}

// --- the graph

// DT_FLOAT and so on; 0 where TensorFlow has no such dtype.
std::uint64_t data_type(DType dtype) {
  switch (dtype) {
    case DType::float32: return 1;
    case DType::float64: return 2;
    case DType::int32: return 3;
    case DType::uint8: return 4;
    case DType::int16: return 5;
    case DType::int8: return 6;
    case DType::complex64: return 8;
    case DType::int64: return 9;
    case DType::bool_: return 10;
    case DType::bfloat16: return 14;
    case DType::uint16: return 17;
    case DType::complex128: return 18;
    case DType::float16: return 19;
    case DType::uint32: return 22;
    case DType::uint64: return 23;
    default: return 0;
  }
}

// "net/0" for `train.py:3   y = net(x)   in Linear "net.0"`, and "gradients/net/0" for its gradient.
std::string scope_of(const std::string& location) {
  const std::size_t in = location.rfind("   in ");
  if (in == std::string::npos) return {};
  const std::size_t open = location.find('"', in);
  const std::size_t close = open == std::string::npos ? open : location.find('"', open + 1);
  std::string scope;
  if (close != std::string::npos) scope = location.substr(open + 1, close - open - 1);
  else scope = location.substr(in + 6, location.find("   ", in + 6) - in - 6);
  for (char& c : scope) {
    if (c == '.') c = '/';
    else if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '/') c = '_';
  }
  return (location.ends_with(")") && location.find("(gradient of") != std::string::npos ? "gradients/" : "") +
         scope + "/";
}

class GraphWriter {
 public:
  std::string run(const graph::Graph& graph) {
    add(graph, "", {});
    definition_.message(4, Message().number(1, 22));  // the version of the format
    return definition_.bytes();
  }

 private:
  std::string unique(const std::string& name) {
    const int count = used_[name]++;
    return count ? unique(fmt::format("{}_{}", name, count)) : name;
  }

  Message node(const std::string& name, const std::string& operation, std::span<const std::string> inputs,
               const graph::Node& from) {
    Message message;
    message.text(1, name).text(2, operation);
    for (const std::string& input : inputs) message.text(3, input);
    const auto attribute = [&](const char* key, const Message& value) {
      message.message(5, Message().text(1, key).message(2, value));
    };
    Message shapes;
    for (const graph::Type& type : from.types()) {
      Message shape;
      for (std::int64_t size : type.shape)
        shape.message(2, Message().number(1, static_cast<std::uint64_t>(size)));
      shapes.message(7, shape);
    }
    attribute("_output_shapes", Message().message(1, shapes));
    if (!from.types().empty())
      if (const std::uint64_t type = data_type(from.types()[0].dtype))
        attribute("T", Message().number(6, type));
    if (from.kind() == graph::NodeKind::operation)
      if (const std::string text = from.attributes().to_string(); !text.empty())
        attribute("attributes", Message().text(2, text));
    if (!from.location().empty()) attribute("location", Message().text(2, from.location()));
    return message;
  }

  // Adds the nodes of a graph in a scope; what stands for its inputs, if it is a region. The names of its outputs.
  std::vector<std::string> add(const graph::Graph& graph, const std::string& scope,
                               std::span<const std::string> given) {
    std::unordered_map<const graph::Node*, std::string> names;
    const auto name_of = [&](const graph::Value& value) {
      const std::string& name = names.at(value.node);
      return value.output ? fmt::format("{}:{}", name, value.output) : name;
    };
    int input = 0;
    for (const auto& node : graph.nodes()) {
      std::vector<std::string> inputs;
      std::string name = scope, operation = node->name();
      if (node->kind() == graph::NodeKind::input) {
        const int number = input++;
        name += "inputs/" + graph.input_name(number);
        operation = "Placeholder";
        if (number < static_cast<int>(given.size()))
          inputs.push_back(given[static_cast<std::size_t>(number)]);
      } else if (node->kind() == graph::NodeKind::constant) {
        name += "constants/constant";
        operation = "Const";
      } else {
        name += scope_of(node->location()) + operation;
        for (const graph::Input& operand : node->inputs())
          if (const auto* value = std::get_if<graph::Value>(&operand)) inputs.push_back(name_of(*value));
      }
      name = unique(name);
      names[node.get()] = name;
      // The regions get the operands; the node stands for what they give.
      const std::size_t operands = inputs.size();
      for (std::size_t i = 0; i < node->regions().size(); ++i) {
        const graph::Graph& region = *node->regions()[i];
        const std::size_t taken = std::min(operands, region.inputs().size());
        const std::vector<std::string> last(inputs.begin() + static_cast<std::ptrdiff_t>(operands - taken),
                                            inputs.begin() + static_cast<std::ptrdiff_t>(operands));
        for (const std::string& output : add(region, fmt::format("{}_region{}/", name, i), last))
          inputs.push_back(output);
      }
      definition_.message(1, this->node(name, operation, inputs, *node));
    }
    std::vector<std::string> outputs;
    for (const graph::Value& output : graph.outputs()) outputs.push_back(name_of(output));
    return outputs;
  }

  Message definition_;
  std::unordered_map<std::string, int> used_;
};

}  // namespace

std::filesystem::path save_tensorboard_graph(const std::filesystem::path& folder, const graph::Graph& graph) {
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::error_code not_made;
  std::filesystem::create_directories(folder, not_made);
  std::filesystem::path path;
  for (int number = 0; path.empty() || std::filesystem::exists(path); ++number)
    path = folder / fmt::format("events.out.tfevents.{:.0f}.phlox.{}.{}", now, getpid(), number);
  std::ofstream file(path, std::ios::binary);
  file << record(Message().real(1, now).text(3, "brain.Event:2"))
       << record(Message().real(1, now).text(4, GraphWriter().run(graph)));
  file.close();
  if (!file)
    fail<FileError>(ErrorCode::file_write_failed, "save_tensorboard_graph: the file cannot be written")
        .detail("file", path.string())
        .raise();
  return path;
}

}  // namespace phlox
