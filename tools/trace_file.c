/* SPDX-License-Identifier: MIT */
/* Reads and checks the lines of a trace file. */
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#define MAX_LINE_BYTES (UINT32_C(1) << 30)

struct trace_file {
	gzFile gz; /* zlib reads plain files too */
	const char *path;
	unsigned line;
	char *text;
	size_t capacity;
};

int trace_open(const struct probe *p, const char *path, struct trace_file **file)
{
	struct stat st;
	*file = calloc(1, sizeof(**file));
	if (*file == NULL)
		return probe_no_memory(p);
	(*file)->path = path;
	errno = 0;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else
		(*file)->gz = gzopen(path, "rb");
	if ((*file)->gz != NULL)
		return PROBE_OK;
	int status = errno == EACCES || errno == EPERM ? NMHAL_E_ACCESS : NMHAL_E_IO;
	trace_close(*file);
	*file = NULL;
	return probe_fail(p, status, "%s: read: %s", path, strerror(errno));
}

void trace_close(struct trace_file *file)
{
	if (file == NULL)
		return;
	int error = errno;
	if (file->gz != NULL)
		gzclose(file->gz);
	free(file->text);
	free(file);
	errno = error;
}

void trace_episode_free(struct trace_episode *episode)
{
	if (episode == NULL)
		return;
	free(episode->in);
	free(episode->out);
	free(episode);
}

/* Reads a line without its newline, ended by a zero; *end at the end of the file. */
static int read_line(const struct probe *p, struct trace_file *file, size_t *length, bool *end)
{
	int error = Z_OK, byte;

	*length = 0;
	do {
		if (*length == file->capacity) {
			size_t larger = file->capacity > 0 ? file->capacity * 2 : 65536;
			char *text = larger <= MAX_LINE_BYTES ? realloc(file->text, larger) : NULL;
			if (text == NULL)
				return probe_no_memory(p);
			file->text = text;
			file->capacity = larger;
		}
		byte = gzgetc(file->gz);
		file->text[(*length)++] = (char)(byte < 0 || byte == '\n' ? '\0' : byte);
	} while (byte >= 0 && byte != '\n');
	(*length)--;
	*end = byte < 0 && *length == 0;
	const char *why = gzerror(file->gz, &error);
	if (error != Z_OK && error != Z_STREAM_END)
		return probe_fail(p, error == Z_ERRNO ? NMHAL_E_IO : NMHAL_E_PROTOCOL, "%s:%u: read: %s", file->path,
			file->line + 1, error == Z_ERRNO ? strerror(errno) : why);
	file->line++;
	return PROBE_OK;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

static bool hex_number(const json_t *item, size_t digits, uint64_t *value)
{
	const char *text = json_string_value(item);

	if (text == NULL || strlen(text) != digits || strspn(text, "0123456789abcdefABCDEF") != digits)
		return false;
	*value = strtoull(text, NULL, 16);
	return true;
}

static int damaged(char *why, size_t size, const char *format, ...) PROBE_PRINTF(3, 4);

static int damaged(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return NMHAL_E_PROTOCOL;
}

static int read_spi(const json_t *list, struct trace_episode *episode, char *why, size_t size)
{
	uint64_t frame;

	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!hex_number(json_array_get(list, i), 10, &frame))
			return damaged(why, size, "spi[%zu] is not 10 hexadecimal digits", i);
		int status = trace_frame(&episode->chip, frame, why, size);
		if (status != NMHAL_OK)
			return status;
	}
	const char *unready = trace_unready(&episode->chip);
	if (unready == NULL)
		return NMHAL_OK;
	snprintf(why, size, "%s", unready);
	return NMHAL_E_UNSUPPORTED;
}

static int read_inputs(const json_t *list, struct trace_episode *episode, char *why, size_t size)
{
	uint64_t address;

	episode->in_count = json_array_size(list);
	episode->in = calloc(episode->in_count + 1, sizeof(*episode->in));
	if (episode->in == NULL)
		return NMHAL_E_NO_MEMORY;
	for (size_t i = 0; i < episode->in_count; i++) {
		if (!hex_number(json_array_get(list, i), 3, &address) || address > 0x3ff)
			return damaged(why, size, "aer_in[%zu] is not a 10-bit number of 3 hexadecimal digits", i);
		episode->in[i] = trace_event((uint32_t)address, i);
	}
	return NMHAL_OK;
}

