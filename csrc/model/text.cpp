#include "gban/text.h"

#include <cstdio>
#include <stdexcept>

#include "unicode.h"

namespace gban {
namespace {

std::vector<std::uint32_t> code_points(const std::string& text) {
  const std::size_t bad = unicode::invalid(text);
  if (bad < text.size()) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02x", static_cast<unsigned char>(text[bad]));
    throw std::invalid_argument("text must be UTF-8, got byte " + std::string(byte) +
                                " at offset " + std::to_string(bad));
  }
  std::vector<std::uint32_t> out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t c = unicode::next(text, &at);
    out.push_back(c == 0x2019 ? '\'' : c);  // the typographer's apostrophe
  }
  return out;
}

}  // namespace

// The regular expression [^\W_]+(?:'[^\W_]+)* of gban_edge/text.py.
std::vector<std::string> tokenize(const std::string& text) {
  const std::vector<std::uint32_t> lowered = unicode::lower(code_points(text));
  std::vector<std::string> words;
  bool inside = false;
  for (std::size_t at = 0; at < lowered.size(); ++at) {
    const std::uint32_t c = lowered[at];
    const bool joins =
        inside && c == '\'' && at + 1 < lowered.size() && unicode::is_alphanumeric(lowered[at + 1]);
    const bool belongs = joins || unicode::is_alphanumeric(c);
    if (belongs && !inside) words.emplace_back();
    if (belongs) unicode::append(c, &words.back());
    inside = belongs;
  }
  return words;
}

}  // namespace gban
