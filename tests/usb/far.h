/* SPDX-License-Identifier: MIT */
/*
 * The far end of the USB tests: a virtual device (model.h) as a set of endpoints that take URBs, with faults. Knows
 * nothing of how URBs get here: usbfs (vusbd.c) or a QEMU guest (tests/kernel). The caller serialises.
 */
#ifndef FAR_H
#define FAR_H

#include "model.h"

enum far_kind {
	FAR_NONE,
	FAR_SHORT,      /* completes with fewer bytes than there were */
	FAR_STALL,      /* -EPIPE, and the endpoint is halted until CLEAR_HALT */
	FAR_TIMEOUT,    /* never completes until it is discarded */
	FAR_GONE,       /* the device leaves */
	FAR_OVERFLOW,   /* -EOVERFLOW */
	FAR_CORRUPTED,  /* a bit of the packet is wrong */
	FAR_DUPLICATED, /* the packet arrives twice */
	FAR_LOST,       /* the packet does not arrive, and nobody says so */
	FAR_DELAYED,    /* completes 20 ms late */
	FAR_KINDS
};
extern const char *const far_kind_names[FAR_KINDS];

/* One URB. status and actual are the kernel's: 0 or -errno, bytes moved. */
struct far_urb {
	struct far_urb *next;
	void *user;
	uint8_t endpoint; /* 0 for control */
	uint8_t setup[8]; /* of control */
	uint8_t *data;
	size_t length;
	bool zero;        /* OUT: an empty packet follows when the last one is full */
	size_t actual;
	int status;
	uint64_t number;  /* counted from 0 since far_new() or far_fault_set() */
	uint64_t due_us;  /* not completed before; of a delayed one */
	enum far_kind first; /* what happens to its next packet */
};

/* What happens to the URB of that number (lost, corrupted, duplicated: to its first packet), or with `packet` to the
 * 512-byte packet of that number, in the midst of its URB; endpoints and directions are numbered together. */
struct far_fault {
	enum far_kind kind;
	bool packet;
	uint64_t number;
};

struct far;
/* Called for every completed URB. */
typedef void (*far_done_fn)(void *user, struct far_urb *urb);

/* Owns the model, also when it fails: NULL. */
struct far *far_new(struct model model, far_done_fn done, void *user);
void far_free(struct far *far);
const struct model *far_model(const struct far *far);

/* Takes an URB; it completes in here or in far_service(). */
void far_submit(struct far *far, struct far_urb *urb, uint64_t now_us);
/* Completes a pending URB with -ENOENT; false when it is not pending (any more). */
bool far_discard(struct far *far, struct far_urb *urb);
/* Lets all endpoints work; returns when to call again at the latest. */
uint64_t far_service(struct far *far, uint64_t now_us);
void far_clear_halt(struct far *far, uint8_t endpoint);
void far_reset(struct far *far);
/* The device leaves: pending URBs complete with -ESHUTDOWN. After far_plug() it is as after power-up. */
void far_unplug(struct far *far);
void far_plug(struct far *far);
bool far_gone(const struct far *far);

/* Paced: no byte moves before the pins had the time, in real time, for those before it; a host that streams stays ahead
 * of the device then, as it does of a real one. Else (the default) everything is done at once. */
void far_pace(struct far *far, bool paced);

/* Appends every bulk packet to a file: endpoint, size (2 bytes, LE), bytes; NULL: no more. 0 or -errno. */
int far_record(struct far *far, const char *path);

/* Restarts the numbers and sets what is to happen. */
void far_fault_set(struct far *far, struct far_fault fault);
/* Numbers so far, and whether the fault has happened. */
struct far_numbers {
	uint64_t urbs, packets;
	bool happened;
};
struct far_numbers far_numbers(const struct far *far);

#endif
