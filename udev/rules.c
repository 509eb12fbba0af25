/* SPDX-License-Identifier: MIT */
/*
 * rules access|group: prints the udev rules of the USB devices that the drivers in this build open. 70-nmhal.rules
 * gives them to whoever sits at the machine; 71-nmhal-group.rules, optional, to a group (SSH, headless benches).
 */
#include <stdio.h>
#include <string.h>

#include <nmhal/driver.h>

#define GROUP "plugdev"

extern const struct nmhal_link *const nm_builtin_links[];

#define INTERFACES 4

/*
 * Any vendor, any product: the string of an interface tells. The device node gets its tag when the kernel has bound the
 * device ("bind"): at "add" its interfaces are not there yet.
 */
static void interface_rules(const struct nmhal_usb_id *id)
{
	printf("# %s: whatever has an interface whose string begins with %s\n", id->summary, id->name);
	for (int n = 0; n < INTERFACES; n++)
		printf("SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", ATTR{%%k:1.%d/interface}==\"%s*\", "
		       "ENV{ID_NMHAL}=\"1\"\n", n, id->name);
	printf("SUBSYSTEM==\"tty\", ATTRS{interface}==\"%s*\", TAG+=\"uaccess\", ENV{ID_MM_PORT_IGNORE}=\"1\"\n",
	       id->name);
}

static void device_rule(const struct nmhal_usb_id *id)
{
	printf("# %s\nSUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", "
	       "ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\"", id->summary, id->vendor, id->product);
	if (id->name)
		printf(", ATTR{product}==\"%s*\"", id->name);
	printf(", ENV{ID_NMHAL}=\"1\"\n");
}

/* Serial ports that the kernel makes of the same boards; ATTRS of one rule match one parent. */
static void port_rule(const struct nmhal_usb_id *id)
{
	printf("SUBSYSTEM==\"tty\", ATTRS{idVendor}==\"%04x\", ATTRS{idProduct}==\"%04x\"", id->vendor,
	       id->product);
	if (id->name)
		printf(", ATTRS{product}==\"%s*\"", id->name);
	printf(", ENV{ID_MM_PORT_IGNORE}=\"1\"\n");
}

static void access_rules(void)
{
	puts("# SPDX-License-Identifier: MIT\n"
	     "# libnmhal: access to crossbar boards on USB for the user of the seat. Made from the drivers' tables.\n"
	     "# An FTDI chip is shared by thousands of gadgets: only one whose product string says NMHAL is ours.\n"
	     "# Sorts before 71-seat.rules, so that uaccess is seen.\n"
	     "ACTION==\"remove\", GOTO=\"nmhal_end\"");
	for (const struct nmhal_link *const *link = nm_builtin_links; *link; link++)
		for (const struct nmhal_usb_id *id = (*link)->usb_ids; id && id->summary; id++) {
			if (id->vendor) {
				device_rule(id);
				port_rule(id);
			} else {
				interface_rules(id);
			}
		}
	puts("# Open to the seat, left alone by ModemManager, never suspended in the middle of a measurement.\n"
	     "SUBSYSTEM==\"usb\", ENV{ID_NMHAL}==\"1\", TAG+=\"uaccess\", ENV{ID_MM_DEVICE_IGNORE}=\"1\", "
	     "TEST==\"power/control\", ATTR{power/control}=\"on\"\n"
	     "LABEL=\"nmhal_end\"");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "access")) {
		access_rules();
	} else if (argc == 2 && !strcmp(argv[1], "group")) {
		puts("# SPDX-License-Identifier: MIT\n"
		     "# libnmhal, optional: the boards of 70-nmhal.rules for a group (SSH, benches without a screen).\n"
		     "# Copy to /etc/udev/rules.d and name your group; it must be a system group (groupadd --system).\n"
		     "# Sorts after 70-nmhal.rules, which sets ID_NMHAL.\n"
		     "SUBSYSTEM==\"usb\", ENV{ID_NMHAL}==\"1\", GROUP=\"" GROUP "\", MODE=\"0660\"");
	} else {
		fputs("usage: rules access|group\n", stderr);
		return 2;
	}
	return fflush(stdout) ? 1 : 0;
}
