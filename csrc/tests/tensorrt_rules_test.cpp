#include "tensorrt_rules.h"

#include <cmath>
#include <functional>

#include "shim_test.h"
#include "tensorrt_fakes.h"
#include "tensorrt_problems.h"

namespace tensorrt_test {
namespace {

using nvinfer1::DataType;
using nvinfer1::PluginFieldType;
using nvinfer1::TensorRTPhase;
using shim_test::expect;

void expect_said(const std::string& wanted, const std::string& what) {
  const std::string said = logged();
  const bool good = said.find(wanted) != std::string::npos;
  expect(good, what);
  if (!good) std::printf("     said: %s     not: %s\n", said.c_str(), wanted.c_str());
}

// Both phases must refuse the attributes with the sentence.
void refused_attributes(const char* name, const Attributes& attributes, const std::string& sentence,
                        const char* what) {
  for (const auto phase : {TensorRTPhase::kBUILD, TensorRTPhase::kRUNTIME}) {
    expect(create(name, attributes, phase) == nullptr, std::string(what) + " is refused");
    expect_said("gban_edge " + std::string(name) + " (layer_7): " + sentence, what);
  }
}

// A call whose tensors were changed must be refused by the builder's questions and at run time.
void refused_call(nvinfer1::IPluginV3& plugin, Case c, const std::function<void(Case&)>& spoil,
                  const std::string& sentence, const std::string& what) {
  spoil(c);
  const auto all = dynamic_descriptions(c);
  const int n = c.input_count(), m = c.output_count();
  expect(build(plugin).configurePlugin(all.data(), n, all.data() + n, m) != 0,
         what + " is refused by configurePlugin");
  expect_said(sentence, what);
  Context context(plugin);
  expect(context.set_shapes(c) != 0, what + " is refused by onShapeChange");
  expect_said(sentence, what);
}

void check_calls() {
  std::mt19937_64 rng(2);
  const BiLstmNode node(rng, DataType::kHALF);
  const Owned bilstm = create("BiLSTM", node.attributes(), TensorRTPhase::kBUILD);
  const Owned pool = create("AlignPool", {}, TensorRTPhase::kBUILD);
  const Case a = node.call(rng, {2, 5, 3}), p = align_pool_case(rng, {2, 5, 3}, DataType::kFLOAT);
  const std::string D = std::to_string(2 * hidden_units());
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[0].type = DataType::kFLOAT; },
      "speech must be float16 as the weights are, got float32", "another type");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[2].type = DataType::kFLOAT; },
      "text must be float16 as speech is, got float32", "two types");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[1].type = DataType::kFLOAT; },
      "speech_lengths must be int64 or int32, got float32", "lengths that are not integers");
  refused_call(
      *bilstm, a, [](Case& c) { c.outputs[1].type = DataType::kHALF; },
      "speech_last must be float32, got float16", "a last state in half");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[0].shape = {2, 5, 16}; },
      "speech must have shape [B, K, 12]", "another width");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[2].shape = {2, 3}; }, "text must have shape [B, L, 40]",
      "too few dimensions");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[3].shape = {2, 1}; }, "text_lengths must have shape [B]",
      "too many dimensions");
  refused_call(
      *bilstm, a, [](Case& c) { c.inputs[0].shape[1] = 0, c.outputs[0].shape[1] = 0; },
      "of at least 1, got 0", "no steps");
  refused_call(
      *pool, p, [](Case& c) { c.inputs[2].type = DataType::kINT32; },
      "speech_lengths must be int64, got int32", "narrow lengths");
  refused_call(
      *pool, p, [](Case& c) { c.inputs[0].type = DataType::kBF16; },
      "speech must be float32 or float16, got bfloat16", "bfloat16");
  refused_call(
      *pool, p, [](Case& c) { c.inputs[1].shape[2] = 8; }, "text must have shape [B, L, D]",
      "two D");
  refused_call(
      *pool, p,
      [](Case& c) {
        for (int i = 0; i < 2; ++i) c.inputs[i].shape[2] = c.outputs[i].shape[1] = 12;
      },
      "must have a D that is a multiple of 8 from 8 to 1024", "D = 12");

  // Sizes that only a concrete shape tells apart.
  Context context(*bilstm);
  Case wrong = a;
  wrong.inputs[3].shape = {3};
  expect(context.set_shapes(wrong) != 0, "another B is refused");
  expect_said("text_lengths must have shape [B], with B = 2, got [3]", "another B");
  wrong = a;
  wrong.outputs[0].shape[1] = 6;
  expect(context.set_shapes(wrong) != 0, "states of another K are refused");
  expect_said("speech_states must have shape [B, K, " + D + "], with B = 2 and K = 5, got [2, 6, " +
                  D + "]",
              "states of another K");
  Buffers buffers(a);
  expect(context.enqueue(a, buffers, nullptr) != 0, "enqueue before onShapeChange is refused");
  expect_said("enqueue with shapes that onShapeChange was not told", "enqueue too early");
  auto in = descriptions(a.inputs), out = descriptions(a.outputs);
  expect(runtime(*bilstm).onShapeChange(in.data(), 3, out.data(), 4) != 0, "three inputs");
  expect_said("takes 4 inputs and gives 4 outputs, got 3 and 4", "three inputs");
  Owned attached(runtime(*bilstm).attachToContext(nullptr));
  expect(runtime(*attached).onShapeChange(in.data(), 4, out.data(), 4) == 0, "a good shape");
  const void* none[4] = {};
  expect(runtime(*attached).enqueue(in.data(), out.data(), none, buffers.output_pointers(), nullptr,
                                    nullptr) != 0,
         "null inputs are refused");
  expect_said("speech has no memory", "null inputs");
}

