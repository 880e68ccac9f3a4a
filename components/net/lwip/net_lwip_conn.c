/* SPDX-License-Identifier: MIT OR Apache-2.0
 * net_lwip_conn.c: a TCP connection as a stream (lib/stream/stream.h).
 *
 *  (1) A connection has a pcb while lwIP may call us about it. lwIP forgets a pcb without a word when both sides'
 *      FINs are through, so the connection lets go of it at the event that makes that possible (let_go), never later.
 *  (2) Bytes lent pass three places in order: `lend` (ours), `unacked` (lwIP's segments), `back` (dropped by lwIP,
 *      maybe still with the device). Only then does the client get them back.
 *  (3) The window opens by what the client took and by nothing else; a client that leaves bytes closes it.
 *  (4) Held bytes are bounded by the window, held buffers too: small segments are moved together in the last buffer.
 *  (5) closed() is said once, from DEAD, when nothing is lent.
 */
#define LOG_TAG "lwip"
#include "net_lwip.h"

#include "core/assert.h"
#include "core/log.h"
#include "lwip/priv/tcp_priv.h"
#include <string.h>

#define STALLED_NS (2 * NS_PER_S) /* whose client takes nothing for so long may lose its buffers to others */
#define LINGER_NS (30 * NS_PER_S) /* a closing connection whose peer takes nothing any more */

static struct net_lwip_conn *conn_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct net_lwip_conn, stream);
}

/* --- states ---------------------------------------------------------------------------------------------------------
 */

#define BIT(s) (1u << (s))
static const uint8_t may_move[] = {
    [CONN_FREE] = BIT(CONN_OFFERED) | BIT(CONN_OPENING),
    [CONN_OFFERED] = BIT(CONN_OPEN) | BIT(CONN_DEAD),
    [CONN_OPENING] = BIT(CONN_OPEN) | BIT(CONN_DEAD),
    [CONN_OPEN] = BIT(CONN_CLOSING) | BIT(CONN_DEAD),
    [CONN_CLOSING] = BIT(CONN_DEAD),
    [CONN_DEAD] = BIT(CONN_FREE),
};

static void check(const struct net_lwip_conn *conn)
{
    ASSERT(conn->lend_count <= NET_LWIP_LENDS);
    switch (conn->state) {
    case CONN_FREE:
        ASSERT(conn->pcb == NULL && conn->held == NULL);
        return;
    case CONN_OFFERED:
        ASSERT(conn->client == NULL);
        return;
    case CONN_OPENING:
        ASSERT(conn->held == NULL && conn->unacked == 0);
        return;
    case CONN_OPEN:
        ASSERT(conn->client != NULL);
        return;
    case CONN_CLOSING:
        ASSERT(conn->held == NULL && conn->end_wanted);
        return;
    case CONN_DEAD:
        ASSERT(conn->pcb == NULL && conn->held == NULL && conn->lend_count == 0);
        return;
    }
    UNREACHABLE();
}

void net_lwip_conn_move(struct net_lwip_conn *conn, enum net_lwip_state to)
{
    ASSERT(may_move[conn->state] & BIT(to));
    conn->state = to;
    check(conn);
}

void net_lwip_conn_ready(struct net_lwip_conn *conn)
{
    if (list_empty(&conn->ready)) {
        list_push_back(&net_lwip_self.ready, &conn->ready);
    }
    net_lwip_post();
}

static void output_later(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    if (list_empty(&conn->output)) {
        list_push_back(&net_lwip_self.outputs, &conn->output);
    }
    loop_at_turn_end(&net_lwip_self.output);
}

/* --- letting go of lwIP's side --------------------------------------------------------------------------------------
 */

/* No callback of this pcb reaches us any more. */
static void forget(struct net_lwip_conn *conn)
{
    tcp_arg(conn->pcb, NULL);
    tcp_recv(conn->pcb, NULL);
    tcp_sent(conn->pcb, NULL);
    tcp_err(conn->pcb, NULL);
    tcp_poll(conn->pcb, NULL, 0);
    conn->pcb = NULL;
}

