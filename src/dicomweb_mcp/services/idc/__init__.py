"""The offline index of the Imaging Data Commons, asked by tools: off the event loop, cancellable, two at a time."""
