// load_model on files that a small writer makes: all systems, then the same files damaged, of which
// each must be refused with a message or load to finite weights. Words: tokenizer and vocabulary.
#include "gban/model.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "gban/text.h"
#include "model_writer.h"

namespace {

using gban::test::ModelFile;
using gban::test::quoted;
using gban::test::small_model;

const char* const kSystems[] = {"gban",     "h_s",      "h_t",      "a_s",      "a_t",
                                "concat_1", "tfl",      "gmu",      "concat_2", "cnn_att",
                                "lstm_att", "self_att", "att_lstm", "mdre",     "mdrea"};

int failures = 0;

void expect(bool good, const std::string& what) {
  if (good) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failures;
}

std::string temporary() {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("gban-model-" + std::to_string(getpid())))
          .string();
  return path;
}

gban::Model load(const std::string& bytes) {
  std::ofstream(temporary(), std::ios::binary).write(bytes.data(), bytes.size());
  return gban::load_model(temporary());
}

// The message without the path, or "" where the bytes were loaded.
std::string refusal(const std::string& bytes) {
  try {
    const gban::Model model = load(bytes);
    for (const auto& [name, tensor] : model.weights)
      for (std::int64_t i = 0; i < tensor.size(); ++i)
        expect(std::isfinite(tensor.data[i]), name + " is finite in what was loaded");
    return "";
  } catch (const std::invalid_argument& error) {
    const std::string what = error.what(), head = temporary() + ": ";
    expect(what.compare(0, head.size(), head) == 0, "names the file: " + what);
    return what.substr(head.size());
  }
}

void every_system_loads() {
  for (const char* name : kSystems) {
    const ModelFile file = small_model(name);
    const gban::Model model = load(file.bytes());
    expect(model.name == name && model.weights.size() == file.tensors.size(), name);
    for (const auto& [weight, written] : file.tensors) {
      const gban::Tensor& tensor = model.weight(weight);
      expect(tensor.shape == written.shape, weight + " has its shape");
      expect(std::memcmp(tensor.data, written.values.data(), written.values.size() * 4) == 0,
             weight + " has its values");
    }
    expect(model.labels == std::vector<std::string>{"ang", "hap", "neu", "sad"}, "labels");
    expect(model.vocabulary == std::vector<std::string>{"<pad>", "<unk>", "don't", "café"},
           "words");
    expect(model.mean == std::vector<float>(52, -1.5f), "mean");
    expect(model.deviation == std::vector<float>(52, 2.5f), "deviation");
    expect(model.temperature == 1.25 && model.config.lstm_layers == 2, "temperature, config");
  }
}

// What is left where the header of the file is cut to any length, and the file at any place.
int truncations(const ModelFile& file) {
  const std::string whole = file.bytes(), header = file.header();
  int count = 0;
  for (std::size_t length = 0; length < whole.size(); length += length < 32 ? 1 : 97, ++count)
    expect(!refusal(whole.substr(0, length)).empty(), "cut to " + std::to_string(length));
  for (std::size_t length = 0; length < header.size(); length += 61, ++count)
    expect(!refusal(file.framed(header.substr(0, length))).empty(),
           "header cut to " + std::to_string(length));
  for (const std::size_t more : {1, 4, 4096})
    expect(!refusal(whole + std::string(more, '\0')).empty(), "longer than its tensors");
  return count + 3;
}

int bit_flips(const ModelFile& file) {
  const std::string whole = file.bytes();
  const std::size_t header = file.header().size();
  std::mt19937_64 rng(5);
  int count = 0;
  const auto flipped = [&](std::size_t byte, int bit) {
    std::string bytes = whole;
    bytes[byte] = static_cast<char>(bytes[byte] ^ 1 << bit);
    ++count;
    return refusal(bytes);
  };
  for (int bit = 0; bit < 64; ++bit)
    expect(!flipped(bit / 8, bit % 8).empty(), "length's bit " + std::to_string(bit));
  for (int i = 0; i < 600; ++i) flipped(8 + rng() % header, static_cast<int>(rng() % 8));
  for (int i = 0; i < 100; ++i)
    flipped(8 + header + rng() % (whole.size() - header - 8), static_cast<int>(rng() % 8));
  return count;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("nothing to replace: " + from);
  return text.replace(at, from.size(), to);
}

struct Damage {
  const char* key;
  const char* from;
  std::string to;
  const char* words;  // begins the refusal; "" where it loads
};

