/* SPDX-License-Identifier: MIT */
/* What the files of drivers/record/ share: a trace that is being written. */
#ifndef RECORD_H
#define RECORD_H

#include "trace.h"

struct recorder {
	struct nmhal_host *host;
	const char *path; /* of the URI */
	int fd;
	int broken;       /* what the operation returned whose record was lost; nothing more is written. OK: none was */
	uint64_t size;    /* bytes of whole records */
	struct nmtrace_buffer buffer;
};

/* Begins a trace with the header in its buffer: FILE is replaced at once, when the header is written. */
int recorder_open(struct recorder *recorder, struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus_info *bus, const struct nmhal_stream_info *stream);
/* Writes the record that is in the buffer. Returns status, or if that is OK and the record is lost, IO or NO_MEMORY. */
int recorder_put(struct recorder *recorder, int status);
/* Writes the last record and closes the file. */
void recorder_close(struct recorder *recorder);
/* The thread's sentence without the URI it begins with; "" for OK. Valid until the next failure. */
const char *recorder_text(const struct recorder *recorder, int status);

/* bus.c and stream.c: put a recorder before what is open. */
int record_wrap_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_bus *bus);
int record_wrap_stream(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_stream *stream);

#endif