/* lwIP finishes the connection alone; it is the first to go when records run out. Data that still comes is answered
 * with a reset. */
static void orphan(struct net_lwip_conn *conn)
{
    struct tcp_pcb *pcb = conn->pcb;

    forget(conn);
    tcp_setprio(pcb, TCP_PRIO_MIN);
    tcp_set_flags(pcb, TF_RXCLOSED);
}

/* (1) */
static void let_go(struct net_lwip_conn *conn)
{
    if (conn->pcb != NULL && conn->fin_queued && conn->peer_ended && conn->unacked == 0) {
        orphan(conn);
    }
}

static void drop_held(struct net_lwip_conn *conn)
{
    if (conn->held == NULL) {
        return;
    }
    uint16_t len = conn->held->tot_len;
    pbuf_free(conn->held);
    conn->held = NULL;
    if (conn->pcb != NULL) {
        tcp_recved(conn->pcb, len);
    }
}

/* lwIP has nothing of it any more. */
static void die(struct net_lwip_conn *conn, status_t status) REQUIRES(LOOP)
{
    ASSERT(conn->pcb == NULL);
    drop_held(conn);
    conn->lend_count = 0;
    conn->grace = net_lwip_self.grace;
    conn->end_status = status;
    net_lwip_conn_move(conn, CONN_DEAD);
    net_lwip_conn_ready(conn);
}

void net_lwip_conn_kill(struct net_lwip_conn *conn, status_t status)
{
    struct tcp_pcb *pcb = conn->pcb;

    if (conn->state == CONN_DEAD) {
        return;
    }
    if (pcb != NULL) {
        forget(conn);
        tcp_abort(pcb);
    }
    die(conn, status);
}

void net_lwip_conn_free(struct net_lwip_conn *conn)
{
    net_lwip_conn_move(conn, CONN_FREE);
    if (conn->listener != NULL) {
        ASSERT(conn->listener->open > 0);
        conn->listener->open--;
    }
    list_remove(&conn->node);
    list_remove(&conn->ready);
    list_remove(&conn->output);
    pool_put(&net_lwip_self.conn_pool, conn);
}

/* --- sending --------------------------------------------------------------------------------------------------------
 */

/* Hands lwIP a piece of the first lend. False: it takes no more now. */
static bool write_piece(struct net_lwip_conn *conn)
{
    struct net_lwip_lend *lend = &conn->lend[conn->lend_first];
    size_t len = lend->len - conn->lend_offset;
    size_t most =
        LWIP_MIN(tcp_sndbuf(conn->pcb), tcp_mss(conn->pcb)); /* At most a segment: all or nothing is easier met. */

    if (most == 0) {
        return false;
    }
    len = LWIP_MIN(len, most);
    bool last = conn->lend_count == 1 && conn->lend_offset + len == lend->len;
    if (tcp_write(conn->pcb, lend->data + conn->lend_offset, (u16_t)len, last ? 0 : TCP_WRITE_FLAG_MORE) != ERR_OK) {
        net_lwip_self.starved = true;
        return false;
    }
    conn->unacked += len;
    conn->lend_offset += len;
    if (conn->lend_offset == lend->len) {
        conn->lend_offset = 0;
        conn->lend_first = (conn->lend_first + 1) % NET_LWIP_LENDS;
        conn->lend_count--;
    }
    return true;
}

static void output(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    if (conn->pcb == NULL || (conn->state != CONN_OPEN && conn->state != CONN_CLOSING)) {
        return;
    }
    while (conn->lend_count > 0 && write_piece(conn)) {
        ;
    }
    if (conn->end_wanted && !conn->fin_queued && conn->lend_count == 0) {
        conn->fin_queued = true;
        tcp_shutdown(conn->pcb, 0, 1); /* Without memory for the FIN lwIP remembers and tries again. */
    }
    tcp_output(conn->pcb);
    let_go(conn);
    if (conn->full || conn->state == CONN_CLOSING || conn->pcb == NULL) {
        net_lwip_conn_ready(conn);
    }
}

static void output_ready(struct work *work)
{
    struct list *node;

    (void)work;
    room_assert_loop();
    while ((node = list_pop_front(&net_lwip_self.outputs)) != NULL) {
        output(CONTAINER_OF(node, struct net_lwip_conn, output));
    }
}

