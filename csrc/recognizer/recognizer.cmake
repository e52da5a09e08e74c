# The tests of the recogniser and of its C interface, plain and with ThreadSanitizer.
if(GBAN_TESTS)
  enable_language(C)
endif()

function(gban_add_recognizer_tests)
  set(dir ${PROJECT_SOURCE_DIR}/csrc/tests)
  set(sources ${dir}/recognizer_test.cpp ${dir}/recognizer_rules_test.cpp ${dir}/model_writer.cpp
              ${dir}/counted_new.cpp)
  add_executable(recognizer_test ${sources})
  target_link_libraries(recognizer_test PRIVATE gban_core)
  # GCC 12 takes a vector's own memory in network_gold.h for somebody else's.
  target_compile_options(recognizer_test PRIVATE ${GBAN_WARNINGS}
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-free-nonheap-object>)
  add_test(NAME recognizer COMMAND recognizer_test)

  set(tsan -O1 -g -fsanitize=thread)
  if(NOT TARGET gban_core_tsan)
    gban_add_core(gban_core_tsan ${tsan})
  endif()
  add_executable(recognizer_test_tsan ${sources})
  target_link_libraries(recognizer_test_tsan PRIVATE gban_core_tsan)
  target_compile_options(recognizer_test_tsan PRIVATE ${tsan})
  target_link_options(recognizer_test_tsan PRIVATE ${tsan})
  add_test(NAME recognizer_tsan
           COMMAND ${GBAN_SHIM_FIXED_ADDRESSES} $<TARGET_FILE:recognizer_test_tsan> threads)

  # A C program, and a linker that knows the core's C++.
  add_executable(c_api_test ${dir}/c_api_test.c)
  set_target_properties(c_api_test PROPERTIES C_STANDARD 99 C_STANDARD_REQUIRED ON
                        C_EXTENSIONS OFF LINKER_LANGUAGE CXX)
  target_compile_options(c_api_test PRIVATE -Wall -Wextra -Wpedantic
                         $<$<BOOL:${GBAN_WERROR}>:-Werror>)
  target_link_libraries(c_api_test PRIVATE gban_core)
  set(model ${PROJECT_BINARY_DIR}/c_api_test.safetensors)
  add_test(NAME c_api_model COMMAND recognizer_test write ${model})
  add_test(NAME c_api COMMAND c_api_test ${model})
  set_tests_properties(c_api_model PROPERTIES FIXTURES_SETUP c_api_model)
  set_tests_properties(c_api PROPERTIES FIXTURES_REQUIRED c_api_model)

  # A small soak, of a model of 300 words at the authors' sizes; by hand with 100,000 utterances.
  add_executable(engine_soak ${dir}/engine_soak.cpp ${dir}/model_writer.cpp)
  target_link_libraries(engine_soak PRIVATE gban_core)
  target_compile_options(engine_soak PRIVATE ${GBAN_WARNINGS})
  set(model ${PROJECT_BINARY_DIR}/engine_soak.safetensors)
  add_test(NAME engine_soak_model COMMAND engine_soak write ${model})
  set_tests_properties(engine_soak_model PROPERTIES FIXTURES_SETUP engine_soak_model)
  foreach(precision fp32 fp16 int8)
    add_test(NAME engine_soak_${precision} COMMAND engine_soak ${model} 300 ${precision})
    set_tests_properties(engine_soak_${precision} PROPERTIES FIXTURES_REQUIRED engine_soak_model)
  endforeach()
endfunction()
