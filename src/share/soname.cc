#include "share/soname.h"

#include <elf.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "linux/file.h"

namespace isolate {
namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kLongestName = 255;

template <typename T>
std::vector<T> read_records(const Fd& file, std::uint64_t offset, std::size_t count) {
  std::vector<T> records(count);
  const auto size = count * sizeof(T);
  if (::pread(file.get(), records.data(), size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size)) {
    return records;
  }
  return {};
}

// The place in the file of what is at that address once the library is loaded.
std::optional<std::uint64_t> offset_of(const std::vector<Elf64_Phdr>& headers, std::uint64_t address) {
  for (const auto& header : headers) {
    if (header.p_type != PT_LOAD || address < header.p_vaddr || address - header.p_vaddr >= header.p_filesz) continue;
    return header.p_offset + (address - header.p_vaddr);
  }
  return std::nullopt;
}

std::string name_at(const Fd& file, std::uint64_t offset) {
  char name[kLongestName + 1] = {};
  if (::pread(file.get(), name, kLongestName, static_cast<off_t>(offset)) <= 0) return {};
  return std::strchr(name, '/') == nullptr ? name : "";
}

}  // namespace

std::string soname_of(const std::string& path) {
  const auto file = open_file(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
  if (!file) return {};
  const auto elf = read_records<Elf64_Ehdr>(*file, 0, 1);
  if (elf.empty() || std::memcmp(elf[0].e_ident, ELFMAG, SELFMAG) != 0) return {};
  const bool is_known = elf[0].e_ident[EI_CLASS] == ELFCLASS64 && elf[0].e_ident[EI_DATA] == ELFDATA2LSB &&
                        elf[0].e_phentsize == sizeof(Elf64_Phdr) && elf[0].e_phnum <= kMostHeaders;
  if (!is_known) return {};
  const auto headers = read_records<Elf64_Phdr>(*file, elf[0].e_phoff, elf[0].e_phnum);
  for (const auto& header : headers) {
    if (header.p_type != PT_DYNAMIC) continue;
    const auto count = header.p_filesz / sizeof(Elf64_Dyn);
    if (count > kMostEntries) return {};
    std::optional<std::uint64_t> name;
    std::optional<std::uint64_t> names;
    for (const auto& entry : read_records<Elf64_Dyn>(*file, header.p_offset, count)) {
      if (entry.d_tag == DT_SONAME) name = entry.d_un.d_val;
      if (entry.d_tag == DT_STRTAB) names = offset_of(headers, entry.d_un.d_ptr);
    }
    return name && names ? name_at(*file, *names + *name) : "";
  }
  return {};
}

}  // namespace isolate
