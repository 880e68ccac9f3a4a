/* SPDX-License-Identifier: MIT OR Apache-2.0
 * asks.h: calls on another process's objects through our vat, and waiting for them; included once by a client.
 */
#pragma once
#include "lib/capnp/capnp.h"
#include "vat_host.h"

static struct socket_stream s;
static struct vat_connection *c;

struct ask {
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    struct object *params_caps[4], *results_caps[4];
    uint64_t params_words[128], results_words[128];
    bool done, failed;
    enum exception type;
    char reason[CALL_REASON_MAX];
    void (*then)(void);
};
static struct payload ask_results(struct call *call, uint32_t words)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    capnp_message_build(&a->results, &a->results_segment, a->results_words, 128, a->results_caps, 4);
    a->results.read_limit_words = 4096;
    return capnp_root(&a->results);
}
static void ask_returned(struct call *call)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    a->done = true;
    if (a->then != NULL) {
        a->then();
    }
}
static void ask_failed(struct call *call, enum exception type, const char *reason)
{
    struct ask *a = CONTAINER_OF(call, struct ask, call);
    a->done = a->failed = true;
    a->type = type;
    snprintf(a->reason, sizeof(a->reason), "%s", reason);
}
static const struct call_source ask_source = {ask_results, ask_returned, ask_failed};

static struct ask asks[64];
static unsigned asked;
static struct ask *ask_new(void)
{
    REQUIRE(asked < 64);
    struct ask *a = &asks[asked++];
    capnp_message_build(&a->params, &a->params_segment, a->params_words, 128, a->params_caps, 4);
    a->params.read_limit_words = 4096;
    return a;
}
static void asks_free(void)
{
    for (; asked > 0; asked--) {
        message_release_caps(&asks[asked - 1].params);
        message_release_caps(&asks[asked - 1].results);
        memset(&asks[asked - 1], 0, sizeof(asks[0]));
    }
}
static void wait_for(struct ask *a)
{
    for (unsigned i = 0; i < 1000 && !a->done && !(s.done && list_empty(&posted)); i++) {
        socket_turn(&s, 1000);
    }
    REQUIRE(a->done);
}
#define BEGIN(a, method, target) method##_begin(&(a)->call, (target), capnp_root(&(a)->params), &ask_source)

static struct object *result_of(struct ask *a)
{
    uint16_t field = 0;
    struct object *p = vat_pipeline(&a->call, &field, 1);
    REQUIRE(p != NULL);
    return p;
}

/* ---- the connection ---- */

static void connect_to(struct vat *vat, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    a.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    test_room = ROOM_LOOP;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    c = vat_open(vat);
    socket_open(&s, fd, vat_client(c));
    vat_attach(c, &s.stream);
}
/* Ends the connection, and lets everything that stood on it go. */
static void part(void)
{
    CHECK(!s.done);
    vat_close(c);
    while (!s.done) {
        socket_turn(&s, 1000);
    }
    while (!list_empty(&posted)) {
        run_posted();
    }
}
