/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sha256_test.c: the vectors of FIPS 180-4's examples and NIST's CAVP, in one piece and cut at every place.
 */
#include "test.h"
#include "../sha256.c"

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

int main(void)
{
    RUN(test_vectors);
    RUN(test_million);
    RUN(test_cut_anywhere);
    return test_end();
}
