/* SPDX-License-Identifier: MIT */
/*
 * The wrapper "fault": which operation meets which fault. All chance is a function of the seed, the number of the
 * operation and the count of draws in it, so the same seed and the same calls give the same faults.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fault.h"

#define RATE_ONE    1000000000u /* rates are counted in 1e-9 */
#define RATE_DIGITS 9
#define DELAY_MS    20u
#define MS_NS       INT64_C(1000000)
#define WITH_SEED   " (fault_seed=%" PRIu64 ")"

static const char *const kind_names[FAULT_KINDS] = {
	[FAULT_DROP] = "drop", [FAULT_DUP] = "dup", [FAULT_FLIP] = "flip", [FAULT_SHORT] = "short",
	[FAULT_SPLIT] = "split", [FAULT_REORDER] = "reorder", [FAULT_DELAY] = "delay", [FAULT_TIMEOUT] = "timeout",
	[FAULT_IO] = "io", [FAULT_GONE] = "gone",
};

/* ---- the key ----------------------------------------------------------------------------------------------------- */

/* The clause being read; text ends at `end`. */
struct cursor {
	struct nmhal_host *host;
	const char *value; /* of the key, for sentences */
	const char *next, *end;
};

static int parse_kind(struct cursor *cursor, unsigned kinds, const char *link, enum fault_kind *out)
{
	size_t length = strcspn(cursor->next, ":@+");
	char known[128] = "";
	size_t used = 0;

	for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
		const char *name = kind_names[kind];

		if (!(kinds & FAULT_BIT(kind)))
			continue;
		if (strlen(name) == length && !strncmp(name, cursor->next, length)) {
			*out = (enum fault_kind)kind;
			cursor->next += length;
			return NMHAL_OK;
		}
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", name);
	}
	return nmhal_host_fail(cursor->host, NMHAL_E_INVALID, "open: fault=%s: a %s has no kind '%.*s'; known: %s",
		cursor->value, link, (int)length, cursor->next, known);
}

/* Reads digits; false if there is none or more than `most`. */
static bool parse_digits(struct cursor *cursor, unsigned most, uint64_t *number, unsigned *digits)
{
	*number = 0;
	for (*digits = 0; cursor->next < cursor->end && *cursor->next >= '0' && *cursor->next <= '9'; cursor->next++) {
		*number = 10 * *number + (uint64_t)(*cursor->next - '0');
		if (++*digits > most)
			return false;
	}
	return *digits > 0;
}

/* 0, 1 or 0.DIGITS; no strtod(), whose point depends on the locale. */
static bool parse_rate(struct cursor *cursor, uint32_t *rate)
{
	uint64_t whole, part = 0;
	unsigned digits = 0;

	if (!parse_digits(cursor, RATE_DIGITS, &whole, &digits) || whole > 1)
		return false;
	digits = 0;
	if (cursor->next < cursor->end && *cursor->next == '.') {
		cursor->next++;
		if (!parse_digits(cursor, RATE_DIGITS, &part, &digits))
			return false;
	}
	for (; digits < RATE_DIGITS; digits++)
		part *= 10;
	*rate = (uint32_t)(whole * RATE_ONE + part);
	return cursor->next == cursor->end && *rate <= RATE_ONE;
}

static bool parse_operation(struct cursor *cursor, uint64_t *at)
{
	unsigned digits;

	return parse_digits(cursor, 18, at, &digits) && *at && cursor->next == cursor->end;
}

static int parse_clause(struct cursor *cursor, unsigned kinds, const char *link, struct fault_clause *clause)
{
	const char *text = cursor->next;
	int length = (int)(cursor->end - text);
	int status = parse_kind(cursor, kinds, link, &clause->kind);
	char sign = *cursor->next;

	if (status != NMHAL_OK)
		return status;
	cursor->next += cursor->next < cursor->end;
	if (sign == ':' && parse_rate(cursor, &clause->rate))
		return NMHAL_OK;
	if (sign == '@' && parse_operation(cursor, &clause->at))
		return NMHAL_OK;
	return nmhal_host_fail(cursor->host, NMHAL_E_INVALID,
		"open: fault=%s: '%.*s' is neither KIND:RATE with a rate of 0 to 1 nor KIND@N with a number from 1",
		cursor->value, length, text);
}

int fault_parse(struct nmhal_host *host, const struct nmhal_uri *uri, unsigned kinds, const char *link,
	struct fault *fault)
{
	const char *value = nmhal_uri_value(uri, "fault");
	struct cursor cursor = {host, value, value, value};
	int status;

	*fault = (struct fault){.host = host};
	status = nmhal_uri_number(host, uri, "fault_seed", 1, 0, UINT64_MAX, &fault->seed);
	while (status == NMHAL_OK) {
		if (fault->count == FAULT_CLAUSES)
			return nmhal_host_fail(host, NMHAL_E_INVALID, "open: fault=%s: more than %u faults", value,
				FAULT_CLAUSES);
		cursor.end = cursor.next + strcspn(cursor.next, "+");
		status = parse_clause(&cursor, kinds, link, &fault->clauses[fault->count++]);
		if (!*cursor.end)
			break;
		cursor.next = cursor.end + 1;
	}
	return status;
}

/* ---- chance ------------------------------------------------------------------------------------------------------ */

