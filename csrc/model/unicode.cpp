#include "unicode.h"

#include <algorithm>

#include "unicode_tables.h"

namespace gban::unicode {
namespace {

constexpr std::uint32_t kDottedI = 0x130, kDotAbove = 0x307, kSigma = 0x3A3, kSmallSigma = 0x3C3,
                        kFinalSigma = 0x3C2;

// A set of code points as the places where it begins and ends.
class Set {
 public:
  template <std::size_t N>
  explicit Set(const std::int32_t (&counts)[N]) : edges_(N) {
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < N; ++i) edges_[i] = at += counts[i];
  }
  bool has(std::uint32_t c) const {
    return (std::upper_bound(edges_.begin(), edges_.end(), c) - edges_.begin()) % 2 != 0;
  }

 private:
  std::vector<std::uint32_t> edges_;
};

struct LowerRow {
  std::uint32_t first, last;
  std::int32_t step, difference;
};

std::vector<LowerRow> lower_rows() {
  std::vector<LowerRow> rows;
  std::uint32_t at = 0;
  for (std::size_t i = 0; i + 3 < sizeof kLower / sizeof *kLower; i += 4) {
    const std::uint32_t first = at + kLower[i];
    at = first + (kLower[i + 1] - 1) * kLower[i + 2];
    rows.push_back({first, at, kLower[i + 2], kLower[i + 3]});
  }
  return rows;
}

std::uint32_t lower_one(std::uint32_t c) {
  static const std::vector<LowerRow> rows = lower_rows();
  const auto row = std::lower_bound(rows.begin(), rows.end(), c,
                                    [](const LowerRow& r, std::uint32_t x) { return r.last < x; });
  const bool in = row != rows.end() && c >= row->first && (c - row->first) % row->step == 0;
  return in ? c + row->difference : c;
}

// Unicode's Final_Sigma: a cased letter before it, none after it, case-ignorable ones skipped.
bool is_final(const std::vector<std::uint32_t>& text, std::size_t at) {
  static const Set cased(kCased), ignored(kCaseIgnored);
  std::size_t before = at, after = at + 1;
  while (before > 0 && ignored.has(text[before - 1])) --before;
  if (before == 0 || !cased.has(text[before - 1])) return false;
  while (after < text.size() && ignored.has(text[after])) ++after;
  return after == text.size() || !cased.has(text[after]);
}

// Bytes of the sequence at text[at], 0 where there is none (RFC 3629's table).
std::size_t sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

}  // namespace

std::uint32_t next(std::string_view text, std::size_t* at) {
  const std::size_t length = sequence(text, *at);
  std::uint32_t c = static_cast<unsigned char>(text[*at]);
  if (length > 1) c &= 0x7Fu >> length;
  for (std::size_t i = 1; i < length; ++i)
    c = c << 6 | (static_cast<unsigned char>(text[*at + i]) & 0x3Fu);
  *at += length;
  return c;
}

std::size_t invalid(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence(text, at);
    if (length == 0) return at;
    at += length;
  }
  return at;
}

void append(std::uint32_t c, std::string* text) {
  const auto tail = [&](int shift) { *text += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    *text += static_cast<char>(c);
  } else if (c < 0x800) {
    *text += static_cast<char>(0xC0 | c >> 6);
  } else if (c < 0x10000) {
    *text += static_cast<char>(0xE0 | c >> 12);
    tail(6);
  } else {
    *text += static_cast<char>(0xF0 | c >> 18);
    tail(12);
    tail(6);
  }
  if (c >= 0x80) tail(0);
}

bool is_alphanumeric(std::uint32_t c) {
  static const Set set(kAlphanumeric);
  return set.has(c);
}

bool is_printable(std::uint32_t c) {
  static const Set set(kPrintable);
  return set.has(c);
}

std::vector<std::uint32_t> lower(const std::vector<std::uint32_t>& text) {
  std::vector<std::uint32_t> out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::uint32_t c = text[at];
    if (c == kSigma) {
      out.push_back(is_final(text, at) ? kFinalSigma : kSmallSigma);
    } else if (c == kDottedI) {
      out.push_back('i');
      out.push_back(kDotAbove);
    } else {
      out.push_back(lower_one(c));
    }
  }
  return out;
}

}  // namespace gban::unicode
