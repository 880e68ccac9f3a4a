/* SPDX-License-Identifier: MIT OR Apache-2.0
 * rpc_vat.c: the image's vat: options, the port that it listens on, connections that it accepts.
 */
#define LOG_TAG "rpc/vat"
#include "config.h"
#include "core/assert.h"
#include "core/diag.h"
#include "core/log.h"
#include "core/loop.h"
#include "lib/tcp/tcp.h"
#include "rpc/vat/vat.h"

static struct rpc_vat_state {
    struct vat *vat;                     /* [I] */
    struct tcp_listen_authority *listen; /* [I] */
    struct tcp_listener *listener;       /* [I] */
    struct tcp_acceptor acceptor;        /* [I] */
} self;

struct vat *rpc_vat_provide_vat(void)
{
    static const struct vat_options options = {
        .connections = RPC_VAT_CONNECTIONS,
        .answers = RPC_VAT_ANSWERS,
        .live = RPC_VAT_CALLS,
        .live_all = RPC_VAT_CALLS_ALL,
        .questions = RPC_VAT_QUESTIONS,
        .exports = RPC_VAT_EXPORTS,
        .imports = RPC_VAT_IMPORTS,
        .promises = RPC_VAT_PROMISES,
        .small = RPC_VAT_SMALL_BUFFERS,
        .medium = RPC_VAT_MEDIUM_BUFFERS,
        .large = RPC_VAT_LARGE_BUFFERS,
        .window_bytes = RPC_VAT_WINDOW,
        .stall_seconds = RPC_VAT_STALL_SECONDS,
    };

    if (self.vat == NULL) {
        self.vat = vat_new(&options);
    }
    return self.vat;
}

void rpc_vat_hold_listen(struct tcp_listen_authority *authority) REQUIRES(BOOT);
void rpc_vat_hold_listen(struct tcp_listen_authority *authority)
{
    self.listen = authority;
}

static struct stream_client *accept_stream(struct tcp_acceptor *acceptor, struct stream *stream)
{
    room_assert_loop();
    ASSERT(acceptor == &self.acceptor);

    struct vat_connection *c = vat_accept(self.vat, stream);
    return c != NULL ? vat_client(c) : NULL;
}

/* --- console --------------------------------------------------------------------------------------------------------- */

static void show(int argc, char **argv)
{
    struct vat_usage u;

    (void)argc, (void)argv;
    vat_usage(self.vat, &u);
    const struct {
        const char *name;
        uint32_t in_use, count;
    } tables[] = {
        {"connections", u.connections, RPC_VAT_CONNECTIONS},
        {"calls of peers", u.live, RPC_VAT_CALLS_ALL},
        {"questions", u.questions, RPC_VAT_CONNECTIONS * RPC_VAT_QUESTIONS},
        {"imports", u.imports, RPC_VAT_CONNECTIONS * RPC_VAT_IMPORTS},
        {"promises", u.promises, RPC_VAT_PROMISES},
        {"exports", u.exports, RPC_VAT_CONNECTIONS * RPC_VAT_EXPORTS},
        {"small messages", u.small, RPC_VAT_SMALL_BUFFERS},
        {"medium messages", u.medium, RPC_VAT_MEDIUM_BUFFERS},
        {"large messages", u.large, RPC_VAT_LARGE_BUFFERS},
    };
    diag_print("connections ever %llu, refused %llu, aborted %llu; calls %llu\n", (unsigned long long)u.accepted,
               (unsigned long long)u.refused, (unsigned long long)u.aborted, (unsigned long long)u.calls);
    for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        diag_print("  %-24s %6u of %6u\n", tables[i].name, tables[i].in_use, tables[i].count);
    }
}

static void add_command(void) REQUIRES(BOOT)
{
    static struct diag_command command = {.name = "rpc", .help = "remote calls: what is held for peers", .run = show};

    diag_command_add(&command);
}

/* --- begin ----------------------------------------------------------------------------------------------------------- */

status_t rpc_vat_start(void) REQUIRES(BOOT);
status_t rpc_vat_start(void)
{
    const struct tcp_limits limits = {.connections_max = RPC_VAT_CONNECTIONS,
                                      .idle_ns = RPC_VAT_IDLE_SECONDS * NS_PER_S};

    (void)rpc_vat_provide_vat(); /* here, so that the memory stands on this component's account */
    add_command();
    if (self.listen == NULL) {
        return ST_OK;
    }
    self.acceptor.accept = accept_stream;
    status_t s = tcp_listen(self.listen, &limits, &self.acceptor, &self.listener);
    if (s != ST_OK) {
        log_err("cannot listen on port %u: %s", self.listen->port, status_name(s));
        return s;
    }
    log_warn("insecure: peers are not authenticated; whoever reaches port %u may call what the profile exposes",
             self.listen->port);
    return ST_OK;
}
