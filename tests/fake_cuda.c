/* A CUDA driver without a GPU, for tests/test_cuda_driver.py: memory is the CPU's, nothing runs,
 * what is alive is counted, arguments are checked, and any call can be told to fail.
 *
 * Compiled with -DWITH_CUDA_H it includes the toolkit's cuda.h, which holds every function here to
 * the real one's arguments. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef WITH_CUDA_H
#include <cuda.h>
#else
typedef int CUresult, CUdevice, CUdevice_attribute, CUstreamCaptureMode;
typedef struct CUctx_st* CUcontext;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;
typedef unsigned long long CUdeviceptr;
#endif

enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NO_CONTEXT = 201, BAD_HANDLE = 400, NOT_READY = 600 };
enum { DEVICE, PINNED, STREAM, EVENT, GRAPH, EXEC, KINDS };

static struct {
  int kind;
  void* at;
  size_t size;
} objects[256];
static int live[KINDS], contexts, devices = 2, capturing, recorded, launches, busy;
static char failing[64];
static int fail_at, fail_code, calls;
static __thread CUcontext stack[8];
static __thread int depth;

void fake_reset(void) {
  memset(objects, 0, sizeof objects), memset(live, 0, sizeof live);
  contexts = depth = capturing = recorded = launches = busy = fail_at = calls = 0;
  devices = 2, failing[0] = 0;
}
void fake_devices(int count) { devices = count; }
/* The nth call of `name`, from 1 on, returns `code`. */
void fake_fail(const char* name, int nth, int code) {
  strncpy(failing, name, sizeof failing - 1), fail_at = nth, fail_code = code, calls = 0;
}
int fake_live(int kind) { return live[kind]; }
int fake_contexts(void) { return contexts; }
int fake_depth(void) { return depth; }
int fake_launches(void) { return launches; }
int fake_capturing(void) { return capturing; }

static int fails(const char* name) {
  return strcmp(failing, name) == 0 && ++calls == fail_at ? fail_code : OK;
}
#define ENTER(name)             \
  const int told = fails(name); \
  if (told) return told
#define WITH_CONTEXT \
  if (!depth || !stack[depth - 1]) return NO_CONTEXT
#define REQUIRE(condition) \
  if (!(condition)) return INVALID

static void* add(int kind, size_t size) {
  void* at = kind == DEVICE || kind == PINNED ? aligned_alloc(4096, (size + 4095) / 4096 * 4096)
                                              : malloc(16);
  if (kind == DEVICE || kind == PINNED) memset(at, 0xCD, size);
  for (int i = 0; i < 256; ++i)
    if (!objects[i].at) {
      objects[i].kind = kind, objects[i].at = at, objects[i].size = size, ++live[kind];
      return at;
    }
  abort();
}
static int find(int kind, const void* at) {
  for (int i = 0; i < 256; ++i)
    if (at && objects[i].at == at && objects[i].kind == kind) return i;
  return -1;
}
#define HANDLE(kind, at) \
  if (find(kind, at) < 0) return BAD_HANDLE
static CUresult drop(int kind, void* at, const char* name) {
  const int i = find(kind, at), told = fails(name);
  if (!depth) return NO_CONTEXT;
  if (i < 0) return BAD_HANDLE;
  free(at), objects[i].at = NULL, --live[kind];
  return told; /* as CUDA does: freed, and the error is of work before it */
}

