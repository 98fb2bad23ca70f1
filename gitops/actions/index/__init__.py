"""What Git says of every overlay: built once, kept, and moved on by what landed since."""
