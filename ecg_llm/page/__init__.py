"""From the image of a printed ECG to an ECG: grid, names, tracings."""
