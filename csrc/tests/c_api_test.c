/* gban.h from C99: results, the same in pieces and at once, and refusals. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gban/gban.h"

static int failures = 0;

static void expect(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "FAILED: %s (last error: %s)\n", what, gban_last_error());
  ++failures;
}

#define SAMPLES 40000

static float pcm[SAMPLES];
static int16_t shorts[SAMPLES];

static void make_sound(void) {
  for (int i = 0; i < SAMPLES; ++i) {
    shorts[i] = (int16_t)(8000 * sin(0.05 * i + 1e-6 * i * i));
    pcm[i] = (float)shorts[i] / 32768;
  }
}

static void check_result(const gban_recognizer* recognizer, const gban_result* r) {
  const char* const* labels;
  int64_t classes;
  double sum = 0, weights = 0;
  expect(gban_labels(recognizer, &labels, &classes) == GBAN_OK && classes == 4, "labels");
  expect(strcmp(labels[2], "neu") == 0, "a label");
  expect(r->classes == 4 && r->index >= 0 && r->index < 4, "classes");
  for (int64_t i = 0; i < r->classes; ++i) {
    sum += r->probabilities[i];
    expect(r->probabilities[i] <= r->probabilities[r->index], "the greatest probability");
  }
  expect(fabs(sum - 1) < 1e-5, "probabilities sum to 1");
  expect(!r->abstained && strcmp(r->label, labels[r->index]) == 0, "the label");
  expect(r->has_contributions && fabs(r->a_s + r->a_t - 1) < 1e-12, "contributions");
  expect(r->words == 3 && strcmp(r->alignment[0].word, "don't") == 0, "words");
  for (int64_t i = 0; i < r->words; ++i) weights += r->alignment[i].weight;
  expect(fabs(weights - 1) < 1e-5, "weights of words");
  expect(r->alignment[2].end > r->alignment[2].start && r->alignment[2].end <= 2.5, "a place");
  expect(r->text_steps == 2 && r->speech_steps > 1 && r->speech_weights && r->text_weights,
         "steps");
  expect(fabs(r->seconds - 2.5) < 1e-9 && r->note_count == 0, "seconds and notes");
  expect(strncmp(r->backend, "cpu fp32 ", 9) == 0, "the backend");
  expect(r->features_seconds > 0 && r->network_seconds > 0, "timings");
}

static void check_pieces(const gban_recognizer* recognizer) {
  gban_utterance *whole, *pieces;
  const gban_result *a, *b;
  expect(gban_begin(recognizer, 16000, &whole) == GBAN_OK, "begin");
  expect(gban_begin(recognizer, 16000, &pieces) == GBAN_OK, "begin");
  expect(gban_recognize(whole, pcm, SAMPLES, "Don't, caf\xc3\xa9 x", &a) == GBAN_OK, "recognize");
  check_result(recognizer, a);
  for (int at = 0; at < SAMPLES; at += 320)
    if (at % 640)
      expect(gban_push(pieces, pcm + at, 320) == GBAN_OK, "push");
    else
      expect(gban_push_int16(pieces, shorts + at, 320) == GBAN_OK, "push_int16");
  expect(gban_finish(pieces, "don't caf\xc3\xa9 x", &b) == GBAN_OK, "finish");
  for (int64_t i = 0; i < a->classes; ++i)
    expect(a->probabilities[i] == b->probabilities[i], "pieces are the whole");
  expect(gban_finish(pieces, NULL, &b) == GBAN_OK && b->words == 0, "no words");
  expect(b->note_count == 2 && strcmp(b->notes[0], "no sound") == 0 &&
             strcmp(b->notes[1], "no words") == 0,
         "notes");
  gban_end(whole);
  gban_end(pieces);
}

static void expect_refused(gban_status got, gban_status status, const char* reason) {
  expect(got == status && strcmp(gban_last_error(), reason) == 0, reason);
}

static void check_refusals(const char* path, const gban_recognizer* recognizer) {
  gban_options options = {0};
  gban_recognizer* none = NULL;
  gban_utterance* utterance = NULL;
  const gban_result* result = NULL;
  float bad[3] = {0, 12345, 0};
  expect_refused(gban_load("/no/such/file", NULL, &none), GBAN_NOT_FOUND,
                 "model file /no/such/file does not exist");
  expect_refused(gban_load(NULL, NULL, &none), GBAN_INVALID, "path must not be NULL");
  options.precision = "half";
  expect_refused(gban_load(path, &options, &none), GBAN_INVALID,
                 "precision must be one of fp32, fp16, int8, got half");
  expect(none == NULL, "a refused load leaves its output alone");
  expect_refused(gban_begin(recognizer, 4000, &utterance), GBAN_INVALID,
                 "sample_rate must lie in 8000..192000, got 4000");
  expect_refused(gban_push(NULL, pcm, 3), GBAN_INVALID, "utterance must not be NULL");
  expect(gban_begin(recognizer, 16000, &utterance) == GBAN_OK, "begin");
  expect_refused(
      gban_push(utterance, bad, 3), GBAN_INVALID,
      "pcm must be in [-1, 1], got 12345.0 at sample 1; divide 16-bit integers by 32768");
  expect_refused(gban_recognize(utterance, pcm, 100, "\xc3(", &result), GBAN_INVALID,
                 "text must be UTF-8, got byte 0xc3 at offset 0");
  expect(gban_finish(utterance, "", &result) == GBAN_OK && result->seconds == 0,
         "a refused recognize leaves no sound behind");
  gban_end(utterance);
  gban_end(NULL);
  gban_free(NULL);
}

int main(int argc, char** argv) {
  gban_options options = {0};
  gban_recognizer* recognizer;
  if (argc < 2) return 2;
  make_sound();
  expect(strcmp(gban_last_error(), "") == 0, "no error yet");
  options.backend = "cpu";
  if (gban_load(argv[1], &options, &recognizer) != GBAN_OK) {
    fprintf(stderr, "%s\n", gban_last_error());
    return 1;
  }
  check_pieces(recognizer);
  check_refusals(argv[1], recognizer);
  gban_free(recognizer);
  printf(failures ? "%d failures\n" : "all well\n", failures);
  return failures ? 1 : 0;
}
