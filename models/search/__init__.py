"""One space for words and pictures: what a moment shows and what a person types become vectors that can be compared."""
