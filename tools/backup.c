/* SPDX-License-Identifier: MIT */
/* Keeps what is on a device while selftest or bench overwrite it. */
#include "common.h"

int backup_take(struct probe *p, nmhal_image **image)
{
	int status = nmhal_image_capture(p->dev, p->timeout_ms, image);

	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

int backup_restore(struct probe *p, nmhal_image *image, int code)
{
	int status = NMHAL_E_CANCELED;

	/* With signals held, at most one interrupt is left over: it ends the first attempt. */
	signals_hold(true);
	for (int attempt = 0; attempt < 3 && status == NMHAL_E_CANCELED; attempt++)
		status = nmhal_image_program(p->dev, image, 0, p->timeout_ms, NULL);
	if (status != NMHAL_OK) {
		int restore_code = probe_fail_last(p, status);
		probe_note(p, "%s: what the command overwrote could not be restored", nmhal_device_uri(p->dev));
		code = code == PROBE_OK ? restore_code : code;
	}
	nmhal_image_free(image);
	signals_hold(false);
	return code;
}
