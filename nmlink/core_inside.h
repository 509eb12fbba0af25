/* SPDX-License-Identifier: MIT */
/* What the files of the board-side core share. Not for firmware. */
#ifndef NMLINK_CORE_INSIDE_H
#define NMLINK_CORE_INSIDE_H

#include "core.h"

/* Of the C library or of the firmware; not every freestanding toolchain has <string.h>. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);

/* A request that is being executed: payload is whole and has its fixed fields. */
struct nmlink_job {
	uint16_t op;
	const uint8_t *payload;
	uint32_t size;
	uint8_t *reply;      /* [room] */
	uint32_t room;       /* payload of the largest frame */
	uint32_t reply_size; /* 0 at first */
};

/* Executes a request; on NMLINK_OK job->reply_size bytes of payload are in job->reply. */
typedef enum nmlink_status (*nmlink_handler)(struct nmlink_core *core, struct nmlink_job *job);

/* nmlink_do_write() and so on, one for every request of the table. */
#define NMLINK_DO_REQUEST(name) enum nmlink_status nmlink_do_##name(struct nmlink_core *core, struct nmlink_job *job);
#define NMLINK_DO_LINK(name)    NMLINK_DO_REQUEST(name)
#define NMLINK_DO_READ(name)    NMLINK_DO_REQUEST(name)
#define NMLINK_DO_STATE(name)   NMLINK_DO_REQUEST(name)
#define NMLINK_DO_EVENT(name)
#define NMLINK_DO(name, NAME, code, class, text) NMLINK_DO_##class(name)
NMLINK_MESSAGES(NMLINK_DO)

/* core_caps.c: does the board have this opcode; the records; are the description and the memory sound. */
bool nmlink_has_op(const struct nmlink_board *board, uint16_t op);
bool nmlink_has_vendor_op(const struct nmlink_board *board, uint16_t op);
void nmlink_measure_caps(struct nmlink_core *core);
bool nmlink_sound(const struct nmlink_board *board, const struct nmlink_memory *memory);

/* core_weights.c: the rectangle at the head of a payload; codes at `offset` of the payload, each of `bytes`. */
enum nmlink_status nmlink_check_rectangle(struct nmlink_core *core, const struct nmlink_job *job, struct nmlink_rectangle *r);
enum nmlink_status nmlink_check_codes(struct nmlink_core *core, const struct nmlink_job *job, uint32_t offset, uint32_t count, int32_t min, int32_t max, uint8_t bytes);
/* Sets the size of a reply of count * each bytes; ELEN when it does not fit a frame. */
enum nmlink_status nmlink_reply_array(struct nmlink_core *core, struct nmlink_job *job, uint32_t count, uint32_t each);

/* core_safety.c */
void nmlink_disarm(struct nmlink_core *core);
/* |uv|, at most UINT32_MAX. */
uint32_t nmlink_magnitude(int64_t uv);
/*
 * May |uv| be applied for width_ns, `pulses` times? at_uv and at_width: where the payload says so. ELIMIT, ERANGE,
 * EINTERLOCK, EARM.
 */
struct nmlink_drive_check {
	uint32_t uv, width_ns, pulses;
	uint32_t at_uv, at_width, at_pulses;
};
enum nmlink_status nmlink_check_drive(struct nmlink_core *core, const struct nmlink_drive_check *c);
/* May a conductance be read? ELIMIT. */
enum nmlink_status nmlink_check_read_level(struct nmlink_core *core);

/* core_spikes.c */
void nmlink_end_run(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total);

/*
 * core.c: around callbacks that may take long; again: for what was executed before. After nmlink_work_ends() == false
 * the session is over: there is nobody to answer.
 */
void nmlink_work_begins(struct nmlink_core *core, bool again);
bool nmlink_work_ends(struct nmlink_core *core);
/* Lets the firmware look at its receiver; EABORTED when the running request was ended. */
enum nmlink_status nmlink_breathe(struct nmlink_core *core);

#endif
