// Values and strings as Python's repr writes them, for messages that are the same in both.
#include <cstdio>
#include <cstdlib>
#include <locale>
#include <map>
#include <sstream>
#include <vector>

#include "json.h"
#include "unicode.h"

namespace gban::json {
namespace {

// No message repeats more of a file than this.
constexpr std::size_t kLongest = 1 << 16;

std::string integer_repr(std::string_view source) {
  return source == "-0" ? "0" : std::string(source);
}

std::string list_repr(const Value& list) {
  std::string out = "[";
  list.entries([&](Value entry) { out += (out.size() > 1 ? ", " : "") + entry.repr(); });
  return out + "]";
}

// A key that comes twice keeps its first place and takes the last value.
std::string object_repr(const Value& object) {
  std::vector<std::pair<std::string, std::string_view>> members;
  std::map<std::string, std::size_t> places;
  object.members([&](Value key, Value value) {
    const auto [place, fresh] = places.emplace(key.string(), members.size());
    if (fresh) members.emplace_back(place->first, value.source());
    members[place->second].second = value.source();
  });
  std::string out = "{";
  for (const auto& [key, source] : members)
    out += (out.size() > 1 ? ", " : "") + repr(key) + ": " + literal(source).repr();
  return out + "}";
}

// `digits`, the shortest that give the number back, with its point after `point` of them.
std::string placed(std::string digits, int point) {
  const int count = static_cast<int>(digits.size());
  if (point > 16 || point < -3) {
    const std::string power = std::to_string(std::abs(point - 1));
    const std::string exponent =
        (point > 0 ? "e+" : "e-") + std::string(power.size() < 2, '0') + power;
    if (count > 1) digits.insert(1, ".");
    return digits + exponent;
  }
  if (point <= 0) return "0." + std::string(-point, '0') + digits;
  if (point >= count) return digits + std::string(point - count, '0') + ".0";
  return digits.insert(point, ".");
}

}  // namespace

std::string Value::repr() const {
  if (source_.size() > kLongest) return "<" + std::to_string(source_.size()) + " bytes of JSON>";
  switch (kind()) {
    case Kind::null:
      return "None";
    case Kind::boolean:
      return boolean() ? "True" : "False";
    case Kind::integer:
      return integer_repr(source_);
    case Kind::real:
      return json::repr(number());
    case Kind::string:
      return json::repr(string());
    case Kind::list:
      return list_repr(*this);
    default:
      return object_repr(*this);
  }
}

std::string repr(double number) {
  if (number != number) return "nan";
  if (number - number != 0) return number < 0 ? "-inf" : "inf";
  std::string text;
  for (int digits = 0; digits < 17; ++digits) {
    std::ostringstream stream;
    stream.imbue(std::locale::classic());
    stream.precision(digits);
    stream << std::scientific << number;
    text = stream.str();
    if (literal(text).number() == number) break;
  }
  const std::string sign = text[0] == '-' ? "-" : "";
  const std::size_t e = text.find('e');
  std::string digits = text.substr(sign.size(), e - sign.size());
  if (digits.size() > 1) digits.erase(1, 1);
  const int exponent = number == 0 ? 0 : std::stoi(text.substr(e + 1));
  return sign + placed(digits, exponent + 1);
}

std::string repr(std::string_view text) {
  const bool twice =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = twice ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::uint32_t c = unicode::next(text, &at);
    char escaped[12];
    if (c == '\\' || c == static_cast<unsigned char>(quote)) {
      out += {'\\', static_cast<char>(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (unicode::is_printable(c)) {
      out += text.substr(begin, at - begin);
    } else {
      const char* const form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
      std::snprintf(escaped, sizeof escaped, form, static_cast<unsigned>(c));
      out += escaped;
    }
  }
  return out + quote;
}

std::string repr(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + repr(text);
  return out + "]";
}

}  // namespace gban::json