// A length out of range is NaN in that utterance alone.
void check_lengths() {
  std::mt19937_64 rng(3);
  for (const auto type : {DataType::kFLOAT, DataType::kHALF}) {
    const BiLstmNode node(rng, type);
    const Owned bilstm = create("BiLSTM", node.attributes(), TensorRTPhase::kRUNTIME);
    const Owned pool = create("AlignPool", {}, TensorRTPhase::kRUNTIME);
    for (const std::int64_t length : {0, -1, 6}) {
      Case a = node.call(rng, {3, 5, 4}), p = align_pool_case(rng, {3, 5, 4}, type);
      std::memcpy(a.inputs[1].bytes.data() + 8, &length, 8);
      std::memcpy(p.inputs[2].bytes.data() + 8, &length, 8);
      Context first(*bilstm), second(*pool);
      const bool ran = first.run(a) && second.run(p);
      bool good = ran;
      for (const Case* c : {&a, &p}) good &= finite(*c, 0) && !finite(*c, 1) && finite(*c, 2);
      expect(good, "a length of " + std::to_string(length) + ": NaN in that utterance alone");
      const Numbers last = a.outputs[1].numbers(), pooled = p.outputs[0].numbers();
      bool all = true;
      for (std::int64_t d = 0; d < 2 * node.hidden; ++d)
        all &= std::isnan(last[2 * node.hidden + d]) && std::isnan(pooled[2 * node.hidden + d]);
      expect(all, "a length of " + std::to_string(length) + ": no number of it is left");
    }
  }
}

// Memory that runs out is said; what was made before is given back, and a later call works.
void check_memory() {
  std::mt19937_64 rng(4);
  const BiLstmNode node(rng, DataType::kFLOAT);
  {
    const Owned plugin = create("BiLSTM", node.attributes(), TensorRTPhase::kRUNTIME);
    fail_allocation(2);
    expect(!Context(*plugin).attached(), "no memory for the weights: not attached");
    expect_said("gban_edge BiLSTM (layer_7): out of memory", "no memory for the weights");
    expect(allocations() == 0, "no memory for the weights: none is kept");
    Context context(*plugin);
    Case c = node.call(rng, {2, 5, 3});
    fail_allocation(1);
    expect(context.set_shapes(c) != 0, "no memory for the workspace: refused");
    expect_said("out of memory", "no memory for the workspace");
    expect(context.run(c) && error(c) <= 1e-5, "no memory for the workspace: a later call works");
    Case larger = node.call(rng, {3, 20, 20});
    const Stream stream = make_stream();
    bool grown = true;
    capture(stream, [&] { grown = context.set_shapes(larger) == 0; });
    expect(!grown, "a workspace that must grow while a stream is captured is refused");
    expect_said("not permitted when stream is capturing", "growing while capturing");
    end_stream(stream);
  }
  expect(allocations() == 0, "all memory is given back");
}

void check_logger() {
  make_finder_throw(true);
  expect(create("AlignPool",
                BiLstmNode(*std::make_unique<std::mt19937_64>(5), DataType::kFLOAT).attributes(),
                TensorRTPhase::kBUILD) == nullptr,
         "a finder that throws does no harm");
  make_finder_throw(false);
  expect(logged().empty(), "a finder that throws hears nothing");
}

// What IPluginRegistry::loadLibrary does once a library is open.
bool register_as_load_library() {
  std::int32_t count = 0;
  nvinfer1::IPluginCreatorInterface* const* creators = getCreators(count);
  bool good = count > 0;
  for (int i = 0; i < count; ++i)
    good &= getPluginRegistry()->registerCreator(*creators[i], "gban_edge");
  return good;
}

}  // namespace

