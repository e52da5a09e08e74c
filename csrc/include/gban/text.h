// Words of a transcript: gban_edge/text.py's tokenizer and vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace gban {

constexpr std::int32_t kPadId = 0, kUnknownId = 1;

// Lower-case words of UTF-8 text: runs of Unicode letters and digits, inner apostrophes included.
// Throws std::invalid_argument, naming the byte, where the text is not UTF-8.
std::vector<std::string> tokenize(const std::string& text);

// Words and their ids.
class Vocabulary {
 public:
  // words[0] is <pad>, words[1] is <unk>; what Model::vocabulary holds.
  explicit Vocabulary(const std::vector<std::string>& words);

  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }

  // The id of a word as tokenize() gives it; <unk>'s for one that is not known.
  std::int32_t id(const std::string& word) const;

  // The ids of a transcript's words; a text without any gives one <unk>.
  std::vector<std::int32_t> encode(const std::string& text) const;

 private:
  std::unordered_map<std::string, std::int32_t> ids_;
};

}  // namespace gban
