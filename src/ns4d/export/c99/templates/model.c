/* $name: a function per node, which ${name}_step runs in order. Numbers of
   equations are those of docs/numerics.md of ns4d. */
#include "$name.h"
#include "${name}_constants.h"

typedef $message message; /* what nodes send one another */

/* To watch the nodes, define this as a call of your own: (number of the node, its messages, how
   many there are). */
#ifndef ${UPPER}_SENT
#define ${UPPER}_SENT(node, messages, count) ((void)0)
#endif

/* A node has a stack frame of its own, free again before the next node runs. */
#if defined(__GNUC__)
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME
#endif

$choice$primitives
$functions
void ${name}_init(${name}_state *state)
{
    unsigned char *byte = (unsigned char *)state;
    unsigned long left = (unsigned long)sizeof *state;
    while (left-- > 0)
        *byte++ = 0;
}

int ${name}_step(${name}_state *state, const int32_t token[$inputs], ${name}_score scores[$classes])
{
    message $buffers;
    for (int i = 0; i < $inputs; i++)
        if (token[i] < -$message_max || token[i] > $message_max)
            return 1;
    if (state->tokens >= ${UPPER}_TOKENS_MAX)
        return 2;
    for (int i = 0; i < $inputs; i++)
        a[i] = (message)token[i];
$calls    state->tokens++;
    for (int o = 0; o < $classes; o++)
        scores[o] = state->score[o];
    return 0;
}
