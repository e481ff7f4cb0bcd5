# SPDX-License-Identifier: Apache-2.0
# The test of the rounding kernels, compiled for aarch64 and run by an emulator, so that NEON is
# held against the reference on x86-64, too. Left out where the tools are not there, and under
# sanitizers, which emulators do not run.
find_program(WATTWISE_ARM_COMPILER aarch64-linux-gnu-g++)
find_program(WATTWISE_ARM_EMULATOR qemu-aarch64)
set(googletest /usr/src/googletest/googletest)
if(NOT WATTWISE_TESTS OR WATTWISE_SANITIZE OR NOT WATTWISE_ARM_COMPILER OR
   NOT WATTWISE_ARM_EMULATOR OR NOT EXISTS ${googletest}/src/gtest-all.cc)
  message(STATUS "NEON kernels are not tested here")
  return()
endif()

# What the kernels' table needs of core, to choose one by the environment.
set(sources ${googletest}/src/gtest-all.cc ${googletest}/src/gtest_main.cc)
foreach(name quantize/simd/neon quantize/simd/scalar quantize/simd/table
             quantize/simd/rounding_kernels_test core/system_env core/path core/text
             core/error_table)
  list(APPEND sources ${CMAKE_SOURCE_DIR}/src/${name}.cc)
endforeach()
set(objects)
foreach(source ${sources})
  get_filename_component(name ${source} NAME_WE)
  set(object ${CMAKE_BINARY_DIR}/arm/${name}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${WATTWISE_ARM_COMPILER} -std=c++20 -O2
            -ffp-contract=off -DFMT_HEADER_ONLY -I${CMAKE_SOURCE_DIR}/include
            -I${CMAKE_SOURCE_DIR}/src -I${googletest} -I${googletest}/include
            -idirafter /usr/include -MD -MF ${object}.d -o ${object} -c ${source}
    DEPENDS ${source}
    DEPFILE ${object}.d
    VERBATIM)
  list(APPEND objects ${object})
endforeach()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/arm)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/arm/kernels_test
  COMMAND ${WATTWISE_ARM_COMPILER} -o ${CMAKE_BINARY_DIR}/arm/kernels_test ${objects}
  DEPENDS ${objects}
  VERBATIM)
add_custom_target(arm_kernels_test ALL DEPENDS ${CMAKE_BINARY_DIR}/arm/kernels_test)
add_test(NAME arm_kernels_test
         COMMAND ${WATTWISE_ARM_EMULATOR} -L /usr/aarch64-linux-gnu
                 ${CMAKE_BINARY_DIR}/arm/kernels_test)
