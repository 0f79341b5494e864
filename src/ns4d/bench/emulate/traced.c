/* The model with a record of what its nodes send, for tests: model_next points to where the next message
   goes, nowhere if it is null. */
#include <stdint.h>

int32_t *model_next;

#define MODEL_SENT(node, messages, count) \
    do { \
        for (int j = 0; model_next && j < (count); j++) \
            *model_next++ = (messages)[j]; \
    } while (0)

#include "model.c"
