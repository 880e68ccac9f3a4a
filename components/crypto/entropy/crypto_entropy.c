/* SPDX-License-Identifier: MIT OR Apache-2.0
 * crypto_entropy.c: the image's random generator: HMAC-DRBG over SHA-256 (NIST SP 800-90A, by mbedTLS), fed by the CPU
 * (RDSEED, RDRAND) and by an entropy device.
 *
 *  (1) It gives nothing before it was seeded with SEED_BYTES of one source at least. Without a source the boot stops.
 *  (2) Where there are both sources both go in, so that one that is weak or lies costs nothing.
 *  (3) A source is taken at its word only if its bytes are not all the same and not those that it gave last.
 *  (4) It reseeds by volume and by time. When a reseed is due and the sources are silent it goes on up to LATE_TIMES the
 *      volume, then answers ST_AGAIN: sources that are merely slow stop nobody.
 *  (5) BOOT or LOOP, never TRAP, never two at a time. It never waits in LOOP.
 */
#define LOG_TAG "entropy"
#include "config.h"
#include "core/assert.h"
#include "core/entropy.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/room.h"
#include "lib/entropy/entropy.h"
#include "lib/entropy/random.h"
#include "mbedtls/hmac_drbg.h"
#include "mbedtls/platform_util.h"
#include <string.h>

#define SEED_BYTES 48u /* 32 of entropy and 16 of nonce: SP 800-90A, 10.1, for a strength of 256 bits */
#define LATE_TIMES 16u
_Static_assert(SEED_BYTES <= ENTROPY_FILL_MAX, "one call fills a seed");

enum source { SOURCE_DEVICE, SOURCE_CPU, SOURCES };

/* What one gathering found; wiped after use. */
struct seed {
    uint8_t bytes[SOURCES][SEED_BYTES]; /* sources that gave nothing: zero */
    uint64_t clock_ns, wall_ns, count;  /* not secret; makes no two inputs the same */
    uint32_t sources;                   /* bit i: source i gave something */
    uint32_t unused;
};

static struct crypto_entropy {
    struct random random;           /* [I] */
    struct entropy *device;         /* [I] NULL: not wired */
    mbedtls_hmac_drbg_context drbg; /* [L] */
    uint8_t last[SOURCES][8];       /* [L] how each source's bytes began: (3) */
    const struct seed *feeding;     /* [L] what the library takes its entropy from, during a call */
    size_t fed;                     /* [L] bytes of it that were taken */
    uint64_t seeded_ns;             /* [L] */
    uint64_t given_bytes;           /* [L] since then */
    uint64_t seeds;                 /* [L] */
    bool ready;                     /* [L] (1) */
    bool late_told;                 /* [L] */
} self;

void *crypto_entropy_calloc(size_t count, size_t size)
{
    room_assert_boot();
    ASSERT(size != 0 && count <= SIZE_MAX / size);
    return boot_alloc(count * size, 16);
}

void crypto_entropy_free(void *p)
{
    ASSERT(p == NULL); /* the generator lives as long as the image */
}

/* --- sources -------------------------------------------------------------------------------------------------------- */

static bool plausible(enum source source, const uint8_t *bytes)
{
    size_t same = 1;

    while (same < SEED_BYTES && bytes[same] == bytes[0]) {
        same++;
    }
    bool fresh = same < SEED_BYTES && memcmp(bytes, self.last[source], sizeof self.last[source]) != 0;
    memcpy(self.last[source], bytes, sizeof self.last[source]);
    return fresh;
}

static status_t source_read(enum source source, uint8_t *bytes)
{
    if (source == SOURCE_CPU) {
        return entropy_cpu(bytes, SEED_BYTES);
    }
    return self.device != NULL ? entropy_fill(self.device, bytes, SEED_BYTES) : ST_UNSUPPORTED;
}

/* Asks every source. ST_UNSUPPORTED: there is none. ST_AGAIN: none gave anything now. */
static status_t gather(struct seed *seed)
{
    static const char *const names[SOURCES] = {"device", "cpu"};
    bool any = false;

    *seed = (struct seed){.clock_ns = clock_ns(), .wall_ns = clock_wall_ns(), .count = self.seeds};
    for (unsigned i = 0; i < SOURCES; i++) {
        status_t s = source_read(i, seed->bytes[i]);
        any = any || (s != ST_UNSUPPORTED && s != ST_CLOSED);
        if (s == ST_OK && !plausible(i, seed->bytes[i])) {
            log_err("%s gives bytes that are not random; not used", names[i]);
            s = ST_PROTO;
        }
        if (s != ST_OK) {
            memset(seed->bytes[i], 0, SEED_BYTES);
        } else {
            seed->sources |= 1u << i;
        }
    }
    if (seed->sources != 0) {
        return ST_OK;
    }
    return any ? ST_AGAIN : ST_UNSUPPORTED;
}

