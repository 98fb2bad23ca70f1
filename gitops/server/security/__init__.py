"""What every request goes through first: is it from our own pages, and within bounds?"""
