/* SPDX-License-Identifier: MIT */
/* The emulated board as a USB device: descriptors, control requests, frames in bulk transfers. */
#include "sim/vusb_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nmlink/messages.h"
#include "sim/usb_device.h"

#define VENDOR_TESTS  0x1209u /* pid.codes, its product for tests */
#define PRODUCT_TESTS 0x0001u
#define RELEASE       0x0100u
#define NMLINK_MINOR  (NMLINK_VERSION_MINOR << 4) /* BCD: 1.1 is 0x0110 */
#define REQUEST_TYPE     0x60u
#define REQUEST_STANDARD 0x00u
#define REQUEST_VENDOR   0x40u
#define TO_INTERFACE     0x01u
#define TO_ENDPOINT      0x02u
#define IN_STAGE         0x80u
#define VENDOR_WEBUSB    0x01u /* bRequest that the BOS descriptor announces */
#define VENDOR_MICROSOFT 0x02u
#define VENDOR_RESET     0x03u /* of nmlink itself, to the interface */
#define MICROSOFT_SET    7u    /* wIndex: descriptor set */
#define SET_SIZE         162u
#define DEVICE_GUIDS     "DeviceInterfaceGUIDs"
#define DEVICE_GUID      "{6B3C5A52-8E0B-4C57-9F6D-4E4D48414C01}"

enum { CLEAR_FEATURE = 1, SET_CONFIGURATION = 9 };
enum { MANUFACTURER = 1, PRODUCT, SERIAL, INTERFACE };
enum { DEVICE_SIZE = 18, CONFIGURATION_SIZE = 9 + 9 + 3 * 7 };

struct vusb_board {
	struct usb_device usb;
	struct sim_board *board;
	uint8_t descriptors[DEVICE_SIZE + CONFIGURATION_SIZE];
	uint8_t microsoft[SET_SIZE];
	size_t moved[SIM_BOARD_PIPES]; /* bytes of the frame that is on its way out */
	size_t room, size;             /* of frame; bytes of the frame that comes in */
	bool whole, dropped;           /* it is complete and waits for the board; it is too long */
	uint8_t frame[];
};

#define LOW(number)  ((uint8_t)((number) & 0xFFu))
#define HIGH(number) ((uint8_t)((number) >> 8 & 0xFFu))
#define ENDPOINT(address)                                                                                              \
	7, USB_ENDPOINT, (address), 2 /* bulk */, LOW(VUSB_BOARD_PACKET), HIGH(VUSB_BOARD_PACKET), 0

/* WebUSB 1.0 without a landing page; Microsoft OS 2.0, which binds WinUSB without a driver; nmlink. */
static const uint8_t bos[] = {
	5, USB_BOS, 81, 0, 3,
	24, 16, 5, 0, 0x38, 0xB6, 0x08, 0x34, 0xA9, 0x09, 0xA0, 0x47, 0x8B, 0xFD, 0xA0, 0x76, 0x88, 0x15, 0xB6, 0x65,
	0x00, 0x01, VENDOR_WEBUSB, 0,
	28, 16, 5, 0, 0xDF, 0x60, 0xDD, 0xD8, 0x89, 0x45, 0xC7, 0x4C, 0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F,
	0x00, 0x00, 0x03, 0x06, SET_SIZE, 0, VENDOR_MICROSOFT, 0,
	24, 16, 5, 0, 0xA7, 0x63, 0x1C, 0x9D, 0xE4, 0x52, 0x0B, 0x4F, 0xB1, 0xC8, 0x4E, 0x4D, 0x4C, 0x4E, 0x4B, 0x01,
	NMLINK_MINOR, NMLINK_VERSION_MAJOR, VENDOR_RESET, 0,
};

