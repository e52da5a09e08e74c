// One init function a stage; module.cpp assembles them.
#pragma once

#include <pybind11/pybind11.h>

namespace gban::bindings {

void init_build(pybind11::module_& module);
void init_alignment(pybind11::module_& module);
void init_alignment_cuda(pybind11::module_& module);  // where GBAN_HAS_CUDA is defined
void init_bilstm_cuda(pybind11::module_& module);     // likewise
void init_engine(pybind11::module_& module);
void init_frontend(pybind11::module_& module);
void init_model(pybind11::module_& module);

}  // namespace gban::bindings
