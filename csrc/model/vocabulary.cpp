#include <algorithm>
#include <stdexcept>

#include "gban/text.h"
#include "json.h"

namespace gban {
namespace {

std::string first_two(const std::vector<std::string>& words) {
  std::string out = "(";
  for (std::size_t i = 0; i < words.size() && i < 2; ++i)
    out += (i > 0 ? ", " : "") + json::repr(words[i]);
  return out + (words.size() == 1 ? ",)" : ")");
}

}  // namespace

Vocabulary::Vocabulary(const std::vector<std::string>& words) {
  if (words.size() < 2 || words[kPadId] != "<pad>" || words[kUnknownId] != "<unk>")
    throw std::invalid_argument("vocabulary must begin with <pad>, <unk>, got " + first_two(words));
  ids_.reserve(words.size());
  std::vector<std::size_t> counts(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    ++counts[ids_.emplace(words[i], static_cast<std::int32_t>(i)).first->second];
  if (ids_.size() == words.size()) return;
  std::vector<std::string> twice;
  for (std::size_t i = 0; i < words.size() && twice.size() < 5; ++i)
    if (counts[i] > 1) twice.push_back(words[i]);
  throw std::invalid_argument("vocabulary must not repeat a word, got " + json::repr(twice) +
                              " more than once");
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
