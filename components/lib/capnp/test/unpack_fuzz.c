/* SPDX-License-Identifier: MIT OR Apache-2.0
 * unpack_fuzz.c: any bytes unpacked, in two ways of cutting them up, which must give the same; packed again and unpacked, too.
 */
#include "lib/capnp/capnp.h"

#define ROOM 65536u

static _Alignas(8) uint8_t whole[ROOM];
static uint8_t pieces[ROOM], again[ROOM], packed[ROOM / 8 * 10 + 10];

static size_t unpack_pieces(const uint8_t *bytes, size_t size, uint8_t *room)
{
    struct capnp_unpack unpack = {0};
    size_t out = 0;
    for (size_t in = 0, idle = 0; idle < 2 && out < ROOM;) {
        size_t piece = size - in < 1 ? 0 : 1;
        size_t space = ROOM - out < 3 ? ROOM - out : 3;
        size_t got = capnp_unpack(&unpack, bytes + in, &piece, room + out, space);
        idle = got + piece == 0 ? idle + 1 : 0;
        in += piece;
        out += got;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct capnp_unpack unpack = {0}, second = {0};
    size_t taken = size;
    size_t out = capnp_unpack(&unpack, bytes, &taken, whole, ROOM);
    ASSERT(out <= ROOM && taken <= size);
    ASSERT(unpack_pieces(bytes, size, pieces) == out);
    ASSERT(memcmp(whole, pieces, out) == 0);
    size_t count = out / 8,
           packed_size = capnp_pack((const uint64_t *)(const void *)whole, &count, packed, sizeof(packed));
    ASSERT(count == out / 8);
    ASSERT(capnp_unpack(&second, packed, &packed_size, again, ROOM) == count * 8);
    ASSERT(capnp_unpack_whole(&second) && memcmp(whole, again, count * 8) == 0);
    return 0;
}
