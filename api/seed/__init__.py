"""The demo clinic: made-up people with eight weeks of plausible history, marked as a demo everywhere."""
