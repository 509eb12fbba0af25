/* SPDX-License-Identifier: MIT */
/*
 * URIs, and the values of keys that have a language of their own: numbers, fault=, and what boards of the emulator
 * take. A URI that is taken is printed, and the print is a URI of the same parts, which prints as itself.
 */
#include <string.h>

#include "drivers/fault/fault.h"
#include "fuzz.h"
#include "host.h"
#include "sim/board.h"
#include "sim/xbar.h"

unsigned fuzz_taken;
static struct fuzz_host fuzz;

static void check_same(const struct nmhal_uri *a, const struct nmhal_uri *b)
{
	MUST(!strcmp(nmhal_uri_scheme(a), nmhal_uri_scheme(b)) && !strcmp(nmhal_uri_board(a), nmhal_uri_board(b)));
	MUST(nm_uri_key_count(a) == nm_uri_key_count(b) && !nm_uri_key(a, nm_uri_key_count(a)));
	for (size_t n = 0; n < nm_uri_key_count(a); n++) {
		MUST(!strcmp(nm_uri_key(a, n), nm_uri_key(b, n)));
		MUST(!strcmp(nmhal_uri_value(a, nm_uri_key(a, n)), nmhal_uri_value(b, nm_uri_key(a, n))));
	}
}

static void check_print(struct nmhal_uri *uri, size_t size)
{
	char *text = nm_uri_print(uri), *text_again;
	struct nmhal_uri *again;

	/* A character becomes three at most. */
	MUST(text && strlen(text) <= 3 * size);
	MUST(nm_uri_parse(text, &again) == NMHAL_OK);
	check_same(uri, again);
	text_again = nm_uri_print(again);
	MUST(text_again && !strcmp(text, text_again));
	/* As the core does where a URI names no board. */
	MUST(nm_uri_set_board(again, "board") == NMHAL_OK && !strcmp(nmhal_uri_board(again), "board"));
	free(text);
	free(text_again);
	nm_uri_free(again);
}

static void check_numbers(struct nmhal_host *host, const struct nmhal_uri *uri)
{
	static const uint64_t most[] = { 0, 1, 255, UINT32_MAX, UINT64_MAX };

	for (size_t n = 0; n < nm_uri_key_count(uri); n++) {
		for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++) {
			uint64_t value = 0;
			int status = nmhal_uri_number(host, uri, nm_uri_key(uri, n), 7, most[i] / 2, most[i], &value);

			MUST(status == NMHAL_E_INVALID || (value >= most[i] / 2 && value <= most[i]));
		}
	}
}

static void check_faults(struct nmhal_host *host, const struct nmhal_uri *uri)
{
	const unsigned every = (1u << FAULT_KINDS) - 1;
	struct fault fault;

	if (!nmhal_uri_value(uri, "fault"))
		return;
	if (fault_parse(host, uri, every, "stream of packets", &fault) != NMHAL_OK) {
		MUST(strstr(nmhal_last_error(), "open: fault"));
		return;
	}
	MUST(fault.count >= 1 && fault.count <= FAULT_CLAUSES);
	for (size_t n = 0; n < fault.count; n++)
		MUST(fault.clauses[n].kind < FAULT_KINDS && fault.clauses[n].rate <= 1000000000u &&
			!(fault.clauses[n].rate && fault.clauses[n].at));
}

static void check_noise(const char *noise)
{
	const struct xbar_options before = { .seed = 3, .effects = XBAR_STUCK, .stuck_ppm = 5 };
	struct xbar_options options = before;
	char error[XBAR_NOISE_ERROR_SIZE] = "";

	if (!noise)
		return;
	if (xbar_options_parse(noise, &options, error)) {
		MUST(options.effects <= 0xFF && options.stuck_ppm <= 1000000 && options.seed == before.seed);
		return;
	}
	MUST(*error && strlen(error) < sizeof(error) && options.effects == before.effects &&
		options.stuck_ppm == before.stuck_ppm && options.output_noise_mlsb == before.output_noise_mlsb);
}

/* All keys for a board of each kind. None is made of them: that takes memory as its options say. */
static void check_boards(const struct nmhal_uri *uri)
{
	for (unsigned board = 0; sim_board_name(board); board++) {
		struct sim_board_config *config = sim_board_config_new(sim_board_name(board));

		MUST(config);
		for (size_t n = 0; n < nm_uri_key_count(uri); n++) {
			const char *key = nm_uri_key(uri, n);
			char error[SIM_BOARD_ERROR] = "";

			MUST(sim_board_config_set(config, key, nmhal_uri_value(uri, key), error) || *error);
			MUST(strlen(error) < sizeof(error));
		}
		sim_board_config_free(config);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nmhal_host *host = fuzz_host(&fuzz);
	char *text = strndup((const char *)data, size);
	struct nmhal_uri *uri;
	int status;

	MUST(text);
	status = nm_uri_parse(text, &uri);
	if (status == NMHAL_OK) {
		check_print(uri, size);
		check_numbers(host, uri);
		check_faults(host, uri);
		check_noise(nmhal_uri_value(uri, "noise"));
		check_boards(uri);
		fuzz_taken++;
	} else {
		MUST(status == NMHAL_E_INVALID && !uri && strstr(nmhal_last_error(), "parse URI: "));
	}
	nm_uri_free(uri);
	free(text);
	return 0;
}
