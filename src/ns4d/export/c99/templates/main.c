/* Streams a test vector through $name, prints the decision, and compares every
   score with that of the reference engine of ns4d. */
#include <stdio.h>

#include "$name.h"
#include "${name}_vector.h"

static ${name}_state state; /* one stream; static, so that the linker reports the RAM */

int main(void)
{
    ${name}_score scores[${UPPER}_CLASSES];
    long different = 0;
    int decided = 0;

    ${name}_init(&state);
    for (int t = 0; t < VECTOR_TOKENS; t++) {
        const int refused = ${name}_step(&state, vector_tokens[t], scores);
        if (refused) {
            printf("token %d was refused with code %d\n", t, refused);
            return 2;
        }
        for (int o = 0; o < ${UPPER}_CLASSES; o++)
            different += scores[o] != vector_scores[t][o];
    }
    for (int o = 1; o < ${UPPER}_CLASSES; o++)
        if (scores[o] > scores[decided])
            decided = o;
    for (int o = 0; o < ${UPPER}_CLASSES; o++)
        printf("%s %lld%s\n", vector_classes[o], (long long)scores[o], o == decided ? " <-" : "");
    printf("%d tokens, %ld of %d scores differ from the reference\n", VECTOR_TOKENS, different,
        VECTOR_TOKENS * ${UPPER}_CLASSES);
    return different != 0;
}
