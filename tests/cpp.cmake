# SPDX-License-Identifier: MIT
#
# The tests of include/custom_alloc/: programs of cpp/*.cpp and the suite smart_ptr_test.cpp. The
# project is C; C++ is enabled here alone, where there is a compiler of the same family as that of
# C: the two share the sanitizers' run-time library.
#
# Lines in a program's first comment steer it:
#   // standards: 11 14 17 20   what it is built for, else 17. All of them are in the plain release
#                               build (targets cpp_NAME_cxx11 ..., tests cpp/NAME_cxx11 ...);
#                               elsewhere the highest up to 17: what a standard changes shows once
#   // flags: ...               more flags of the compiler
#   // processor: x86_64        for this one alone
#   // without: tsan             not built for this checker
# cpp/NAME/*.cpp are more sources of the program NAME.
#
# In the plain release build their objects are linked with the hardened library as well, as
# cpp/NAME_hardened.
#
# There are none where the C library or the machine is another one, which have no C++ here, nor
# under MemorySanitizer, which takes all that a C++ library without instrumentation writes for
# uninitialised.

if(MEND_CMOCKA_STANDIN OR CMAKE_CROSSCOMPILING OR checker STREQUAL "msan")
  return()
endif()
if(NOT CMAKE_CXX_COMPILER)
  string(REGEX REPLACE "gcc([^/]*)$" "g++\\1" cxx "${CMAKE_C_COMPILER}")
  string(REGEX REPLACE "clang([^/+]*)$" "clang++\\1" cxx "${cxx}")
  string(REGEX REPLACE "/cc$" "/c++" cxx "${cxx}")
  if(NOT EXISTS "${cxx}" OR cxx STREQUAL CMAKE_C_COMPILER)
    message(STATUS "No C++ compiler beside ${CMAKE_C_COMPILER}: no tests of C++")
    return()
  endif()
  set(CMAKE_CXX_COMPILER ${cxx})
endif()
enable_language(CXX)
find_path(DOCTEST_INCLUDE doctest/doctest.h)
if(NOT DOCTEST_INCLUDE)
  message(FATAL_ERROR "The tests need doctest: run `scripts/setup test`, or install doctest-dev")
endif()

add_library(doctest_main STATIC cpp/main/doctest.cpp)
target_include_directories(doctest_main SYSTEM PUBLIC ${DOCTEST_INCLUDE})
set_target_properties(doctest_main PROPERTIES CXX_STANDARD 11 CXX_EXTENSIONS OFF)

# The standards of those that `source` names that are built here.
function(mend_standards source)
  file(STRINGS ${source} line REGEX "^// standards: ")
  string(REGEX MATCHALL "[0-9]+" standards "${line}")
  if(NOT standards)
    set(standards 17)
  elseif(NOT (native AND CMAKE_BUILD_TYPE STREQUAL "Release") OR MEND_STRESS)
    list(GET standards 0 one)
    foreach(standard ${standards})
      if(standard LESS_EQUAL 17)
        set(one ${standard})
      endif()
    endforeach()
    set(standards ${one})
  endif()
  set(standards ${standards} PARENT_SCOPE)
endfunction()

