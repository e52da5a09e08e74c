# The model file and the words: sources of gban_core, and their test, plain and with sanitizers.
set(GBAN_MODEL_SOURCES "")
foreach(source config json json_repr model safetensors shapes text unicode vocabulary)
  list(APPEND GBAN_MODEL_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()

function(gban_add_model_tests)
  set(test ${PROJECT_SOURCE_DIR}/csrc/tests/model_test.cpp
           ${PROJECT_SOURCE_DIR}/csrc/tests/model_writer.cpp)
  add_executable(model_test ${test})
  target_link_libraries(model_test PRIVATE gban_core)
  add_executable(model_test_asan ${test} ${GBAN_MODEL_SOURCES})
  set(sanitizers -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined
                 -fno-sanitize-recover=all)
  target_compile_options(model_test_asan PRIVATE ${sanitizers})
  target_link_options(model_test_asan PRIVATE ${sanitizers})
  foreach(target model_test model_test_asan)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/csrc/include)
    target_compile_options(${target} PRIVATE ${GBAN_WARNINGS})
    add_test(NAME ${target} COMMAND ${target})
  endforeach()
endfunction()
