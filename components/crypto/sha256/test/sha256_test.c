/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_test.c: the vectors of FIPS 180-4's examples and NIST's CAVP, in one piece and cut at every place, by mbedTLS alone and by
 * each kind of blocks function that this CPU can run.
 */
#include "test.h"
#include "../sha256.c"
#include "../sha256_cpu.c"

static void digest_text(const uint8_t digest[SHA256_BYTES], char text[65])
{
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        snprintf(text + i * 2, 3, "%02x", digest[i]);
    }
}

static void expect(const void *bytes, size_t size, const char *want)
{
    uint8_t digest[SHA256_BYTES];
    char text[65];

    sha256_bytes(bytes, size, digest);
    digest_text(digest, text);
    CHECK_STR(text, want);
}

static void test_vectors(void)
{
    expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect("\xbd", 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
}

static void test_million(void)
{
    static char a[1000000];

    memset(a, 'a', sizeof a);
    expect(a, sizeof a, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_cut_anywhere(void)
{
    uint8_t bytes[200];
    uint8_t whole[SHA256_BYTES];

    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + 3);
    }
    sha256_bytes(bytes, sizeof bytes, whole);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct sha256 hash;
        struct sha256 copy;
        uint8_t digest[SHA256_BYTES];
        sha256_init(&hash);
        sha256_update(&hash, bytes, cut);
        copy = hash; /* a copy is a second hash */
        sha256_update(&copy, "x", 1);
        sha256_update(&hash, bytes + cut, sizeof bytes - cut);
        sha256_final(&hash, digest);
        CHECK_BYTES(digest, whole, SHA256_BYTES);
        for (unsigned i = 0; i < 8; i++) {
            CHECK_EQ(hash.state[i], 0); /* wiped */
        }
    }
}

/* Of all lengths, at all alignments: the same as the library alone. */
static void test_as_mbedtls(void)
{
    static uint8_t bytes[1024 + 8];
    uint8_t want[SHA256_BYTES];
    uint8_t digest[SHA256_BYTES];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)test_random();
    }
    for (size_t size = 0; size <= 1024; size++) {
        CHECK_EQ(mbedtls_sha256(bytes + size % 8, size, want, 0), 0);
        sha256_bytes(bytes + size % 8, size, digest);
        CHECK_BYTES(digest, want, SHA256_BYTES);
    }
}

/* The count of bytes goes over 32 bits where a blocks function adds to it. */
static void test_long(void)
{
    uint8_t digest[2][SHA256_BYTES];
    static const uint8_t bytes[192];

    for (unsigned by_library = 0; by_library < 2; by_library++) {
        struct sha256 hash;
        sha256_init(&hash);
        context_of(&hash)->MBEDTLS_PRIVATE(total)[0] = 0xffffffc0;
        by_library != 0 ? update(context_of(&hash), bytes, sizeof bytes) : sha256_update(&hash, bytes, sizeof bytes);
        sha256_final(&hash, digest[by_library]);
    }
    CHECK_BYTES(digest[0], digest[1], SHA256_BYTES);
}

static void test_best(void)
{
    sha256_blocks_fn *best = sha256_blocks_best();

    CHECK(best != sha256_blocks_sha || cpu_has_sha());
    CHECK(best != sha256_blocks_avx2 || (cpu_has_avx2() && !cpu_has_sha()));
    CHECK(best != NULL || (!cpu_has_avx2() && !cpu_has_sha()));
    CHECK_EQ(cpu_has_avx2(),
             __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"));
}

static void run_with(const char *name, bool can, sha256_blocks_fn *blocks)
{
    printf("blocks by %s%s\n", name, can ? "" : ": not on this CPU");
    if (can) {
        cpu.asked = true;
        cpu.blocks = blocks;
        RUN(test_vectors);
        RUN(test_million);
        RUN(test_cut_anywhere);
        RUN(test_as_mbedtls);
        RUN(test_long);
    }
}

int main(void)
{
    RUN(test_best);
    run_with("mbedTLS", true, NULL);
    run_with("SHA instructions", cpu_has_sha(), sha256_blocks_sha);
    run_with("AVX2", cpu_has_avx2(), sha256_blocks_avx2);
    return test_end();
}
