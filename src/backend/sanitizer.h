// What AddressSanitizer is told of memory that is ours but not yet, or no longer, anyone's; nothing in other builds.
#pragma once

#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace fude {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kHasAddressSanitizer = true;
inline void open_memory(void* place, int64_t bytes) { __asan_unpoison_memory_region(place, size_t(bytes)); }
inline void close_memory(void* place, int64_t bytes) { __asan_poison_memory_region(place, size_t(bytes)); }
#else
inline constexpr bool kHasAddressSanitizer = false;
inline void open_memory(void*, int64_t) {}
inline void close_memory(void*, int64_t) {}
#endif

}  // namespace fude