static void make_descriptors(struct vusb_board *dev, unsigned vendor, unsigned product)
{
	struct usb_device *usb = &dev->usb;
	/* USB 2.1: there is a BOS descriptor. Bus powered, 100 mA. */
	const uint8_t all[] = {
		DEVICE_SIZE, USB_DEVICE, 0x10, 0x02, 0, 0, 0, 64, LOW(vendor), HIGH(vendor), LOW(product),
		HIGH(product), LOW(RELEASE), HIGH(RELEASE), usb_string_index(usb, MANUFACTURER),
		usb_string_index(usb, PRODUCT), usb_string_index(usb, SERIAL), 1,
		9, USB_CONFIGURATION, CONFIGURATION_SIZE, 0, 1, 1, 0, 0x80, 50,
		9, USB_INTERFACE, 0, 0, 3, 0xFF, 0, 0, usb_string_index(usb, INTERFACE),
		ENDPOINT(VUSB_BOARD_OUT), ENDPOINT(VUSB_BOARD_IN), ENDPOINT(VUSB_BOARD_EVENTS),
	};

	_Static_assert(sizeof(all) == sizeof(dev->descriptors), "sizes in the descriptors");
	memcpy(dev->descriptors, all, sizeof(all));
	usb->descriptors = dev->descriptors;
	usb->descriptors_size = sizeof(dev->descriptors);
	usb->bos = bos;
	usb->bos_size = sizeof(bos);
}

static uint8_t *put_utf16(uint8_t *out, const char *text, size_t nuls)
{
	for (; *text; text++) {
		*out++ = (uint8_t)*text;
		*out++ = 0;
	}
	memset(out, 0, 2 * nuls);
	return out + 2 * nuls;
}

/* Microsoft OS 2.0 descriptor set: from Windows 8.1, WINUSB, and the GUID by which programs find the interface. */
static void make_microsoft(struct vusb_board *dev)
{
	static const uint8_t head[] = {
		10, 0, 0, 0, 0x00, 0x00, 0x03, 0x06, SET_SIZE, 0,
		20, 0, 3, 0, 'W', 'I', 'N', 'U', 'S', 'B', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		SET_SIZE - 30, 0, 4, 0, 7, 0, 2 * sizeof(DEVICE_GUIDS), 0,
	};
	uint8_t *out = dev->microsoft + sizeof(head);

	memcpy(dev->microsoft, head, sizeof(head));
	out = put_utf16(out, DEVICE_GUIDS, 1);
	*out++ = 2 * (sizeof(DEVICE_GUID) + 1);
	*out++ = 0;
	put_utf16(out, DEVICE_GUID, 2); /* a list of one */
}

struct vusb_board *vusb_board_new(const struct vusb_board_params *params, struct sim_board *board)
{
	static const struct vusb_board_params defaults;
	const struct vusb_board_params *p = params ? params : &defaults;
	size_t room = sim_board_max_frame(board);
	struct vusb_board *dev = calloc(1, sizeof(*dev) + room);
	char product[USB_STRING_MOST + 1]; /* and the interface, which makes it a board */

	if (!dev) {
		sim_board_free(board);
		return NULL;
	}
	dev->board = board;
	dev->room = room;
	snprintf(product, sizeof(product), "NMHAL %s", sim_board_model(board));
	usb_set_string(&dev->usb, MANUFACTURER, p->manufacturer ? p->manufacturer : "libnmhal");
	usb_set_string(&dev->usb, PRODUCT, p->product_name ? p->product_name : product);
	usb_set_string(&dev->usb, SERIAL, p->serial ? p->serial : sim_board_serial(board));
	usb_set_string(&dev->usb, INTERFACE, p->interface_name ? p->interface_name : product);
	make_descriptors(dev, p->vendor ? p->vendor : VENDOR_TESTS, p->vendor ? p->product : PRODUCT_TESTS);
	make_microsoft(dev);
	return dev;
}

void vusb_board_free(struct vusb_board *dev)
{
	if (!dev)
		return;
	sim_board_free(dev->board);
	free(dev);
}

struct sim_board *vusb_board_board(struct vusb_board *dev)
{
	return dev->board;
}

const uint8_t *vusb_board_descriptors(const struct vusb_board *dev, size_t *size)
{
	*size = sizeof(dev->descriptors);
	return dev->descriptors;
}

/* ---- bulk -------------------------------------------------------------------------------------------------------- */

/* Gives the board the frame that waits, if it is whole; false when it still waits. */
static bool deliver(struct vusb_board *dev)
{
	if (dev->whole && !dev->dropped && !sim_board_input(dev->board, dev->frame, dev->size))
		return false;
	if (dev->whole) {
		dev->size = 0;
		dev->whole = false;
		dev->dropped = false;
	}
	return true;
}

