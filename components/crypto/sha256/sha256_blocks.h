/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_blocks.h: whole blocks of SHA-256 by what the CPU at hand has. mbedTLS does the rest: the first state, what is less than a
 * block, padding, and everything on a CPU that has neither.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64u

/* A function for more than the least CPU. gcc 12 looks for the guard of the stack of such a one where a hosted program has it
 * (%fs:0x28), whatever -mstack-protector-guard says, so it has none: its arrays are of fixed size and go by constant places. */
#define SHA256_TARGET(features) __attribute__((target(features), no_stack_protector))

/* FIPS 180-4, 6.2.2, for so many blocks one after another. */
typedef void sha256_blocks_fn(uint32_t state[8], const uint8_t *bytes, size_t blocks);

extern const uint32_t sha256_k[64]; /* FIPS 180-4, 4.2.2 */

sha256_blocks_fn sha256_blocks_sha;  /* CPUID says SHA and SSE4.1 */
sha256_blocks_fn sha256_blocks_avx2; /* AVX2, BMI1 and BMI2, and the system keeps YMM registers */

/* The fastest that this CPU has; NULL: neither. */
sha256_blocks_fn *sha256_blocks_best(void);
