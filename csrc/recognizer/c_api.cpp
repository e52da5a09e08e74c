// gban.h on recognizer.h: no exception leaves this file.
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "gban/gban.h"
#include "gban/recognizer.h"

struct gban_recognizer {
  gban::Recognizer recognizer;
  std::vector<const char*> labels;
};

struct gban_utterance {
  gban::Utterance utterance;
  gban::Result result;
  std::vector<gban_word> alignment;
  std::vector<const char*> notes;
  gban_result view;
};

namespace {

thread_local std::string last_error;

gban_status failed(gban_status status, const char* reason) {
  try {
    last_error = reason;
  } catch (const std::exception&) {
    last_error.clear();  // no memory even for the reason
  }
  return status;
}

template <typename F>
gban_status guarded(F work) {
  try {
    work();
    return GBAN_OK;
  } catch (const gban::FileNotFound& error) {
    return failed(GBAN_NOT_FOUND, error.what());
  } catch (const std::invalid_argument& error) {
    return failed(GBAN_INVALID, error.what());
  } catch (const std::exception& error) {
    return failed(GBAN_FAILED, error.what());
  } catch (...) {
    return failed(GBAN_FAILED, "unknown error");
  }
}

void require(const void* argument, const char* name) {
  if (!argument) throw std::invalid_argument(std::string(name) + " must not be NULL");
}

gban::RecognizerOptions options_of(const gban_options* from) {
  gban::RecognizerOptions options;
  if (!from) return options;
  if (from->backend) options.backend = gban::backend_of(from->backend);
  if (from->precision) options.precision = gban::precision_of(from->precision);
  if (from->threads != 0) options.threads = from->threads;
  options.device = from->device;
  options.abstain_below = from->abstain_below;
  return options;
}

template <typename T>
std::int64_t size(const std::vector<T>& values) {
  return static_cast<std::int64_t>(values.size());
}

const gban_result* view(gban_utterance& u) {
  const gban::Result& r = u.result;
  u.alignment.clear();
  for (const gban::AlignedWord& w : r.alignment)
    u.alignment.push_back({w.word.c_str(), w.start, w.end, w.weight});
  u.notes.clear();
  for (const std::string& note : r.notes) u.notes.push_back(note.c_str());
  u.view = {r.label.c_str(),
            r.index,
            r.abstained,
            r.probabilities.data(),
            size(r.probabilities),
            r.has_contributions,
            r.contributions.a_s,
            r.contributions.a_t,
            r.contributions.h_s,
            r.contributions.h_t,
            u.alignment.data(),
            size(u.alignment),
            r.speech_weights.data(),
            size(r.speech_weights),
            r.text_weights.data(),
            size(r.text_weights),
            r.seconds,
            u.notes.data(),
            size(u.notes),
            r.backend.c_str(),
            r.timings.features,
            r.timings.network};
  return &u.view;
}

void finish(gban_utterance& u, const char* words, const gban_result** result) {
  u.utterance.finish(words ? words : "", u.result);
  *result = view(u);
}

template <typename T>
gban_status push(gban_utterance* utterance, const T* pcm, std::int64_t samples) {
  return guarded([&] {
    require(utterance, "utterance");
    utterance->utterance.push(pcm, samples);
  });
}

}  // namespace

gban_status gban_load(const char* path, const gban_options* options, gban_recognizer** recognizer) {
  return guarded([&] {
    require(path, "path");
    require(recognizer, "recognizer");
    auto loaded = std::make_unique<gban_recognizer>(
        gban_recognizer{gban::Recognizer::load(path, options_of(options)), {}});
    for (const std::string& label : loaded->recognizer.labels())
      loaded->labels.push_back(label.c_str());
    *recognizer = loaded.release();
  });
}

gban_status gban_labels(const gban_recognizer* recognizer, const char* const** labels,
                        int64_t* classes) {
  return guarded([&] {
    require(recognizer, "recognizer");
    require(labels, "labels");
    require(classes, "classes");
    *labels = recognizer->labels.data();
    *classes = size(recognizer->labels);
  });
}

gban_status gban_begin(const gban_recognizer* recognizer, int sample_rate,
                       gban_utterance** utterance) {
  return guarded([&] {
    require(recognizer, "recognizer");
    require(utterance, "utterance");
    *utterance = new gban_utterance{recognizer->recognizer.begin(sample_rate), {}, {}, {}, {}};
  });
}

gban_status gban_push(gban_utterance* utterance, const float* pcm, int64_t samples) {
  return push(utterance, pcm, samples);
}

gban_status gban_push_int16(gban_utterance* utterance, const int16_t* pcm, int64_t samples) {
  return push(utterance, pcm, samples);
}

gban_status gban_finish(gban_utterance* utterance, const char* words, const gban_result** result) {
  return guarded([&] {
    require(utterance, "utterance");
    require(result, "result");
    finish(*utterance, words, result);
  });
}

gban_status gban_recognize(gban_utterance* utterance, const float* pcm, int64_t samples,
                           const char* words, const gban_result** result) {
  return guarded([&] {
    require(utterance, "utterance");
    require(result, "result");
    gban::Utterance& sound = utterance->utterance;
    sound.discard();
    try {
      sound.push(pcm, samples);
      finish(*utterance, words, result);
    } catch (...) {
      sound.discard();
      throw;
    }
  });
}

void gban_end(gban_utterance* utterance) { delete utterance; }
void gban_free(gban_recognizer* recognizer) { delete recognizer; }

const char* gban_last_error(void) { return last_error.c_str(); }