static int read_outputs(const json_t *list, struct trace_episode *episode, char *why, size_t size)
{
	uint8_t kind = episode->chip.output_source ? NMHAL_EVENT_PROCESSED : NMHAL_EVENT_SPIKE;
	size_t count = 0;

	if (json_array_size(list) != episode->in_count)
		return damaged(why, size, "aer_out has %zu entries for %zu input events", json_array_size(list),
			episode->in_count);
	for (size_t i = 0; i < episode->in_count; i++) {
		if (!json_is_array(json_array_get(list, i)))
			return damaged(why, size, "aer_out[%zu] is not a list", i);
		count += json_array_size(json_array_get(list, i));
	}
	episode->out = calloc(count + 1, sizeof(*episode->out));
	if (episode->out == NULL)
		return NMHAL_E_NO_MEMORY;
	for (size_t i = 0; i < episode->in_count; i++) {
		const json_t *outputs = json_array_get(list, i);
		for (size_t k = 0; k < json_array_size(outputs); k++) {
			const json_t *item = json_array_get(outputs, k);
			json_int_t address = json_integer_value(item);
			if (!json_is_integer(item) || address < 0 || address > 255)
				return damaged(why, size, "aer_out[%zu][%zu] is not a number 0..255", i, k);
			episode->out[episode->out_count++] =
				(struct nmhal_event){.step = i, .address = (uint32_t)address, .kind = kind};
		}
	}
	return NMHAL_OK;
}

static int read_final(const json_t *list, struct trace_episode *episode, char *why, size_t size)
{
	uint64_t word;

	if (json_array_size(list) != TRACE_NEURONS)
		return damaged(why, size, "final_neurons has %zu entries, not %u", json_array_size(list),
			TRACE_NEURONS);
	for (size_t i = 0; i < TRACE_NEURONS; i++) {
		if (!hex_number(json_array_get(list, i), 8, &word))
			return damaged(why, size, "final_neurons[%zu] is not 8 hexadecimal digits", i);
		episode->final[i] = (uint32_t)word;
	}
	return NMHAL_OK;
}

static int read_episode(const json_t *object, struct trace_episode *episode, char *why, size_t size)
{
	static const char *const lists[] = {"spi", "aer_in", "aer_out", "final_neurons"};
	const char *mode = json_string_value(json_object_get(object, "mode"));
	const json_t *id = json_object_get(object, "id");

	if (json_is_integer(id))
		snprintf(episode->id, sizeof(episode->id), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
	else
		snprintf(episode->id, sizeof(episode->id), "%s", json_is_string(id) ? json_string_value(id) : "?");
	if (mode == NULL)
		return damaged(why, size, "not a trace: it has no mode");
	if (strcmp(mode, "idle") != 0) {
		snprintf(why, size, "mode %.20s cannot be replayed through the library, only mode idle can", mode);
		return NMHAL_E_UNSUPPORTED;
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!json_is_array(json_object_get(object, lists[i])))
			return damaged(why, size, "the list %s is missing", lists[i]);
	int status = read_spi(json_object_get(object, "spi"), episode, why, size);
	if (status == NMHAL_OK)
		status = read_inputs(json_object_get(object, "aer_in"), episode, why, size);
	if (status == NMHAL_OK)
		status = read_outputs(json_object_get(object, "aer_out"), episode, why, size);
	if (status == NMHAL_OK)
		status = read_final(json_object_get(object, "final_neurons"), episode, why, size);
	return status;
}

static int parse_line(const struct probe *p, const struct trace_file *file, size_t length, struct trace_episode **out)
{
	json_error_t error;
	char why[256] = "out of memory";
	struct trace_episode *episode = calloc(1, sizeof(*episode));

	if (episode == NULL)
		return probe_no_memory(p);
	json_t *object = json_loadb(file->text, length, JSON_REJECT_DUPLICATES, &error);
	int status = NMHAL_E_PROTOCOL;
	if (object == NULL)
		snprintf(why, sizeof(why), "damaged line: %s", error.text);
	else
		status = read_episode(object, episode, why, sizeof(why));
	json_decref(object);
	if (status == NMHAL_OK) {
		*out = episode;
		return PROBE_OK;
	}
	int code = episode->id[0] != '\0'
		? probe_fail(p, status, "%s:%u: episode %s: %s", file->path, file->line, episode->id, why)
		: probe_fail(p, status, "%s:%u: %s", file->path, file->line, why);
	trace_episode_free(episode);
	return code;
}

int trace_next(const struct probe *p, struct trace_file *file, struct trace_episode **episode)
{
	size_t length;
	bool end = false;

	*episode = NULL;
	for (;;) {
		int code = read_line(p, file, &length, &end);
		if (code != PROBE_OK || end)
			return code;
		if (strspn(file->text, " \t\r\n") != length)
			return parse_line(p, file, length, episode);
	}
}
