/* tiny: an integer program of ns4d in C99. Task: random.

   program      de91fea526057f31d531c0c7e7824f2f84d9a91d7e8bbdf9b9764a380c224f34
   arithmetic   tiny-state; docs/numerics.md of ns4d says what every bit means
   flash        75 bytes of constants, at most 2,860 of code
   RAM          32 bytes: one tiny_state per stream
   stack        at most 324 bytes inside tiny_step
   per token    36 multiplications, 29 additions

   No allocation, no floating point, no library, no variable outside the caller's struct. Every sum
   is proved to fit its type for every input, so nothing overflows and nothing wraps. */
#ifndef TINY_H
#define TINY_H

#include <stdint.h>

#define TINY_INPUTS 1
#define TINY_CLASSES 3

/* A token has values from -MESSAGE_MAX to MESSAGE_MAX. */
#define TINY_MESSAGE_MAX 127

/* For so many tokens after init, the scores are proved to fit their type. */
#define TINY_TOKENS_MAX INT64_C(100)
typedef int32_t tiny_score;
typedef struct { int16_t re, im; } tiny_complex16;

/* All that is remembered between two tokens. It is a value: copy it, keep it, go on from it. */
typedef struct {
    int64_t tokens;
    tiny_score score[3];
    tiny_complex16 x_layer0_ssm[2]; /* mode n of channel h at h * 1 + n */
} tiny_state;

#ifdef __cplusplus
extern "C" {
#endif

/* Before the first token of every sequence. */
void tiny_init(tiny_state *state);

/* One token in, the scores after it out: one per class, the largest decides. Returns 0; or, with
   nothing changed, 1 for a token with a value beyond MESSAGE_MAX, 2 for one after TOKENS_MAX. */
int tiny_step(tiny_state *state, const int32_t token[1], tiny_score scores[3]);

#ifdef __cplusplus
}
#endif

#endif /* TINY_H */