# One program in build/tests/FOLDER and its test; `label` is the folder's name among the tests.
function(mend_cpp_program source folder label suffix standard)
  get_filename_component(name ${source} NAME_WE)
  set(target ${folder}_${name}${suffix})
  if(folder STREQUAL ".") # a suite: `make smart_ptr_test` builds it
    set(target ${name})
  endif()
  file(GLOB others CONFIGURE_DEPENDS ${folder}/${name}/*.cpp)
  add_executable(${target} ${source} ${others})
  add_dependencies(tests_${label} ${target})
  mend_compile_as_cxx(${target} ${standard})
  file(STRINGS ${source} flags REGEX "^// flags: ")
  string(REGEX MATCHALL "-[^ ]+" flags "${flags}")
  target_compile_options(${target} PRIVATE ${flags})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cpp
    ${PROJECT_SOURCE_DIR}/include/custom_alloc)
  # Not with what test_support asks of C programs, -fexceptions among it.
  add_dependencies(${target} test_support)
  target_link_libraries(${target} PRIVATE doctest_main $<TARGET_FILE:test_support>
    mend_core_static Threads::Threads)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}${suffix}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${folder})
  add_test(NAME ${label}/${name}${suffix} COMMAND ${MEND_TEST_RUNNER} $<TARGET_FILE:${target}>)
  mend_label(${label}/${name}${suffix} ${label} ${source})
  set(target ${target} PARENT_SCOPE)
  set(name ${name} PARENT_SCOPE)
endfunction()

# The same program with the hardened library: its objects are linked once more.
function(mend_cpp_hardened label)
  add_executable(${target}_hardened $<TARGET_OBJECTS:${target}>)
  add_dependencies(tests_${label} ${target}_hardened)
  target_link_libraries(${target}_hardened PRIVATE doctest_main $<TARGET_FILE:test_support>
    mend_secure_core_static Threads::Threads)
  set_target_properties(${target}_hardened PROPERTIES LINKER_LANGUAGE CXX
    OUTPUT_NAME ${name}_hardened
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${label})
  add_test(NAME ${label}/${name}_hardened COMMAND $<TARGET_FILE:${target}_hardened>)
  set_tests_properties(${label}/${name}_hardened PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77
    TIMEOUT ${MEND_TEST_TIMEOUT} ENVIRONMENT "${ARGN}")
endfunction()

set(links_hardened OFF)
if(native AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MEND_STRESS)
  set(links_hardened ON)
endif()
file(GLOB sources CONFIGURE_DEPENDS cpp/*.cpp)
foreach(source ${sources})
  file(STRINGS ${source} processor REGEX "^// processor: ")
  if(processor AND NOT processor STREQUAL "// processor: ${CMAKE_SYSTEM_PROCESSOR}")
    continue()
  endif()
  file(STRINGS ${source} without REGEX "^// without: ")
  if(checker AND without MATCHES ": .*${checker}")
    continue()
  endif()
  mend_standards(${source})
  foreach(standard ${standards})
    list(LENGTH standards count)
    if(count EQUAL 1)
      mend_cpp_program(${source} cpp cpp "" ${standard})
    else()
      mend_cpp_program(${source} cpp cpp _cxx${standard} ${standard})
    endif()
  endforeach()
  if(links_hardened)
    set(options "")
    if(name STREQUAL "secure") # it shows that what is freed elsewhere is not wiped
      set(options MEND_HARDEN=1)
    endif()
    mend_cpp_hardened(cpp ${options})
  endif()
endforeach()
if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/smart_ptr_test.cpp)
  mend_cpp_program(smart_ptr_test.cpp . suite "" 17)
  if(links_hardened)
    mend_cpp_hardened(cpp)
  endif()
endif()

# Source files with exceptions and RTTI, and without, in one program, in both orders for the linker.
foreach(order "with;without" "without;with")
  list(GET order 0 first)
  set(target cpp_mixed_flags_${first}_first)
  list(TRANSFORM order PREPEND cpp/mixed/ OUTPUT_VARIABLE sources)
  list(TRANSFORM sources APPEND .cpp)
  add_executable(${target} ${sources})
  add_dependencies(tests_cpp ${target})
  mend_compile_as_cxx(${target} 17)
  if(MEND_SANITIZE) # which looks for types in objects of the file that has none
    target_compile_options(${target} PRIVATE -fno-sanitize=vptr)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include/custom_alloc)
  target_link_libraries(${target} PRIVATE mend_core_static Threads::Threads)
  set(test cpp/mixed_flags_${first}_first)
  add_test(NAME ${test} COMMAND ${MEND_TEST_RUNNER} $<TARGET_FILE:${target}>)
  mend_label(${test} cpp ${CMAKE_CURRENT_SOURCE_DIR}/cpp/mixed/with.cpp)
endforeach()
set_source_files_properties(cpp/mixed/without.cpp PROPERTIES
  COMPILE_OPTIONS "-fno-exceptions;-fno-rtti")

# A program of cpp/ once more, with options of the library, as cpp/NAME_SUFFIX.
function(mend_cpp_again name suffix options)
  set(target cpp_${name})
  if(NOT TARGET ${target})
    set(target cpp_${name}_cxx11)
  endif()
  add_test(NAME cpp/${name}_${suffix} COMMAND ${MEND_TEST_RUNNER} $<TARGET_FILE:${target}>)
  set_tests_properties(cpp/${name}_${suffix} PROPERTIES LABELS cpp TIMEOUT ${MEND_TEST_TIMEOUT}
    ENVIRONMENT "${options}")
endfunction()

# With what finds addresses that are kept too long (objects move at every end of a scope: not under
# Valgrind, where that takes minutes), and with what ends a program that uses a handle of nothing.
if(NOT checker STREQUAL "valgrind")
  foreach(name handle_types handle_threads handle_model shared_handle relocatable_vector)
    mend_cpp_again(${name} stirred "MEND_HANDLE_STIR=1;MEND_HANDLE_POISON=1")
  endforeach()
endif()
mend_cpp_again(handle_types checked "MEND_HANDLE_CHECK=1")
mend_cpp_again(shared_handle checked "MEND_HANDLE_CHECK=1")
