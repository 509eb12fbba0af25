/* SPDX-License-Identifier: MIT */
/* URIs: `scheme:[board][,key=value]...`, parsed and printed. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

struct pair {
	const char *key;
	const char *value;
};

struct nmhal_uri {
	char *text;  /* the caller's text, cut into strings and decoded in place */
	char *board; /* set by nm_uri_set_board(); NULL: as parsed */
	const char *scheme;
	const char *parsed_board;
	struct pair *pairs;
	size_t count;
};

/* A parse in progress: what is read, and where from. */
struct cursor {
	const char *whole; /* for sentences */
	char *start;
	char *next;
};

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_scheme_char(char c)
{
	return is_lower(c) || isdigit((unsigned char)c) || c == '+' || c == '-';
}

static bool is_name_char(char c)
{
	return is_lower(c) || isdigit((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static int fail_at(const struct cursor *cursor, const char *at, const char *expected)
{
	size_t character = (size_t)(at - cursor->start) + 1;

	if (*at == '\0')
		return nm_fail(
			cursor->whole, NMHAL_E_INVALID, "parse URI: ends at character %zu; %s", character, expected);
	if (is_control(*at))
		return nm_fail(cursor->whole, NMHAL_E_INVALID,
			"parse URI: character %zu is the control character 0x%02x; %s", character,
			(unsigned)(unsigned char)*at, expected);
	return nm_fail(
		cursor->whole, NMHAL_E_INVALID, "parse URI: character %zu is '%c'; %s", character, *at, expected);
}

static int parse_scheme(struct cursor *cursor, struct nmhal_uri *uri)
{
	char *end = cursor->start;

	if (!is_lower(*end))
		return fail_at(cursor, end, "a scheme starts with a-z, as in sim:tinyodin");
	while (is_scheme_char(*end))
		end++;
	if (*end != ':')
		return fail_at(cursor, end, "expected ':' after a scheme of a-z 0-9 + -, as in sim:tinyodin");
	*end = '\0';
	uri->scheme = cursor->start;
	cursor->next = end + 1;
	return NMHAL_OK;
}

/* "usb:serial=X" has its first key right after the colon, so the board is what has no '=' before the next comma. */
static int parse_board(struct cursor *cursor, struct nmhal_uri *uri)
{
	char *end = cursor->next;

	uri->parsed_board = "";
	while (is_name_char(*end))
		end++;
	if (*end == '=')
		return NMHAL_OK;
	if (*end != ',' && *end != '\0')
		return fail_at(cursor, end, "a board name is made of a-z 0-9 _ . -");
	uri->parsed_board = cursor->next;
	cursor->next = end;
	if (*end == ',') {
		*end = '\0';
		cursor->next = end + 1;
		if (!*cursor->next)
			return fail_at(cursor, cursor->next, "expected key=value after ','");
	}
	return NMHAL_OK;
}

static int parse_key(struct cursor *cursor, struct nmhal_uri *uri)
{
	struct pair *pair = &uri->pairs[uri->count];
	char *end = cursor->next;

	while (is_name_char(*end))
		end++;
	if (end == cursor->next)
		return fail_at(cursor, end, "expected a key made of a-z 0-9 _ . -");
	if (*end != '=')
		return fail_at(cursor, end, "expected '=' after the key");
	*end = '\0';
	for (size_t i = 0; i < uri->count; i++) {
		if (strcmp(uri->pairs[i].key, cursor->next) == 0)
			return nm_fail(cursor->whole, NMHAL_E_INVALID,
				"parse URI: character %zu: key '%s' is given twice",
				(size_t)(cursor->next - cursor->start) + 1, cursor->next);
	}
	pair->key = cursor->next;
	cursor->next = end + 1;
	return NMHAL_OK;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse_value(struct cursor *cursor, struct nmhal_uri *uri)
{
	char *from = cursor->next;
	char *to = from;
	bool more;

	uri->pairs[uri->count++].value = to;
	for (; *from && *from != ','; from++) {
		int high, low;

		if (is_control(*from))
			return fail_at(cursor, from, "write it as %XX");
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high == 0 && low == 0))
			return fail_at(cursor, from, "expected two hex digits after '%', not 00 (a '%' itself is %25)");
		*to++ = (char)(high * 16 + low);
		from += 2;
	}
	more = *from == ',';
	*to = '\0';
	cursor->next = more ? from + 1 : from;
	if (more && !*cursor->next)
		return fail_at(cursor, cursor->next, "expected key=value after ','");
	return NMHAL_OK;
}

static int parse(struct cursor *cursor, struct nmhal_uri *uri)
{
	int status = parse_scheme(cursor, uri);

	if (!status)
		status = parse_board(cursor, uri);
	while (!status && *cursor->next) {
		status = parse_key(cursor, uri);
		if (!status)
			status = parse_value(cursor, uri);
	}
	return status;
}

int nm_uri_parse(const char *text, struct nmhal_uri **out)
{
	struct cursor cursor = {.whole = text};
	struct nmhal_uri *uri;
	size_t pairs = 1;
	int status;

	*out = NULL;
	if (!*text)
		return nm_fail(NULL, NMHAL_E_INVALID, "parse URI: is empty; expected scheme:[board][,key=value]...");
	for (const char *comma = text; (comma = strchr(comma, ',')); comma++)
		pairs++;
	uri = calloc(1, sizeof *uri);
	if (!uri)
		return nm_no_memory(text, "parse URI");
	uri->text = strdup(text);
	uri->pairs = calloc(pairs, sizeof *uri->pairs);
	if (uri->text && uri->pairs) {
		cursor.start = uri->text;
		status = parse(&cursor, uri);
	} else {
		status = nm_no_memory(text, "parse URI");
	}
	if (status) {
		nm_uri_free(uri);
		return status;
	}
	*out = uri;
	return NMHAL_OK;
}

void nm_uri_free(struct nmhal_uri *uri)
{
	if (!uri)
		return;
	free(uri->pairs);
	free(uri->board);
	free(uri->text);
	free(uri);
}

static bool must_encode(char c)
{
	return is_control(c) || c == ' ' || c == ',' || c == '%';
}

static char *print_value(char *to, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *value; value++) {
		unsigned byte = (unsigned char)*value;

		if (must_encode(*value)) {
			*to++ = '%';
			*to++ = digits[byte >> 4];
			*to++ = digits[byte & 15];
		} else {
			*to++ = *value;
		}
	}
	return to;
}

char *nm_uri_print(const struct nmhal_uri *uri)
{
	const char *board = nmhal_uri_board(uri);
	size_t size = strlen(uri->scheme) + strlen(board) + 2;
	char *text, *to;

	for (size_t i = 0; i < uri->count; i++)
		size += strlen(uri->pairs[i].key) + 3 * strlen(uri->pairs[i].value) + 2;
	text = malloc(size);
	if (!text)
		return NULL;
	to = stpcpy(stpcpy(stpcpy(text, uri->scheme), ":"), board);
	for (size_t i = 0; i < uri->count; i++) {
		if (i || *board)
			*to++ = ',';
		to = stpcpy(stpcpy(to, uri->pairs[i].key), "=");
		to = print_value(to, uri->pairs[i].value);
	}
	*to = '\0';
	return text;
}

size_t nm_uri_key_count(const struct nmhal_uri *uri)
{
	return uri->count;
}

const char *nm_uri_key(const struct nmhal_uri *uri, size_t index)
{
	return index < uri->count ? uri->pairs[index].key : NULL;
}

int nm_uri_set_board(struct nmhal_uri *uri, const char *board)
{
	char *copy = strdup(board);

	if (!copy)
		return nm_no_memory(uri->scheme, "set board");
	free(uri->board);
	uri->board = copy;
	return NMHAL_OK;
}

const char *nmhal_uri_scheme(const struct nmhal_uri *uri)
{
	return uri->scheme;
}

const char *nmhal_uri_board(const struct nmhal_uri *uri)
{
	return uri->board ? uri->board : uri->parsed_board;
}

const char *nmhal_uri_value(const struct nmhal_uri *uri, const char *key)
{
	for (size_t i = 0; i < uri->count; i++) {
		if (strcmp(uri->pairs[i].key, key) == 0)
			return uri->pairs[i].value;
	}
	return NULL;
}

int nmhal_uri_number(struct nmhal_host *host, const struct nmhal_uri *uri, const char *key, uint64_t absent,
	uint64_t min, uint64_t max, uint64_t *value)
{
	const char *text = nmhal_uri_value(uri, key);
	unsigned long long number;
	bool hex;
	char *end;

	if (!text) {
		*value = absent;
		return NMHAL_OK;
	}
	/* strtoull alone would take signs, spaces and octal. */
	hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && isxdigit((unsigned char)text[2]);
	errno = 0;
	number = strtoull(text, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)*text) || *end || errno)
		return nmhal_host_fail(
			host, NMHAL_E_INVALID, "open: %s=%s: is not a number (decimal or 0x...)", key, text);
	if (number < min || number > max)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: %s=%s: is outside %llu..%llu", key, text,
			(unsigned long long)min, (unsigned long long)max);
	*value = number;
	return NMHAL_OK;
}
