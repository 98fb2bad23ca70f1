"""Pictures of numbers: the one door to the library that draws them."""
