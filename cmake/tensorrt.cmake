# The TensorRT plugins, libgban_edge_tensorrt.so, and their test.
#
# GBAN_TENSORRT=auto builds them where NvInfer.h of TensorRT 10.0 or later and nvcc are, and says
# what it did; 1 makes it an error where either is missing; 0 leaves them alone. TENSORRT_ROOT (a
# cache or an environment variable) is the folder that holds the headers, itself or in include/; it
# must then hold them. Where it is not set, the system's folders are searched.
#
# The test runs on the shim in every build with GBAN_TESTS, against the real headers where they are,
# else against the stand-in of csrc/tests/tensorrt.
set(GBAN_TENSORRT auto CACHE STRING "Build the TensorRT plugins: auto (where NvInfer.h is), 0 or 1")
set(TENSORRT_ROOT "$ENV{TENSORRT_ROOT}" CACHE PATH "Where TensorRT's headers are")
if(NOT GBAN_TENSORRT MATCHES "^(auto|0|1)$")
  message(FATAL_ERROR "GBAN_TENSORRT must be auto, 0 or 1, got ${GBAN_TENSORRT}")
endif()

# An error where TensorRT was asked for, by GBAN_TENSORRT or by naming its folder; else a status.
function(gban_tensorrt_refuse asked reason)
  if(asked)
    message(FATAL_ERROR "TensorRT plugins: ${reason}")
  endif()
  message(STATUS "TensorRT plugins: not built (${reason})")
endfunction()

# Sets GBAN_NVINFER, the folder of usable headers or empty, and GBAN_NVINFER_VERSION.
function(gban_find_nvinfer)
  set(GBAN_NVINFER "" PARENT_SCOPE)
  if(GBAN_TENSORRT STREQUAL "0")
    message(STATUS "TensorRT plugins: not built (GBAN_TENSORRT=0)")
    return()
  endif()
  set(asked FALSE)
  set(folders /usr/include /usr/include/aarch64-linux-gnu /usr/include/x86_64-linux-gnu)
  if(TENSORRT_ROOT)
    set(folders ${TENSORRT_ROOT}/include ${TENSORRT_ROOT})
  endif()
  if(TENSORRT_ROOT OR GBAN_TENSORRT STREQUAL "1")
    set(asked TRUE)
  endif()
  find_path(found NAMES NvInferVersion.h PATHS ${folders} NO_DEFAULT_PATH NO_CACHE)
  if(NOT found)
    list(JOIN folders ", " searched)
    gban_tensorrt_refuse(${asked} "no NvInfer.h in ${searched}: install TensorRT's headers (on a \
Jetson: apt install libnvinfer-headers-dev), or set TENSORRT_ROOT to the folder that holds include/NvInfer.h")
    return()
  endif()
  # 10.16 and later define NV_TENSORRT_MAJOR as TRT_MAJOR_ENTERPRISE, which is the number.
  set(version "")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${found}/NvInferVersion.h lines
         REGEX "^#define (NV_TENSORRT_${part}|TRT_${part}_ENTERPRISE) +[0-9]+")
    string(REGEX MATCH "[A-Z] +([0-9]+)" line "${lines}")
    list(APPEND version ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN version "." version)
  if(version VERSION_LESS 10.0 OR NOT EXISTS ${found}/NvInfer.h)
    gban_tensorrt_refuse(${asked} "${found} has the headers of TensorRT ${version}, and the plugins \
need 10.0 or later, where IPluginV3 begins (JetPack 6 has 10.3; JetPack 5 is not supported): set \
TENSORRT_ROOT to a newer one")
    return()
  endif()
  get_filename_component(found ${found} ABSOLUTE)
  set(GBAN_NVINFER ${found} PARENT_SCOPE)
  set(GBAN_NVINFER_VERSION ${version} PARENT_SCOPE)
endfunction()

gban_find_nvinfer()
set(GBAN_TENSORRT_DIR ${PROJECT_SOURCE_DIR}/csrc/tensorrt)
set(GBAN_TENSORRT_SOURCES
  ${GBAN_TENSORRT_DIR}/align_pool.cpp ${GBAN_TENSORRT_DIR}/bilstm.cpp
  ${GBAN_TENSORRT_DIR}/bilstm_weights.cpp ${GBAN_TENSORRT_DIR}/creators.cpp
  ${GBAN_TENSORRT_DIR}/fields.cpp ${GBAN_TENSORRT_DIR}/library.cpp
  ${GBAN_TENSORRT_DIR}/logging.cpp ${GBAN_TENSORRT_DIR}/nvinfer_library.cpp
  ${GBAN_TENSORRT_DIR}/plugin.cpp ${GBAN_TENSORRT_DIR}/signature.cpp)
