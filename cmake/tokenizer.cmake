# SPDX-License-Identifier: Apache-2.0
# The tokenizer of src/input is a Rust crate behind a small C interface. Cargo builds it once per
# state of its sources into the cache folder. Without cargo everything else still builds, and texts
# are refused with an error that says why.

option(WATTWISE_TOKENIZER "Build the tokenizer where cargo is found" ON)
set(crate ${CMAKE_SOURCE_DIR}/src/input/tokenizer_rs)
set(crate_files ${crate}/Cargo.toml ${crate}/Cargo.lock ${crate}/lib.rs)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${crate_files})
set(state ${CMAKE_SYSTEM_PROCESSOR})
foreach(file IN LISTS crate_files)
  file(SHA256 ${file} hash)
  string(APPEND state ${hash})
endforeach()
string(SHA256 state "${state}")
string(SUBSTRING ${state} 0 16 state)
set(tokenizer_folder ${WATTWISE_CACHE}/tokenizer/${state})
set(tokenizer_library ${tokenizer_folder}/libwattwise_tokenizer.a)

find_program(WATTWISE_CARGO cargo PATHS $ENV{HOME}/.cargo/bin)
set(cargo_version 0)
if(WATTWISE_CARGO)
  execute_process(COMMAND ${WATTWISE_CARGO} --version OUTPUT_VARIABLE cargo_version ERROR_QUIET)
  string(REGEX MATCH "[0-9]+\\.[0-9]+" cargo_version "${cargo_version}")
endif()

set(have_tokenizer 0)
if(WATTWISE_TOKENIZER AND EXISTS ${tokenizer_library})
  set(have_tokenizer 1)
elseif(WATTWISE_TOKENIZER AND cargo_version VERSION_GREATER_EQUAL 1.80)
  set(have_tokenizer 1)
  set(scratch ${CMAKE_BINARY_DIR}/tokenizer)
  add_custom_command(
    OUTPUT ${tokenizer_library}
    COMMAND ${WATTWISE_CARGO} build --release --locked --quiet
            --manifest-path ${crate}/Cargo.toml --target-dir ${scratch}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${tokenizer_folder}
    COMMAND ${CMAKE_COMMAND} -E copy ${scratch}/release/libwattwise_tokenizer.a
            ${tokenizer_library}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${tokenizer_library}.new ${tokenizer_library}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${scratch}
    COMMENT "Building the tokenizer with cargo (about a minute, once)"
    VERBATIM)
else()
  message(STATUS "No tokenizer: cargo 1.80 or newer is needed to build it")
endif()

if(have_tokenizer)
  add_custom_target(wattwise_tokenizer_build DEPENDS ${tokenizer_library})
  add_dependencies(wattwise_input wattwise_tokenizer_build)
  target_link_libraries(wattwise_input PUBLIC ${tokenizer_library} ${CMAKE_DL_LIBS})
endif()
target_compile_definitions(wattwise_input PRIVATE WATTWISE_HAVE_TOKENIZER=${have_tokenizer})
if(TARGET input_test)
  target_compile_definitions(input_test PRIVATE WATTWISE_HAVE_TOKENIZER=${have_tokenizer})
endif()
