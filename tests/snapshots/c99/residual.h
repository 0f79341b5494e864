/* residual: an integer program of ns4d in C99. Task: random.

   program      30c2ba788ed96e5f80ae21dc45718da1084d627677df22e9111e808d9048ee60
   arithmetic   wide; docs/numerics.md of ns4d says what every bit means
   flash        189 bytes of constants, at most 3,340 of code
   RAM          80 bytes: one residual_state per stream
   stack        at most 338 bytes inside residual_step
   per token    93 multiplications, 69 additions

   No allocation, no floating point, no library, no variable outside the caller's struct. Every sum
   is proved to fit its type for every input, so nothing overflows and nothing wraps. */
#ifndef RESIDUAL_H
#define RESIDUAL_H

#include <stdint.h>

#define RESIDUAL_INPUTS 2
#define RESIDUAL_CLASSES 3

/* A token has values from -MESSAGE_MAX to MESSAGE_MAX. */
#define RESIDUAL_MESSAGE_MAX 32767

/* For so many tokens after init, the scores are proved to fit their type. */
#define RESIDUAL_TOKENS_MAX INT64_C(1171045185418)
typedef int64_t residual_score;
typedef struct { int32_t re, im; } residual_complex32;

/* All that is remembered between two tokens. It is a value: copy it, keep it, go on from it. */
typedef struct {
    int64_t tokens;
    residual_score score[3];
    residual_complex32 x_layer0_ssm[6]; /* mode n of channel h at h * 2 + n */
} residual_state;

#ifdef __cplusplus
extern "C" {
#endif

/* Before the first token of every sequence. */
void residual_init(residual_state *state);

/* One token in, the scores after it out: one per class, the largest decides. Returns 0; or, with
   nothing changed, 1 for a token with a value beyond MESSAGE_MAX, 2 for one after TOKENS_MAX. */
int residual_step(residual_state *state, const int32_t token[2], residual_score scores[3]);

#ifdef __cplusplus
}
#endif

#endif /* RESIDUAL_H */