set(GBAN_TENSORRT_TESTS ${PROJECT_SOURCE_DIR}/csrc/tests)
set(GBAN_TENSORRT_TEST_SOURCES
  ${GBAN_TENSORRT_TESTS}/tensorrt_plugin_test.cpp ${GBAN_TENSORRT_TESTS}/tensorrt_rules_test.cpp
  ${GBAN_TENSORRT_TESTS}/tensorrt_driver.cpp ${GBAN_TENSORRT_TESTS}/tensorrt_fakes.cpp
  ${GBAN_TENSORRT_TESTS}/tensorrt_problems.cpp)

# What all that is made of the plugins' sources has in common.
function(gban_tensorrt_target target)
  target_compile_options(${target} PRIVATE ${GBAN_WARNINGS})
  target_compile_definitions(${target} PRIVATE GBAN_VERSION="${GBAN_VERSION}")
  target_link_libraries(${target} PRIVATE gban_core ${CMAKE_DL_LIBS})
endfunction()

# With the kernels of the core and the headers given.
function(gban_tensorrt_real_target target headers)
  gban_tensorrt_target(${target})
  target_include_directories(${target} SYSTEM PRIVATE ${headers} ${CUDAToolkit_INCLUDE_DIRS})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/csrc/cuda)
  get_target_property(architectures gban_core CUDA_ARCHITECTURES)
  set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${architectures}"
                        CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
endfunction()

if(GBAN_NVINFER AND NOT GBAN_WITH_CUDA)
  if(GBAN_TENSORRT STREQUAL "1")
    message(FATAL_ERROR "TensorRT plugins: GBAN_TENSORRT=1 needs the CUDA kernels: put an nvcc that \
works on the PATH, and leave GBAN_CUDA at auto or 1")
  endif()
  message(STATUS "TensorRT plugins: not built (the CUDA kernels are not built)")
elseif(GBAN_NVINFER)
  message(STATUS "TensorRT plugins: NvInfer ${GBAN_NVINFER_VERSION} of ${GBAN_NVINFER}")
  add_library(gban_edge_tensorrt SHARED ${GBAN_TENSORRT_SOURCES}
              ${GBAN_TENSORRT_DIR}/device_memory.cu)
  gban_tensorrt_real_target(gban_edge_tensorrt ${GBAN_NVINFER})
  # Two functions are exported, and nothing of the core, of CUDA or of the C++ library.
  set(exports ${GBAN_TENSORRT_DIR}/exports.map)
  set_target_properties(gban_edge_tensorrt PROPERTIES CXX_VISIBILITY_PRESET hidden
                        CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                        LINK_DEPENDS ${exports})
  target_link_options(gban_edge_tensorrt PRIVATE LINKER:--version-script=${exports}
                      LINKER:--no-undefined LINKER:--as-needed)
  install(TARGETS gban_edge_tensorrt LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# The test on a GPU, for benchmarks/gpu_check.sh; it calls nothing of TensorRT's.
if(GBAN_WITH_CUDA)
  set(headers ${GBAN_TENSORRT_TESTS}/tensorrt)
  if(GBAN_NVINFER)
    set(headers ${GBAN_NVINFER})
  endif()
  add_executable(tensorrt_plugin_gpu_test EXCLUDE_FROM_ALL ${GBAN_TENSORRT_SOURCES}
                 ${GBAN_TENSORRT_TEST_SOURCES} ${GBAN_TENSORRT_DIR}/device_memory.cu
                 ${GBAN_TENSORRT_TESTS}/tensorrt_device.cu)
  gban_tensorrt_real_target(tensorrt_plugin_gpu_test ${headers})
  set_target_properties(tensorrt_plugin_gpu_test PROPERTIES ENABLE_EXPORTS ON)
endif()

if(GBAN_TESTS)
  set(headers ${GBAN_TENSORRT_TESTS}/tensorrt)
  if(GBAN_NVINFER)
    find_package(CUDAToolkit QUIET)  # whose headers NVIDIA's include; nvcc is not needed
    if(CUDAToolkit_FOUND)
      set(headers ${GBAN_NVINFER} ${CUDAToolkit_INCLUDE_DIRS})
      message(STATUS "TensorRT plugins' test: against NvInfer ${GBAN_NVINFER_VERSION}")
    else()
      message(STATUS "TensorRT plugins' test: against the stand-in (no CUDA headers)")
    endif()
  endif()
  foreach(way plain asan)
    string(REPLACE "_plain" "" target tensorrt_plugin_test_${way})
    add_executable(${target} ${GBAN_TENSORRT_SOURCES} ${GBAN_TENSORRT_TEST_SOURCES}
                   ${GBAN_TENSORRT_TESTS}/emulated_tensorrt.cpp)
    gban_tensorrt_target(${target})
    target_link_libraries(${target} PRIVATE gban_emulated_alignment_${way}
                                            gban_emulated_bilstm_${way})
    target_include_directories(${target} SYSTEM PRIVATE ${headers})
    set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
    add_test(NAME ${target} COMMAND ${target})
  endforeach()
endif()
