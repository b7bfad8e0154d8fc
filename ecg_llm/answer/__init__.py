"""Answer questions on an ECG, sentence by sentence, each checked before it is shown."""
