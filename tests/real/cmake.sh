#!/bin/bash
# SPDX-License-Identifier: MIT
#
# CMake, a C++ program: its language interprets a long script, then a project is configured.
. "$(dirname "$0")/lib/real.bash"

needs cmake cmake
needs make make

make_input() {
  cat >"$input/script.cmake" <<'CMAKE'
set(list "")
foreach(i RANGE 3000)
  math(EXPR n "(${i} * 7919) % 3001")
  string(APPEND text "${n},")
  list(APPEND list "entry-${n}")
endforeach()
list(SORT list COMPARE NATURAL)
list(JOIN list " " joined)
string(REGEX REPLACE "([0-9])-?([0-9])" "\\2\\1" swapped "${joined}")
string(SHA256 hash "${swapped}${text}")
file(WRITE result.txt "${swapped}\n${hash}\n")
message(NOTICE "${hash}")
CMAKE
  mkdir "$input/project"
  cat >"$input/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(test LANGUAGES NONE)
foreach(i RANGE 150)
  add_custom_command(OUTPUT out${i} COMMAND ${CMAKE_COMMAND} -E echo ${i} DEPENDS script)
  add_custom_target(target${i} DEPENDS out${i})
endforeach()
CMAKE
}

job() {
  cmake -P "$input/script.cmake"
  cmake -S "$input/project" -B build -G "Unix Makefiles"
  rm -f build/CMakeFiles/*.log
}

compare cmake
