/* SPDX-License-Identifier: MIT */
/*
 * products CASES RESULTS URI...: products.py in C. CASES holds, for each product, a struct of the numbers below, W
 * [n_out][n_in] and x [batch][n_in]; RESULTS gets y [batch][n_out] of each. A case uses `count` of the devices from
 * number `first` on; the key numbers the vectors, so that noise is the same wherever it is drawn.
 */
#include <stdio.h>
#include <stdlib.h>

#include <nmhal/nmhal.h>

#define DEVICES 8

struct product {
	uint32_t n_out, n_in, batch, key, first, count;
};

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, nmhal_last_error());
	exit(1);
}

static float *numbers(size_t count)
{
	float *made = calloc(count, sizeof(*made));

	check(made != NULL, "memory");
	return made;
}

static float *load(FILE *from, size_t count)
{
	float *read = numbers(count);

	check(fread(read, sizeof(*read), count, from) == count, "cases");
	return read;
}

static void multiply(nmhal_device *const *devs, const struct product *product, FILE *from, FILE *to)
{
	float *w = load(from, (size_t)product->n_out * product->n_in);
	float *x = load(from, (size_t)product->batch * product->n_in);
	float *y = numbers((size_t)product->batch * product->n_out);
	const struct nmhal_product op = {.struct_size = sizeof(op),
		.w = w,
		.x = x,
		.y = y,
		.batch = product->batch,
		.first_vector = (uint64_t)product->key << 32};
	const size_t count = (size_t)product->batch * product->n_out;
	nmhal_array *array = NULL;

	check(!nmhal_array_new(devs + product->first, product->count, product->n_out, product->n_in, NULL, &array) &&
			!nmhal_array_matmul(array, &op),
		"product");
	check(fwrite(y, sizeof(*y), count, to) == count, "results");
	nmhal_array_free(array);
	free(w);
	free(x);
	free(y);
}

int main(int argc, char **argv)
{
	nmhal_device *devs[DEVICES] = {NULL};
	struct product product;
	nmhal_context *ctx = NULL;
	FILE *from, *to;

	check(argc > 3 && argc <= 3 + DEVICES, "usage: products CASES RESULTS URI...");
	from = fopen(argv[1], "rb");
	to = fopen(argv[2], "wb");
	check(from && to && !nmhal_context_new(NULL, &ctx), "products");
	for (int d = 0; d < argc - 3; d++)
		check(!nmhal_device_open(ctx, argv[3 + d], NULL, &devs[d]), argv[3 + d]);
	while (fread(&product, sizeof(product), 1, from) == 1)
		multiply(devs, &product, from, to);
	for (int d = 0; d < argc - 3; d++)
		nmhal_device_unref(devs[d]);
	nmhal_context_unref(ctx);
	fclose(from);
	check(!fclose(to), "results");
	return 0;
}
