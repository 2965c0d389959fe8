# SPDX-License-Identifier: MIT
#
# The attackers that are made of bytes (fuzz/): build/tests/fuzz/adversarial, which replays the
# corpus and goes on with fresh inputs for MEND_FUZZ_SECONDS, at each level; and, where the compiler
# is a clang with libFuzzer, the same for that engine, which `make fuzz` runs.

if(instrumented OR checker)
  return()
endif()

set(MEND_FUZZ_SECONDS 12 CACHE STRING "Seconds of fresh inputs in each of the five fuzz tests")
set(fuzz_folder ${PROJECT_SOURCE_DIR}/fuzz)
set(fuzz_sources ${fuzz_folder}/adversarial.c ${fuzz_folder}/server.c)

function(mend_fuzz_program target)
  add_executable(${target} ${ARGN})
  mend_compile_as_c17(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PRIVATE test_support)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
endfunction()

mend_fuzz_program(adversarial ${fuzz_sources} ${fuzz_folder}/replay.c)
target_link_libraries(adversarial PRIVATE mend_secure_core_static)

# Everywhere the corpus; fresh inputs in the plain release build alone.
set(seconds 0)
if(native AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MEND_STRESS)
  set(seconds ${MEND_FUZZ_SECONDS})
endif()
foreach(level RANGE 4)
  add_test(NAME fuzz/adversarial_${level} COMMAND ${MEND_TEST_RUNNER} $<TARGET_FILE:adversarial>
    --seconds ${seconds} ${fuzz_folder}/corpus)
  set_tests_properties(fuzz/adversarial_${level} PROPERTIES LABELS fuzz
    TIMEOUT ${MEND_TEST_TIMEOUT} ENVIRONMENT "MEND_HARDEN=${level}")
endforeach()

# libFuzzer, with the library compiled for it. Not built by default.
if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND native)
  mend_fuzz_program(adversarial_libfuzzer EXCLUDE_FROM_ALL ${fuzz_sources}
    ${fuzz_folder}/libfuzzer.c ${PROJECT_SOURCE_DIR}/src/all.c)
  mend_compile_as_library(adversarial_libfuzzer)
  target_compile_definitions(adversarial_libfuzzer PRIVATE MEND_HARDENED)
  target_compile_options(adversarial_libfuzzer PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(adversarial_libfuzzer PRIVATE -fsanitize=fuzzer)
endif()