void check_registration() {
  const std::vector<std::string> both = {"gban_edge/AlignPool/1", "gban_edge/BiLSTM/1"};
  expect(registered().names == both, "registers itself when it is loaded");
  expect(register_as_load_library(), "loadLibrary finds nothing registered twice");
  const Registered& r = registered();
  expect(r.names == both && r.refused == 0 && r.joined == 4 && r.left == 2,
         "getCreators hands the registration over");
  std::int32_t count = 0;
  getCreators(count);
  expect(count == 2 && r.names == both && r.left == 2, "and leaves alone what others registered");
  refused_attributes("AlignPool", {{{"D", PluginFieldType::kINT32, 1, {8, 0, 0, 0}}}},
                     "unknown field D; the fields are: none", "a field, and no finder yet,");
}

void check_fields() {
  std::mt19937_64 rng(1);
  const Attributes good = BiLstmNode(rng, DataType::kFLOAT).attributes();
  const auto spoilt = [&](const std::function<void(Attributes&)>& spoil) {
    Attributes bad = good;
    spoil(bad);
    return bad;
  };
  const auto refused = [&](const std::function<void(Attributes&)>& spoil,
                           const std::string& sentence, const char* what) {
    refused_attributes("BiLSTM", spoilt(spoil), sentence, what);
  };
  const auto shorten = [](Attributes::One& one, std::int32_t length) {
    one.length = length;
    one.bytes.resize(static_cast<std::size_t>(length) * 4);
  };
  for (const auto& one : good.all)
    refused([&](Attributes& a) { a.remove(one.name); }, "field " + one.name + " is missing",
            "a missing field");
  refused(
      [](Attributes& a) { a["text_R"].name = "text_Q"; },
      "unknown field text_Q; the fields are: hidden_size, speech_W, speech_R, speech_B, text_W, "
      "text_R, text_B",
      "an unknown field");
  refused([](Attributes& a) { a.all.push_back(a["text_B"]); }, "field text_B is given twice",
          "a field that comes twice");
  refused([](Attributes& a) { a["text_B"].length = 0; }, "field text_B is empty", "an empty field");
  refused([&](Attributes& a) { shorten(a["text_R"], 7); },
          "field text_R must hold " + std::to_string(8 * hidden_units() * hidden_units()) +
              " numbers, [2, 4 hidden_size, hidden_size], got 7",
          "a short field");
  refused([&](Attributes& a) { shorten(a["speech_B"], 1); }, "field speech_B must hold ",
          "a short bias");
  refused([&](Attributes& a) { shorten(a["speech_W"], 9); },
          "field speech_W must hold a multiple of " + std::to_string(8 * hidden_units()),
          "weights of no width");
  refused([&](Attributes& a) { shorten(a["speech_W"], 8 * hidden_units()); },
          "field speech_W: width must be a multiple of 4 from 4 on, got 1",
          "a width without kernel");
  refused([](Attributes& a) { a["text_W"].type = PluginFieldType::kINT32; },
          "field text_W must be float32 or float16, got TensorRT's field type 5",
          "integer weights");
  refused([](Attributes& a) { a["hidden_size"].type = PluginFieldType::kFLOAT32; },
          "field hidden_size must be one int32", "a hidden size of another type");
  refused([](Attributes& a) { a["hidden_size"].bytes = {100, 0, 0, 0}; },
          "field hidden_size: hidden must be 128 or 256 on a GPU, got 100", "H = 100");
  refused([](Attributes& a) { a["hidden_size"].bytes = {255, 255, 255, 255}; },
          "field hidden_size: hidden must be 128 or 256 on a GPU, got -1", "H = -1");
  refused(
      [&](Attributes& a) {
        a["text_B"].type = PluginFieldType::kFLOAT16;
        a["text_B"].bytes.resize(a["text_B"].bytes.size() / 2);
      },
      "field text_B must be float32 as speech_W is, got float16", "weights of two types");
  refused_attributes("AlignPool", spoilt([](Attributes& a) { a.all.resize(1); }),
                     "unknown field hidden_size; the fields are: none", "a field of AlignPool");
  expect(creator("BiLSTM").createPlugin("layer_7", nullptr, TensorRTPhase::kBUILD) == nullptr,
         "no fields at all");
  expect_said("no fields were given", "no fields at all");
  const auto* names = creator("BiLSTM").getFieldNames();
  bool listed = names->nbFields == static_cast<int>(good.all.size());
  for (int i = 0; listed && i < names->nbFields; ++i)
    listed = names->fields[i].name == good.all[i].name;
  expect(listed, "the ONNX parser is asked for every attribute");
}

void check_calls_and_memory() {
  check_calls();
  check_lengths();
  if (has_faults()) check_memory();
  check_logger();
}

}  // namespace tensorrt_test