int vusb_board_out(struct vusb_board *dev, unsigned endpoint, const uint8_t *data, size_t size)
{
	if (endpoint != VUSB_BOARD_OUT || size > VUSB_BOARD_PACKET)
		return VUSB_BOARD_STALL;
	if (!deliver(dev))
		return VUSB_BOARD_NAK;
	dev->dropped = dev->dropped || size > dev->room - dev->size;
	if (!dev->dropped) {
		memcpy(dev->frame + dev->size, data, size);
		dev->size += size;
	}
	dev->whole = size < VUSB_BOARD_PACKET;
	(void)deliver(dev);
	return (int)size;
}

int vusb_board_in(struct vusb_board *dev, unsigned endpoint, uint8_t *data)
{
	enum sim_board_pipe pipe = endpoint == VUSB_BOARD_EVENTS ? SIM_BOARD_EVENTS : SIM_BOARD_REPLIES;
	const uint8_t *frame;
	size_t size, count;

	if (endpoint != VUSB_BOARD_IN && endpoint != VUSB_BOARD_EVENTS)
		return VUSB_BOARD_STALL;
	size = sim_board_output(dev->board, pipe, &frame);
	if (!size)
		return VUSB_BOARD_NAK;
	count = size - dev->moved[pipe];
	if (count > VUSB_BOARD_PACKET)
		count = VUSB_BOARD_PACKET;
	memcpy(data, frame + dev->moved[pipe], count);
	dev->moved[pipe] += count;
	if (count < VUSB_BOARD_PACKET) {
		dev->moved[pipe] = 0;
		sim_board_taken(dev->board, pipe);
		(void)deliver(dev);
	}
	return (int)count;
}

/* An IN frame that was begun is lost: the host has got part of it. */
static void forget_in(struct vusb_board *dev, enum sim_board_pipe pipe)
{
	if (dev->moved[pipe])
		sim_board_taken(dev->board, pipe);
	dev->moved[pipe] = 0;
}

void vusb_board_clear_halt(struct vusb_board *dev, unsigned endpoint)
{
	if (endpoint == VUSB_BOARD_OUT && !dev->whole) {
		dev->size = 0;
		dev->dropped = false;
	}
	if (endpoint == VUSB_BOARD_IN)
		forget_in(dev, SIM_BOARD_REPLIES);
	if (endpoint == VUSB_BOARD_EVENTS)
		forget_in(dev, SIM_BOARD_EVENTS);
}

static void forget_all(struct vusb_board *dev)
{
	memset(dev->moved, 0, sizeof(dev->moved));
	dev->size = 0;
	dev->whole = false;
	dev->dropped = false;
}

/* Pipes and session start anew. */
static void restart(struct vusb_board *dev)
{
	forget_all(dev);
	sim_board_link_reset(dev->board);
}

void vusb_board_reset(struct vusb_board *dev)
{
	dev->usb.configuration = 0;
	restart(dev);
}

void vusb_board_replug(struct vusb_board *dev)
{
	forget_all(dev);
	dev->usb.configuration = 0;
	sim_board_power_cut(dev->board);
}

void vusb_board_tick(struct vusb_board *dev)
{
	sim_board_tick(dev->board);
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

static int standard(struct vusb_board *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	int moved = usb_standard(&dev->usb, setup, data, capacity);

	if (setup[1] == CLEAR_FEATURE && (setup[0] & 0x1Fu) == TO_ENDPOINT)
		vusb_board_clear_halt(dev, setup[4]);
	/* Also when it is the same one: pipes and toggles start anew (USB 2.0, 9.1.1.5). */
	if (setup[1] == SET_CONFIGURATION && moved >= 0)
		restart(dev);
	return moved;
}

int vusb_board_control(struct vusb_board *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	size_t length = setup[6] | (size_t)setup[7] << 8;
	unsigned index = setup[4] | (unsigned)setup[5] << 8;

	if (length < capacity)
		capacity = length;
	if ((setup[0] & REQUEST_TYPE) == REQUEST_STANDARD)
		return standard(dev, setup, data, capacity);
	if ((setup[0] & (REQUEST_TYPE | IN_STAGE)) == (REQUEST_VENDOR | IN_STAGE) && setup[1] == VENDOR_MICROSOFT &&
		index == MICROSOFT_SET)
		return usb_give(dev->microsoft, sizeof(dev->microsoft), data, capacity);
	if (setup[0] != (REQUEST_VENDOR | TO_INTERFACE) || setup[1] != VENDOR_RESET || setup[2] || setup[3] || index ||
		length)
		return VUSB_BOARD_STALL;
	restart(dev);
	return 0;
}
