#include "json.h"

#include <limits>
#include <locale>
#include <sstream>

#include "unicode.h"

namespace gban::json {
namespace {

constexpr int kDeepest = 127;
constexpr std::size_t kMostDigits = 4300;  // sys.int_info.default_max_str_digits

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One past the string that begins at text[at], a quotation mark.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) at += text[at] == '\\';
  return at + 1;
}

// A reader that takes what the dialect allows and stops at the first thing it does not.
class Checker {
 public:
  Checker(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}

  std::string_view whole() {
    space();
    const std::size_t begin = at_;
    value(0);
    const std::size_t end = at_;
    space();
    if (at_ < text_.size()) fail("there is more after its end");
    return text_.substr(begin, end - begin);
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Error(std::string(what) + " at offset " + std::to_string(at_));
  }

  char peek() const {
    if (at_ >= text_.size()) fail("it ends early");
    return text_[at_];
  }

  void space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  void value(int depth) {
    switch (peek()) {
      case '"':
        return string();
      case '[':
        return sequence(depth + 1, ']', false);
      case '{':
        return sequence(depth + 1, '}', true);
      default:
        if (take("null") || take("true") || take("false")) return;
        if (dialect_ == Dialect::python && (take("NaN") || take("Infinity") || take("-Infinity")))
          return;
        return number();
    }
  }

  void sequence(int depth, char end, bool keys) {
    if (depth > kDeepest) fail("it is nested too deeply");
    ++at_;
    space();
    if (peek() == end) {
      ++at_;
      return;
    }
    for (;;) {
      if (keys) key();
      value(depth);
      space();
      const char c = peek();
      if (c != ',' && c != end) fail("neither a comma nor an end");
      ++at_;
      if (c == end) return;
      space();
    }
  }

  void key() {
    if (peek() != '"') fail("no key");
    string();
    space();
    if (peek() != ':') fail("no colon");
    ++at_;
    space();
  }

  int code_unit() {
    int unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_digit(peek());
      if (digit < 0) fail("no hexadecimal digit");
      unit = unit * 16 + digit;
    }
    return unit;
  }

  void escape() {
    const char c = peek();
    if (std::string_view("\"\\/bfnrtu").find(c) == std::string_view::npos) fail("no such escape");
    ++at_;
    if (c != 'u') return;
    const int unit = code_unit();
    if (unit < 0xD800 || unit > 0xDFFF) return;
    if (unit > 0xDBFF || !take("\\u")) fail("half a surrogate pair");
    const int low = code_unit();
    if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
  }

  void string() {
    ++at_;
    for (char c = peek(); c != '"'; c = peek()) {
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string");
      ++at_;
      if (c == '\\') escape();
    }
    ++at_;
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    if (at_ == begin) fail("no value");
    return at_ - begin;
  }

  void number() {
    const std::size_t begin = at_;
    take("-");
    const bool zero = at_ < text_.size() && text_[at_] == '0';
    const std::size_t whole = digits();
    if (zero && whole > 1) fail("a number that begins with 0");
    bool real = false;
    if (take(".")) {
      digits();
      real = true;
    }
    if (take("e") || take("E")) {
      if (!take("+")) take("-");
      digits();
      real = true;
    }
    if (dialect_ == Dialect::python && !real && whole > kMostDigits) fail("an integer too long");
    if (dialect_ == Dialect::serde && (real || whole > 300)) {
      const double number = literal(text_.substr(begin, at_ - begin)).number();
      if (number - number != 0) fail("a number too large");
    }
  }

  std::string_view text_;
  Dialect dialect_;
  std::size_t at_ = 0;
};

// One past the value that begins at text[at]; the text was checked.
std::size_t value_end(std::string_view text, std::size_t at) {
  int depth = 0;
  do {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      continue;
    }
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    ++at;
    if (depth == 0 && c != ']' && c != '}')  // a number or a word
      while (at < text.size() && std::string_view(" \t\n\r,]}").find(text[at]) == std::string::npos)
        ++at;
  } while (depth > 0);
  return at;
}

int escaped_unit(std::string_view text, std::size_t at) {
  int unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit * 16 + hex_digit(text[at + i]);
  return unit;
}

}  // namespace

Value Value::parse(std::string_view text, Dialect dialect) {
  return Value(Checker(text, dialect).whole());
}

Kind Value::kind() const {
  switch (source_[0]) {
    case '"':
      return Kind::string;
    case '[':
      return Kind::list;
    case '{':
      return Kind::object;
    case 'n':
      return Kind::null;
    case 't':
    case 'f':
      return Kind::boolean;
    default:
      return source_.find_first_of(".eENI") == std::string_view::npos ? Kind::integer : Kind::real;
  }
}

double Value::number() const {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (source_ == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (source_ == "Infinity") return kInfinite;
  if (source_ == "-Infinity") return -kInfinite;
  std::uint64_t integer = 0;
  if (source_.size() < 16 && unsigned_integer(&integer)) return static_cast<double>(integer);
  std::istringstream stream{std::string(source_)};  // unlike strtod it can be told the locale
  stream.imbue(std::locale::classic());
  double number = 0;
  stream >> number;
  if (stream.fail()) return source_[0] == '-' ? -kInfinite : kInfinite;
  return number;
}

bool Value::unsigned_integer(std::uint64_t* value) const {
  if (kind() != Kind::integer || source_[0] == '-') return false;
  *value = 0;
  for (char c : source_) {
    const std::uint64_t digit = c - '0';
    if (*value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
    *value = *value * 10 + digit;
  }
  return true;
}

std::string Value::string() const {
  std::string out;
  for (std::size_t at = 1; source_[at] != '"'; ++at) {
    if (source_[at] != '\\') {
      out += source_[at];
      continue;
    }
    const char c = source_[++at];
    if (c != 'u') {
      const std::size_t which = std::string_view("bfnrt").find(c);
      out += which == std::string_view::npos ? c : "\b\f\n\r\t"[which];
      continue;
    }
    std::uint32_t unit = escaped_unit(source_, at + 1);
    at += 4;
    if (unit >= 0xD800 && unit < 0xDC00) {
      unit = 0x10000 + ((unit - 0xD800) << 10) + (escaped_unit(source_, at + 3) - 0xDC00);
      at += 6;
    }
    unicode::append(unit, &out);
  }
  return out;
}

bool Value::find(std::string_view key, Value* found) const {
  bool there = false;
  members([&](Value name, Value value) {
    if (name.string() != key) return;
    *found = value;
    there = true;
  });
  return there;
}

std::size_t Value::next(std::size_t at) const {
  at = space(value_end(source_, at));
  return source_[at] == ',' ? space(at + 1) : at;
}

std::size_t Value::space(std::size_t at) const {
  while (is_space(source_[at])) ++at;
  return at;
}

Value Value::value_at(std::size_t at) const {
  return Value(source_.substr(at, value_end(source_, at) - at));
}

}  // namespace gban::json
