#include "bindings.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The native core of gban-edge; call it through gban_edge, which checks arguments.";
  gban::bindings::init_build(module);
  gban::bindings::init_frontend(module);
  gban::bindings::init_model(module);
  gban::bindings::init_alignment(module);
  gban::bindings::init_engine(module);
#ifdef GBAN_HAS_CUDA
  gban::bindings::init_alignment_cuda(module);
  gban::bindings::init_bilstm_cuda(module);
#endif
}
