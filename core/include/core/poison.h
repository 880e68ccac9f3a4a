/* SPDX-License-Identifier: MIT OR Apache-2.0
 * poison.h: tells AddressSanitizer which bytes of a pool or arena nobody may touch now. Nothing where it is not built in.
 */
#pragma once
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_ACTIVE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_ACTIVE 1
#endif
#endif

#ifdef POISON_ACTIVE
void __asan_poison_memory_region(void const volatile *p, size_t size);
void __asan_unpoison_memory_region(void const volatile *p, size_t size);
#define poison(p, size) __asan_poison_memory_region((p), (size))
#define unpoison(p, size) __asan_unpoison_memory_region((p), (size))
#else
#define poison(p, size) ((void)(p), (void)(size))
#define unpoison(p, size) ((void)(p), (void)(size))
#endif
