# SPDX-License-Identifier: MIT
#
# How mend is compiled and linked. Three things matter beyond taste:
#   - the compiler must not know what malloc is: else it may turn our calloc into a call of calloc;
#   - the thread-local pointer is initial-exec, one load, and so the library can't be unloaded;
#   - versions go to mend_* only: a version on malloc makes LD_PRELOAD silently do nothing.

set(MEND_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(MEND_WERROR)
  list(APPEND MEND_WARNINGS -Werror)
endif()

# A sanitizer that was asked for in one language's flags holds for both, and for every link.
string(REGEX MATCHALL "-f(no-)?sanitize[^ ]*" MEND_SANITIZE "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}")
list(REMOVE_DUPLICATES MEND_SANITIZE)
add_compile_options(${MEND_SANITIZE})
add_link_options(${MEND_SANITIZE})

# Strict C17 for `target`, and the build's variant. Scope: every C source of the project.
function(mend_compile_as_c17 target)
  set_target_properties(${target} PROPERTIES
    C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_definitions(${target} PRIVATE $<$<BOOL:${MEND_STRESS}>:MEND_STRESS>
    $<$<BOOL:${MEND_ANNOTATE_VALGRIND}>:MEND_ANNOTATE_VALGRIND>
    $<$<BOOL:${MEND_TRACK_SCOPES}>:MEND_TRACK_SCOPES>)
  if(MEND_TOP_LEVEL)
    target_compile_options(${target} PRIVATE ${MEND_WARNINGS})
  endif()
endfunction()

# Strict C++ of `standard` (11, 14, 17, 20) for `target`. Scope: the test programs of C++, which
# never compile with a warning.
function(mend_compile_as_cxx target standard)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD ${standard} CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_definitions(${target} PRIVATE $<$<BOOL:${MEND_STRESS}>:MEND_STRESS>
    $<$<BOOL:${MEND_ANNOTATE_VALGRIND}>:MEND_ANNOTATE_VALGRIND>)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
  if(MEND_SANITIZE) # a sanitizer on optimised templates: a minute for one source
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# The library's own sources, as one file or one by one.
function(mend_compile_as_library target)
  mend_compile_as_c17(${target})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  # In a program that names no build type mend is nevertheless built to be used.
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    target_compile_options(${target} PRIVATE -O2)
    target_compile_definitions(${target} PRIVATE NDEBUG)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src
    ${PROJECT_SOURCE_DIR}/include)
  # Callers are found by frame pointers, through the library's own functions too (src/os/stack.h).
  target_compile_options(${target} PRIVATE -fno-omit-frame-pointer)
  target_compile_options(${target} PRIVATE -ftls-model=initial-exec -fno-semantic-interposition
    -fexceptions -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
    -fno-builtin-aligned_alloc -fno-builtin-posix_memalign)
endfunction()

function(mend_link_shared target)
  set(map ${PROJECT_SOURCE_DIR}/cmake/mend.map)
  set_target_properties(${target} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${map})
  target_link_options(${target} PRIVATE LINKER:--version-script=${map} LINKER:-z,nodelete)
  if(NOT MEND_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
endfunction()
