# The core library's CPU half, from one list of sources.
#
# gban_add_core(name flags...) makes a static library of them, every *_simd.cpp compiled once an
# instruction set; gban/isa.h chooses among those at run time. The tests build it again under
# sanitizers.
set(GBAN_CORE_SOURCES
  csrc/cpu/alignment.cpp csrc/cpu/alignment_double.cpp csrc/cpu/crew.cpp csrc/cpu/engine.cpp
  csrc/cpu/frontend.cpp csrc/cpu/isa.cpp csrc/cpu/matrix.cpp csrc/cpu/network.cpp
  csrc/cpu/resample.cpp csrc/cpu/utterance.cpp
  csrc/model/config.cpp csrc/model/engine_checks.cpp csrc/model/json.cpp csrc/model/json_repr.cpp
  csrc/model/model.cpp csrc/model/safetensors.cpp csrc/model/shapes.cpp csrc/model/text.cpp
  csrc/model/unicode.cpp csrc/model/vocabulary.cpp
  csrc/recognizer/backend.cpp csrc/recognizer/c_api.cpp csrc/recognizer/ear.cpp
  csrc/recognizer/recognizer.cpp csrc/recognizer/utterance.cpp)
set(GBAN_SIMD_SOURCES
  csrc/cpu/alignment_simd.cpp csrc/cpu/engine_simd.cpp csrc/cpu/frontend_simd.cpp)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(GBAN_ISAS portable avx2 avx512 avx512vnni)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(GBAN_ISAS portable neon)
else()
  set(GBAN_ISAS portable)
endif()
set(GBAN_FLAGS_avx2 -mavx2 -mfma -mf16c)
# GCC's first scheduling, on by default for ARM, moves loads ahead until the registers do not
# suffice: the frontend's loops have 690 vector accesses to the stack with it, 110 without (GCC 12).
set(GBAN_FLAGS_neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
set(GBAN_FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c
                      -mprefer-vector-width=512)
# Differs in the engine's int8 products alone.
set(GBAN_FLAGS_avx512vnni ${GBAN_FLAGS_avx512} -mavx512vnni)
set(GBAN_SOURCES_avx512vnni csrc/cpu/engine_simd.cpp)

function(gban_add_core name)
  list(TRANSFORM GBAN_CORE_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE sources)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/csrc/include> $<INSTALL_INTERFACE:include>)
  target_compile_options(${name} PRIVATE ${GBAN_WARNINGS} ${ARGN})
  target_link_libraries(${name} PUBLIC Threads::Threads)
  foreach(isa IN LISTS GBAN_ISAS)
    set(simd_sources ${GBAN_SIMD_SOURCES})
    if(DEFINED GBAN_SOURCES_${isa})
      set(simd_sources ${GBAN_SOURCES_${isa}})
    endif()
    list(TRANSFORM simd_sources PREPEND ${PROJECT_SOURCE_DIR}/)
    add_library(${name}_${isa} OBJECT ${simd_sources})
    target_include_directories(${name}_${isa} PRIVATE ${PROJECT_SOURCE_DIR}/csrc/include)
    target_compile_definitions(${name}_${isa} PRIVATE GBAN_ISA=${isa})
    # -ffp-contract=fast: a * b + c is one fused multiply-add where there is one. Uninitialised: GCC
    # 12 says so of its own header (its bug 105593).
    target_compile_options(${name}_${isa} PRIVATE ${GBAN_WARNINGS} ${GBAN_FLAGS_${isa}}
                           -ffp-contract=fast -Wno-psabi -Wno-uninitialized
                           $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> ${ARGN})
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${name}_${isa}>)
    string(TOUPPER ${isa} upper)
    target_compile_definitions(${name} PRIVATE GBAN_HAS_${upper})
  endforeach()
endfunction()
