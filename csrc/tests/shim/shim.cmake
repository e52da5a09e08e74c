# The shim that runs CUDA kernel bodies on the CPU, built three ways, and the tests that use it.
#
# gban_add_shim_test(name sources...) makes and registers
#   name        -O2: for many random shapes
#   name_asan   AddressSanitizer and UBSan
#   name_tsan   ThreadSanitizer, an OS thread for each CUDA thread (GBAN_SHIM_THREADS)
set(GBAN_SHIM_DIR ${CMAKE_CURRENT_LIST_DIR})
set(GBAN_SHIM_FLAGS_plain -O2)
# Null and objects' sizes: AddressSanitizer finds these too, and without them compiling takes half as
# long.
set(GBAN_SHIM_FLAGS_asan -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined
                         -fno-sanitize=null,vptr,object-size -fno-sanitize-recover=all)
set(GBAN_SHIM_FLAGS_tsan -O1 -g1 -fsanitize=thread)

# ThreadSanitizer of older compilers cannot live with much address space randomisation.
find_program(GBAN_SETARCH setarch)
set(GBAN_SHIM_FIXED_ADDRESSES "")
if(GBAN_SETARCH)
  execute_process(COMMAND ${GBAN_SETARCH} -R true RESULT_VARIABLE refused OUTPUT_QUIET ERROR_QUIET)
  if(refused EQUAL 0)
    set(GBAN_SHIM_FIXED_ADDRESSES ${GBAN_SETARCH} -R)
  endif()
endif()

# Arithmetic on the shim's own arrays: nothing in it for a sanitizer to find.
set_source_files_properties(${GBAN_SHIM_DIR}/mma.cpp PROPERTIES COMPILE_OPTIONS
                            "-O2;-fno-sanitize=all")

foreach(way plain asan tsan)
  add_library(gban_shim_${way} STATIC
    ${GBAN_SHIM_DIR}/collectives.cpp ${GBAN_SHIM_DIR}/context.cpp ${GBAN_SHIM_DIR}/fibers.cpp
    ${GBAN_SHIM_DIR}/launch.cpp ${GBAN_SHIM_DIR}/meet.cpp ${GBAN_SHIM_DIR}/mma.cpp
    ${GBAN_SHIM_DIR}/runtime.cpp ${GBAN_SHIM_DIR}/threads.cpp)
  # Unknown pragmas: `#pragma unroll` is nvcc's.
  target_compile_options(gban_shim_${way} PUBLIC ${GBAN_WARNINGS} -Wno-unknown-pragmas
                         ${GBAN_SHIM_FLAGS_${way}})
  target_link_options(gban_shim_${way} PUBLIC ${GBAN_SHIM_FLAGS_${way}})
  target_compile_definitions(gban_shim_${way} PUBLIC GBAN_SHIM
                             $<$<STREQUAL:${way},tsan>:GBAN_SHIM_THREADS>)
  target_include_directories(gban_shim_${way} PUBLIC ${GBAN_SHIM_DIR} ${PROJECT_SOURCE_DIR}/csrc
                             ${PROJECT_SOURCE_DIR}/csrc/cuda ${PROJECT_SOURCE_DIR}/csrc/include)
  target_link_libraries(gban_shim_${way} PUBLIC Threads::Threads)
  # The launchers' public functions on the shim, for what calls those.
  foreach(stage alignment bilstm)
    add_library(gban_emulated_${stage}_${way} STATIC EXCLUDE_FROM_ALL
                ${PROJECT_SOURCE_DIR}/csrc/tests/emulated_${stage}.cpp)
    target_link_libraries(gban_emulated_${stage}_${way} PUBLIC gban_shim_${way})
  endforeach()
endforeach()

function(gban_add_shim_test name)
  foreach(way plain asan tsan)
    string(REPLACE "_plain" "" target ${name}_${way})
    add_executable(${target} ${ARGN})
    target_link_libraries(${target} PRIVATE gban_shim_${way} gban_core)
    set(runner "")
    if(way STREQUAL "tsan")
      set(runner ${GBAN_SHIM_FIXED_ADDRESSES})
    endif()
    add_test(NAME ${target} COMMAND ${runner} $<TARGET_FILE:${target}>)
    if(way STREQUAL "tsan")
      set_tests_properties(${target} PROPERTIES COST 30)  # the longest: begun first
    endif()
  endforeach()
endfunction()

# The shim's own tests. Its kernels must also be CUDA: where nvcc is, they go through it.
gban_add_shim_test(shim_test ${PROJECT_SOURCE_DIR}/csrc/tests/shim_test.cpp
                   ${PROJECT_SOURCE_DIR}/csrc/tests/shim_fault_test.cpp)
find_program(GBAN_NVCC nvcc HINTS /usr/local/cuda/bin)
if(GBAN_NVCC)
  foreach(arch 87 90 110)
    add_test(NAME shim_kernels_sm_${arch}
      COMMAND ${GBAN_NVCC} -std=c++17 -arch=sm_${arch} -cubin -Werror all-warnings
        -I${PROJECT_SOURCE_DIR}/csrc/include -I${PROJECT_SOURCE_DIR}/csrc/cuda
        -o ${PROJECT_BINARY_DIR}/shim_kernels_sm_${arch}.cubin
        ${PROJECT_SOURCE_DIR}/csrc/tests/shim_kernels.cu)
  endforeach()
endif()

add_executable(numeric_test ${PROJECT_SOURCE_DIR}/csrc/tests/numeric_test.cpp)
target_include_directories(numeric_test PRIVATE ${PROJECT_SOURCE_DIR}/csrc/include)
target_compile_options(numeric_test PRIVATE ${GBAN_WARNINGS})
add_test(NAME numeric COMMAND numeric_test)
