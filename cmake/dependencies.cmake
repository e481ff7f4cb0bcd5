# SPDX-License-Identifier: Apache-2.0
# Libraries of the system, and those that ./setup put into the cache folder.

set(cache_home $ENV{XDG_CACHE_HOME})
if(NOT cache_home)
  set(cache_home $ENV{HOME}/.cache)
endif()
set(WATTWISE_CACHE ${cache_home}/wattwise CACHE PATH "Where ./setup keeps what it fetched")
set(WATTWISE_DEPS ${WATTWISE_CACHE}/deps CACHE PATH "ONNX Runtime and DuckDB")

find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(SAMPLERATE REQUIRED IMPORTED_TARGET samplerate)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
if(WATTWISE_TESTS)
  find_package(GTest REQUIRED)
endif()

find_path(PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)
add_library(wattwise_protozero INTERFACE)
target_include_directories(wattwise_protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE})

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
add_library(wattwise_xxhash INTERFACE)
target_include_directories(wattwise_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})

find_path(STB_INCLUDE stb/stb_image.h REQUIRED)
add_library(wattwise_media INTERFACE)
target_include_directories(wattwise_media SYSTEM INTERFACE ${STB_INCLUDE})
target_link_libraries(wattwise_media INTERFACE PkgConfig::SNDFILE PkgConfig::SAMPLERATE
                                               PkgConfig::LIBZIP)

# Headers only: both libraries are loaded at run time, so that one program works with several
# versions and a Python process shares the copy it already has.
find_path(ONNXRUNTIME_INCLUDE onnxruntime_c_api.h
          PATHS ${WATTWISE_DEPS}/onnxruntime/include PATH_SUFFIXES onnxruntime REQUIRED)
find_file(ONNXRUNTIME_LIBRARY NAMES libonnxruntime.so.1 libonnxruntime.so
          PATHS ${WATTWISE_DEPS}/onnxruntime/lib PATH_SUFFIXES lib)
add_library(wattwise_onnxruntime INTERFACE)
target_include_directories(wattwise_onnxruntime SYSTEM INTERFACE ${ONNXRUNTIME_INCLUDE})
target_link_libraries(wattwise_onnxruntime INTERFACE ${CMAKE_DL_LIBS})
if(ONNXRUNTIME_LIBRARY)
  target_compile_definitions(wattwise_onnxruntime
                             INTERFACE WATTWISE_ORT_LIBRARY_DEFAULT="${ONNXRUNTIME_LIBRARY}")
endif()

find_path(DUCKDB_INCLUDE duckdb.h PATHS ${WATTWISE_DEPS}/duckdb/include REQUIRED)
find_file(DUCKDB_LIBRARY NAMES libduckdb.so PATHS ${WATTWISE_DEPS}/duckdb/lib PATH_SUFFIXES lib)
add_library(wattwise_duckdb INTERFACE)
target_include_directories(wattwise_duckdb SYSTEM INTERFACE ${DUCKDB_INCLUDE})
target_link_libraries(wattwise_duckdb INTERFACE ${CMAKE_DL_LIBS})
if(DUCKDB_LIBRARY)
  target_compile_definitions(wattwise_duckdb
                             INTERFACE WATTWISE_DUCKDB_LIBRARY_DEFAULT="${DUCKDB_LIBRARY}")
endif()
