/* folded: an integer program of ns4d in C99. Task: random.

   program      0196e7add6da1b376f4d6ea918aa1ff385d4668fdcc35610ee6160ffb265be52
   arithmetic   loihi2; docs/numerics.md of ns4d says what every bit means
   flash        203 bytes of constants, at most 2,860 of code
   RAM          96 bytes: one folded_state per stream
   stack        at most 336 bytes inside folded_step
   per token    100 multiplications, 87 additions

   No allocation, no floating point, no library, no variable outside the caller's struct. Every sum
   is proved to fit its type for every input, so nothing overflows and nothing wraps. */
#ifndef FOLDED_H
#define FOLDED_H

#include <stdint.h>

#define FOLDED_INPUTS 1
#define FOLDED_CLASSES 3

/* A token has values from -MESSAGE_MAX to MESSAGE_MAX. */
#define FOLDED_MESSAGE_MAX 2047

/* For so many tokens after init, the scores are proved to fit their type. */
#define FOLDED_TOKENS_MAX INT64_C(13907523204941)
typedef int64_t folded_score;
typedef struct { int32_t re, im; } folded_complex32;

/* All that is remembered between two tokens. It is a value: copy it, keep it, go on from it. */
typedef struct {
    int64_t tokens;
    folded_score score[3];
    folded_complex32 x_layer0_ssm[8]; /* mode n of channel h at h * 2 + n */
} folded_state;

#ifdef __cplusplus
extern "C" {
#endif

/* Before the first token of every sequence. */
void folded_init(folded_state *state);

/* One token in, the scores after it out: one per class, the largest decides. Returns 0; or, with
   nothing changed, 1 for a token with a value beyond MESSAGE_MAX, 2 for one after TOKENS_MAX. */
int folded_step(folded_state *state, const int32_t token[1], folded_score scores[3]);

#ifdef __cplusplus
}
#endif

#endif /* FOLDED_H */
