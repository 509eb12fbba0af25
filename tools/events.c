/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <stdlib.h>
#include <string.h>

static const char header[] = "step,kind,core,address,value";
static const char *const kinds[] = {"spike", "virtual", "leak_all", "leak_one", "processed"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *event_kind_name(uint8_t kind)
{
	return kind < KINDS ? kinds[kind] : "unknown";
}

void events_print_header(FILE *stream)
{
	fprintf(stream, "%s\n", header);
}

void events_print(FILE *stream, const struct nmhal_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "%" PRIu64 ",%s,%u,%" PRIu32 ",%d\n", events[i].step, event_kind_name(events[i].kind),
			events[i].core, events[i].address, events[i].value);
}

json_t *event_json(const struct nmhal_event *event)
{
	return json_pack("{sI ss si sI si}", "step", (json_int_t)event->step, "kind", event_kind_name(event->kind),
		"core", (int)event->core, "address", (json_int_t)event->address, "value", (int)event->value);
}

void events_free(struct event_list *list)
{
	free(list->events);
	free(list->lines);
	*list = (struct event_list){0};
}

/* Returns NULL, or what is wrong with the line. Changes the text. */
static const char *parse_line(char *line, struct nmhal_event *event)
{
	char *fields[5];
	int64_t step, core, address, value;
	size_t count = 0;

	for (char *part; (part = strsep(&line, ",")) != NULL;) {
		if (count == 5)
			return "more than 5 fields";
		fields[count++] = part;
	}
	if (count != 5)
		return "fewer than 5 fields";
	uint8_t kind = 0;
	while (kind < KINDS && strcmp(fields[1], kinds[kind]) != 0)
		kind++;
	if (kind == KINDS)
		return "the kind is not spike, virtual, leak_all or leak_one";
	if (kind == NMHAL_EVENT_PROCESSED)
		return "kind processed is an output";
	if (!parse_number(fields[0], 0, INT64_MAX - 1, &step))
		return "the step is not a number";
	if (!parse_number(fields[2], 0, UINT16_MAX, &core))
		return "the core is not a number 0..65535";
	if (!parse_number(fields[3], 0, UINT32_MAX, &address))
		return "the address is not a number";
	if (!parse_number(fields[4], INT8_MIN, INT8_MAX, &value))
		return "the value is not a number -128..127";
	*event = (struct nmhal_event){.step = (uint64_t)step, .address = (uint32_t)address, .core = (uint16_t)core,
		.kind = kind, .value = (int8_t)value};
	return NULL;
}

static bool grow(struct event_list *list, size_t *capacity)
{
	if (list->count < *capacity)
		return true;
	size_t larger = *capacity > 0 ? *capacity * 2 : 1024;
	struct nmhal_event *events = reallocarray(list->events, larger, sizeof(*events));
	if (events != NULL)
		list->events = events;
	uint32_t *lines = reallocarray(list->lines, larger, sizeof(*lines));
	if (lines != NULL)
		list->lines = lines;
	*capacity = larger;
	return events != NULL && lines != NULL;
}

static int parse_text(const struct probe *p, const char *path, char *text, struct event_list *list)
{
	size_t capacity = 0;
	uint32_t number = 0;

	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		size_t length = strlen(line);
		number++;
		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		if (number == 1) {
			if (strcmp(line, header) != 0)
				return probe_fail(p, NMHAL_E_INVALID, "%s:1: the first line must be %s", path, header);
			continue;
		}
		if (line[0] == '\0')
			continue;
		if (!grow(list, &capacity))
			return probe_no_memory(p);
		const char *wrong = parse_line(line, &list->events[list->count]);
		if (wrong == NULL && list->count > 0 &&
			list->events[list->count].step < list->events[list->count - 1].step)
			wrong = "the step is smaller than that of the event before; events must be sorted by step";
		if (wrong != NULL)
			return probe_fail(p, NMHAL_E_INVALID, "%s:%u: %s", path, number, wrong);
		list->lines[list->count++] = number;
	}
	return PROBE_OK;
}

int events_load(const struct probe *p, const char *path, struct event_list *list)
{
	size_t size;
	int code;
	char *text = load_file(p, path, &size, &code);

	if (text == NULL)
		return code;
	if (strlen(text) != size)
		code = probe_fail(p, NMHAL_E_INVALID, "%s: not a text file: it holds a zero byte", path);
	else
		code = parse_text(p, path, text, list);
	free(text);
	if (code != PROBE_OK)
		events_free(list);
	return code;
}

/* Empty, or what the device cannot take. */
static void check_one(const struct nmhal_device_caps *caps, const struct nmhal_event *event, char *why, size_t size)
{
	bool leak = event->kind == NMHAL_EVENT_LEAK_ALL || event->kind == NMHAL_EVENT_LEAK_ONE;
	uint32_t highest = caps->rows - 1;

	why[0] = '\0';
	if (event->kind == NMHAL_EVENT_VIRTUAL)
		highest = caps->virtual_address_max;
	else if (event->kind == NMHAL_EVENT_LEAK_ONE)
		highest = caps->leak_one_address_max;
	else if (event->kind == NMHAL_EVENT_LEAK_ALL)
		highest = 0;
	if ((leak && !(caps->features & NMHAL_CAN_LEAK_EVENTS))
			|| (event->kind == NMHAL_EVENT_VIRTUAL && !(caps->features & NMHAL_CAN_VIRTUAL_EVENTS)))
		snprintf(why, size, "the %s has no %s events", caps->board, event_kind_name(event->kind));
	else if (event->core >= caps->cores)
		snprintf(why, size, "core %u is outside 0..%u", event->core, caps->cores - 1);
	else if (event->address > highest)
		snprintf(why, size, "address %u of a %s event is outside 0..%u", event->address,
			event_kind_name(event->kind), highest);
	else if (event->kind != NMHAL_EVENT_VIRTUAL && event->value != 0)
		snprintf(why, size, "value %d: only a virtual event has one, others have 0", event->value);
	else if (event->kind == NMHAL_EVENT_VIRTUAL &&
		 (event->value < caps->virtual_min || event->value > caps->virtual_max))
		snprintf(why, size, "value %d is outside %d..%d", event->value, caps->virtual_min, caps->virtual_max);
}

int events_check(const struct probe *p, const char *path, const struct event_list *list, uint64_t steps)
{
	char why[128];

	for (size_t i = 0; i < list->count; i++) {
		check_one(&p->caps, &list->events[i], why, sizeof(why));
		if (why[0] == '\0' && steps > 0 && list->events[i].step >= steps)
			snprintf(why, sizeof(why), "step %" PRIu64 " is outside a run of %" PRIu64 " steps",
				list->events[i].step, steps);
		if (why[0] != '\0')
			return probe_fail(p, NMHAL_E_INVALID, "%s:%u: %s", path, list->lines[i], why);
	}
	return PROBE_OK;
}
