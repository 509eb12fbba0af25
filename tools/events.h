/* SPDX-License-Identifier: MIT */
/* Events as CSV: `step,kind,core,address,value`, the names of the API, one event a line. */
#ifndef PROBE_EVENTS_H
#define PROBE_EVENTS_H

#include "common.h"

struct event_list {
	struct nmhal_event *events;
	uint32_t *lines; /* line of the file each event came from */
	size_t count;
};

/* Reads events from path ("-": stdin); sorted by step or refused. PROBE_OK or the exit code after a message. */
int events_load(const struct probe *p, const char *path, struct event_list *list);
void events_free(struct event_list *list);
/* Refuses, naming the line, what the open device cannot take in a run of `steps` steps (0: any). */
int events_check(const struct probe *p, const char *path, const struct event_list *list, uint64_t steps);

const char *event_kind_name(uint8_t kind);
void events_print_header(FILE *stream);
void events_print(FILE *stream, const struct nmhal_event *events, size_t count);
json_t *event_json(const struct nmhal_event *event);

#endif
