// JSON read where it lies: a Value is a piece of a text that was checked once, so that a hostile
// text costs no memory beyond its own.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace gban::json {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Kind { null, boolean, integer, real, string, list, object };

// serde: what the safetensors library takes. python: what json.loads takes, NaN and Infinity
// included, and no integer of more than 4300 digits. Neither takes half a surrogate pair (Python
// itself does; gban_edge/bundle.py refuses it), nor more than 127 lists and objects in each other.
enum class Dialect { serde, python };

class Value {
 public:
  // The value of a text that is one. UTF-8; throws Error where it is not JSON.
  static Value parse(std::string_view text, Dialect dialect);

  Kind kind() const;
  std::string_view source() const { return source_; }
  bool boolean() const { return source_[0] == 't'; }
  // Of an integer or a real; infinite where it is too large.
  double number() const;
  // Whether it is an integer of [0, 2^64), and which.
  bool unsigned_integer(std::uint64_t* value) const;
  std::string string() const;

  // f(Value) for each entry of a list, f(key, Value) for each member of an object, in order.
  template <typename F>
  void entries(F f) const {
    for (std::size_t at = first(); source_[at] != ']'; at = next(at)) f(value_at(at));
  }
  template <typename F>
  void members(F f) const {
    for (std::size_t at = first(); source_[at] != '}'; at = next(at)) {
      const Value key = value_at(at);
      at = space(at + key.source_.size());
      at = space(at + 1);  // the colon
      f(key, value_at(at));
    }
  }

  // The last member of that name, as in Python; false where there is none.
  bool find(std::string_view key, Value* found) const;

  // What Python prints for it, repr(json.loads(source)), but for one that is very long.
  std::string repr() const;

 private:
  explicit Value(std::string_view source) : source_(source) {}
  friend Value literal(std::string_view source);

  std::size_t first() const { return space(1); }
  std::size_t next(std::size_t at) const;
  std::size_t space(std::size_t at) const;
  Value value_at(std::size_t at) const;

  std::string_view source_;
};

// `source`, which is JSON and has no space around it.
inline Value literal(std::string_view source) { return Value(source); }

// Python's repr of a string, of a double, and of a list of strings.
std::string repr(std::string_view text);
std::string repr(double number);
std::string repr(const std::vector<std::string>& texts);

}  // namespace gban::json
