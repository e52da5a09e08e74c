# The C++ tests of the CPU half; csrc/tests/shim/shim.cmake has those of the kernels.
enable_language(C)
# Null and objects' sizes: AddressSanitizer finds these too, and without them compiling takes half as
# long.
set(GBAN_ASAN -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined
              -fno-sanitize=null,vptr,object-size -fno-sanitize-recover=all)
set(GBAN_TSAN -O1 -g1 -fsanitize=thread)
# Under AddressSanitizer GCC calls a function for each check here instead of writing the check out:
# the same checks; compiling this file four times takes 22 s less, the tests 5 s more.
set_source_files_properties(${PROJECT_SOURCE_DIR}/csrc/cpu/engine_simd.cpp PROPERTIES COMPILE_OPTIONS
  "$<$<CXX_COMPILER_ID:GNU>:--param=asan-instrumentation-with-call-threshold=0>")
gban_add_core(gban_core_asan ${GBAN_ASAN})
# Threads meet in the same places whatever the vectors are.
set(GBAN_ISAS portable)
gban_add_core(gban_core_tsan ${GBAN_TSAN})

# gban_add_test(name way "sources" arguments...): a program of csrc/tests, linked with the core as it
# is (way: plain) or with the one built for a sanitizer (asan, tsan), run with the arguments.
function(gban_add_test name way sources)
  list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/csrc/tests/)
  add_executable(${name} ${sources})
  # GCC 12 takes a vector's own memory in network_gold.h for somebody else's.
  target_compile_options(${name} PRIVATE ${GBAN_WARNINGS}
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-free-nonheap-object>)
  set(runner "")
  if(way STREQUAL "plain")
    target_link_libraries(${name} PRIVATE gban_core)
  else()
    string(TOUPPER ${way} upper)
    target_compile_options(${name} PRIVATE ${GBAN_${upper}})
    target_link_options(${name} PRIVATE ${GBAN_${upper}})
    target_link_libraries(${name} PRIVATE gban_core_${way})
  endif()
  if(way STREQUAL "tsan")
    set(runner ${GBAN_SHIM_FIXED_ADDRESSES})
  endif()
  add_test(NAME ${name} COMMAND ${runner} $<TARGET_FILE:${name}> ${ARGN})
endfunction()

gban_add_test(alignment_test plain alignment_test.cpp)
gban_add_test(frontend_test plain frontend_test.cpp)
set(model model_test.cpp model_writer.cpp)
gban_add_test(model_test plain "${model}")
gban_add_test(model_test_asan asan "${model}")
set(engine engine_test.cpp counted_new.cpp)
gban_add_test(engine_test plain "${engine}")
gban_add_test(engine_test_asan asan "${engine}" small)
gban_add_test(engine_test_tsan tsan "${engine}" threads)
set(recognizer recognizer_test.cpp recognizer_rules_test.cpp model_writer.cpp counted_new.cpp)
gban_add_test(recognizer_test plain "${recognizer}")
gban_add_test(recognizer_test_asan asan "${recognizer}")
gban_add_test(recognizer_test_tsan tsan "${recognizer}" threads)

# A C program, and a linker that knows the core's C++.
add_executable(c_api_test csrc/tests/c_api_test.c)
set_target_properties(c_api_test PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
                      LINKER_LANGUAGE CXX)
target_compile_options(c_api_test PRIVATE -Wall -Wextra -Wpedantic
                       $<$<BOOL:${GBAN_WERROR}>:-Werror>)
target_link_libraries(c_api_test PRIVATE gban_core)
set(file ${PROJECT_BINARY_DIR}/c_api_test.safetensors)
add_test(NAME c_api_model COMMAND recognizer_test write ${file})
add_test(NAME c_api COMMAND c_api_test ${file})
set_tests_properties(c_api_model PROPERTIES FIXTURES_SETUP c_api_model)
set_tests_properties(c_api PROPERTIES FIXTURES_REQUIRED c_api_model)

# A small soak, of a model of 300 words at the authors' sizes; by hand with 100,000 utterances.
add_executable(engine_soak csrc/tests/engine_soak.cpp csrc/tests/model_writer.cpp)
target_compile_options(engine_soak PRIVATE ${GBAN_WARNINGS})
target_link_libraries(engine_soak PRIVATE gban_core)
set(file ${PROJECT_BINARY_DIR}/engine_soak.safetensors)
add_test(NAME engine_soak_model COMMAND engine_soak write ${file})
set_tests_properties(engine_soak_model PROPERTIES FIXTURES_SETUP engine_soak_model)
foreach(precision fp32 fp16 int8)
  add_test(NAME engine_soak_${precision}
           COMMAND engine_soak ${file} 300 ${precision})
  set_tests_properties(engine_soak_${precision} PROPERTIES FIXTURES_REQUIRED engine_soak_model)
endforeach()
