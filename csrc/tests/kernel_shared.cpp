// Prints for every kernel the most dynamic shared memory that its launcher asks for on a Jetson
// Orin, over all sizes: what tools/kernel_report.py holds against the architecture's limit.
#include <cstdio>
#include <map>
#include <string>

#include "alignment_plan.h"
#include "bilstm_recur.cuh"
#include "engine_plan.h"

namespace {

namespace cuda = gban::cuda;

constexpr cuda::DeviceLimits kOrin{8, 166912, 167936};

std::map<std::string, int> most;

void record(const std::string& name, int shared) { most[name] = std::max(most[name], shared); }

std::string tile(const char* kernel, const char* type, int rows, int columns) {
  return std::string(kernel) + "<" + type + ", " + std::to_string(rows) + ", " +
         std::to_string(columns);
}

template <typename T>
void record_backward(const char* type, int D, const cuda::DeviceLimits& device) {
  const cuda::BackwardPlan plan = cuda::plan_backward<T>(D, device);
  if (!plan.fits()) return;
  record(tile("align_row_sums", type, plan.rows, plan.columns) + ">", plan.shared);
  record(tile("align_gradients", type, plan.rows, plan.columns) + ", " +
             std::to_string(plan.pieces) + ">",
         plan.shared);
}

template <typename T>
void record_all(const char* type) {
  // The smaller tiles are for GPUs with less memory: plan for those too.
  for (int limit = 20000; limit <= kOrin.shared_block; limit += 1000) {
    const cuda::DeviceLimits device{8, limit, limit + 1024};
    for (int D = 8; D <= cuda::kMaxStates; D += 8) {
      record_backward<T>(type, D, device);
      for (int K : {1, 64, 65, 750})
        for (int L : {1, 16, 17, 64, 300}) {
          const cuda::ForwardPlan plan = cuda::plan_forward<T>({1, K, L, D}, device);
          if (plan.fits())
            record(tile("align_forward", type, plan.rows, plan.columns) + ">", plan.shared);
        }
    }
  }
}

// The engine's own kernels at the authors' sizes, H = 128 and 256, in every bucket.
template <typename T>
void record_engine(const std::string& type) {
  const gban::Config config;
  for (bool table : {false, true})
    for (int batch : cuda::kBatchBuckets)
      record("encode<" + type + ">",
             cuda::plan_encode(config, 46, 256, batch, table, kOrin.processors).shared);
  for (int limit = 20000; limit <= kOrin.shared_block; limit += 1000)
    for (int D : {256, 512}) {
      cuda::HeadSizes sizes{46, 256, D, 128, 128, 4};
      const cuda::HeadPlan plan = cuda::plan_head<T>(sizes, {8, limit, limit + 1024});
      if (plan.rows == 0) continue;
      sizes.text_steps = static_cast<int>(plan.most_words / 2);
      const int shared = cuda::with_tile(plan.rows, [&](auto tile) {
        return cuda::head_shared<T, decltype(tile)::rows, decltype(tile)::columns>(sizes);
      });
      record(tile("head", type.c_str(), plan.rows, plan.columns) + ">", shared);
    }
}

template <typename T>
void record_bilstm(const std::string& type) {
  record("lstm_project<" + type + ">", static_cast<int>(cuda::kProjectShared));
  for (std::int64_t H : {128, 256})
    for (std::int64_t B : {1, 8, 64}) {
      const cuda::BiLstm<T> a{B, H, 1, 2, {}};
      const cuda::BiLstmPlan plan = cuda::plan_bilstm(a, {kOrin.processors, false});
      record("lstm_recur<" + type + ", " + std::to_string(H) + ", " + std::to_string(plan.columns) +
                 ">",
             plan.shared);
    }
}

}  // namespace

int main() {
  record_all<float>("float");
  record_all<gban::Half>("Half");
  record_all<gban::BFloat16>("BFloat16");
  record_engine<float>("float");
  record_engine<gban::Half>("Half");
  record_bilstm<float>("float");
  record_bilstm<gban::Half>("Half");
  for (const auto& [name, bytes] : most) std::printf("%s\t%d\n", name.c_str(), bytes);
}
