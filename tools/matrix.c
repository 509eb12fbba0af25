/* SPDX-License-Identifier: MIT */
#include "matrix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool matrix_name(const char *path)
{
	return has_suffix(path, ".npy") || has_suffix(path, ".csv");
}

/* Numbers of one line, at most `room`; how many there are, or -1 when one is none. */
static int64_t parse_line(char *line, int32_t *codes, size_t room)
{
	size_t count = 0;

	for (char *part; (part = strsep(&line, ",")) != NULL; count++) {
		int64_t number;
		char *at = part + strspn(part, " \t");
		at[strcspn(at, " \t\r")] = '\0';
		if (!parse_number(at, INT32_MIN, INT32_MAX, &number))
			return -1;
		if (count < room)
			codes[count] = (int32_t)number;
	}
	return (int64_t)count;
}

static size_t count_char(const char *text, char wanted)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == wanted;
	return count;
}

/* There are at most as many numbers as commas and ends of lines. */
static int parse_csv(const struct probe *p, const char *path, char *text, struct npy_matrix *matrix)
{
	size_t room = count_char(text, ',') + count_char(text, '\n') + 1, used = 0;
	unsigned number = 0;

	matrix->codes = calloc(room, sizeof(*matrix->codes));
	if (matrix->codes == NULL)
		return probe_no_memory(p);
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		number++;
		if (line[strspn(line, " \t\r")] == '\0')
			continue;
		int64_t count = parse_line(line, matrix->codes + used, room - used);
		if (count < 0)
			return probe_fail(p, NMHAL_E_INVALID, "%s:%u: numbers between commas expected", path, number);
		if (matrix->rows > 0 && count != matrix->cols)
			return probe_fail(p, NMHAL_E_INVALID, "%s:%u: %" PRId64 " numbers, the lines before have %u",
				path, number, count, matrix->cols);
		matrix->cols = (uint32_t)count;
		matrix->rows++;
		used += (size_t)count;
	}
	return matrix->rows > 0 ? PROBE_OK : probe_fail(p, NMHAL_E_INVALID, "%s: holds no numbers", path);
}

int matrix_load(const struct probe *p, const char *path, struct npy_matrix *matrix)
{
	size_t size = 0;
	char why[160];
	int code;
	char *data = load_file(p, path, &size, &code);

	*matrix = (struct npy_matrix){0};
	if (data == NULL)
		return code;
	if (has_suffix(path, ".npy") || (size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0))
		code = npy_parse(data, size, matrix, why, sizeof(why)) == 0 ? PROBE_OK :
			probe_fail(p, NMHAL_E_PROTOCOL, "%s: read: %s", path, why);
	else
		code = parse_csv(p, path, data, matrix);
	free(data);
	return code;
}

void matrix_print(FILE *stream, const int32_t *codes, uint32_t rows, uint32_t cols)
{
	for (uint32_t row = 0; row < rows; row++)
		for (uint32_t col = 0; col < cols; col++)
			fprintf(stream, "%" PRId32 "%c", codes[(size_t)row * cols + col], col + 1 < cols ? ',' : '\n');
}

static int write_csv(const char *path, const int32_t *codes, uint32_t rows, uint32_t cols)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return errno;
	matrix_print(file, codes, rows, cols);
	errno = 0;
	bool bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad)
		return errno != 0 ? errno : EIO;
	return 0;
}

int matrix_save(const struct probe *p, const char *path, const int32_t *codes, uint32_t rows, uint32_t cols)
{
	int error = has_suffix(path, ".csv") ? write_csv(path, codes, rows, cols) : npy_write(path, codes, rows, cols);

	return error == 0 ? PROBE_OK : probe_fail(p, NMHAL_E_IO, "%s: write: %s", path, strerror(error));
}

json_t *matrix_json(const int32_t *codes, uint32_t rows, uint32_t cols)
{
	json_t *matrix = json_array();

	for (uint32_t row = 0; row < rows; row++) {
		json_t *line = json_array();
		for (uint32_t col = 0; col < cols; col++)
			json_array_append_new(line, json_integer(codes[(size_t)row * cols + col]));
		json_array_append_new(matrix, line);
	}
	return matrix;
}
