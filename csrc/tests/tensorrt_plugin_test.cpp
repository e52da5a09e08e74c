// The TensorRT plugins, driven through TensorRT's interface without TensorRT: what they compute,
// against float64; engines, clones, contexts, graphs. tensorrt_rules_test.cpp has what they refuse.
#include <algorithm>
#include <functional>

#include "shim_test.h"
#include "tensorrt_fakes.h"
#include "tensorrt_problems.h"
#include "tensorrt_rules.h"

namespace {

using namespace tensorrt_test;
using nvinfer1::DataType;
using nvinfer1::TensorRTPhase;
using shim_test::expect;

// A plugin, its attributes and random calls of it.
struct Subject {
  std::string name, label;
  Attributes attributes;
  std::function<Case(const Sizes&)> call;
  double limit;  // of the error against float64
};

// Growing and shrinking; one step, one word; so many steps that blocks of a GPU share an utterance.
const std::vector<Sizes> kShapes = {{1, 5, 3},  {3, 9, 4},  {2, 1, 1}, {1, 1, 6},
                                    {3, 14, 9}, {1, 80, 2}, {2, 3, 2}};

bool same(const Case& a, const Case& b) {
  for (std::size_t i = 0; i < a.outputs.size(); ++i)
    if (a.outputs[i].bytes != b.outputs[i].bytes) return false;
  return true;
}

// What a plugin gives of the same calls, one after another, in one context.
std::vector<Case> run_all(nvinfer1::IPluginV3& plugin, std::vector<Case> calls) {
  Context context(plugin);
  for (Case& c : calls)
    if (!context.run(c)) return {};
  return calls;
}

bool all_same(const std::vector<Case>& a, const std::vector<Case>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same);
}

void check_numbers(const Subject& s) {
  const Owned plugin = create(s.name, s.attributes, TensorRTPhase::kBUILD);
  std::vector<Case> calls;
  std::string building;
  for (const Sizes& sizes : kShapes) {
    calls.push_back(s.call(sizes));
    building += build_with(*plugin, calls.back());
  }
  expect(building.empty(), s.label + ", formats, types and shapes as the builder asks " + building);
  const std::vector<Case> done = run_all(*plugin, calls);
  double worst = done.empty() ? HUGE_VAL : 0;
  for (const Case& c : done) worst = std::max(worst, error(c));
  std::printf("     %s: largest error %.1e in %zu shapes\n", s.label.c_str(), worst, done.size());
  expect(worst <= s.limit, s.label + ", ragged shapes in a row, against float64");

  const Attributes engine = serialised(*plugin);
  const Owned loaded = create(s.name, engine, TensorRTPhase::kRUNTIME);
  expect(all_same(run_all(*loaded, calls), done), s.label + ", the same bits from an engine");
  const Attributes again = serialised(*loaded);
  bool equal = again.all.size() == engine.all.size();
  for (std::size_t i = 0; equal && i < engine.all.size(); ++i)
    equal = again.all[i].name == engine.all[i].name && again.all[i].bytes == engine.all[i].bytes;
  expect(equal, s.label + ", serialised again it is the same");
  const Owned copy = clone(*loaded);
  expect(all_same(run_all(*copy, calls), done), s.label + ", the same bits from a clone");
}

// Two contexts of one plugin in turn, each at its own shapes; the plugin itself goes first.
void check_contexts(const Subject& s) {
  Owned plugin = create(s.name, s.attributes, TensorRTPhase::kRUNTIME);
  Case small = s.call({1, 4, 2}), large = s.call({3, 11, 7});
  Context first(*plugin), second(*plugin);
  plugin.reset();
  bool good = first.attached() && second.attached();
  for (int turn = 0; turn < 2; ++turn) {
    good &= first.run(small) && second.run(large);
    good &= error(small) <= s.limit && error(large) <= s.limit;
  }
  expect(good, s.label + ", two contexts in turn, after the plugin has gone");
}

// A captured call gives the same again, also once its context has grown for a larger shape.
void check_graph(const Subject& s) {
  const Owned plugin = create(s.name, s.attributes, TensorRTPhase::kRUNTIME);
  Context context(*plugin);
  Case wanted = s.call({2, 6, 3}), larger = s.call({3, 40, 30});
  bool good = context.run(wanted);
  Buffers buffers(wanted);
  const Stream stream = make_stream();
  const auto matches = [&] {
    wait(stream);
    const auto outputs = buffers.outputs();
    bool equal = true;
    for (std::size_t i = 0; i < outputs.size(); ++i) equal &= outputs[i] == wanted.outputs[i].bytes;
    return equal;
  };
  const auto replay =
      capture(stream, [&] { good &= context.enqueue(wanted, buffers, stream) == 0; });
  buffers.spoil_outputs();
  replay(stream);
  expect(good && matches(), s.label + ", a captured call");
  good = context.run(larger) && error(larger) <= s.limit;
  buffers.spoil_outputs();
  replay(stream);
  expect(good && matches(), s.label + ", captured, and again after its context has grown");

  Case other = s.call({2, 6, 3});  // other inputs at the same places
  buffers.upload(other);
  replay(stream);
  wait(stream);
  const auto outputs = buffers.outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) other.outputs[i].bytes = outputs[i];
  expect(error(other) <= s.limit, s.label + ", captured, with other inputs");
  end_stream(stream);
}

void check_subject(const Subject& s) {
  check_numbers(s);
  check_contexts(s);
  check_graph(s);
  if (has_faults()) expect(allocations() == 0, s.label + ", all device memory is given back");
}

void check_type(DataType type, const std::string& suffix, double lstm_limit, double pool_limit) {
  std::mt19937_64 rng(static_cast<unsigned>(type) + 1);
  const BiLstmNode node(rng, type);
  check_subject({"BiLSTM", "BiLSTM " + suffix, node.attributes(),
                 [&](const Sizes& sizes) { return node.call(rng, sizes); }, lstm_limit});
  const auto narrow = [&](const Sizes& sizes) { return node.call(rng, sizes, DataType::kINT32); };
  check_numbers(
      {"BiLSTM", "BiLSTM " + suffix + ", int32 lengths", node.attributes(), narrow, lstm_limit});
  check_subject({"AlignPool",
                 "AlignPool " + suffix,
                 {},
                 [&](const Sizes& sizes) { return align_pool_case(rng, sizes, type); },
                 pool_limit});
}

}  // namespace

int main() {
  check_registration();  // before anything asks for the creators
  setLoggerFinder(logger_finder());
  check_fields();
  expect(no_device().empty(), "there is a device: " + no_device());
  if (!no_device().empty()) return 1;
  check_calls_and_memory();
  check_type(DataType::kFLOAT, "float32", 1e-5, 1e-5);
  check_type(DataType::kHALF, "float16", 4e-3, 2e-3);
  expect(logged().empty(), "what works logs nothing");
  return shim_test::failures != 0;
}
