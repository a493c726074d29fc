"""What networks' answers mean: a `Task` says how an output is learned, measured and shown, and `KINDS` maps a checkpoint's kind to it."""