CUresult cuInit(unsigned int flags) {
  ENTER("cuInit");
  REQUIRE(flags == 0);
  return OK;
}
CUresult cuGetErrorString(CUresult error, const char** text) {
  ENTER("cuGetErrorString");
  *text = error == NO_MEMORY ? "out of memory" : "fake words";
  return OK;
}
CUresult cuGetErrorName(CUresult error, const char** text) {
  *text = error == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
  return OK;
}
CUresult cuDeviceGetCount(int* count) {
  ENTER("cuDeviceGetCount");
  *count = devices;
  return OK;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  ENTER("cuDeviceGet");
  REQUIRE(ordinal >= 0 && ordinal < devices);
  *device = ordinal + 40; /* a CUdevice need not be the number */
  return OK;
}
CUresult cuDeviceGetName(char* name, int size, CUdevice device) {
  ENTER("cuDeviceGetName");
  REQUIRE(size >= 16 && device >= 40);
  strcpy(name, device == 40 ? "Orin" : "Thor");
  return OK;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
  ENTER("cuDeviceGetAttribute");
  REQUIRE(attribute == 75 || attribute == 76);
  *value = attribute == 75 ? (device == 40 ? 8 : 11) : (device == 40 ? 7 : 0);
  return OK;
}
CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
  ENTER("cuDeviceTotalMem_v2");
  *bytes = ((size_t)1 << 36) + (size_t)device; /* more than 32 bits */
  return OK;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  ENTER("cuDevicePrimaryCtxRetain");
  REQUIRE(device >= 40);
  ++contexts;
  *context = (CUcontext)((uintptr_t)device << 40); /* more than 32 bits */
  return OK;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  REQUIRE(device >= 40 && contexts > 0);
  --contexts;
  return fails("cuDevicePrimaryCtxRelease_v2");
}
CUresult cuCtxPushCurrent_v2(CUcontext context) {
  ENTER("cuCtxPushCurrent_v2");
  REQUIRE(((uintptr_t)context >> 40) >= 40 && depth < 8);
  stack[depth++] = context;
  return OK;
}
CUresult cuCtxPopCurrent_v2(CUcontext* context) {
  WITH_CONTEXT;
  *context = stack[--depth];
  return fails("cuCtxPopCurrent_v2");
}
CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t size) {
  ENTER("cuMemAlloc_v2");
  WITH_CONTEXT;
  REQUIRE(size > 0);
  *address = (CUdeviceptr)(uintptr_t)add(DEVICE, size);
  return OK;
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  return drop(DEVICE, (void*)(uintptr_t)address, "cuMemFree_v2");
}
CUresult cuMemHostAlloc(void** at, size_t size, unsigned int flags) {
  ENTER("cuMemHostAlloc");
  WITH_CONTEXT;
  REQUIRE(size > 0 && flags == 2);
  *at = add(PINNED, size);
  return OK;
}
CUresult cuMemFreeHost(void* at) { return drop(PINNED, at, "cuMemFreeHost"); }
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* address, void* at, unsigned int flags) {
  ENTER("cuMemHostGetDevicePointer_v2");
  HANDLE(PINNED, at);
  REQUIRE(flags == 0);
  *address = (CUdeviceptr)(uintptr_t)at;
  return OK;
}
CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t size, CUstream stream) {
  ENTER("cuMemsetD8Async");
  WITH_CONTEXT;
  HANDLE(STREAM, stream);
  if (capturing) return ++recorded, OK;
  memset((void*)(uintptr_t)address, value, size);
  return busy = 3, OK;
}
CUresult cuStreamCreate(CUstream* stream, unsigned int flags) {
  ENTER("cuStreamCreate");
  WITH_CONTEXT;
  REQUIRE(flags == 1);
  *stream = (CUstream)add(STREAM, 0);
  return OK;
}
CUresult cuStreamDestroy_v2(CUstream stream) { return drop(STREAM, stream, "cuStreamDestroy_v2"); }
CUresult cuStreamQuery(CUstream stream) {
  ENTER("cuStreamQuery");
  HANDLE(STREAM, stream);
  return busy > 0 ? (--busy, NOT_READY) : OK;
}
CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
  ENTER("cuStreamBeginCapture_v2");
  WITH_CONTEXT;
  HANDLE(STREAM, stream);
  REQUIRE(mode == 1 && !capturing);
  capturing = 1, recorded = 0;
  return OK;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  HANDLE(STREAM, stream);
  REQUIRE(capturing);
  capturing = 0, *graph = NULL;
  ENTER("cuStreamEndCapture");
  *graph = (CUgraph)add(GRAPH, 0);
  return OK;
}
CUresult cuEventCreate(CUevent* event, unsigned int flags) {
  ENTER("cuEventCreate");
  WITH_CONTEXT;
  REQUIRE(flags == 3);
  *event = (CUevent)add(EVENT, 0);
  return OK;
}
CUresult cuEventDestroy_v2(CUevent event) { return drop(EVENT, event, "cuEventDestroy_v2"); }
CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER("cuEventRecord");
  HANDLE(EVENT, event);
  HANDLE(STREAM, stream);
  return OK;
}
CUresult cuEventSynchronize(CUevent event) {
  ENTER("cuEventSynchronize");
  HANDLE(EVENT, event);
  return busy = 0, OK;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec* made, CUgraph graph, unsigned long long flags) {
  ENTER("cuGraphInstantiateWithFlags");
  WITH_CONTEXT;
  HANDLE(GRAPH, graph);
  REQUIRE(flags == 0 && recorded > 0);
  *made = (CUgraphExec)add(EXEC, 0);
  return OK;
}
CUresult cuGraphUpload(CUgraphExec graph, CUstream stream) {
  ENTER("cuGraphUpload");
  HANDLE(EXEC, graph);
  HANDLE(STREAM, stream);
  return OK;
}
CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream) {
  ENTER("cuGraphLaunch");
  WITH_CONTEXT;
  HANDLE(EXEC, graph);
  HANDLE(STREAM, stream);
  return ++launches, busy = 3, OK;
}
CUresult cuGraphExecDestroy(CUgraphExec graph) { return drop(EXEC, graph, "cuGraphExecDestroy"); }
CUresult cuGraphDestroy(CUgraph graph) { return drop(GRAPH, graph, "cuGraphDestroy"); }
