// The code and constants of this program, as they lie in memory.
#pragma once

namespace isolate {

// Takes the pages of them out of this process, for one that is about to wait: they stay in the kernel's cache of the
// file, and come back at the next touch, some 64 KiB at a time (madvise(2), MADV_DONTNEED). What was written is kept.
void let_go_of_own_code();

}  // namespace isolate
