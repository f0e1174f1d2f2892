#include "phlox/io/json.h"

namespace phlox::io {
namespace {

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

}  // namespace

JsonReader::JsonReader(const FileView& file, std::uint64_t base, std::string_view text)
    : file_(file), base_(base), text_(text) {
  if (const auto bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    file_.malformed(base + bad, "the header is not UTF-8");
  }
}

void JsonReader::skip_space() {
  while (position_ < text_.size() &&
         std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
    ++position_;
  }
}

std::uint64_t JsonReader::offset() {
  skip_space();
  return base_ + position_;
}

bool JsonReader::take(char c) {
  skip_space();
  if (position_ >= text_.size() || text_[position_] != c) return false;
  ++position_;
  return true;
}

void JsonReader::expect(char c) {
  if (take(c)) return;
  if (position_ >= text_.size()) file_.malformed(offset(), "the header ends where '{}' was expected", c);
  file_.malformed(offset(), "'{}' was expected in the header, not '{}'", c,
                  printable(text_.substr(position_, 1)));
}

std::uint32_t JsonReader::hex4() {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i, ++position_) {
    const char c = position_ < text_.size() ? text_[position_] : '\0';
    std::uint32_t digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<std::uint32_t>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<std::uint32_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') digit = static_cast<std::uint32_t>(c - 'A' + 10);
    if (digit == 16) file_.malformed(base_ + position_, "four hexadecimal digits were expected after \\u");
    code = code << 4 | digit;
  }
  return code;
}

std::string JsonReader::string() {
  expect('"');
  std::string result;
  for (;;) {
    if (position_ >= text_.size()) file_.malformed(base_ + position_, "a string in the header does not end");
    const char c = text_[position_++];
    if (c == '"') return result;
    if (static_cast<unsigned char>(c) < 0x20) {
      file_.malformed(base_ + position_ - 1, "a control character stands in a string of the header");
    }
    if (c != '\\') {
      result += c;
      continue;
    }
    const std::uint64_t escape = base_ + position_ - 1;
    const char kind = position_ < text_.size() ? text_[position_++] : '\0';
    switch (kind) {
      case '"':
      case '\\':
      case '/': result += kind; break;
      case 'b': result += '\b'; break;
      case 'f': result += '\f'; break;
      case 'n': result += '\n'; break;
      case 'r': result += '\r'; break;
      case 't': result += '\t'; break;
      case 'u': {
        std::uint32_t code = hex4();
        if (code >= 0xD800 && code < 0xDC00 && text_.substr(position_, 2) == "\\u") {
          position_ += 2;
          const std::uint32_t low = hex4();
          if (low < 0xDC00 || low > 0xDFFF) file_.malformed(escape, "half of a surrogate pair in the header");
          code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else if (code >= 0xD800 && code < 0xE000) {
          file_.malformed(escape, "half of a surrogate pair in the header");
        }
        append_utf8(result, code);
        break;
      }
      default: file_.malformed(escape, "an unknown escape in a string of the header");
    }
  }
}

std::uint64_t JsonReader::unsigned_integer() {
  skip_space();
  const std::size_t start = position_;
  std::uint64_t value = 0;
  while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
    const auto digit = static_cast<std::uint64_t>(text_[position_] - '0');
    if (value > (UINT64_MAX - digit) / 10)
      file_.malformed(base_ + start, "a number in the header is too large");
    value = value * 10 + digit;
    ++position_;
  }
  if (position_ == start) file_.malformed(base_ + start, "a whole number was expected in the header");
  const bool leading_zero = text_[start] == '0' && position_ - start > 1;
  const char next = position_ < text_.size() ? text_[position_] : '\0';
  if (leading_zero || next == '.' || next == 'e' || next == 'E') {
    file_.malformed(base_ + start, "a number in the header is not a plain whole number");
  }
  return value;
}

void JsonReader::expect_end() {
  skip_space();
  if (position_ < text_.size()) file_.malformed(base_ + position_, "something follows the end of the header");
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    switch (c) {
      case '"': result += "\\\""; break;
      case '\\': result += "\\\\"; break;
      case '\n': result += "\\n"; break;
      case '\r': result += "\\r"; break;
      case '\t': result += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          result += c;
        }
    }
  }
  return result + "\"";
}

}  // namespace phlox::io