/* One step of SplitMix64. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9E3779B97F4A7C15);
	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

/* 32 bits. */
static uint64_t draw(struct fault *fault)
{
	return mix(mix(mix(fault->seed) + fault->operations) + fault->draws++) >> 32;
}

size_t fault_draw(struct fault *fault, size_t n)
{
	return (size_t)(draw(fault) * n >> 32);
}

uint64_t fault_draw_bit(struct fault *fault, uint64_t value, unsigned least)
{
	unsigned bits = least;

	while (bits < 64 && value >> bits)
		bits++;
	return UINT64_C(1) << fault_draw(fault, bits);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* "spi of 12 frames" */
static void print_op(const struct fault_op *op, char *text, size_t size)
{
	if (op->unit)
		snprintf(text, size, "%s of %zu %s", op->name, op->count, op->unit);
	else
		snprintf(text, size, "%s", op->name);
}

void fault_tell(struct fault *fault, const struct fault_op *op, const char *format, ...)
{
	char what[64], did[96];
	va_list args;

	va_start(args, format);
	vsnprintf(did, sizeof(did), format, args);
	va_end(args);
	print_op(op, what, sizeof(what));
	fault->injected++;
	nmhal_host_log(fault->host, NMHAL_LOG_INFO, "%s: injected fault: %s at operation %" PRIu64 WITH_SEED, what,
		did, fault->operations, fault->seed);
}

int fault_fail(struct fault *fault, const struct fault_op *op, int status, const char *kind)
{
	char what[64];

	fault_tell(fault, op, "%s", kind);
	print_op(op, what, sizeof(what));
	return nmhal_host_fail(fault->host, status, "%s: injected fault: %s at operation %" PRIu64 WITH_SEED, what,
		kind, fault->operations, fault->seed);
}

void fault_end(const struct fault *fault)
{
	nmhal_host_log(fault->host, NMHAL_LOG_INFO, "%" PRIu64 " faults injected in %" PRIu64 " operations" WITH_SEED,
		fault->injected, fault->operations, fault->seed);
}

/* Waits; OK when that was until_ns, else TIMEOUT or CANCELED. */
static int wait_until(struct fault *fault, const struct fault_op *op, int64_t until_ns)
{
	int status = nmhal_host_poll(fault->host, op->deadline_ns, op->name);

	while (status == NMHAL_OK && nmhal_now_ns() < until_ns) {
		const struct timespec slice = {0, MS_NS};

		nanosleep(&slice, NULL);
		status = nmhal_host_poll(fault->host, op->deadline_ns, op->name);
	}
	return status;
}

static int hang(struct fault *fault, const struct fault_op *op)
{
	int status = wait_until(fault, op, NMHAL_NEVER);

	return status == NMHAL_E_TIMEOUT ? fault_fail(fault, op, status, "timeout") : status;
}

static int delay(struct fault *fault, const struct fault_op *op)
{
	size_t ms = 1 + fault_draw(fault, DELAY_MS);

	fault_tell(fault, op, "delay of %zu ms", ms);
	return wait_until(fault, op, nmhal_now_ns() + (int64_t)ms * MS_NS);
}

/* The first clause that wants this operation. */
static enum fault_kind choose(struct fault *fault, unsigned kinds)
{
	for (size_t n = 0; n < fault->count; n++) {
		const struct fault_clause *clause = &fault->clauses[n];
		uint64_t chance = clause->at ? 0 : draw(fault) * RATE_ONE >> 32;
		bool hit = clause->at ? clause->at == fault->operations : chance < clause->rate;

		if (hit && kinds & FAULT_BIT(clause->kind))
			return clause->kind;
	}
	return FAULT_NONE;
}

int fault_begin(struct fault *fault, const struct fault_op *op, enum fault_kind *kind)
{
	*kind = FAULT_NONE;
	if (fault->gone)
		return nmhal_host_fail(fault->host, NMHAL_E_GONE,
			"%s: injected fault: gone since operation %" PRIu64 WITH_SEED, op->name, fault->gone,
			fault->seed);
	fault->operations++;
	fault->draws = 0;
	*kind = choose(fault, op->kinds);
	switch (*kind) {
	case FAULT_DELAY:
		return delay(fault, op);
	case FAULT_TIMEOUT:
		return hang(fault, op);
	case FAULT_GONE:
		fault->gone = fault->operations;
		return fault_fail(fault, op, NMHAL_E_GONE, "gone");
	default:
		return NMHAL_OK;
	}
}

/* ---- the part ---------------------------------------------------------------------------------------------------- */

static int fault_wrap(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	(void)deadline_ns;
	return bus->ops ? fault_wrap_bus(host, uri, bus) : fault_wrap_stream(host, uri, stream);
}

static const struct nmhal_key fault_keys[] = {
	{"fault", "KIND:RATE or KIND@N, joined by +: faults in operations, at a rate of 0 to 1 or in the Nth one"},
	{"fault_seed", "number that all chance comes from (default 1)"},
	{NULL, NULL},
};

extern const struct nmhal_wrapper nm_wrapper_fault;
const struct nmhal_wrapper nm_wrapper_fault = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_wrapper),
	.name = "fault",
	.summary = "faults on the way to any board",
	.keys = fault_keys,
	.wrap = fault_wrap,
};