int damaged_metadata() {
  const std::string deep(100000, '['), nines(400, '9');
  const Damage all[] = {
      {"gban_edge", "1}", "2}", "model file version 2 is not 1, the one this package reads; use"},
      {"gban_edge", "1}", "\"a'\\n\"}", "model file version \"a'\\n\" is not 1"},
      {"gban_edge", "1}", "1.0}", ""},
      {"gban_edge", "1}", "[1e22,{\"a\":null,\"a\":-0}]}", "model file version [1e+22, {'a': 0}]"},
      {"gban_edge", "{", deep, "metadata 'gban_edge' is not JSON"},
      {"model", "\"name\"", "\"nome\"", "metadata is incomplete or malformed"},
      {"model", "gban", "gbam", "model must be one of ['gban', 'h_s'"},
      {"model", "[\"ang", "[\"sad", "labels must be 4 different names, got ['sad', 'hap'"},
      {"model", "hidden\":3", "hidden\":0", "hidden must be an integer of at least 1, got 0"},
      {"model", "hidden\":3", "hidden\":true", "hidden must be an integer of at least 1, got True"},
      {"model", "hidden\":3", "hidden\":" + nines, "hidden must be at most 16777216, got 999"},
      {"model", "hidden\":3", "hidden\":4", "weight_ih_l0 must have shape [16, 3], got [12, 3]"},
      {"model", "lstm_layers\":2", "lstm_layers\":99999999", "lstm_layers must be at most 16"},
      {"model", "lstm_layers\":2", "lstm_layers\":1", "weights missing [], unknown ['speech.bils"},
      {"model", "lstm_layers\":2", "lstm_layers\":3", "weights missing ['speech.bilstm.back"},
      {"model", "[2,3]", "[]", "conv_filters must be a non-empty tuple of integers, got []"},
      {"model", "0.5}", "1e400}", "dropout must be in [0, 1), got inf"},
      {"model", "0.5}", "1,\"dropout\":0}", ""},
      {"model", "0.5}", "0,\"colour\":1}", "config has unknown fields ['colour']; known are ['cla"},
      {"vocabulary", "don't", "<unk>", "vocabulary must not repeat a word, got ['<unk>'] more"},
      {"vocabulary", "<unk>", "<pad>", "vocabulary must begin with <pad>, <unk>, got ('<pad>', "},
      {"vocabulary", "\"don't\",", "", "vocabulary must have 4 words as its config says, got 3"},
      {"vocabulary", "00e9", "d800", "metadata 'vocabulary' is not JSON"},
      {"vocabulary", "\"don't\"", "7", "metadata is incomplete or malformed"},
      {"frontend", "\"version\":1", "\"version\":7", "frontend version 7 is not 1, the one this"},
      {"frontend", "-1.5,", "", "standardisation mean must be 52 finite numbers, got shape [51]"},
      {"frontend", "-1.5", "1e39",
       "standardisation mean must be 52 finite numbers, got shape [52]"},
      {"frontend", "-1.5", "NaN", "standardisation mean must be 52 finite numbers"},
      {"frontend", "-1.5", nines, "metadata is incomplete or malformed"},
      {"frontend", "2.5e0", "-0.0", "standardisation deviation must be positive"},
      {"calibration", "1.25", "-1e-5", "temperature must be positive, got -1e-05"},
      {"calibration", "1.25", "Infinity", "temperature must be positive, got inf"},
      {"training", "{", "[", "metadata 'training' is not JSON"},
      {"training", "3", std::string(4301, '9'), "metadata 'training' is not JSON"},
  };
  for (const Damage& damage : all) {
    ModelFile file = small_model("gban");
    file.metadata[damage.key] = replaced(file.metadata[damage.key], damage.from, damage.to);
    const std::string got = refusal(file.bytes()), words = damage.words;
    expect(
        words.empty() ? got.empty() : got.find(words) != std::string::npos,
        std::string(damage.key) + " with " + damage.to.substr(0, 40) + ": " + got.substr(0, 200));
  }
  return sizeof all / sizeof *all;
}

