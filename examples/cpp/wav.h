// A small reader of WAV files: PCM of 16 bits or float of 32 bits, any rate, channels mixed down.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct Wav {
  int rate = 0;
  std::vector<float> pcm;  // mono, full scale 1.0

  double seconds() const { return static_cast<double>(pcm.size()) / rate; }
};

namespace wav_detail {

[[noreturn]] inline void fail(const std::string& path, const std::string& why) {
  throw std::runtime_error(path + ": " + why);
}

// The file's bytes and where it is read; numbers are little-endian.
class Bytes {
 public:
  explicit Bytes(const std::string& path) : path_(path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path, "no such file, or it may not be read");
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  std::size_t left() const { return bytes_.size() - at_; }
  const char* take(std::size_t count) {
    if (count > left())
      fail(path_, "cut short, " + std::to_string(count - left()) + " bytes of it are missing");
    const char* const here = bytes_.data() + at_;
    at_ += count;
    return here;
  }
  bool takes(const char* name) { return left() >= 4 && std::memcmp(take(4), name, 4) == 0; }
  std::uint32_t number(int bytes) {
    const char* const from = take(static_cast<std::size_t>(bytes));
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value |= static_cast<std::uint32_t>(static_cast<unsigned char>(from[i])) << (8 * i);
    return value;
  }

 private:
  std::string path_;
  std::vector<char> bytes_;
  std::size_t at_ = 0;
};

struct Format {
  std::uint32_t kind = 0, channels = 0, rate = 0, bits = 0;
};

inline Format read_format(Bytes& bytes, std::uint32_t size, const std::string& path) {
  if (size < 16) fail(path, "its format chunk has " + std::to_string(size) + " bytes, not 16");
  Format f;
  f.kind = bytes.number(2);
  f.channels = bytes.number(2);
  f.rate = bytes.number(4);
  bytes.take(6);  // bytes a second, bytes a frame: they follow from the rest
  f.bits = bytes.number(2);
  std::uint32_t read = 16;
  if (f.kind == 0xFFFE && size >= 40) {  // "extensible": the kind stands further down
    bytes.take(8);
    f.kind = bytes.number(2);
    read = 26;
  }
  bytes.take(size - read);
  const bool known = (f.kind == 1 && f.bits == 16) || (f.kind == 3 && f.bits == 32);
  if (!known)
    fail(path, "samples must be PCM of 16 bits or float of 32 bits, got format " +
                   std::to_string(f.kind) + " of " + std::to_string(f.bits) + " bits");
  if (f.channels == 0 || f.rate == 0) fail(path, "its header gives no channels or no rate");
  return f;
}

inline float sample(Bytes& bytes, const Format& f) {
  const std::uint32_t raw = bytes.number(static_cast<int>(f.bits / 8));
  if (f.bits == 16) return static_cast<float>(static_cast<std::int16_t>(raw)) / 32768.0f;
  float value;
  std::memcpy(&value, &raw, sizeof value);
  return value;
}

}  // namespace wav_detail

// Throws std::runtime_error that names the file and what is wrong with it.
inline Wav read_wav(const std::string& path) {
  using namespace wav_detail;
  Bytes bytes(path);
  const bool riff = bytes.takes("RIFF");
  if (!riff || bytes.left() < 8 || !bytes.take(4) || !bytes.takes("WAVE"))
    fail(path, "not a WAV file (it does not begin with RIFF ... WAVE)");
  Format format;
  while (bytes.left() >= 8) {
    const std::string name(bytes.take(4), 4);
    const std::uint32_t size = bytes.number(4);
    if (name == "fmt ") {
      format = read_format(bytes, size, path);
    } else if (name == "data") {
      if (format.rate == 0) fail(path, "its sound comes before its format");
      const std::uint32_t frame = format.channels * format.bits / 8;
      if (size > bytes.left()) bytes.take(size);  // says how much is missing
      Wav wav;
      wav.rate = static_cast<int>(format.rate);
      for (std::uint32_t i = 0; i < size / frame; ++i) {
        float sum = 0;
        for (std::uint32_t c = 0; c < format.channels; ++c) sum += sample(bytes, format);
        wav.pcm.push_back(sum / static_cast<float>(format.channels));
      }
      return wav;
    } else {
      bytes.take(std::min<std::size_t>(size + size % 2, bytes.left()));
    }
  }
  fail(path, "it holds no sound");
}
