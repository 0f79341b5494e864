/* Streams a test vector through folded, prints the decision, and compares every
   score with that of the reference engine of ns4d. */
#include <stdio.h>

#include "folded.h"
#include "folded_vector.h"

static folded_state state; /* one stream; static, so that the linker reports the RAM */

int main(void)
{
    folded_score scores[FOLDED_CLASSES];
    long different = 0;
    int decided = 0;

    folded_init(&state);
    for (int t = 0; t < VECTOR_TOKENS; t++) {
        const int refused = folded_step(&state, vector_tokens[t], scores);
        if (refused) {
            printf("token %d was refused with code %d\n", t, refused);
            return 2;
        }
        for (int o = 0; o < FOLDED_CLASSES; o++)
            different += scores[o] != vector_scores[t][o];
    }
    for (int o = 1; o < FOLDED_CLASSES; o++)
        if (scores[o] > scores[decided])
            decided = o;
    for (int o = 0; o < FOLDED_CLASSES; o++)
        printf("%s %lld%s\n", vector_classes[o], (long long)scores[o], o == decided ? " <-" : "");
    printf("%d tokens, %ld of %d scores differ from the reference\n", VECTOR_TOKENS, different,
        VECTOR_TOKENS * FOLDED_CLASSES);
    return different != 0;
}
