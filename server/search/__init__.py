"""What was streamed can be found again: moments, where they are kept, and how they are looked for."""
