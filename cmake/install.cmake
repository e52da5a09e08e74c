# `cmake --install`: the core library, its headers, and what find_package(gban_edge) reads, which
# then gives the target gban_edge::gban_edge.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One source of the version: the Python package's.
set(version_file ${PROJECT_SOURCE_DIR}/gban_edge/__init__.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${version_file})
file(STRINGS ${version_file} version_line REGEX "^__version__ = ")
if(NOT version_line MATCHES "\"([0-9]+\\.[0-9]+\\.[0-9]+)")
  message(FATAL_ERROR "${version_file} must hold a line __version__ = \"1.2.3\", got ${version_line}")
endif()
set(GBAN_VERSION ${CMAKE_MATCH_1})

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/gban_edge)
set_target_properties(gban_core PROPERTIES OUTPUT_NAME gban_edge EXPORT_NAME gban_edge)
install(TARGETS gban_core EXPORT gban_edge-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT gban_edge-targets NAMESPACE gban_edge:: DESTINATION ${package})
if(GBAN_WITH_CUDA)
  install(DIRECTORY csrc/include/gban DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
else()
  install(DIRECTORY csrc/include/gban DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
          PATTERN *_cuda.h EXCLUDE PATTERN devices.h EXCLUDE)
endif()

configure_package_config_file(cmake/gban_edge-config.cmake.in gban_edge-config.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(gban_edge-config-version.cmake VERSION ${GBAN_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gban_edge-config.cmake
              ${PROJECT_BINARY_DIR}/gban_edge-config-version.cmake DESTINATION ${package})
