/* SPDX-License-Identifier: MIT OR Apache-2.0
 * calls.c: the cheapest that a program can ask of Linux: getppid, and entries of io_uring that do nothing.
 */
#include "guest.h"

#define CALLS 3200u

static struct uring ring;

static void nops(unsigned batch)
{
    for (unsigned done = 0; done < CALLS; done += batch) {
        for (unsigned i = 0; i < batch; i++) {
            uring_next(&ring, i)->opcode = IORING_OP_NOP;
        }
        uring_enter(&ring, batch, batch);
        while (uring_peek(&ring) != NULL) {
            uring_taken(&ring);
        }
    }
}

int main(void)
{
    uring_init(&ring, 32);
    for (int round = 0; round < ROUNDS; round++) {
        MARK_BEGIN();
        for (unsigned i = 0; i < CALLS; i++) {
            syscall(SYS_getppid);
        }
        MARK_END();
        section_done("getppid", CALLS);
        MARK_BEGIN();
        nops(1);
        MARK_END();
        section_done("uring-nop", CALLS);
        MARK_BEGIN();
        nops(32);
        MARK_END();
        section_done("uring-nop-32", CALLS);
    }
    return 0;
}
