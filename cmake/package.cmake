# SPDX-License-Identifier: MIT
#
# What `cmake --install` puts where: headers, libraries, the objects, the command and its manual,
# the CMake package, the pkg-config files and the licence. Nothing in the installed tree holds an
# absolute path, so it may be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mend)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(name ${MEND_LIBRARIES})
  string(SUBSTRING ${name} 1 -1 public_name)
  set_target_properties(mend${name} PROPERTIES EXPORT_NAME ${public_name})
endforeach()
foreach(name "" ${MEND_LIBRARIES})
  set_target_properties(mend_cpp${name} PROPERTIES EXPORT_NAME cpp${name})
  install(TARGETS mend${name} mend_cpp${name} EXPORT mend)
endforeach()
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mend.o ${CMAKE_CURRENT_BINARY_DIR}/mend-secure.o
  DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h*")
if(MEND_COMMAND)
  install(TARGETS mend_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING
    PATTERN "*.1")
  install(FILES tools/completion.bash RENAME mend
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/mend)
install(EXPORT mend NAMESPACE mend:: FILE mendConfig.cmake DESTINATION ${package_dir})

# Before 1.0 a new minor version may break its users.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/mendConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mendConfigVersion.cmake DESTINATION ${package_dir})

# The prefix as seen from the folder of the .pc files, however deep that is.
file(RELATIVE_PATH MEND_PREFIX_FROM_PC /prefix/${pkgconfig_dir} /prefix)
string(REGEX REPLACE "/$" "" MEND_PREFIX_FROM_PC "${MEND_PREFIX_FROM_PC}")
foreach(MEND_PC_NAME mend mend-core mend-secure mend-secure-core)
  string(REPLACE mend mend-cpp MEND_PC_CPP_NAME ${MEND_PC_NAME})
  configure_file(cmake/mend.pc.in ${MEND_PC_NAME}.pc @ONLY)
  configure_file(cmake/mend-cpp.pc.in ${MEND_PC_CPP_NAME}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${MEND_PC_NAME}.pc
    ${CMAKE_CURRENT_BINARY_DIR}/${MEND_PC_CPP_NAME}.pc DESTINATION ${pkgconfig_dir})
endforeach()
