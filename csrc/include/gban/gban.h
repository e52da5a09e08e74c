/* recognizer.h for C and what calls C: the same rules, notes and errors.
 *
 *   gban_recognizer* recognizer;  gban_utterance* utterance;  const gban_result* result;
 *   if (gban_load("gban.safetensors", NULL, &recognizer)) return puts(gban_last_error());
 *   gban_begin(recognizer, 16000, &utterance);
 *   gban_push(utterance, block, samples);                           again and again
 *   gban_finish(utterance, "that is incredible", &result);          result->label
 *   gban_end(utterance);  gban_free(recognizer);
 *
 * Every function but the last three returns a gban_status. One that fails leaves its output alone
 * and its reason in gban_last_error(). Texts are UTF-8. */
#ifndef GBAN_GBAN_H
#define GBAN_GBAN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  GBAN_OK = 0,
  GBAN_INVALID = 1,   /* an argument or a file's contents */
  GBAN_NOT_FOUND = 2, /* no such file */
  GBAN_FAILED = 3     /* anything else: a device, memory */
} gban_status;

typedef struct gban_recognizer gban_recognizer; /* for any number of threads */
typedef struct gban_utterance gban_utterance;   /* for one thread */

/* RecognizerOptions. Begin with gban_options options = {0}; zeros and NULLs mean the defaults. */
typedef struct {
  const char* backend;   /* "auto", "cpu", "cuda" */
  const char* precision; /* "fp32", "fp16", "int8" */
  int threads, device;
  double abstain_below;
} gban_options;

typedef struct {
  const char* word;
  double start, end; /* seconds */
  double weight;
} gban_word;

/* Result. What it points to belongs to the utterance. */
typedef struct {
  const char* label; /* "" where abstained */
  int64_t index;
  int abstained;
  const float* probabilities; /* [classes] */
  int64_t classes;
  int has_contributions;
  double a_s, a_t, h_s, h_t;
  const gban_word* alignment; /* [words] */
  int64_t words;
  const float* speech_weights; /* [speech_steps] */
  int64_t speech_steps;
  const float* text_weights; /* [text_steps] */
  int64_t text_steps;
  double seconds;
  const char* const* notes; /* [note_count] */
  int64_t note_count;
  const char* backend;
  double features_seconds, network_seconds;
} gban_result;

gban_status gban_load(const char* path, const gban_options* options, gban_recognizer** recognizer);
gban_status gban_labels(const gban_recognizer* recognizer, const char* const** labels,
                        int64_t* classes); /* the recognizer's memory */

gban_status gban_begin(const gban_recognizer* recognizer, int sample_rate,
                       gban_utterance** utterance);
gban_status gban_push(gban_utterance* utterance, const float* pcm, int64_t samples);
gban_status gban_push_int16(gban_utterance* utterance, const int16_t* pcm, int64_t samples);

/* Ends the sound; the next push begins another. The result stands until the next gban_finish or
 * gban_recognize of this utterance, or its gban_end. */
gban_status gban_finish(gban_utterance* utterance, const char* words, const gban_result** result);

/* A whole utterance in one call; what was pushed before is forgotten. */
gban_status gban_recognize(gban_utterance* utterance, const float* pcm, int64_t samples,
                           const char* words, const gban_result** result);

void gban_end(gban_utterance* utterance); /* NULL is fine here and below */
void gban_free(gban_recognizer* recognizer);

/* Why the calling thread's latest failing call failed; "" where none has. */
const char* gban_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
