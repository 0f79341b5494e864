/* Tokens for folded with the scores after each, by ns4d's reference engine. */
#define VECTOR_TOKENS 16

static const char *const vector_classes[FOLDED_CLASSES] = {
    "class 0", "class 1", "class 2",
};

static const int32_t vector_tokens[VECTOR_TOKENS][FOLDED_INPUTS] = {
    {-1221}, {-555}, {1109}, {152}, {-1076}, {-481}, {-202}, {1090}, {519}, {1753}, {-1832},
    {-1239}, {-1186}, {1862}, {-1200}, {314},
};

static const folded_score vector_scores[VECTOR_TOKENS][FOLDED_CLASSES] = {
    {142136, 128652, 356739}, {183605, 364866, 590747}, {220183, 606306, 818792},
    {256761, 847746, 1046837}, {293339, 1089186, 1274882}, {329917, 1330626, 1502927},
    {366495, 1572066, 1730972}, {403073, 1813506, 1959017}, {439651, 2054946, 2187062},
    {476229, 2296386, 2415107}, {512807, 2537826, 2643152}, {549385, 2779266, 2871197},
    {585963, 3020706, 3099242}, {622541, 3262146, 3327287}, {659119, 3503586, 3555332},
    {695697, 3745026, 3783377},
};
