# SPDX-License-Identifier: Apache-2.0
# Compiler settings that every target of this project shares.

find_program(WATTWISE_CCACHE ccache)
if(WATTWISE_CCACHE)
  # Different build folders share hits: paths below the source tree count as relative.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      ${WATTWISE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(WATTWISE_MOLD mold)
if(WATTWISE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC collects its garbage less often: a tenth less time for more memory.
  add_compile_options(--param=ggc-min-expand=400 --param=ggc-min-heapsize=800000)
endif()

add_library(wattwise_warnings INTERFACE)
target_compile_options(wattwise_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Werror)

if(WATTWISE_SANITIZE)
  add_compile_options(-fsanitize=${WATTWISE_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WATTWISE_SANITIZE})
endif()