void net_lwip_conn_output_all(void)
{
    for (struct list *node = net_lwip_self.conns.next; node != &net_lwip_self.conns; node = node->next) {
        output_later(CONTAINER_OF(node, struct net_lwip_conn, node));
    }
}

/* --- the stream's functions: never called from inside lwIP ----------------------------------------------------------
 */

static status_t stream_op_send(struct stream *stream, const void *data, size_t len)
{
    struct net_lwip_conn *conn = conn_of(stream);

    room_assert_loop();
    if (conn->state == CONN_DEAD || conn->end_wanted) {
        return ST_CLOSED;
    }
    if (conn->lend_count == NET_LWIP_LENDS) {
        conn->full = true;
        return ST_FULL;
    }
    uint32_t at = (conn->lend_first + conn->lend_count) % NET_LWIP_LENDS;
    conn->lend[at] = (struct net_lwip_lend){data, len};
    conn->lend_count++;
    output_later(conn);
    return ST_OK;
}

static void stream_op_flush(struct stream *stream)
{
    room_assert_loop();
    output(conn_of(stream));
}

static void stream_op_resume(struct stream *stream)
{
    struct net_lwip_conn *conn = conn_of(stream);

    room_assert_loop();
    if (conn->paused) {
        conn->paused = false;
        net_lwip_conn_ready(conn);
    }
}

static void stream_op_end(struct stream *stream)
{
    struct net_lwip_conn *conn = conn_of(stream);

    room_assert_loop();
    if (conn->state != CONN_DEAD && !conn->end_wanted) {
        conn->end_wanted = true;
        output_later(conn);
        net_lwip_conn_ready(conn);
    }
}

static void begin_closing(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    drop_held(conn);
    conn->end_wanted = true;
    conn->active_ns = clock_ns();
    net_lwip_conn_move(conn, CONN_CLOSING);
    output_later(conn);
    net_lwip_conn_ready(conn);
    net_lwip_conn_note_deadline(conn);
}

static void stream_op_close(struct stream *stream)
{
    struct net_lwip_conn *conn = conn_of(stream);

    room_assert_loop();
    if (conn->state == CONN_OPEN) {
        begin_closing(conn);
    } else if (conn->state == CONN_OPENING || conn->state == CONN_OFFERED) {
        conn->close_wanted = true;
        conn->end_wanted = true;
    }
}

static void stream_op_abort(struct stream *stream)
{
    room_assert_loop();
    net_lwip_conn_kill(conn_of(stream), ST_STALE);
}

static const struct stream_ops stream_ops = {stream_op_send, stream_op_flush, stream_op_resume,
                                             stream_op_end,  stream_op_close, stream_op_abort};

/* --- what lwIP says: noted, not acted upon --------------------------------------------------------------------------
 */

/* (4): true when the bytes found room behind the last held ones. */
static bool move_together(struct net_lwip_conn *conn, const struct pbuf *p)
{
    struct pbuf *last = conn->held;
    uint16_t len = p->tot_len;

    while (last->next != NULL) {
        last = last->next;
    }
    if (net_lwip_frame_tail_room(last) < len) {
        return false;
    }
    pbuf_copy_partial(p, (uint8_t *)last->payload + last->len, len, 0);
    last->len = (uint16_t)(last->len + len);
    for (struct pbuf *q = conn->held; q != NULL; q = q->next) {
        q->tot_len = (uint16_t)(q->tot_len + len);
    }
    return true;
}

