// Python's view of Unicode: what str.isalnum, str.lower and str.isprintable say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gban::unicode {

// The code point at text[*at], and *at moved past it; the text is UTF-8.
std::uint32_t next(std::string_view text, std::size_t* at);

// The offset of the first byte that is not UTF-8 (overlong, a surrogate, above U+10FFFF, cut
// short), text.size() where there is none.
std::size_t invalid(std::string_view text);

void append(std::uint32_t code_point, std::string* text);

bool is_alphanumeric(std::uint32_t code_point);
bool is_printable(std::uint32_t code_point);

// str.lower(): with U+0130 as i and U+0307, and a capital sigma that ends a word as U+03C2.
std::vector<std::uint32_t> lower(const std::vector<std::uint32_t>& text);

}  // namespace gban::unicode
