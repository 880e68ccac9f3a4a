/* SPDX-License-Identifier: MIT OR Apache-2.0
 * sim_pci.h: the simulator's PCI bus, as seen by a model of a PCI function. Written from the PCI Local Bus Specification 3.0.
 *
 * A model fills a struct sim_pci_function, says sim_pci_add(), adds its capabilities, and from there on answers accesses to its
 * windows. Configuration space, BARs, MSI-X and the pin are the bus's.
 *
 *  (1) A function is there as firmware leaves it: BARs have addresses and are decoded, it is no bus master, MSI-X is off.
 *  (2) A function that is no bus master reaches no memory and sends no message (6.2.2).
 *  (3) With MSI-X on, the pin is quiet; with it off, there are no messages (6.8.3.3).
 *  (4) What the specification leaves undefined, because no driver may do it, ends the process with its section.
 */
#pragma once
#include "sim_device.h"

#define SIM_PCI_BARS 6u
#define SIM_PCI_CONFIG_BYTES 256u
#define SIM_PCI_VECTORS_MAX 64u

/* Keys: [I] the model's, fixed after sim_pci_add */
struct sim_pci_bar {
    struct sim_window window; /* [I] size: 0, or a power of two, 16 at least; read, write, device as for any window */
    bool wide;                /* [I] 64 bits; takes the next BAR too */
};

struct sim_msix_entry { /* 6.8.2.6 to 6.8.2.9 */
    uint32_t address, address_high, data, control;
};

/* Keys: [I] the model's, fixed after sim_pci_add  [b] the bus's */
struct sim_pci_function {
    const char *name;                     /* [I] */
    uint16_t vendor_id, device_id;        /* [I] */
    uint16_t subsystem_vendor, subsystem; /* [I] */
    uint32_t class_code;                  /* [I] class, subclass, interface: 24 bits */
    uint8_t revision;                     /* [I] */
    bool wired;                           /* [I] it has pin A */
    unsigned vectors;                     /* [I] of MSI-X; 0: it has none, and BAR `msix_bar` is nobody's */
    unsigned msix_bar;                    /* [I] this one is the bus's: table and pending bits */
    struct sim_pci_bar bar[SIM_PCI_BARS]; /* [I] */
    /* [I] Configuration space at `offset` is about to be read, was written. For capabilities that do something. May be NULL. */
    void (*reading)(struct sim_pci_function *function, unsigned offset, unsigned size);
    void (*written)(struct sim_pci_function *function, unsigned offset, unsigned size);
    void *model; /* [I] */

    uint8_t slot;                                     /* [b] its device number on bus 0 */
    uint8_t config[SIM_PCI_CONFIG_BYTES];             /* [b] a model may change what it added */
    uint8_t writable[SIM_PCI_CONFIG_BYTES];           /* [b] bits that a driver can change */
    unsigned used;                                    /* [b] of `config`, up to here */
    unsigned last;                                    /* [b] the last capability; 0: none yet */
    bool pulls;                                       /* [b] the device holds its pin */
    bool pulled;                                      /* [b] the line feels it */
    unsigned msix;                                    /* [b] its capability; 0: none */
    struct sim_msix_entry entry[SIM_PCI_VECTORS_MAX]; /* [b] */
    uint64_t pending;                                 /* [b] bit: vector */
};

/* It appears on the bus. Kept. */
void sim_pci_add(struct sim_pci_function *function);
/* Appends a capability of `size` bytes, of which byte 1, the pointer, is the bus's. Returns where it is. */
unsigned sim_pci_capability(struct sim_pci_function *function, const void *bytes, unsigned size);
/* A driver can write these bytes. */
void sim_pci_writable(struct sim_pci_function *function, unsigned offset, unsigned size);

bool sim_pci_master(const struct sim_pci_function *function);
/* Whether messages are on, so that the pin is off. */
bool sim_pci_msix_on(const struct sim_pci_function *function);
/* Sends message `vector`, now or when it is unmasked. Nothing while MSI-X is off. */
void sim_pci_message(struct sim_pci_function *function, unsigned vector);
/* Holds the pin, or lets it go. It reaches the line while MSI-X is off and the pin is not disabled. */
void sim_pci_pin(struct sim_pci_function *function, bool pulls);

/* Little-endian fields of configuration space. */
uint32_t sim_pci_get(const struct sim_pci_function *function, unsigned offset, unsigned size);
void sim_pci_set(struct sim_pci_function *function, unsigned offset, unsigned size, uint32_t value);
