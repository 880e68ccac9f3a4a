/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_cpu.c: which blocks function this CPU takes, and the constants that they share.
 */
#include "sha256_blocks.h"

/* Intel SDM 2A, CPUID; 1, 13.2, XGETBV. */
enum {
    LEAF1_ECX_SSE41 = 1 << 19,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF7_EBX_BMI1 = 1 << 3,
    LEAF7_EBX_AVX2 = 1 << 5,
    LEAF7_EBX_BMI2 = 1 << 8,
    LEAF7_EBX_SHA = 1 << 29,
    XCR0_SSE_AVX = 6,
};

const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r = {.eax = leaf};

    __asm__("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
    return r;
}

static bool has(uint32_t found, uint32_t wanted)
{
    return (found & wanted) == wanted;
}

static uint32_t leaf7_ebx(void)
{
    return cpuid(0).eax >= 7 ? cpuid(7).ebx : 0;
}

static bool cpu_has_sha(void)
{
    return has(leaf7_ebx(), LEAF7_EBX_SHA) && has(cpuid(1).ecx, LEAF1_ECX_SSE41);
}

/* And whoever runs us keeps the YMM registers of each thread. */
static bool cpu_has_avx2(void)
{
    uint32_t kept = 0;
    uint32_t high;

    if (has(cpuid(1).ecx, LEAF1_ECX_OSXSAVE)) {
        __asm__ __volatile__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    }
    return has(kept, XCR0_SSE_AVX) && has(leaf7_ebx(), LEAF7_EBX_AVX2 | LEAF7_EBX_BMI1 | LEAF7_EBX_BMI2);
}

sha256_blocks_fn *sha256_blocks_best(void)
{
    return cpu_has_sha() ? sha256_blocks_sha : cpu_has_avx2() ? sha256_blocks_avx2 : NULL;
}
