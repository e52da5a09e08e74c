# The CUDA half of the core, and the facts about it that `python -m gban_edge.info` prints.
#
# GBAN_CUDA=auto takes nvcc where it is found and works, and says what it did; 1 makes its absence an
# error; 0 leaves it alone. Sets GBAN_WITH_CUDA and writes gban_facts.h for csrc/bindings.

# One hash of the kernels' sources, as gban_edge/info.py computes it: which version ran on a GPU?
file(GLOB_RECURSE kernel_files RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/csrc/cuda/* ${PROJECT_SOURCE_DIR}/csrc/include/*)
list(SORT kernel_files)
set(listing "")
foreach(name IN LISTS kernel_files)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${name})
  file(SHA256 ${PROJECT_SOURCE_DIR}/${name} hash)
  string(APPEND listing "${name} ${hash}\n")
endforeach()
string(SHA256 GBAN_KERNEL_SOURCES "${listing}")
string(SUBSTRING ${GBAN_KERNEL_SOURCES} 0 16 GBAN_KERNEL_SOURCES)

# What benchmarks/gpu_check.sh wrote down, as a JSON list: an installed package has no such folder.
file(GLOB result_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/benchmarks/results/*.json)
set(GBAN_GPU_RUNS "[]")
foreach(name IN LISTS result_files)
  file(READ ${name} result)
  set(run "{}")
  foreach(key gpu date kernel_sources)
    string(JSON value ERROR_VARIABLE missing GET "${result}" ${key})
    string(JSON run SET "${run}" ${key} "\"${value}\"")
  endforeach()
  string(JSON count LENGTH "${GBAN_GPU_RUNS}")
  if(NOT missing)
    string(JSON GBAN_GPU_RUNS SET "${GBAN_GPU_RUNS}" ${count} "${run}")
  endif()
endforeach()
function(gban_write_facts)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/gban_facts.h.in ${PROJECT_BINARY_DIR}/gban_facts.h @ONLY)
endfunction()

set(GBAN_WITH_CUDA FALSE)
if(NOT GBAN_CUDA MATCHES "^(auto|0|1)$")
  message(FATAL_ERROR "GBAN_CUDA must be auto, 0 or 1, got ${GBAN_CUDA}")
endif()
if(GBAN_CUDA STREQUAL "0")
  message(STATUS "CUDA kernels: not built (GBAN_CUDA=0)")
  gban_write_facts()
  return()
endif()

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80)  # for the check alone; each target says its own
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(GBAN_CUDA STREQUAL "1")
    message(FATAL_ERROR "GBAN_CUDA=1, but no nvcc that works: put it on the PATH, or set CUDACXX")
  endif()
  message(STATUS "CUDA kernels: not built (no nvcc that works; GBAN_CUDA=auto)")
  gban_write_facts()
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

# Orin, Hopper, Thor where the compiler knows it, and PTX that the driver compiles for any other
# GPU since Ampere.
set(architectures ${GBAN_CUDA_ARCHITECTURES})
if(NOT architectures)
  set(architectures 87-real 90-real 80-virtual)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13.0)
    list(APPEND architectures 110-real)
  elseif(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND architectures 101-real)  # what CUDA 12 called Thor
  endif()
endif()
target_sources(gban_core PRIVATE csrc/cuda/alignment.cu csrc/cuda/bilstm.cu csrc/cuda/devices.cu
               csrc/cuda/engine.cu)
set_target_properties(gban_core PROPERTIES CUDA_ARCHITECTURES "${architectures}" CUDA_STANDARD 17
                      CUDA_STANDARD_REQUIRED ON)
# Static, so that the module imports where there is no CUDA at all.
target_link_libraries(gban_core PUBLIC CUDA::cudart_static)
target_compile_definitions(gban_core PUBLIC GBAN_HAS_CUDA)
target_compile_options(gban_core PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--threads=2>)
string(REPLACE ";" " " GBAN_CUDA_BUILT_FOR "${architectures}")
gban_write_facts()
set(GBAN_WITH_CUDA TRUE)
message(STATUS "CUDA kernels: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, ${GBAN_CUDA_BUILT_FOR}")
