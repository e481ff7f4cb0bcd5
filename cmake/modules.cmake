# SPDX-License-Identifier: Apache-2.0
# wattwise_module(<name> [HOT] [DEPS <modules>...] [LIBS <targets>...] [SHARDS <count>]): a static
# library of all sources below src/<name>, and one test program of all its *_test.cc files, which
# ctest runs in so many parts. Tests spend their time in HOT ones: sanitizers get them optimized.
function(wattwise_module name)
  cmake_parse_arguments(arg "HOT" "SHARDS" "DEPS;LIBS" ${ARGN})
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
  if(WATTWISE_BATCH GREATER 1)
    set_target_properties(wattwise_${name} PROPERTIES UNITY_BUILD ON
                                                      UNITY_BUILD_BATCH_SIZE ${WATTWISE_BATCH})
  endif()
  if(arg_HOT AND WATTWISE_SANITIZE)
    target_compile_options(wattwise_${name} PRIVATE -O1)
  endif()
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
    # Tests are built more often than run, and most of that is reading headers.
    set_target_properties(${name}_test PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(${name}_test PRIVATE -O0)
    if(NOT arg_SHARDS)
      set(arg_SHARDS 1)
    endif()
    math(EXPR last "${arg_SHARDS} - 1")
    foreach(shard RANGE ${last})
      set(test ${name}_test)
      if(arg_SHARDS GREATER 1)
        string(APPEND test _${shard})
      endif()
      add_test(NAME ${test} COMMAND ${name}_test)
      # No test may find what an earlier run has kept.
      set_tests_properties(${test} PROPERTIES ENVIRONMENT
        "WATTWISE_CACHE=/dev/null;GTEST_TOTAL_SHARDS=${arg_SHARDS};GTEST_SHARD_INDEX=${shard}")
    endforeach()
  endif()
endfunction()
