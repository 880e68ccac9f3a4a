/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_device.h: what a device model of the simulator may ask of its machine, and what it must answer.
 *
 * A model is a piece of hardware made of C. The image's real driver talks to it through plat_mmio_*, DMA addresses and
 * interrupt vectors, exactly as on a machine; the model never sees core. Model code runs inside an MMIO access, inside
 * start(), or from the poll loop (a file descriptor of its own became ready, the coordinator spoke to its port); never anywhere
 * else, never two at a time.
 *
 *  (1) What the driver writes is an allegation to the model too: guest memory is reached by sim_dma() only.
 *  (2) A model must not call back into core. It raises its interrupt; the platform delivers it when the image lets
 *      interrupts in.
 *  (3) Everything here lives as long as the process: nothing is removed.
 *
 * A model's folder is platform/sim/models/NAME/. It exports one `const struct sim_model` and is listed in models.c. One of a PCI
 * function also sees sim_pci.h.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- models --------------------------------------------------------------------------------------------------------- */

struct sim_model {
    const char *name; /* "virtio-blk" */
    /* Makes one device. `argument` is what the command line said (never NULL), e.g. the disk's file. On failure says why
     * in `why`, a whole phrase without newline, and returns false: the process then stops with that text. */
    bool (*start)(const char *argument, char *why, size_t why_size);
};
/* NULL-terminated; models.c. The command line names them: --disk FILE is virtio-blk, --net ARG is virtio-net, virtio-rng is
 * there unless --no-entropy; any other by --device NAME[:ARGUMENT]. Started in the order of the command line, so the
 * first disk has the first window. */
extern const struct sim_model *const sim_models[];

/* --- register windows ----------------------------------------------------------------------------------------------- */

/* Keys: [I] fixed once it is in the machine  [m] whoever placed it may move it */
struct sim_window {
    size_t size;                                                  /* [I] bytes of registers, a multiple of 4 */
    uint32_t (*read)(void *device, size_t offset, unsigned size); /* [I] size 1, 2 or 4, naturally aligned */
    void (*write)(void *device, size_t offset, unsigned size, uint32_t value); /* [I] */
    void *device;                                                              /* [I] */
    uint64_t address;                                                          /* [m] where the image finds it */
    bool off; /* [m] not decoded now: reads give all ones, writes are lost */
};
/* It can be reached from here on. Kept. The address is the caller's choice. */
void sim_window_add(struct sim_window *window);
/* The same for a device that firmware tells of (plat_mmio_device): chooses the address, and gives the number of an edge
 * line for it. */
uint32_t sim_mmio_add(struct sim_window *window);

/* --- interrupts ------------------------------------------------------------------------------------------------------ */

/* Pulses an edge line. Delivered when the image has interrupts on; once, however often it was raised before that. Raised
 * while nobody has opened or has masked the line, it stays pending, as at an I/O APIC's edge input that was unmasked. */
void sim_line_raise(uint32_t gsi);

/* How a device is attached that can be in several ways: what --transport said. */
struct sim_transport {
    bool pci;
    unsigned vectors; /* of MSI-X, that a PCI function has at most; 0: it has its pin only */
};
extern struct sim_transport sim_transport;

/* --- guest memory --------------------------------------------------------------------------------------------------- */

/* The bytes [address, address + size) as the device sees them, or NULL when any of them is not the guest's memory. */
void *sim_dma(uint64_t address, size_t size);

/* --- the host ------------------------------------------------------------------------------------------------------- */

/* Keys: [I] fixed after sim_fd_add  [m] the model's, changed whenever it likes */
struct sim_fd {
    int fd;                                          /* [m] -1: none now */
    short events;                                    /* [m] POLLIN, POLLOUT; 0: not interested, errors included */
    void (*ready)(struct sim_fd *fd, short revents); /* [I] */
    void *device;                                    /* [I] the model's */
    struct sim_fd *next;                             /* [I] platform's */
};
/* From here on the poll loop watches it. Kept. Descriptors must be non-blocking. */
void sim_fd_add(struct sim_fd *fd);

/* --- the coordinator ------------------------------------------------------------------------------------------------- */

struct sim_message; /* sim_protocol.h */

/* What a model holds of its other half, in a lock-step run: the wire or the medium that the coordinator has. */
struct sim_port {
    /* [I] A message for this port came; `body` is borrowed. Runs where the poll loop's calls run. */
    void (*arrived)(struct sim_port *port, const struct sim_message *message, const char *body);
    uint16_t number; /* [I] filled by sim_port_add */
};
/* From here on it is connected. Kept. False: this is no lock-step run, or there are too many. */
bool sim_port_add(struct sim_port *port);
/* The message leaves with the image's batch, stamped with port and time. */
void sim_port_send(const struct sim_port *port, struct sim_message message, const void *body);
/* A device to which things happen that no specification has (sim_protocol.h: enum sim_fault). */
struct sim_hazard {
    void (*befalls)(struct sim_hazard *hazard, uint32_t fault,
                    uint64_t argument); /* [I] where the poll loop's calls run */
    uint16_t device;                    /* [I] enum sim_device */
    struct sim_hazard *next;            /* [I] platform's */
};
/* From here on it can be struck. Kept. */
void sim_hazard_add(struct sim_hazard *hazard);
/* It was: the coordinator counts what happened, not what it wished for. */
void sim_hazard_struck(const struct sim_hazard *hazard, uint32_t fault);
/* Lets so much time pass for what the image asked for. Nothing in a run in real time. */
void sim_cost(uint64_t ns);

/* --- time and chance ------------------------------------------------------------------------------------------------- */

/* Monotonic nanoseconds since the process began, or the coordinator's time: what plat_clock_ns() says. */
uint64_t sim_clock_ns(void);
/* Fills from the host's randomness, or from the run's seed. */
void sim_random(void *bytes, size_t size);
/* Ends the process with a line on stderr and the exit code of a panic: the model found itself broken. printf-like. */
_Noreturn void sim_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
