/* SPDX-License-Identifier: MIT */
/*
 * What travels between usbfs.c (in the process that uses libusb) and vusbd.c (which has the device): messages over a
 * unix stream socket, one connection for each open device node. A message is a header and `length` bytes. Both ends run
 * on one machine, so the header is the struct as it lies in memory.
 */
#ifndef VUSB_H
#define VUSB_H

#include <stdint.h>

/* Directory of the sockets; that of /dev/bus/usb/001/002 is called 001-002. */
#define VUSB_ENV "NMHAL_TEST_VUSB"

enum vusb_kind {
	VUSB_HELLO,      /* to the client, first of all: status says whether open() succeeds */
	VUSB_REPLY,      /* to the client: answer to all but SUBMIT */
	VUSB_COMPLETE,   /* to the client: URB id is done; IN: with its data */
	VUSB_GONE,       /* to the client: the device left */
	VUSB_SUBMIT,     /* OUT: with its data; IN: `room` says how much fits */
	VUSB_DISCARD,
	VUSB_CLAIM,      /* endpoint: interface number; likewise the next four */
	VUSB_RELEASE,
	VUSB_GET_DRIVER,
	VUSB_DISCONNECT, /* takes the interface from its kernel driver */
	VUSB_CONNECT,    /* gives it back */
	VUSB_CLEAR_HALT, /* endpoint */
	VUSB_RESET,
	VUSB_TELL        /* the test speaks: one line of text (vusbd.h); the answer is text */
};

struct vusb_message {
	uint32_t kind;
	int32_t status;
	uint64_t id;      /* of an URB */
	uint32_t length;  /* bytes that follow */
	uint32_t room;
	uint32_t actual;  /* bytes moved */
	uint8_t endpoint;
	uint8_t zero;     /* OUT: an empty packet follows when the last one is full */
	uint8_t unused[2];
	uint8_t setup[8]; /* of a control URB */
};

#endif
