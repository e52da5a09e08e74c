// The network from features and word ids to probabilities, on a CPU, without any framework.
//
// Each utterance is computed at its true length, so that no result depends on who shares a batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gban/model.h"

namespace gban {

// How weights are stored. Sums are fp32 everywhere.
enum class Precision {
  fp32,
  fp16,  // matrices as IEEE halves; where the processor has AVX-512 VNNI the recurrent and input
         // weights as 16-bit integers with a scale a row, which is faster there and more accurate
  int8   // recurrent and input weights as int8 with a scale a row; the others as in fp16
};
const char* precision_name(Precision precision);
// Throws std::invalid_argument naming those there are.
Precision precision_of(const std::string& name);

constexpr std::int64_t kMaxWords = 512;     // of one utterance
constexpr std::int64_t kMaxFrames = 60000;  // of one utterance: ten minutes, where 7.5 s are usual

// One utterance: features [frames, 52] as the frontend makes them (not standardised), and the ids
// of its words. No frames and no words are allowed; no words count as one <unk>.
struct EngineInput {
  const float* features;
  std::int64_t frames;
  const std::int32_t* words;
  std::int64_t word_count;
};

// Where results go; the caller's memory. Pointers may be null where a result is not wanted.
struct EngineOutput {
  float* logits;          // [C]
  float* probabilities;   // [C], softmax(logits / temperature)
  float* aligned_gate;    // [fusion], z_p of eq. 17
  float* last_gate;       // [fusion], z_q of eq. 20
  float* speech_weights;  // [K], what each speech step gave to a_s
  float* text_weights;    // [L], what each text step gave to a_t
  float* alpha;           // [L, K], eq. 10
};

// K and L of an utterance: the sizes of its weights.
struct Steps {
  std::int64_t speech, text;
};

// A loaded network. It may be called by several threads at once; a call allocates nothing once a
// call of that size has been made (by as many threads at once). After an exception it is as before.
class Engine {
 public:
  // Packs the weights; the model is not needed afterwards. Throws std::invalid_argument for a
  // network that the engine does not run.
  Engine(const Model& model, Precision precision);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // One utterance, or several, on up to `threads` threads, this one included. Throws
  // std::invalid_argument for a feature that is not finite or an id that is not in the vocabulary,
  // before anything of that utterance is written.
  void run(const EngineInput& input, const EngineOutput& output, int threads = 1) const;
  void run(const EngineInput* inputs, const EngineOutput* outputs, std::int64_t count,
           int threads = 1) const;

  Steps steps(const EngineInput& input) const;
  const Config& config() const;
  Precision precision() const;
  bool has_gates() const;      // "gban" alone has both
  bool has_alignment() const;  // of the systems on the alignment

  // Seconds of each stage since the last call of this, summed over calls of run(); measured only
  // after measure(true).
  struct Timing {
    std::string stage;
    double seconds;
  };
  void measure(bool on) const;
  std::vector<Timing> timings() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gban