static void hold(struct net_lwip_conn *conn, struct pbuf *p)
{
    if (conn->state == CONN_CLOSING) {
        tcp_recved(conn->pcb, p->tot_len);
        pbuf_free(p);
    } else if (conn->held == NULL) {
        conn->held = p;
        conn->taken_ns = clock_ns();
    } else if (move_together(conn, p)) {
        pbuf_free(p);
    } else {
        pbuf_cat(conn->held, p);
    }
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct net_lwip_conn *conn = arg;

    net_lwip_assert_core();
    ASSERT(conn->pcb == pcb && err == ERR_OK);
    if (conn->state != CONN_CLOSING) { /* then only what it takes of ours counts */
        conn->active_ns = clock_ns();
    }
    if (p != NULL) {
        hold(conn, p);
    } else {
        conn->peer_ended = true;
        let_go(conn);
    }
    net_lwip_conn_ready(conn);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct net_lwip_conn *conn = arg;

    net_lwip_assert_core();
    ASSERT(conn->pcb == pcb && conn->unacked >= len);
    conn->active_ns = clock_ns();
    conn->unacked -= len;
    conn->back_later += len;
    net_lwip_self.freed = true;
    let_go(conn);
    net_lwip_conn_ready(conn);
    if (conn->lend_count > 0) {
        output_later(conn);
    }
    return ERR_OK;
}

/* Twice a second while the pcb lives: what failed for want of memory is tried again. */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct net_lwip_conn *conn = arg;

    (void)pcb;
    net_lwip_assert_core();
    if (conn->lend_count > 0) {
        output_later(conn);
    }
    return ERR_OK;
}

/* The pcb is freed already. */
static void on_error(void *arg, err_t err)
{
    struct net_lwip_conn *conn = arg;

    net_lwip_assert_core();
    conn->pcb = NULL;
    if (err == ERR_RST) {
        net_lwip_self.count.reset++;
    }
    die(conn, err == ERR_ABRT ? ST_TIMEOUT : ST_CLOSED);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct net_lwip_conn *conn = arg;

    net_lwip_assert_core();
    ASSERT(conn->pcb == pcb && err == ERR_OK);
    net_lwip_self.count.connected++;
    conn->active_ns = clock_ns();
    net_lwip_conn_move(conn, CONN_OPEN);
    conn->opened_due = true;
    output_later(conn);
    net_lwip_conn_ready(conn);
    return ERR_OK;
}

/* --- telling the client: lwIP is at rest ----------------------------------------------------------------------------
 */

/* A buffer in which only headers stood is empty now; a peer decides where its segments are split. */
static void drop_empty(struct net_lwip_conn *conn)
{
    while (conn->held != NULL && conn->held->len == 0) {
        struct pbuf *empty = conn->held;
        conn->held = empty->next;
        empty->next = NULL;
        pbuf_free(empty);
    }
}

static void deliver(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    size_t total = 0;

    for (drop_empty(conn); conn->state == CONN_OPEN && conn->held != NULL && !conn->paused; drop_empty(conn)) {
        uint16_t len = conn->held->len;
        conn->paused = true; /* So that a resume from inside the call counts. */
        size_t taken = stream_client_received(conn->client, conn->held->payload, len);
        ASSERT(taken <= len);
        if (conn->state != CONN_OPEN) {
            break; /* It closed or aborted: what was held is gone. */
        }
        conn->held = pbuf_free_header(conn->held, (u16_t)taken);
        total += taken;
        if (taken < len) {
            if (!conn->paused) {
                net_lwip_conn_ready(conn); /* Resumed already: again, but in another turn. */
            }
            break;
        }
        conn->paused = false;
    }
    conn->taken_ns = total > 0 ? clock_ns() : conn->taken_ns;
    if (total > 0 && conn->pcb != NULL) {
        tcp_recved(conn->pcb, (u16_t)total);
    }
}

/* (2): how many bytes can be given back now. */
static size_t take_back(struct net_lwip_conn *conn)
{
    size_t len = 0;

    if (net_lwip_self.tx_out[0] + net_lwip_self.tx_out[1] == 0) {
        len = conn->back + conn->back_later;
        conn->back = conn->back_later = 0;
        return len;
    }
    if (net_lwip_self.grace - conn->grace >= 2) {
        len = conn->back;
        conn->back = 0;
    }
    if (conn->back == 0 && conn->back_later > 0) {
        conn->back = conn->back_later;
        conn->back_later = 0;
        conn->grace = net_lwip_self.grace;
    }
    net_lwip_self.grace_awaited |= conn->back > 0;
    return len;
}

