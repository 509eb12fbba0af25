/* SPDX-License-Identifier: MIT */
/* In models with wrong rules: only the plain kernel has rules that can be exchanged. */
#include "sim/tinyodin_core.h"

const struct tinyodin_kernel *tinyodin_avx2(void)
{
	return NULL;
}
