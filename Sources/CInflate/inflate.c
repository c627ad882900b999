#include "CInflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

struct skls_inflate {
    z_stream stream;
    int has_ended;
};

struct skls_inflate *skls_inflate_begin(void) {
    struct skls_inflate *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    // 16: gzip's header and no other; 15: any window (zlib.h, inflateInit2).
    if (inflateInit2(&self->stream, 16 + 15) != Z_OK) {
        free(self);
        return NULL;
    }
    return self;
}

enum skls_inflate_state skls_inflate_step(
    struct skls_inflate *self, const uint8_t *input, size_t *input_count, uint8_t *output, size_t *output_count) {
    z_stream *stream = &self->stream;
    if (self->has_ended && *input_count > 0) {
        if (inflateReset(stream) != Z_OK) return skls_inflate_broken;
        self->has_ended = 0;
    }
    if (*input_count > UINT_MAX || *output_count > UINT_MAX) return skls_inflate_broken;
    stream->next_in = (Bytef *)input;
    stream->avail_in = (uInt)*input_count;
    stream->next_out = output;
    stream->avail_out = (uInt)*output_count;
    int answer = self->has_ended ? Z_STREAM_END : inflate(stream, Z_NO_FLUSH);
    *input_count = stream->avail_in;
    *output_count = stream->avail_out;
    self->has_ended = answer == Z_STREAM_END;
    if (self->has_ended) return skls_inflate_ended;
    // No progress was possible: more input or more room is needed.
    return answer == Z_OK || answer == Z_BUF_ERROR ? skls_inflate_goes_on : skls_inflate_broken;
}

void skls_inflate_end(struct skls_inflate *self) {
    inflateEnd(&self->stream);
    free(self);
}
