# SPDX-License-Identifier: Apache-2.0
# wattwise_module(<name> [DEPS <modules>...] [LIBS <targets>...]): a static library of all sources
# below src/<name>, and one test program of all its *_test.cc files.
function(wattwise_module name)
  cmake_parse_arguments(arg "" "" "DEPS;LIBS" ${ARGN})
  set(root ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${root}/*.cc ${root}/*/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/src/cli/main.cc)
  add_library(wattwise_${name} STATIC ${sources})
  list(TRANSFORM arg_DEPS PREPEND wattwise_)
  target_include_directories(wattwise_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include
                                                     ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(wattwise_${name} PUBLIC ${arg_DEPS} PRIVATE wattwise_warnings)
  if(name STREQUAL core)
    target_link_libraries(wattwise_core PUBLIC ${arg_LIBS})
  else()
    target_link_libraries(wattwise_${name} PRIVATE ${arg_LIBS})
  endif()
  if(WATTWISE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE wattwise_${name} wattwise_warnings ${arg_LIBS}
                                               GTest::gtest GTest::gtest_main)
    target_compile_definitions(${name}_test
                               PRIVATE WATTWISE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name}_test COMMAND ${name}_test)
    # No test may find what an earlier run has kept.
    set_tests_properties(${name}_test PROPERTIES ENVIRONMENT "WATTWISE_CACHE=/dev/null")
  endif()
endfunction()
