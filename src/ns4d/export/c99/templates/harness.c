/* One model as a shared library: several streams at once, and the messages of every node on request. */
#include <stdint.h>
#include <string.h>

static int32_t *sent; /* where messages go next; nowhere if null */

#define ${UPPER}_SENT(node, messages, count) \
    do { \
        for (int j = 0; sent && j < (count); j++) \
            *sent++ = (messages)[j]; \
    } while (0)

#include "$name.c"

uint64_t harness_state_size(void)
{
    return sizeof(${name}_state);
}

void harness_init(${name}_state *state)
{
    ${name}_init(state);
}

/* `length` tokens for each of `streams` states; messages go to `trace` unless that is null. */
int harness_advance(${name}_state *states, int64_t streams, int64_t length, const int32_t *tokens,
    ${name}_score *scores, int32_t *trace)
{
    sent = trace;
    for (int64_t b = 0; b < streams; b++)
        for (int64_t t = 0; t < length; t++, tokens += ${UPPER}_INPUTS, scores += ${UPPER}_CLASSES) {
            const int refused = ${name}_step(&states[b], tokens, scores);
            if (refused)
                return refused;
        }
    return 0;
}
