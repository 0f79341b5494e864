/* $name: an integer program of ns4d in C99. Task: $task.

   program      $digest
   arithmetic   $arithmetic; docs/numerics.md of ns4d says what every bit means
   flash        $constants bytes of constants, at most $code of code
   RAM          $ram bytes: one ${name}_state per stream
   stack        at most $stack bytes inside ${name}_step
   per token    $multiplications multiplications, $additions additions

   No allocation, no floating point, no library, no variable outside the caller's struct. Every sum
   is proved to fit its type for every input, so nothing overflows and nothing wraps. */
#ifndef ${UPPER}_H
#define ${UPPER}_H

#include <stdint.h>

#define ${UPPER}_INPUTS $inputs
#define ${UPPER}_CLASSES $classes

/* A token has values from -MESSAGE_MAX to MESSAGE_MAX. */
#define ${UPPER}_MESSAGE_MAX $message_max

/* For so many tokens after init, the scores are proved to fit their type. */
#define ${UPPER}_TOKENS_MAX INT64_C($tokens_max)
typedef $score ${name}_score;
$complex
/* All that is remembered between two tokens. It is a value: copy it, keep it, go on from it. */
typedef struct {
    int64_t tokens;
    ${name}_score score[$classes];
$fields} ${name}_state;

#ifdef __cplusplus
extern "C" {
#endif

/* Before the first token of every sequence. */
void ${name}_init(${name}_state *state);

/* One token in, the scores after it out: one per class, the largest decides. Returns 0; or, with
   nothing changed, 1 for a token with a value beyond MESSAGE_MAX, 2 for one after TOKENS_MAX. */
int ${name}_step(${name}_state *state, const int32_t token[$inputs], ${name}_score scores[$classes]);
$quantizer
#ifdef __cplusplus
}
#endif

#endif /* ${UPPER}_H */