REQUIRES(LOOP)
static void tell_sent(struct net_lwip_conn *conn)
{
    size_t len = take_back(conn);

    if (len > 0) {
        stream_client_sent(conn->client, len);
    }
}

REQUIRES(LOOP)
static void tell_room(struct net_lwip_conn *conn)
{
    if (conn->full && conn->lend_count < NET_LWIP_LENDS && conn->state == CONN_OPEN) {
        conn->full = false;
        stream_client_room(conn->client);
    }
}

REQUIRES(LOOP)
static void tell_opened(struct net_lwip_conn *conn)
{
    if (conn->opened_due && conn->state == CONN_OPEN && !conn->close_wanted) {
        conn->opened_due = false;
        stream_client_opened(conn->client);
    }
}

static void tell_ended(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    if (conn->state != CONN_OPEN || !conn->peer_ended || conn->held != NULL || conn->ended_told) {
        return;
    }
    conn->ended_told = true;
    if (!stream_client_ended(conn->client)) {
        stream_op_close(&conn->stream);
    }
}

static bool lent_nothing(const struct net_lwip_conn *conn)
{
    return conn->lend_count == 0 && conn->unacked == 0 && conn->back == 0 && conn->back_later == 0;
}

/* Both sides ended, or the client closed: done when everything arrived and came back. */
static void finish(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    if (conn->state == CONN_OPEN && (conn->close_wanted || (conn->end_wanted && conn->ended_told))) {
        begin_closing(conn);
    }
    if (conn->state != CONN_CLOSING || !conn->fin_queued || !lent_nothing(conn)) {
        return;
    }
    if (conn->pcb != NULL) {
        orphan(conn);
    }
    die(conn, ST_OK);
}

/* (5) */
static void bury(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    struct stream_client *client = conn->client;
    status_t status = conn->end_status;
    bool clear = net_lwip_self.tx_out[0] + net_lwip_self.tx_out[1] == 0 || net_lwip_self.grace - conn->grace >= 2;

    if (!clear && conn->unacked + conn->back + conn->back_later > 0) {
        net_lwip_self.grace_awaited = true;
        return;
    }
    net_lwip_conn_free(conn);
    if (client != NULL) {
        stream_client_closed(client, status);
    }
}

static void run(struct net_lwip_conn *conn) REQUIRES(LOOP)
{
    check(conn);
    if (conn->state == CONN_OFFERED) {
        net_lwip_offer(conn);
    }
    tell_opened(conn);
    deliver(conn);
    if (conn->state == CONN_OPEN || conn->state == CONN_CLOSING) {
        tell_sent(conn);
        tell_room(conn);
        tell_ended(conn);
        finish(conn);
    }
    if (conn->state == CONN_DEAD) {
        bury(conn);
    }
}

void net_lwip_conn_run_ready(void)
{
    struct list batch;
    struct list *node;

    list_init(&batch);
    while ((node = list_pop_front(&net_lwip_self.ready)) != NULL) {
        list_push_back(&batch, node);
    }
    while ((node = list_pop_front(&batch)) != NULL) { /* Who becomes ready meanwhile has the next turn. */
        run(CONTAINER_OF(node, struct net_lwip_conn, ready));
    }
}

/* --- beginning ------------------------------------------------------------------------------------------------------
 */

static void name_ends(struct net_lwip_conn *conn)
{
    const struct tcp_pcb *pcb = conn->pcb;
    struct inet_endpoint remote = {lwip_ntohl(ip_2_ip4(&pcb->remote_ip)->addr), pcb->remote_port};
    struct inet_endpoint local = {lwip_ntohl(ip_2_ip4(&pcb->local_ip)->addr), pcb->local_port};

    inet_text(remote, conn->stream.peer);
    inet_text(local, conn->stream.local);
}

struct net_lwip_conn *net_lwip_conn_new(struct tcp_pcb *pcb, const struct tcp_limits *limits)
{
    struct net_lwip_conn *conn = pool_get(&net_lwip_self.conn_pool);

