"""A model of Loihi 2: place a program on cores, simulate it step by step, time and price it."""
