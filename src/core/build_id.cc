// SPDX-License-Identifier: Apache-2.0
#include "core/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstdint>
#include <cstring>

namespace wattwise {
namespace {

struct Search {
  uintptr_t here;
  std::string id;
};

size_t aligned(size_t size) { return (size + 3) / 4 * 4; }

/// The build id among the notes of a segment; "" if it is not there.
std::string find_in_notes(const char* at, size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof note);
    const size_t name_size = aligned(note.n_namesz);
    const size_t whole = sizeof note + name_size + aligned(note.n_descsz);
    if (whole > size) break;
    const char* name = at + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && std::strncmp(name, "GNU", note.n_namesz) == 0) {
      std::string id;
      for (size_t i = 0; i < note.n_descsz; ++i) {
        id += fmt::format("{:02x}", static_cast<unsigned char>(name[name_size + i]));
      }
      return id;
    }
    at += whole;
    size -= whole;
  }
  return "";
}

int look_into(dl_phdr_info* object, size_t, void* data) {
  auto* search = static_cast<Search*>(data);
  bool holds_this_code = false;
  for (size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    holds_this_code |= segment.p_type == PT_LOAD && search->here - start < segment.p_memsz;
  }
  if (!holds_this_code) return 0;
  for (size_t i = 0; i < object->dlpi_phnum && search->id.empty(); ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    search->id = find_in_notes(reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr),
                               segment.p_memsz);
  }
  return 1;
}

}  // namespace

std::string build_id() {
  Search search{reinterpret_cast<uintptr_t>(&look_into), ""};
  ::dl_iterate_phdr(look_into, &search);
  return search.id;
}

}  // namespace wattwise
