# SPDX-License-Identifier: Apache-2.0
# wattwise_embed(<folder> <out.cc> <function>): generates a source that holds every file below
# <folder> through .incbin, and defines std::span<const EmbeddedFile> wattwise::<function>(),
# sorted by name.
function(wattwise_embed folder out function)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  list(SORT files)
  set(asm "")
  set(rows "")
  set(externs "")
  set(index 0)
  set(depends "")
  foreach(name IN LISTS files)
    set(symbol "wattwise_${function}_${index}")
    string(APPEND asm "    \".global ${symbol}_begin\\n${symbol}_begin:\\n\"\n"
                      "    \".incbin \\\"${folder}/${name}\\\"\\n\"\n"
                      "    \".global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n\"\n")
    string(APPEND externs "extern const char ${symbol}_begin[];\n"
                          "extern const char ${symbol}_end[];\n")
    string(APPEND rows "    {\"${name}\", text(${symbol}_begin, ${symbol}_end)},\n")
    list(APPEND depends ${folder}/${name})
    math(EXPR index "${index} + 1")
  endforeach()
  set(content "// Generated.\n#include \"core/embedded.h\"\n\nasm(\n\
    \".section .rodata\\n\"\n${asm}    \".section .text\\n\");\n\nextern \"C\" {\n${externs}}\n\n\
namespace wattwise {\nstd::span<const EmbeddedFile> ${function}();\n\
std::span<const EmbeddedFile> ${function}() {\n\
  const auto text = [](const char* begin, const char* end) {\n\
    return std::string_view(begin, static_cast<size_t>(end - begin));\n  };\n\
  static const EmbeddedFile files[] = {\n${rows}  };\n  return files;\n\
}\n}  // namespace wattwise\n")
  file(GENERATE OUTPUT ${out} CONTENT "${content}")
  set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS "${depends}" GENERATED TRUE
                                                SKIP_UNITY_BUILD_INCLUSION TRUE)
endfunction()