int damaged_headers() {
  const ModelFile file = small_model("h_t");
  const std::string header = file.header(), deep(200, '[');
  const Damage all[] = {
      {"", "{\"__m", " \n{\"__m", ""},
      {"", "{\"__m", "{,\"__m", "not a readable safetensors file"},
      {"", "__metadata__", "__metadatb__", "not a readable safetensors file"},
      {"", "\"F32\"", "\"F31\"", "not a readable safetensors file"},
      {"", "\"F32\"", "\"I32\"", "must be float32, got int32"},
      {"", "\"F32\"", "\"F4\"", "not a readable safetensors file"},
      {"", "\"F32\"", "\"F32\",\"dtype\":\"F32\"", "not a readable safetensors file"},
      {"", "\"F32\"", "\"F32\",\"x\":" + deep, "not a readable safetensors file"},
      {"", "\"F32\"", "\"F32\",\"x\":[1e9,{}]", ""},
      {"", "\"F32\"", "\"F32\",\"x\":1e999", "not a readable safetensors file"},
      {"", "\"shape\":[4]", "\"shape\":[4.0]", "not a readable safetensors file"},
      {"", "\"shape\":[4]", "\"shape\":[2,2]", "must have shape [4], got [2, 2]"},
      {"", "\"shape\":[4]", "\"shape\":[18446744073709551615,4]", "not a readable safetensors"},
      {"", "\"shape\":[4]", "\"shape\":[99999999999999999999]", "not a readable safetensors"},
      {"", "_offsets\":[0,", "_offsets\":[4,", "not a readable safetensors file"},
      {"", "_offsets\":[0,", "_offsets\":[0,0,", "not a readable safetensors file"},
      {"", "classifier.output.bias", "classifier.output.\xff", "not a readable safetensors file"},
      {"", "classifier.output.bias", "classifier.output.a\\u00ad", "'classifier.output.a\\xad'"},
  };
  for (const Damage& damage : all) {
    const std::string got = refusal(file.framed(replaced(header, damage.from, damage.to)));
    const std::string words = damage.words;
    expect(words.empty() ? got.empty() : got.find(words) != std::string::npos,
           damage.to.substr(0, 60) + ": " + got.substr(0, 200));
  }
  return sizeof all / sizeof *all;
}

void damaged_weights() {
  ModelFile file = small_model("gban");
  file.tensors["classifier.output.bias"].values[2] = INFINITY;
  expect(refusal(file.bytes()) == "classifier.output.bias holds values that are not finite", "inf");
  file = small_model("gban");
  file.tensors["text.embedding.weight"].values[4] = 1e-30f;
  expect(
      refusal(file.bytes()) == "row 0 of text.embedding.weight, the vector of <pad>, must be zero",
      "pad");
  try {
    gban::load_model(temporary() + "-none");
    expect(false, "no such file");
  } catch (const gban::FileNotFound& error) {
    expect(std::string(error.what()) == "model file " + temporary() + "-none does not exist",
           error.what());
  }
}

void sizes() {
  gban::Config config;  // the authors'
  expect(config.receptive_field() == 61 && config.text_width() == 384, "receptive field, width");
  expect(config.speech_steps(750) == 44 && config.speech_steps(747) == 43, "speech steps");
  expect(config.speech_steps(0) == 1 && config.speech_steps(61) == 1, "fewest speech steps");
  expect(config.text_steps(0) == 1 && config.text_steps(3) == 2, "text steps");
  try {
    gban::Model().weight("spare");
    expect(false, "no weight");
  } catch (const std::invalid_argument&) {
  }
}

void words() {
  using Words = std::vector<std::string>;
  expect(
      gban::tokenize("Well, I don\u2019t KNOW_3pm.") == Words{"well", "i", "don't", "know", "3pm"},
      "English");
  expect(gban::tokenize("''a'' b'_'c x''y") == Words{"a", "b", "c", "x", "y"}, "apostrophes");
  expect(gban::tokenize("\u039f\u0394\u039f\u03a3 \u03a3' \u03a3'\u0391") ==
             Words{"\u03bf\u03b4\u03bf\u03c2", "\u03c3", "\u03c3'\u03b1"},
         "sigma");
  expect(gban::tokenize("\u0130x e\u0301\u00bd") == Words{"i", "x", "e", "\u00bd"}, "marks");
  expect(gban::tokenize(std::string("a\0b", 3)) == Words{"a", "b"}, "NUL");
  const char* const bad[] = {
      "ab\xff",         "ab\xc0\xaf", "ab\xe0\x80\x80", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
      "ab\xf0\x9f\x98", "ab\x80",     "ab\xc3"};
  for (const char* text : bad) try {
      gban::tokenize(text);
      expect(false, "invalid UTF-8");
    } catch (const std::invalid_argument& error) {
      char wanted[64];
      std::snprintf(wanted, sizeof wanted, "text must be UTF-8, got byte 0x%02x at offset 2",
                    static_cast<unsigned char>(text[2]));
      expect(std::string(error.what()) == wanted, error.what());
    }
  const gban::Vocabulary vocabulary({"<pad>", "<unk>", "don't", "caf\u00e9"});
  expect(vocabulary.encode("CAF\u00c9? Don\u2019t know") == std::vector<std::int32_t>{3, 2, 1},
         "ids");
  expect(vocabulary.encode("...") == std::vector<std::int32_t>{1} && vocabulary.size() == 4,
         "empty");
}

}  // namespace

int main() {
  every_system_loads();
  const ModelFile file = small_model("h_s");
  const int mutations =
      truncations(file) + bit_flips(file) + damaged_metadata() + damaged_headers();
  damaged_weights();
  sizes();
  words();
  std::filesystem::remove(temporary());
  expect(mutations >= 200, "enough mutations");
  std::printf("15 systems loaded, %d mutations, %d failures\n", mutations, failures);
  return failures == 0 ? 0 : 1;
}