    if (conn == NULL) {
        return NULL;
    }
    conn->stream.ops = &stream_ops;
    conn->pcb = pcb;
    conn->idle_ns = limits->idle_ns;
    conn->total_ns = limits->total_ns;
    conn->opened_ns = conn->active_ns = clock_ns();
    list_init(&conn->ready);
    list_init(&conn->output);
    list_push_back(&net_lwip_self.conns, &conn->node);
    name_ends(conn);
    tcp_arg(pcb, conn);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, 1);
    pcb->connected = on_connected;
    tcp_nagle_disable(pcb);
    tcp_setprio(pcb, TCP_PRIO_NORMAL);
    return conn;
}

void net_lwip_conn_init(void)
{
    pool_init(&net_lwip_self.conn_pool, "net/lwip connections", sizeof(struct net_lwip_conn), NET_LWIP_CONNECTIONS);
    list_init(&net_lwip_self.conns);
    list_init(&net_lwip_self.ready);
    list_init(&net_lwip_self.outputs);
    work_init(&net_lwip_self.output, output_ready);
}

/* --- bounds ---------------------------------------------------------------------------------------------------------
 */

/* Who has taken nothing for a while, and how many buffers it holds. */
static uint16_t hoarded(const struct net_lwip_conn *conn)
{
    return conn->held != NULL && clock_ns() - conn->taken_ns > STALLED_NS ? pbuf_clen(conn->held) : 0;
}

/* Reassembly of what came out of order is a favour; it ends first. Then, of those that stall, the one who holds most is
 * reset. */
void net_lwip_conn_shed(void)
{
    struct net_lwip_conn *worst = NULL;
    uint16_t most = 1; /* One held buffer is nobody's fault. */

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        tcp_free_ooseq(pcb);
    }
    if (net_lwip_self.rx_held < net_lwip_self.rx_held_max) {
        return;
    }
    for (struct list *node = net_lwip_self.conns.next; node != &net_lwip_self.conns; node = node->next) {
        struct net_lwip_conn *conn = CONTAINER_OF(node, struct net_lwip_conn, node);
        uint16_t buffers = hoarded(conn);
        if (buffers > most) {
            worst = conn;
            most = buffers;
        }
    }
    if (worst != NULL) {
        net_lwip_self.count.shed++;
        log_warn("%s reset: it held %u of %u receive buffers", worst->stream.peer, most,
                 net_lwip_self.device->rx_buffers);
        net_lwip_conn_kill(worst, ST_NOMEM);
    }
}

/* When it must be over; UINT64_MAX: never. */
static uint64_t deadline_of(const struct net_lwip_conn *conn)
{
    uint64_t idle = conn->idle_ns;
    uint64_t deadline = UINT64_MAX;

    if (conn->state == CONN_CLOSING && (idle == 0 || idle > LINGER_NS)) {
        idle = LINGER_NS;
    }
    if (idle != 0) {
        deadline = conn->active_ns + idle;
    }
    if (conn->total_ns != 0 && conn->opened_ns + conn->total_ns < deadline) {
        deadline = conn->opened_ns + conn->total_ns;
    }
    return conn->state == CONN_DEAD ? UINT64_MAX : deadline;
}

void net_lwip_conn_note_deadline(const struct net_lwip_conn *conn)
{
    uint64_t deadline = deadline_of(conn);

    if (deadline != UINT64_MAX &&
        (!timer_armed(&net_lwip_self.deadline) || deadline < net_lwip_self.deadline.deadline_ns)) {
        timer_set(&net_lwip_self.deadline, deadline);
    }
}

void net_lwip_conn_deadlines(void)
{
    uint64_t now = clock_ns();
    uint64_t next = UINT64_MAX;

    for (struct list *node = net_lwip_self.conns.next; node != &net_lwip_self.conns; node = node->next) {
        struct net_lwip_conn *conn = CONTAINER_OF(node, struct net_lwip_conn, node);
        uint64_t deadline = deadline_of(conn);
        if (deadline <= now) {
            net_lwip_self.count.timed_out++;
            net_lwip_conn_kill(conn, ST_TIMEOUT);
        } else if (deadline < next) {
            next = deadline;
        }
    }
    if (next != UINT64_MAX) {
        timer_set(&net_lwip_self.deadline, next);
    }
}
