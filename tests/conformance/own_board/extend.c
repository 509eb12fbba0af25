/* SPDX-License-Identifier: MIT */
/* Linked with the suite and examples/own_board: the board of that example under test. */
#include "conformance.h"
#include "own_board.h"

int conformance_extend(nmhal_context *ctx)
{
	int status = nmhal_context_add_link(ctx, &own_link);

	return status == NMHAL_OK ? nmhal_context_add_driver(ctx, &own_driver) : status;
}
