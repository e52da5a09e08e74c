#include <algorithm>
#include <stdexcept>

#include "gban/text.h"
#include "parts.h"

namespace gban {
namespace {

std::string first_two(const std::vector<std::string>& words) {
  std::string out = "(";
  for (std::size_t i = 0; i < words.size() && i < 2; ++i)
    out += (i > 0 ? ", " : "") + json::repr(words[i]);
  return out + (words.size() == 1 ? ",)" : ")");
}

}  // namespace

// By sorting pointers: of a hostile file's words a set would take many times the file.
std::vector<std::string> repeated(const std::vector<std::string>& words) {
  std::vector<const std::string*> order;
  order.reserve(words.size());
  for (const std::string& word : words) order.push_back(&word);
  std::sort(order.begin(), order.end(), [](const std::string* a, const std::string* b) {
    const int compared = a->compare(*b);
    return compared < 0 || (compared == 0 && a < b);
  });
  std::vector<const std::string*> firsts;
  for (std::size_t i = 1; i < order.size(); ++i)
    if (*order[i] == *order[i - 1] && (i == 1 || *order[i - 1] != *order[i - 2]))
      firsts.push_back(order[i - 1]);
  std::sort(firsts.begin(), firsts.end());
  std::vector<std::string> found;
  for (std::size_t i = 0; i < firsts.size() && i < 5; ++i) found.push_back(*firsts[i]);
  return found;
}

void check_words(const std::vector<std::string>& words) {
  if (words.size() < 2 || words[kPadId] != "<pad>" || words[kUnknownId] != "<unk>")
    throw std::invalid_argument("vocabulary must begin with <pad>, <unk>, got " + first_two(words));
  const std::vector<std::string> twice = repeated(words);
  if (!twice.empty())
    throw std::invalid_argument("vocabulary must not repeat a word, got " + json::repr(twice) +
                                " more than once");
}

Vocabulary::Vocabulary(const std::vector<std::string>& words) {
  check_words(words);
  ids_.reserve(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    ids_.emplace(words[i], static_cast<std::int32_t>(i));
}

std::int32_t Vocabulary::id(const std::string& word) const {
  const auto found = ids_.find(word);
  return found == ids_.end() ? kUnknownId : found->second;
}

std::vector<std::int32_t> Vocabulary::encode(const std::string& text) const {
  std::vector<std::int32_t> ids;
  for (const std::string& word : tokenize(text)) ids.push_back(id(word));
  if (ids.empty()) ids.push_back(kUnknownId);
  return ids;
}

}  // namespace gban
