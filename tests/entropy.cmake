# SPDX-License-Identifier: MIT
#
# Where the hardened build's blocks lie: build/tests/entropy/entropy starts entropy/probe many
# times.
# In the plain release build alone: a property of the library, not of the compiler.

if(NOT native OR NOT CMAKE_BUILD_TYPE STREQUAL "Release" OR MEND_STRESS)
  return()
endif()

foreach(name probe entropy)
  mend_test_program(entropy/${name}.c entropy mend_secure_static m)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
endforeach()
add_test(NAME entropy/entropy COMMAND $<TARGET_FILE:entropy_entropy> $<TARGET_FILE:entropy_probe>)
set_tests_properties(entropy/entropy PROPERTIES LABELS entropy SKIP_RETURN_CODE 77
  TIMEOUT ${MEND_TEST_TIMEOUT})