/* --- the generator -------------------------------------------------------------------------------------------------- */

/* The library's way to ask: the strongest source here; the whole seed goes in as additional input beside it. */
static int on_entropy(void *context, unsigned char *bytes, size_t size)
{
    const struct seed *seed = self.feeding;

    ASSERT(context == &self && seed != NULL && size <= SEED_BYTES - self.fed);
    unsigned best = (seed->sources & 1u << SOURCE_DEVICE) != 0 ? SOURCE_DEVICE : SOURCE_CPU;
    memcpy(bytes, seed->bytes[best] + self.fed, size);
    self.fed += size;
    return 0;
}

static int drbg_feed(const struct seed *seed)
{
    const unsigned char *more = (const unsigned char *)seed;

    if (!self.ready) {
        return mbedtls_hmac_drbg_seed(&self.drbg, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), on_entropy, &self, more,
                                      sizeof *seed);
    }
    return mbedtls_hmac_drbg_reseed(&self.drbg, more, sizeof *seed);
}

static status_t reseed(void)
{
    struct seed seed;

    status_t s = gather(&seed);
    if (s == ST_OK) {
        self.feeding = &seed;
        self.fed = 0;
        int failed = drbg_feed(&seed);
        self.feeding = NULL;
        ASSERT(failed == 0); /* it fails only where on_entropy does, or on lengths that we chose */
        self.ready = true;
        self.seeded_ns = clock_ns();
        self.given_bytes = 0;
        self.seeds++;
        self.late_told = false;
    }
    mbedtls_platform_zeroize(&seed, sizeof seed);
    return s;
}

static bool reseed_due(size_t size)
{
    return self.given_bytes + size > CRYPTO_ENTROPY_RESEED_BYTES ||
           clock_ns() - self.seeded_ns > CRYPTO_ENTROPY_RESEED_SECONDS * NS_PER_S;
}

/* (4) */
static status_t make_fresh(size_t size)
{
    if (!reseed_due(size)) {
        return ST_OK;
    }
    status_t s = reseed();
    if (s == ST_OK) {
        return ST_OK;
    }
    if (!self.late_told) {
        self.late_told = true;
        log_warn("a reseed is due and no source gives anything (%s)", status_name(s));
    }
    return self.given_bytes + size > (uint64_t)CRYPTO_ENTROPY_RESEED_BYTES * LATE_TIMES ? ST_AGAIN : ST_OK;
}

static void generate(uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t n = size < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? size : MBEDTLS_HMAC_DRBG_MAX_REQUEST;
        int failed = mbedtls_hmac_drbg_random(&self.drbg, bytes, n);
        ASSERT(failed == 0);
        bytes += n;
        size -= n;
    }
}

static status_t ops_fill(struct random *random, void *bytes, size_t size)
{
    ASSERT(random == &self.random && room_current() != ROOM_TRAP);
    if (!self.ready) {
        memset(bytes, 0, size);
        return ST_UNSUPPORTED; /* (1) */
    }
    status_t s = make_fresh(size);
    if (s != ST_OK) {
        memset(bytes, 0, size);
        return s;
    }
    generate(bytes, size);
    self.given_bytes += size;
    return ST_OK;
}

static const struct random_ops ops = {.fill = ops_fill};

void crypto_entropy_wire_device(struct entropy *device) REQUIRES(BOOT);
void crypto_entropy_wire_device(struct entropy *device)
{
    self.device = device;
}

struct random *crypto_entropy_provide_random(void) REQUIRES(BOOT);
struct random *crypto_entropy_provide_random(void)
{
    return &self.random;
}

status_t crypto_entropy_start(void) REQUIRES(BOOT);
status_t crypto_entropy_start(void)
{
    self.random.ops = &ops;
    mbedtls_hmac_drbg_init(&self.drbg);
    /* The library would count calls and reseed by itself, in the middle of one: here reseed_due() decides. */
    mbedtls_hmac_drbg_set_reseed_interval(&self.drbg, INT32_MAX);
    if (reseed() != ST_OK) {
        log_err("no entropy, so no keys: this CPU has neither RDSEED nor RDRAND and no entropy device answers; add "
                "'-device "
                "virtio-rng-pci' (microvm: virtio-rng-device) to QEMU, or a CPU with rdrand");
        return ST_UNSUPPORTED;
    }
    return ST_OK;
}
