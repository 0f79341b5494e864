"""The generated C on emulated microcontrollers: the same bits there, counted instructions."""
