# SPDX-License-Identifier: MIT
#
# The hardened build as an attacker sees it: build/tests/security_test, which is linked with
# mend_secure_static and starts each of its cases from itself, at every level in the plain release
# build, at the default one elsewhere; and the same program without any allocator,
# build/tests/attack/attack_others, for what is preloaded.

if(instrumented OR checker)
  return()
endif()

file(GLOB attack_sources CONFIGURE_DEPENDS attack/*.c)

function(mend_attack_program target folder)
  add_executable(${target} security_test.c ${attack_sources})
  mend_compile_as_c17(${target})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${target} PRIVATE test_support ${ARGN})
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${folder})
endfunction()

mend_attack_program(security_test . mend_secure_static)
add_dependencies(tests_suite security_test)
set(levels 2)
if(native AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MEND_STRESS)
  set(levels 0 1 2 3 4)
endif()
foreach(level ${levels})
  add_test(NAME suite/security_test_${level} COMMAND ${MEND_TEST_RUNNER}
    $<TARGET_FILE:security_test>)
  mend_label(suite/security_test_${level} suite ${CMAKE_CURRENT_SOURCE_DIR}/security_test.c)
  set_tests_properties(suite/security_test_${level} PROPERTIES ENVIRONMENT "MEND_HARDEN=${level}")
endforeach()
if(native)
  mend_attack_program(attack_others attack)
endif()
