#pragma once
#include <stddef.h>
#include <stdint.h>

/// zlib's inflate for the format of gzip, without its macros and structures.

struct skls_inflate;

/// NULL when there is no memory.
struct skls_inflate *skls_inflate_begin(void);

enum skls_inflate_state { skls_inflate_goes_on = 0, skls_inflate_ended = 1, skls_inflate_broken = -1 };

/// Takes from the input and fills the output as far as it can; the counts become what is left of both. Behind the end of
/// one member another may begin with the next call.
enum skls_inflate_state skls_inflate_step(
    struct skls_inflate *self, const uint8_t *input, size_t *input_count, uint8_t *output, size_t *output_count);

void skls_inflate_end(struct skls_inflate *self);
