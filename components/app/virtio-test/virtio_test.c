/* SPDX-License-Identifier: MIT OR Apache-2.0
 * virtio_test.c: runs every part, halts with what they found. A part that hangs is a failure after TIMEOUT_NS.
 */
#define LOG_TAG "virtio-test"
#include "virtio_test.h"
#include "core/log.h"
#include <string.h>

#define TIMEOUT_NS (30 * NS_PER_S) /* a hang detector, not a target */
#define PARTS 4u

static struct virtio_test {
    struct netdev *port;
    struct blkdev *disk;
    struct random *random;
    struct entropy *source;
    struct work begin;
    struct timer timeout;
    unsigned done;
    bool bad;
} self;

void virtio_test_done(const char *part, bool good)
{
    if (good) {
        log_info("%s ok", part);
    } else {
        log_err("%s FAILED", part);
    }
    self.bad = self.bad || !good;
    if (++self.done == PARTS) {
        log_info("%s", self.bad ? "FAILED" : "all ok");
        loop_halt(self.bad ? 1 : 0);
    }
}

/* Two draws differ, and neither is all one value. */
static bool random_test(void)
{
    uint8_t a[40] = {0};
    uint8_t b[40] = {0};

    if (random_fill(self.random, a, sizeof a) != ST_OK || random_fill(self.random, b, sizeof b) != ST_OK) {
        return false;
    }
    return memcmp(a, b, sizeof a) != 0 && memcmp(a, a + 1, sizeof a - 1) != 0;
}

/* The device has our memory, for it is asked for more whenever it gave some. */
static bool source_revoked(void) REQUIRES(LOOP)
{
    uint8_t bytes[16];

    entropy_revoke(self.source);
    return entropy_fill(self.source, bytes, sizeof bytes) == ST_CLOSED;
}

static void on_begin(struct work *work)
{
    (void)work;
    room_assert_loop();
    timer_set(&self.timeout, clock_ns() + TIMEOUT_NS);
    virtio_test_done("random", random_test());
    virtio_test_done("entropy", source_revoked());
    virtio_test_disk_begin();
    virtio_test_net_begin();
}

static void on_timeout(struct timer *timer)
{
    (void)timer;
    room_assert_loop();
    log_err("timeout with %u of %u parts done", self.done, PARTS);
    loop_halt(1);
}

void virtio_test_wire_port(struct netdev *port) REQUIRES(BOOT);
void virtio_test_wire_port(struct netdev *port)
{
    self.port = port;
}

void virtio_test_wire_disk(struct blkdev *disk) REQUIRES(BOOT);
void virtio_test_wire_disk(struct blkdev *disk)
{
    self.disk = disk;
}

void virtio_test_wire_random(struct random *random) REQUIRES(BOOT);
void virtio_test_wire_random(struct random *random)
{
    self.random = random;
}

void virtio_test_wire_source(struct entropy *source) REQUIRES(BOOT);
void virtio_test_wire_source(struct entropy *source)
{
    self.source = source;
}

status_t virtio_test_start(void) REQUIRES(BOOT);
status_t virtio_test_start(void)
{
    work_init(&self.begin, on_begin);
    timer_init(&self.timeout, on_timeout);
    virtio_test_disk_init(self.disk);
    virtio_test_net_init(self.port);
    if (!random_test()) {
        log_err("random at boot FAILED");
        self.bad = true;
    }
    loop_post_boot(&self.begin);
    return ST_OK;
}
