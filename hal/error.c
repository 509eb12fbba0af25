/* SPDX-License-Identifier: MIT */
/* The error sentence of the calling thread, and the names of statuses. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hal/hal.h"

#define SUBJECT_MOST 700 /* characters: what is wrong comes after it, and has room */

static _Thread_local char sentence[NM_SENTENCE];

static const char *const status_names[] = {
	"NMHAL_OK", "NMHAL_E_INVALID", "NMHAL_E_NO_DEVICE", "NMHAL_E_ACCESS", "NMHAL_E_BUSY", "NMHAL_E_TIMEOUT",
	"NMHAL_E_CANCELED", "NMHAL_E_UNSUPPORTED", "NMHAL_E_NO_MEMORY", "NMHAL_E_IO", "NMHAL_E_PROTOCOL",
	"NMHAL_E_VERIFY", "NMHAL_E_OVERRUN", "NMHAL_E_GONE", "NMHAL_E_STATE", "NMHAL_E_AGAIN", "NMHAL_E_VERSION",
	"NMHAL_E_LIMIT", "NMHAL_E_INTERLOCK", "NMHAL_E_INTERNAL",
};

uint32_t nmhal_version(void)
{
	return (uint32_t)NMHAL_API_VERSION_MAJOR << 16 | (uint32_t)NMHAL_API_VERSION_MINOR << 8 |
	       NMHAL_API_VERSION_PATCH;
}

const char *nmhal_status_name(int status)
{
	if (status > NMHAL_OK || status < NMHAL_E_INTERNAL)
		return "NMHAL_E_UNKNOWN";
	return status_names[-status];
}

const char *nmhal_last_error(void)
{
	return sentence;
}

void nm_sentence_keep(char kept[NM_SENTENCE])
{
	memcpy(kept, sentence, sizeof(sentence));
}

void nm_sentence_back(const char kept[NM_SENTENCE])
{
	memcpy(sentence, kept, sizeof(sentence));
}

void nm_one_line(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

void nm_list_add(char *text, size_t size, const char *item)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", item);
}

int nm_vfail(const char *subject, int status, const char *format, va_list args)
{
	/* The arguments may point into the sentence itself. */
	char text[sizeof sentence];
	size_t used = 0;

	if (subject && *subject) {
		const char *cut = strnlen(subject, SUBJECT_MOST + 1) > SUBJECT_MOST ? "..." : "";
		int length = snprintf(text, sizeof text, "%.*s%s: ", SUBJECT_MOST, subject, cut);

		used = length < 0 ? 0 : (size_t)length;
	}
	if (vsnprintf(text + used, sizeof text - used, format, args) < 0)
		text[used] = '\0';
	nm_one_line(text);
	memcpy(sentence, text, sizeof sentence);
	return status;
}

void nm_set_sentence(const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)nm_vfail(subject, NMHAL_OK, format, args);
	va_end(args);
}
