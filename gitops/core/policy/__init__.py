"""The rules of promotion, and the reasons that they give."""
