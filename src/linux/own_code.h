// The memory that holds this program's code and constants.
#pragma once

namespace isolate {

// Drops the read-only pages of this program from its memory, before a long wait. They stay in the page cache, and the
// kernel maps them again at the next access, some 64 KiB at a time (madvise(2), MADV_DONTNEED). Writable data is
// untouched.
void release_own_code();

}  // namespace isolate
